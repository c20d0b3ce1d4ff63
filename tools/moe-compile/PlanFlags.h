// The options of moe-compile that speak of several machines.
#ifndef MOE_COMPILE_PLANFLAGS_H
#define MOE_COMPILE_PLANFLAGS_H

#include "moe/Plan/Passes.h"

#include "llvm/Support/CommandLine.h"

/// The category that all options of moe-compile are in.
llvm::cl::OptionCategory &compileOptions();

/// What the command line says of meshes and plans.
void readPlanFlags(moe::PlanOptions &options);

#endif // MOE_COMPILE_PLANFLAGS_H
