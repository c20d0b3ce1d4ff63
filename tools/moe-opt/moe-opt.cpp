// moe-opt: runs any pass or pipeline of moe-opt on .mlir, as mlir-opt does.
#include "moe/Driver/Register.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

int main(int argc, char **argv) {
  llvm::cl::AddExtraVersionPrinter([](llvm::raw_ostream &stream) { stream << "moe-opt " MOE_VERSION "\n"; });
  mlir::DialectRegistry registry;
  moe::registerAllDialects(registry);
  moe::registerAllPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "moe-opt: Mixture-of-Experts compiler passes\n", registry));
}
