//===- Error.h - the text behind a moe_status -------------------*- C++ -*-===//
// Every failure inside the runtime is one call of fail(): it keeps a text for moe_last_error and answers the status to return.
#ifndef MOE_RUNTIME_ERROR_H
#define MOE_RUNTIME_ERROR_H

#include "moe/Runtime/moe_model.h"

namespace moe::runtime {

/// Keeps a printf-style message as this thread's last error and answers `status`. Longer than 1023 bytes is cut; control characters, which
/// names from a model may hold, become '?'.
[[gnu::format(printf, 2, 3)]] moe_status fail(moe_status status, const char *format, ...);

/// This thread's last message, "" before the first.
const char *lastError();

} // namespace moe::runtime

#endif // MOE_RUNTIME_ERROR_H
