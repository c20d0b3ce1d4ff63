// Registration of dialects, passes and stage pipelines.
#include "moe/Driver/Register.h"

#include "RecordLayers.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "moe/Codegen/CUDA/Kernels.h"
#include "moe/Codegen/CUDA/Passes.h"
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
  Option<int64_t> memoryNodes{*this, "memory-nodes", llvm::cl::desc("Memory nodes (NUMA) of the machine, 1 to 64"), llvm::cl::init(PlanOptions().memoryNodes)};

  Option<std::string> mesh{*this, "mesh", llvm::cl::desc("Machines that experts are spread over: node=2,rank=4 or a JSON file")};
  Option<std::string> profile{*this, "profile", llvm::cl::desc("JSON file of expert loads, or several with commas between them")};
  Option<int64_t> expertParallel{*this, "expert-parallel", llvm::cl::desc("Devices that share the experts; 0: the plan stage chooses"),
                                 llvm::cl::init(PlanOptions().expertParallel)};
  Option<int64_t> exchangeChunks{*this, "exchange-chunks", llvm::cl::desc("Parts in which tokens travel; 0: the plan stage chooses"),
                                 llvm::cl::init(PlanOptions().exchangeChunks)};
  Option<std::string> exchange{*this, "exchange", llvm::cl::desc("How rows travel: auto, direct, two_level or two_level_dedup"), llvm::cl::init(PlanOptions().exchange)};
  Option<int64_t> planTokens{*this, "plan-tokens", llvm::cl::desc("Tokens of a step, of all devices together, that the plan is made for"),
                             llvm::cl::init(PlanOptions().planTokens)};
  Option<int64_t> planSequences{*this, "plan-sequences", llvm::cl::desc("Sequences that these are of"), llvm::cl::init(PlanOptions().planSequences)};
  Option<int64_t> planKeys{*this, "plan-keys", llvm::cl::desc("Keys that a query sees; 0: the tokens of a sequence"), llvm::cl::init(PlanOptions().planKeys)};
  Option<std::string> betweenLayers{*this, "between-layers", llvm::cl::desc("Who computes what lies between the layers: auto, whole, batch, columns or heads"),
                                    llvm::cl::init(PlanOptions().betweenLayers)};
  Option<int64_t> expertSplit{*this, "expert-split", llvm::cl::desc("Devices that share each expert by cutting it; 0: the plan stage chooses"),
                              llvm::cl::init(PlanOptions().expertSplit)};
  Option<std::string> pin{*this, "pin", llvm::cl::desc("What is pinned of layers: NAME=ep4:etp2:slots3;...")};
  Option<std::string> replanFrom{*this, "replan-from", llvm::cl::desc("Planned model whose experts should stay where they are")};
  Option<std::string> planReport{*this, "plan-report", llvm::cl::desc("Writes the plan as a page of HTML")};
  Option<bool> explainPlan{*this, "explain-plan", llvm::cl::desc("Say what else was weighed"), llvm::cl::init(false)};

  StageOptions get() const {
    StageOptions options;
    options.plan.mesh = mesh;
    options.plan.profile = profile;
    options.plan.expertParallel = expertParallel;
    options.plan.exchangeChunks = exchangeChunks;
    options.plan.exchange = exchange;
    options.plan.planTokens = planTokens;
    options.plan.planSequences = planSequences;
    options.plan.planKeys = planKeys;
    options.plan.betweenLayers = betweenLayers;
    options.plan.expertSplit = expertSplit;
    options.plan.pin = pin;
    options.plan.replanFrom = replanFrom;
    options.plan.planReport = planReport;
    options.plan.explainPlan = explainPlan;
    options.plan.activations = activations;
    options.plan.memoryNodes = memoryNodes;
    return options;
  }
};

struct FuseStageOptions : mlir::PassPipelineOptions<FuseStageOptions> {
  Option<bool> recordLoads{*this, "record-loads", llvm::cl::desc("How often each expert was chosen becomes an output"), llvm::cl::init(false)};

  StageOptions get() const {
    StageOptions options;
    options.fuse.recordLoads = recordLoads;
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
  registerMoeCodegenCUDAPasses();
  registerCpuCodegenPipeline();
  registerCudaKernelPipeline();
  mlir::registerPass([] { return createRecordLayers(); });
  for (const StageInfo &info : stages()) {
    if (!info.build)
      continue;
    if (info.stage == Stage::Plan)
      registerStage<PlanStageOptions>(info);
    else if (info.stage == Stage::Fuse)
      registerStage<FuseStageOptions>(info);
    else
      registerStage<NoStageOptions>(info);
  }
}
