// See PlanFlags.h. Defaults are those of the stage's options.
#include "PlanFlags.h"

using namespace llvm;

cl::OptionCategory &modelOptions() {
  static cl::OptionCategory category("Model and processor");
  return category;
}

cl::OptionCategory &outputOptions() {
  static cl::OptionCategory category("Output");
  return category;
}

cl::OptionCategory &machineOptions() {
  static cl::OptionCategory category("Several machines (with --mesh)");
  return category;
}

cl::OptionCategory &limitOptions() {
  static cl::OptionCategory category("Limits of the compiler");
  return category;
}

namespace {

cl::OptionCategory &category = machineOptions();
const moe::PlanOptions defaults;

cl::opt<std::string> activations("activations", cl::desc("Precision of activations in kernels: f32, bf16, int8, or auto (the default: what the graph has, int8 where a node allows it)"), cl::init(defaults.activations),
                                 cl::value_desc("type"), cl::cat(modelOptions()));
cl::opt<std::string> mesh("mesh", cl::desc("Spread experts over these machines: axes and their sizes (node=2,rank=4), or a JSON file with their speeds"),
                          cl::value_desc("mesh"), cl::cat(category));
cl::opt<std::string> profile("profile", cl::desc("JSON file of how often each expert was chosen, or several with commas between them (default: all equally often)"),
                             cl::value_desc("file"), cl::cat(category));
cl::opt<int64_t> expertParallel("expert-parallel", cl::desc("This many devices share the experts (default: what is expected to be fastest)"),
                                cl::value_desc("number"), cl::init(defaults.expertParallel), cl::cat(category));
cl::opt<int64_t> exchangeChunks("exchange-chunks", cl::desc("Tokens travel in so many parts, one while experts compute another (default: what is expected to be fastest)"),
                                cl::value_desc("number"), cl::init(defaults.exchangeChunks), cl::cat(category));
cl::opt<std::string> exchange("exchange", cl::desc("Rows travel direct, by two_level (between nodes, then inside of them), by two_level_dedup (a token once for a node), or auto (the default: what is expected to be fastest)"),
                              cl::init(defaults.exchange), cl::value_desc("way"), cl::cat(category));
cl::opt<int64_t> planTokens("plan-tokens", cl::desc("Tokens of a step, of all devices together, that the plan is made for (1024)"),
                            cl::value_desc("number"), cl::init(defaults.planTokens), cl::cat(category));
cl::opt<int64_t> planSequences("plan-sequences", cl::desc("Sequences that these tokens are of (1)"),
                               cl::value_desc("number"), cl::init(defaults.planSequences), cl::cat(category));
cl::opt<int64_t> planKeys("plan-keys", cl::desc("Keys that a query sees, with those of caches (the tokens of a sequence)"),
                          cl::value_desc("number"), cl::init(defaults.planKeys), cl::cat(category));
cl::opt<std::string> betweenLayers("between-layers", cl::desc("Attention and all else between the layers is computed by every device for all tokens (whole), by each for its own sequences (batch), products by each for its own columns (columns), these and attention by each for its own heads (heads), or as is expected to be faster (auto, the default)"),
                                   cl::init(defaults.betweenLayers), cl::value_desc("way"), cl::cat(category));
cl::opt<int64_t> expertSplit("expert-split", cl::desc("This many devices share each expert, which is cut into parts; 0: as is expected to be fastest (default: 1, which gives the bits of one device)"),
                             cl::value_desc("number"), cl::init(defaults.expertSplit), cl::cat(category));
cl::opt<int64_t> memoryNodes("memory-nodes", cl::desc("Memory nodes (NUMA) of the machine: each gets a part of the panels of every expert, which its threads alone read; run with MOE_PIN_THREADS=1"),
                             cl::value_desc("number"), cl::init(defaults.memoryNodes), cl::cat(modelOptions()));
cl::opt<std::string> pin("pin", cl::desc("What is pinned of layers, the rest is chosen: devices that share the experts, parts of an expert, slots of a device (NAME=ep4:etp2:slots3;NAME=ep2)"),
                         cl::value_desc("pins"), cl::cat(category));
cl::opt<std::string> replanFrom("replan-from", cl::desc("Keep experts where this planned model (--compile-to=plan) has them, as far as that costs nothing"),
                                cl::value_desc("file"), cl::cat(category));
cl::opt<std::string> planReport("plan-report", cl::desc("Write a page of HTML: where experts lie, who sends what to whom, what each device does when, what else was weighed"),
                                cl::value_desc("file"), cl::cat(category));
cl::opt<bool> explainPlan("explain-plan", cl::desc("Say why each layer is planned as it is and what else would have cost"), cl::cat(category));

cl::opt<bool> recordLoad("record-load", cl::desc("The model counts how often each expert is chosen, for moe-run --record-load"), cl::cat(outputOptions()));

} // namespace

StringRef findOptionWithoutMesh() {
  if (mesh.empty())
    for (const auto &[name, option] : cl::getRegisteredOptions())
      if (is_contained(option->Categories, &category) && option->getNumOccurrences() > 0)
        return name;
  return {};
}

void readStageFlags(moe::StageOptions &stages) {
  stages.fuse.recordLoads = recordLoad;
  moe::PlanOptions &options = stages.plan;
  options.activations = activations;
  options.mesh = mesh;
  options.profile = profile;
  options.expertParallel = expertParallel;
  options.expertSplit = expertSplit;
  options.pin = pin;
  options.replanFrom = replanFrom;
  options.planReport = planReport;
  options.exchangeChunks = exchangeChunks;
  options.exchange = exchange;
  options.planTokens = planTokens;
  options.planSequences = planSequences;
  options.planKeys = planKeys;
  options.betweenLayers = betweenLayers;
  options.memoryNodes = memoryNodes;
  options.explainPlan = explainPlan;
}
