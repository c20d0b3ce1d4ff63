//===- Loads.h - how often each expert was chosen ---------------*- C++ -*-===//
#ifndef MOE_RUN_LOADS_H
#define MOE_RUN_LOADS_H

#include "Session.h"

namespace moe::run {

/// Is output `name` the load of a layer's experts rather than a result?
bool isLoadOutput(const std::string &name);

/// The profile (moe/Plan/Input.h) of the last run: one window for each layer. Throws a Failure where the model does not count, or does not say how many
/// experts a token has.
std::string profileText(const Session &session);

} // namespace moe::run

#endif // MOE_RUN_LOADS_H
