// See HeadCuts.h. What is not recognised is computed for all heads, of which the rank then reads its own: that costs time and is right.
#include "HeadCuts.h"

#include "ColumnSplitter.h"
#include "moe/IR/Layers.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace moe {

HeadCuts::HeadCuts(Block &block) {
  auto function = dyn_cast<func::FuncOp>(block.getParentOp());
  if (function && function->hasAttr("moe.entry"))
    caches = kvCachesOf(block);
  // A default is a whole cache.
  llvm::erase_if(caches, [&](const KvCache &cache) { return function.getArgAttr(cache.past.getArgNumber(), "moe.default") != nullptr; });
  // Each cache that cannot be had in parts makes its present wanted whole, and perhaps others.
  for (size_t before = caches.size() + 1; before != caches.size();) {
    before = caches.size();
    visitAll(block);
    llvm::erase_if(caches, [&](const KvCache &cache) { return !isOwn(cache); });
  }
  for (const KvCache &cache : caches)
    for (Value value = cache.present->get(); value.getDefiningOp() != cache.grown; value = value.getDefiningOp()->getOperand(0)) {
      results[value.getDefiningOp()] = of(cache);
      operands[&value.getDefiningOp()->getOpOperand(0)] = of(cache);
    }
}

void HeadCuts::visitAll(Block &block) {
  results.clear();
  operands.clear();
  for (Operation &op : llvm::reverse(block))
    visit(&op);
}

bool HeadCuts::isPresent(OpOperand &use) const {
  if (auto cast = dyn_cast<tensor::CastOp>(use.getOwner()))
    return llvm::all_of(cast->getUses(), [&](OpOperand &next) { return isPresent(next); });
  return llvm::any_of(caches, [&](const KvCache &cache) { return cache.present == &use; });
}

bool HeadCuts::isOwn(const KvCache &cache) const {
  const std::optional<HeadCut> cut = of(cache.grown);
  const int64_t size = cut ? cut->heads * cut->unit : 0;
  if (!cut || cast<RankedTensorType>(cache.past.getType()).getDimSize(cut->dim) != size || cast<RankedTensorType>(cache.present->get().getType()).getDimSize(cut->dim) != size)
    return false;
  return llvm::all_of(cache.past.getUses(), [&](OpOperand &use) {
    const std::optional<HeadCut> read = of(use);
    return isa<tensor::DimOp>(use.getOwner()) || (read && *read == *cut && of(use.getOwner()));
  });
}

std::optional<HeadCut> HeadCuts::of(Operation *op) const {
  const auto found = results.find(op);
  return found == results.end() ? std::nullopt : std::optional<HeadCut>(found->second);
}

std::optional<HeadCut> HeadCuts::of(OpOperand &operand) const {
  const auto found = operands.find(&operand);
  return found == operands.end() ? std::nullopt : std::optional<HeadCut>(found->second);
}

void HeadCuts::visit(Operation *op) {
  if (auto attention = dyn_cast<AttentionOp>(op))
    if (auto sharding = op->getAttrOfType<ShardingAttr>(shardingAttrName))
      return cutAttention(attention, sharding);
  if (op->getNumResults() != 1 || !isa<RankedTensorType>(op->getResult(0).getType()))
    return;
  if (const std::optional<HeadCut> wanted = wantedOf(op->getResult(0)); wanted && want(op, *wanted))
    results[op] = *wanted;
}

void HeadCuts::cutAttention(AttentionOp op, ShardingAttr sharding) {
  const auto headsOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); };
  const HeadCut query = {1, 1, headsOf(op.getQ()), sharding.devices(), false}, key = {1, 1, headsOf(op.getK()), sharding.devices(), true};
  results[op] = query;
  operands[&op.getQMutable()] = query;
  operands[&op.getKMutable()] = operands[&op.getVMutable()] = key;
  operands[&op.getOutsMutable()[0]] = query;
  operands[&op.getOutsMutable()[1]] = key;
  for (OpOperand &mask : op.getMaskMutable())
    if (headsOf(mask.get()) != 1)
      operands[&mask] = query;
  for (OpOperand &sink : op.getSinkMutable())
    operands[&sink] = {0, 1, query.heads, query.devices, false};
}

std::optional<HeadCut> HeadCuts::wantedOf(Value result) const {
  std::optional<HeadCut> wanted;
  // What costs nothing to make again is wanted by whoever wants a part of it.
  const bool isFree = isa<tensor::EmptyOp, linalg::FillOp>(result.getDefiningOp());
  for (OpOperand &use : result.getUses()) {
    const auto found = operands.find(&use);
    if (found == operands.end() && (isFree || isPresent(use)))
      continue;
    if (found == operands.end() || (wanted && !(*wanted == found->second)))
      return std::nullopt;
    wanted = found->second;
  }
  return wanted;
}

bool HeadCuts::want(Operation *op, HeadCut cut) {
  // A dim of another size is no dim of heads; how heads lie in a dynamic one is not known.
  if (cast<RankedTensorType>(op->getResult(0).getType()).getDimSize(cut.dim) != cut.heads * cut.unit)
    return false;
  if (auto loop = dyn_cast<linalg::LinalgOp>(op))
    return want(loop, cut);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return want(expand, cut);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return want(collapse, cut);
  if (isa<tensor::EmptyOp>(op))
    return true;
  if (auto other = dyn_cast<tensor::CastOp>(op)) {
    const auto source = dyn_cast<RankedTensorType>(other.getSource().getType());
    const bool isWhole = source && source.getDimSize(cut.dim) == cut.heads * cut.unit;
    if (isWhole)
      operands[&other.getSourceMutable()] = cut;
    return isWhole;
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    const bool isWhole = slice.getType().getRank() == slice.getSourceType().getRank() && slice.getSourceType().getDimSize(cut.dim) == cut.heads * cut.unit &&
                         getConstantIntValue(slice.getMixedOffsets()[cut.dim]) == 0 && getConstantIntValue(slice.getMixedStrides()[cut.dim]) == 1;
    if (isWhole)
      operands[&slice.getSourceMutable()] = cut;
    return isWhole;
  }
  auto concat = dyn_cast<ConcatOp>(op);
  if ((!concat || static_cast<int64_t>(concat.getAxis()) == cut.dim) && !(isa<AppendOp>(op) && cut.dim == 1))
    return false;
  for (OpOperand &operand : op->getOpOperands())
    if (concat || cast<ShapedType>(operand.get().getType()).getRank() == 4) // `at` of an append counts sequences.
      operands[&operand] = cut;
  return true;
}

bool sharesHeads(linalg::MatmulOp op, const HeadCut &cut) {
  const auto plan = op->getAttrOfType<PlanAttr>(planAttrName);
  std::string why;
  return plan && plan.getSharding() && plan.getSharding().devices() == cut.devices && isEvenSharding(plan.getSharding()) && cut.dim == 1 &&
         cut.heads % cut.devices == 0 && canShareColumns(op, cut.devices, why);
}

bool HeadCuts::want(linalg::LinalgOp op, HeadCut cut) {
  if (!op.hasPureTensorSemantics())
    return false;
  if (auto matmul = dyn_cast<linalg::MatmulOp>(op.getOperation()); matmul && matmul->hasAttr(planAttrName))
    return sharesHeads(matmul, cut);
  const auto expression = dyn_cast<AffineDimExpr>(op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResult(cut.dim));
  if (!expression || op.getIteratorTypesArray()[expression.getPosition()] != utils::IteratorType::parallel)
    return false;
  const unsigned loop = expression.getPosition();
  const bool asksForNumber = op->walk([&](linalg::IndexOp index) {
    return index->getParentOp() == op && index.getDim() == loop ? WalkResult::interrupt() : WalkResult::advance();
  }).wasInterrupted();
  if (asksForNumber)
    return false;
  SmallVector<std::pair<OpOperand *, HeadCut>> wanted;
  for (OpOperand &operand : op->getOpOperands()) {
    std::optional<int64_t> place;
    for (auto [dim, result] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
      if (!result.isFunctionOfDim(loop))
        continue;
      if (!isa<AffineDimExpr>(result) || place)
        return false;
      place = static_cast<int64_t>(dim);
    }
    if (place)
      wanted.push_back({&operand, {*place, cut.unit, cut.heads, cut.devices, cut.isKey}});
  }
  operands.insert(wanted.begin(), wanted.end());
  return true;
}

/// The group that dim `dim` is in, if what lies outside of it there has size 1 and what lies inside a static size, `inner`.
static std::optional<int64_t> groupOf(ArrayRef<ReassociationIndices> groups, RankedTensorType type, int64_t dim, int64_t &inner) {
  for (auto [number, group] : llvm::enumerate(groups)) {
    if (!llvm::is_contained(group, dim))
      continue;
    inner = 1;
    for (int64_t other : group) {
      const int64_t size = type.getDimSize(other);
      if ((other < dim && size != 1) || (other > dim && ShapedType::isDynamic(size)))
        return std::nullopt;
      inner *= other > dim ? size : 1;
    }
    return static_cast<int64_t>(number);
  }
  return std::nullopt;
}

bool HeadCuts::want(tensor::ExpandShapeOp op, HeadCut cut) {
  int64_t inner = 1;
  const std::optional<int64_t> source = groupOf(op.getReassociationIndices(), op.getResultType(), cut.dim, inner);
  if (source)
    operands[&op.getSrcMutable()] = {*source, cut.unit * inner, cut.heads, cut.devices, cut.isKey};
  return source.has_value();
}

bool HeadCuts::want(tensor::CollapseShapeOp op, HeadCut cut) {
  const SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
  for (int64_t dim : groups[cut.dim]) {
    int64_t inner = 1;
    if (op.getSrcType().getDimSize(dim) == 1)
      continue;
    // The first dim that is not 1 is that of heads.
    if (groupOf(groups, op.getSrcType(), dim, inner) && cut.unit % inner == 0) {
      operands[&op.getSrcMutable()] = {dim, cut.unit / inner, cut.heads, cut.devices, cut.isKey};
      return true;
    }
    return false;
  }
  return false;
}

} // namespace moe
