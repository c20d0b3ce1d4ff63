//===- Commands.h - what moe-run can do -------------------------*- C++ -*-===//
#ifndef MOE_RUN_COMMANDS_H
#define MOE_RUN_COMMANDS_H

#include "Options.h"

namespace moe::run {

/// --info: describes the model without opening it. Prints to stdout.
void describeModel(const Options &options);

/// Everything else: gathers inputs, runs, writes, compares, measures, and reports to stdout. Answers whether all compared outputs passed.
bool runModel(const Options &options);

} // namespace moe::run

#endif // MOE_RUN_COMMANDS_H
