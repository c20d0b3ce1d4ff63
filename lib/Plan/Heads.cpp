// See Heads.h. Scores and sums are arithmetic on queries times keys, the cache is read once for all queries of a sequence: the larger of both, as for products.
#include "Heads.h"
#include "moe/IR/Caches.h"
#include "moe/IR/Layers.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <algorithm>

using namespace mlir;

namespace moe::plan {

std::vector<HeadAttention> headAttentions(func::FuncOp function, const Mesh &machines, const StepSize &step, std::string &why) {
  std::vector<HeadAttention> found;
  const int64_t devices = machines.devices();
  const auto speed = machines.device.tflops.find("f32");
  for (auto op : function.getOps<AttentionOp>()) {
    std::string reason;
    if (devices < 2 || !canShareHeads(op, devices, reason)) {
      why = reason.empty() ? "there is one device" : reason;
      continue;
    }
    const auto q = cast<RankedTensorType>(op.getQ().getType()), k = cast<RankedTensorType>(op.getK().getType()), v = cast<RankedTensorType>(op.getV().getType());
    const auto bytes = [](RankedTensorType type, int64_t columns) { return double(columns) * type.getElementTypeBitWidth() / 8.0; };
    const auto out = cast<RankedTensorType>(op.getResult(0).getType());
    const double depth = double(k.getDimSize(3) + v.getDimSize(3)), memory = machines.device.memoryGbps * 1e3;
    const double flops = 2 * step.tokens * step.keys * double(q.getDimSize(1)) * depth;
    const double cacheBytes = step.sequences * step.keys * double(k.getDimSize(1)) * (bytes(k, k.getDimSize(3)) + bytes(v, v.getDimSize(3)));
    const double rowBytes = bytes(out, out.getDimSize(1) * out.getDimSize(3));
    const auto time = [&](double heads, double keyHeads) {
      const double arithmetic = speed == machines.device.tflops.end() ? 0 : flops / heads / (speed->second * 1e6);
      return machines.device.gemmAlphaUs + std::max(arithmetic, cacheBytes / keyHeads / memory);
    };
    HeadAttention attention = {op, time(1, 1), 0};
    // Two passes over a rank's own results, two over those of all.
    attention.sharedUs = time(double(devices), double(std::min(devices, k.getDimSize(1)))) +
                         allGatherUs(machines.levels(), step.tokens, rowBytes / double(devices)) + 2 * step.tokens * rowBytes * (1 + 1 / double(devices)) / memory;
    found.push_back(attention);
  }
  return found;
}

/// Is `use` an output of which each rank gives its own heads if attention reads no others?
static bool isCache(OpOperand &use) {
  if (!isa<func::ReturnOp>(use.getOwner()))
    return false;
  const std::optional<KvCache> cache = kvCacheOf(use);
  return cache && isReadByGrowthOnly(*cache);
}

/// The attention among `shared` that alone reads `value`, through loops, reshapes and caches; null if others do, too, or copies of key heads are read.
static AttentionOp onlyReader(Value value, ArrayRef<HeadAttention> shared, int64_t devices, int64_t depth = 0) {
  constexpr int64_t mostSteps = 32; // Rotations take about a dozen.
  AttentionOp reader;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (isCache(use) || (isa<tensor::CastOp>(user) && llvm::all_of(user->getUses(), isCache)))
      continue;
    auto attention = dyn_cast<AttentionOp>(user);
    if (!attention) {
      if (depth > mostSteps || user->getNumResults() != 1 || (isa<linalg::LinalgOp>(user) && linalg::isaContractionOpInterface(cast<linalg::LinalgOp>(user))) ||
          !isa<linalg::LinalgOp, tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp, ConcatOp, AppendOp>(user))
        return {};
      attention = onlyReader(user->getResult(0), shared, devices, depth + 1);
    } else {
      const bool isKey = use.get() == attention.getK() || use.get() == attention.getV();
      const bool isShared = llvm::any_of(shared, [&](const HeadAttention &other) { return other.op == attention; });
      if (!isShared || (isKey && cast<ShapedType>(attention.getK().getType()).getDimSize(1) % devices != 0))
        return {};
    }
    if (!attention || (reader && reader != attention))
      return {};
    reader = attention;
  }
  return reader;
}

void SharedWork::freeFedProducts() {
  for (ColumnProduct &product : products)
    if (onlyReader(product.op.getResult(0), attentions, product.devices))
      product.sharedUs = product.ownUs;
}

void SharedWork::keepGains() {
  auto gain = [](const ColumnProduct &product, double us) { return std::max(0.0, product.wholeUs - us); };
  // What products gain by heads that they do not gain alone.
  llvm::DenseMap<Operation *, double> byHeads;
  for (ColumnProduct &product : products)
    if (AttentionOp reader = onlyReader(product.op.getResult(0), attentions, product.devices))
      byHeads[reader] += gain(product, product.ownUs) - gain(product, product.sharedUs);
  llvm::erase_if(attentions, [&](const HeadAttention &attention) { return attention.sharedUs >= attention.wholeUs + byHeads.lookup(attention.op); });
  freeFedProducts();
  llvm::erase_if(products, [](const ColumnProduct &product) { return product.sharedUs >= product.wholeUs; });
}

double cacheBytes(func::FuncOp function, const StepSize &step, ArrayRef<HeadAttention> shared, int64_t devices) {
  double bytes = 0;
  if (!function || !function.getBody().hasOneBlock())
    return bytes;
  for (const KvCache &cache : kvCachesOf(function.getBody().front())) {
    auto concat = dyn_cast<ConcatOp>(cache.grown);
    const Value grown = cache.grown->getResult(0);
    const auto type = cast<RankedTensorType>(grown.getType());
    double row = step.sequences * step.keys * type.getElementTypeBitWidth() / 8;
    for (int64_t dim = 1; dim < type.getRank(); ++dim)
      if (dim != (concat ? static_cast<int64_t>(concat.getAxis()) : 2) && !type.isDynamicDim(dim))
        row *= double(type.getDimSize(dim));
    AttentionOp reader = isReadByGrowthOnly(cache) ? onlyReader(grown, shared, /*devices=*/1) : AttentionOp();
    bytes += reader ? row / double(std::min(devices, cast<ShapedType>(reader.getK().getType()).getDimSize(1))) : row;
  }
  return bytes;
}

double SharedWork::attentionUs() const {
  double whole = 0;
  for (const HeadAttention &attention : attentions)
    whole += attention.wholeUs;
  return whole;
}

double SharedWork::savedUs() const {
  double saved = 0;
  for (const ColumnProduct &product : products)
    saved += product.wholeUs - product.sharedUs;
  for (const HeadAttention &attention : attentions)
    saved += attention.wholeUs - attention.sharedUs;
  return saved;
}

void shareHeads(const HeadAttention &attention, MeshOp mesh, const Mesh &machines) {
  AttentionOp op = attention.op;
  op->setAttr(shardingAttrName, evenSharding(mesh, machines));
}

} // namespace moe::plan
