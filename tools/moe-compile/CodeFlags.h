// The options of moe-compile that say for which processor code is written, and which kind of it.
#ifndef MOE_COMPILE_CODEFLAGS_H
#define MOE_COMPILE_CODEFLAGS_H

#include "moe/Driver/Session.h"

/// Fills target, kind of output, code of GPU kernels and simulation. Prints what is wrong and gives false.
bool readCodeFlags(moe::SessionOptions &options);

#endif // MOE_COMPILE_CODEFLAGS_H
