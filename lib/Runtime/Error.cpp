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
