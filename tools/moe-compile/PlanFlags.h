// The options of moe-compile that the plan stage reads: precision and machines.
#ifndef MOE_COMPILE_PLANFLAGS_H
#define MOE_COMPILE_PLANFLAGS_H

#include "moe/Plan/Passes.h"

#include "llvm/Support/CommandLine.h"

/// The category that all options of moe-compile are in.
llvm::cl::OptionCategory &compileOptions();

/// What the command line says of plans.
void readPlanFlags(moe::PlanOptions &options);

#endif // MOE_COMPILE_PLANFLAGS_H
