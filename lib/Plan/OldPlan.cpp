// See OldPlan.h.
#include "OldPlan.h"
#include "MeshText.h"
#include "moe/IR/Layers.h"

#include "mlir/Parser/Parser.h"

using namespace mlir;

namespace moe::plan {

OldSharding readSharding(ShardingAttr sharding) {
  OldSharding result;
  result.candidate.ep = sharding.getEp();
  result.candidate.etp = sharding.getEtp();
  result.candidate.edp = sharding.getEdp();
  result.candidate.slotsPerRank = sharding.slotsPerDevice();
  result.candidate.chunks = sharding.getChunks();
  result.candidate.algorithm = sharding.getAlgorithm() == "direct" ? Algorithm::Direct : Algorithm::TwoLevel;
  result.candidate.dedup = sharding.getDedup() == "node" ? Dedup::Node : Dedup::None;
  result.placement = {sharding.getEp(), std::vector<int64_t>(sharding.getSlots().asArrayRef())};
  return result;
}

std::optional<std::map<std::string, OldSharding>> readOldPlan(StringRef path, MLIRContext &context, std::string &error) {
  std::optional<std::string> text = textOfFile(path, error);
  if (!text)
    return std::nullopt;
  // A pass must not load dialects into the context that it runs in.
  MLIRContext own(context.getDialectRegistry(), MLIRContext::Threading::DISABLED);
  std::string first;
  ScopedDiagnosticHandler handler(&own, [&](Diagnostic &diagnostic) {
    if (first.empty())
      first = diagnostic.str();
    return success();
  });
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(*text, &own, path);
  if (!module) {
    error = (path + ": expected a planned model as MLIR (moe-compile --compile-to=plan): " + first).str();
    return std::nullopt;
  }
  std::map<std::string, OldSharding> found;
  module->walk([&](ExpertsOp op) {
    const ShardingAttr sharding = op.getPlan() ? op.getPlan()->getSharding() : ShardingAttr();
    if (!sharding)
      return;
    found[layerName(op)] = readSharding(sharding);
  });
  if (!found.empty())
    return found;
  error = (path + ": expected layers with a sharding, found none").str();
  return std::nullopt;
}

} // namespace moe::plan
