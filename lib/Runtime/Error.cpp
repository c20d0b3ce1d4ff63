// The last error of each thread: a plain thread-local buffer, so that reporting a failure needs no memory and no destructor.
#include "moe/Runtime/Error.h"

#include <stdarg.h>
#include <stdio.h>

namespace moe::runtime {

static thread_local char message[1024];

moe_status fail(moe_status status, const char *format, ...) {
  // A caller may pass the last error itself as an argument: format aside first.
  char text[sizeof(message)];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  char *out = message;
  for (const char *in = text; *in; ++in)
    *out++ = static_cast<unsigned char>(*in) < 0x20 || *in == 0x7f ? '?' : *in;
  *out = '\0';
  return status;
}

const char *lastError() { return message; }

} // namespace moe::runtime

// Here and not with the other functions of the ABI: those bring the whole model along.
const char *moe_status_name(moe_status status) {
  switch (status) {
  case MOE_STATUS_OK:
    return "ok";
  case MOE_STATUS_BAD_ARGUMENT:
    return "bad_argument";
  case MOE_STATUS_BAD_SHAPE:
    return "bad_shape";
  case MOE_STATUS_BAD_DTYPE:
    return "bad_dtype";
  case MOE_STATUS_BAD_ARTIFACT:
    return "bad_artifact";
  case MOE_STATUS_UNSUPPORTED_CPU:
    return "unsupported_cpu";
  case MOE_STATUS_NO_MEMORY:
    return "no_memory";
  case MOE_STATUS_IO:
    return "io";
  case MOE_STATUS_COMM:
    return "comm";
  case MOE_STATUS_UNSUPPORTED_GPU:
    return "unsupported_gpu";
  case MOE_STATUS_GPU:
    return "gpu";
  case MOE_STATUS_INTERNAL:
    return "internal";
  }
  return "unknown";
}
