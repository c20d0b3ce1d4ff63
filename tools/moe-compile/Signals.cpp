// Handlers in front of LLVM's: LLVM removes the files that it was told of and then lets the signal do its work; folders it does not know.
#include "Signals.h"

#include "moe/Support/TemporaryFolder.h"

#include <csignal>
#include <iterator>

namespace {

constexpr int handled[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGQUIT, SIGXCPU, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
bool wasIgnored[std::size(handled)];
struct sigaction next[std::size(handled)];

void cleanUp(int number, siginfo_t *info, void *context) {
  moe::removeTemporaryFolders();
  for (unsigned i = 0; i < std::size(handled); ++i) {
    if (handled[i] != number)
      continue;
    if (next[i].sa_flags & SA_SIGINFO)
      return next[i].sa_sigaction(number, info, context);
    if (next[i].sa_handler != SIG_DFL && next[i].sa_handler != SIG_IGN)
      return next[i].sa_handler(number);
    sigaction(number, &next[i], nullptr);
    raise(number); // Blocked until this handler returns.
  }
}

} // namespace

void rememberIgnoredSignals() {
  for (unsigned i = 0; i < std::size(handled); ++i) {
    struct sigaction present;
    wasIgnored[i] = sigaction(handled[i], nullptr, &present) == 0 && !(present.sa_flags & SA_SIGINFO) && present.sa_handler == SIG_IGN;
  }
}

void handleSignals() {
  std::signal(SIGXFSZ, SIG_IGN);
  for (unsigned i = 0; i < std::size(handled); ++i) {
    struct sigaction action = {};
    if (wasIgnored[i]) {
      action.sa_handler = SIG_IGN;
      sigaction(handled[i], &action, nullptr);
      continue;
    }
    action.sa_sigaction = cleanUp;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    sigaction(handled[i], &action, &next[i]);
  }
}
