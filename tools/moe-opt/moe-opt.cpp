// moe-opt: runs any pass or pipeline of moe-opt on .mlir, as mlir-opt does.
#include "moe/Driver/Register.h"
#include "moe/Driver/Stages.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

/// LLVM's own help has more than a thousand lines; what is ours comes first here.
static void printHelp(llvm::raw_ostream &stream) {
  stream << R"(usage: moe-opt [options] [file.mlir]

Runs passes and stages of moe-opt on .mlir, from a file or the standard input, as mlir-opt does.

stages, each a pipeline of passes (with options: --moe-plan-pipeline="activations=f32")
)";
  for (const moe::StageInfo &stage : moe::stages())
    if (stage.build)
      stream << "  " << llvm::left_justify(("--moe-" + stage.name + "-pipeline").str(), 28) << "  " << stage.summary << "\n";
  stream << R"(
often used with them
  -o FILE                       where the result goes (-: the standard output)
  --list-passes                 every pass with what it does; docs/Passes.md has examples
  --pass-pipeline=TEXT          passes with their nesting: 'builtin.module(func.func(cse))'
  --split-input-file            the parts of a file between lines // ----- are modules of their own
  --verify-diagnostics          compares errors and remarks with the file's expected-error and the like
  --mlir-print-ir-after-all     the IR after each pass; --mlir-print-ir-after=PASS after one
  --mlir-print-debuginfo        names of nodes and places in files
  --mlir-timing                 time of each pass

--help-hidden lists every option of ours, of MLIR and of LLVM; --version the versions.
)";
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (llvm::StringRef(argv[i]) == "--help" || llvm::StringRef(argv[i]) == "-h") {
      printHelp(llvm::outs());
      return 0;
    }
  llvm::cl::AddExtraVersionPrinter([](llvm::raw_ostream &stream) { stream << "moe-opt " MOE_VERSION "\n"; });
  mlir::DialectRegistry registry;
  moe::registerAllDialects(registry);
  moe::registerAllPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "moe-opt: Mixture-of-Experts compiler passes\n", registry));
}
