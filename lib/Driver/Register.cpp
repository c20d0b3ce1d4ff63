// Registration of dialects, passes and stage pipelines.
#include "moe/Driver/Register.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "moe/Driver/Stages.h"
#include "moe/IR/BufferizableOpInterfaceImpl.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Import/Passes.h"

void moe::registerAllDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<MoeDialect>();
  registerBufferizableOpInterfaceExternalModels(registry);
}

void moe::registerAllPasses() {
  mlir::registerAllPasses();
  registerMoeImportPasses();
  registerMoeRaisePasses();
  registerMoePlanPasses();
  registerMoeDistributePasses();
  registerMoeFusePasses();
  registerMoeLowerPasses();
  registerMoeCodegenCPUPasses();
  registerCpuCodegenPipeline();
  for (const StageInfo &info : stages()) {
    if (!info.build)
      continue;
    const auto build = info.build;
    mlir::registerPassPipeline(
        ("moe-" + info.name + "-pipeline").str(), info.summary,
        [build](mlir::OpPassManager &pm, llvm::StringRef, llvm::function_ref<mlir::LogicalResult(const llvm::Twine &)>) {
          build(pm, StageOptions());
          return mlir::success();
        },
        [](llvm::function_ref<void(const mlir::detail::PassOptions &)>) {});
  }
}
