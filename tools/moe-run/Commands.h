//===- Commands.h - what moe-run can do -------------------------*- C++ -*-===//
#ifndef MOE_RUN_COMMANDS_H
#define MOE_RUN_COMMANDS_H

#include "Options.h"

namespace moe::run {

/// --info: describes the model without opening it. Prints to stdout.
void describeModel(const Options &options);

/// --calibrate: measures links and devices under an MPI launcher and writes a mesh file. All ranks call it; throws a Failure on rank
/// 0 where times do not fit.
void calibrate(const Options &options);

/// Everything else: gathers inputs, runs, writes, compares, measures, and reports to stdout. Answers whether all compared outputs passed.
bool runModel(const Options &options);

} // namespace moe::run

#endif // MOE_RUN_COMMANDS_H
