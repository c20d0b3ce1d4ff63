// moe-run: runs a compiled model on recorded inputs, .npy files or zeros. Knows the model by its C ABI alone; no LLVM here.
#include "Commands.h"
#include "Failure.h"
#include "moe/Runtime/Mpi.h"

#include <csignal>
#include <cstdio>
#include <new>

int main(int argc, char **argv) {
  if (argc == 1) {
    std::fputs(moe::run::usageText, stderr);
    return 2;
  }
  std::signal(SIGXFSZ, SIG_IGN); // A file that may not grow is a failed write with a message.
  try {
    const moe::run::Options options = moe::run::parseOptions(argc, argv);
    bool passed = true;
    if (options.help)
      std::fputs(moe::run::helpText, stdout);
    else if (options.version)
      std::puts("moe-run " MOE_VERSION);
    else if (options.info)
      moe::run::describeModel(options);
    else if (options.calibrate)
      moe::run::calibrate(options);
    else
      passed = moe::run::runModel(options);
    if (std::fflush(stdout) != 0)
      throw moe::run::Failure("writing to the standard output failed");
    return passed ? 0 : 1;
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "moe-run: error: out of memory\n");
  } catch (const std::exception &failure) {
    std::fprintf(stderr, "moe-run: error: %s\n", failure.what());
  }
  if (moe::runtime::othersWait()) {
    moe::runtime::letOutputPass();
    std::raise(SIGTERM);
  }
  return 2;
}
