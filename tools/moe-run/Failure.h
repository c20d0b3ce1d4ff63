//===- Failure.h - how moe-run gives up -------------------------*- C++ -*-===//
// Anything that keeps moe-run from doing what was asked (a bad file, a wrong option, a refusal of the model) is thrown as a Failure. main
// prints it as one line and exits with 2.
#ifndef MOE_RUN_FAILURE_H
#define MOE_RUN_FAILURE_H

#include <stdexcept>

namespace moe::run {

/// One sentence that names the file or tensor, what was expected and what was found.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

} // namespace moe::run

#endif // MOE_RUN_FAILURE_H
