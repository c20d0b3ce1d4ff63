// The options of moe-compile that stages read: precision, machines, loads.
#ifndef MOE_COMPILE_PLANFLAGS_H
#define MOE_COMPILE_PLANFLAGS_H

#include "moe/Driver/Stages.h"

#include "llvm/Support/CommandLine.h"

/// The category that all options of moe-compile are in.
llvm::cl::OptionCategory &compileOptions();

/// What the command line says of plans and loads.
void readStageFlags(moe::StageOptions &stages);

#endif // MOE_COMPILE_PLANFLAGS_H
