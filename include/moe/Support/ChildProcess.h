//===- ChildProcess.h - run a program, survive whatever it does --*- C++ -*-===//
// LLVM can abort, hang or eat all memory; a compiler inside a Python process must answer with an error instead. LLVM's own
// ExecuteAndWait is not used: its timeout takes the process's alarm signal and its memory limit forks the caller.
#ifndef MOE_SUPPORT_CHILDPROCESS_H
#define MOE_SUPPORT_CHILDPROCESS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace moe {

/// How a child process ended and what it printed.
struct ChildResult {
  enum Ending {
    Exited,     ///< By itself; `code` is the exit status.
    Signalled,  ///< By a signal; `code` is its number.
    TimedOut,   ///< Killed by us; `code` is the timeout in seconds.
    NotStarted, ///< Never ran, or its end could not be observed; `output` says why.
  };
  Ending ending = NotStarted;
  int code = 0;
  /// Standard output and standard error together, the last 64 KiB.
  std::string output;

  bool succeeded() const { return ending == Exited && code == 0; }
};

/// Runs `program` (a path, not searched for) with `arguments` (without the program's name) and waits at most `timeoutSeconds`. The
/// child reads an empty standard input. No handler of the calling process is touched; safe in a process with many threads. With `standardOutput` the
/// child's standard output goes into that new file, for programs that print more than `output` keeps.
ChildResult runChild(llvm::StringRef program, llvm::ArrayRef<std::string> arguments, unsigned timeoutSeconds, llvm::StringRef standardOutput = "");

} // namespace moe

#endif // MOE_SUPPORT_CHILDPROCESS_H
