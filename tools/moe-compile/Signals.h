//===- Signals.h - what a signal does to moe-compile ------------*- C++ -*-===//
#ifndef MOE_TOOLS_MOE_COMPILE_SIGNALS_H
#define MOE_TOOLS_MOE_COMPILE_SIGNALS_H

/// Before LLVM installs its handlers: notes which signals whoever started this program wants ignored (as nohup does).
void rememberIgnoredSignals();

/// After that: ignored signals stay ignored, a signal that ends the program first removes its temporary folders, and a file that may not
/// grow is a failed write instead of SIGXFSZ.
void handleSignals();

#endif // MOE_TOOLS_MOE_COMPILE_SIGNALS_H
