// Registration of dialects, passes and stage pipelines.
#include "moe/Driver/Register.h"

#include "RecordLayers.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "moe/Driver/Stages.h"
#include "moe/IR/BufferizableOpInterfaceImpl.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Import/Passes.h"

using namespace moe;

namespace {

/// Options of a stage's pipeline that has none: any text is an error.
struct NoStageOptions : mlir::PassPipelineOptions<NoStageOptions> {
  StageOptions get() const { return {}; }
};

struct PlanStageOptions : mlir::PassPipelineOptions<PlanStageOptions> {
  Option<std::string> activations{*this, "activations", llvm::cl::desc("Precision of activations in kernels: auto, f32, bf16, int8"),
                                  llvm::cl::init(PlanOptions().activations)};

  StageOptions get() const {
    StageOptions options;
    options.plan.activations = activations;
    return options;
  }
};

template <typename Options> void registerStage(const StageInfo &info) {
  const auto build = info.build;
  mlir::registerPassPipeline(
      ("moe-" + info.name + "-pipeline").str(), info.summary,
      [build](mlir::OpPassManager &pm, llvm::StringRef text, llvm::function_ref<mlir::LogicalResult(const llvm::Twine &)> fail) {
        Options options;
        std::string problem;
        llvm::raw_string_ostream stream(problem);
        if (failed(options.parseFromString(text, stream)))
          return fail(llvm::StringRef(problem).rtrim());
        build(pm, options.get());
        return mlir::success();
      },
      [](llvm::function_ref<void(const mlir::detail::PassOptions &)> show) { show(Options()); });
}

} // namespace

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
  mlir::registerPass([] { return createRecordLayers(); });
  for (const StageInfo &info : stages()) {
    if (!info.build)
      continue;
    if (info.stage == Stage::Plan)
      registerStage<PlanStageOptions>(info);
    else
      registerStage<NoStageOptions>(info);
  }
}
