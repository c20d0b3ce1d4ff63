// The options of moe-compile that stages read: precision, machines, loads.
#ifndef MOE_COMPILE_PLANFLAGS_H
#define MOE_COMPILE_PLANFLAGS_H

#include "moe/Driver/Stages.h"

#include "llvm/Support/CommandLine.h"

/// The categories that the options of moe-compile are in, as --help shows them.
llvm::cl::OptionCategory &modelOptions();
llvm::cl::OptionCategory &outputOptions();
llvm::cl::OptionCategory &machineOptions();
llvm::cl::OptionCategory &limitOptions();

/// An option that only --mesh gives a meaning to, and that was given without it; empty where there is none.
llvm::StringRef findOptionWithoutMesh();

/// What the command line says of plans and loads.
void readStageFlags(moe::StageOptions &stages);

#endif // MOE_COMPILE_PLANFLAGS_H
