// See LoopPlan.h.
#include "LoopPlan.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using linalg::LinalgOp;

namespace moe {

/// An op with at most this many points is not worth a split.
constexpr int64_t singleThreadPoints = 256;

bool isOnOneThread(RequireRangeOp condition) {
  auto type = cast<ShapedType>(condition.getValues().getType());
  return type.hasStaticShape() && type.getNumElements() <= singleThreadPoints;
}

bool hasDenseLastDim(MemRefType type) {
  if (type.getRank() == 0)
    return true;
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) && strides.back() == 1;
}

Access accessOf(LinalgOp op, OpOperand &operand, unsigned dim) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!type || !map.isFunctionOfDim(dim))
    return Access::Invariant;
  for (AffineExpr index : map.getResults().drop_back())
    if (index.isFunctionOfDim(dim))
      return Access::Other;
  AffineExpr last = map.getResults().back();
  AffineExpr rest = simplifyAffineExpr(last - getAffineDimExpr(dim, op.getContext()), map.getNumDims(), map.getNumSymbols());
  return !rest.isFunctionOfDim(dim) && hasDenseLastDim(type) ? Access::Contiguous : Access::Other;
}

Operation *findCombiner(LinalgOp op, unsigned output) {
  Block *body = op.getBlock();
  BlockArgument accumulator = op.getRegionOutputArgs()[output];
  Operation *combiner = body->getTerminator()->getOperand(output).getDefiningOp();
  if (!combiner || combiner->getBlock() != body || combiner->getNumOperands() != 2 || !accumulator.hasOneUse() ||
      accumulator.use_begin()->getOwner() != combiner || !combiner->getResult(0).hasOneUse())
    return nullptr;
  if (!isa<arith::AddFOp, arith::AddIOp, arith::MulFOp, arith::MulIOp, arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
           arith::MinNumFOp, arith::MaxSIOp, arith::MaxUIOp, arith::MinSIOp, arith::MinUIOp, arith::AndIOp, arith::OrIOp>(combiner))
    return nullptr;
  return combiner;
}

TypedAttr neutralElement(Operation *combiner) {
  Type type = combiner->getResult(0).getType();
  if (auto floatType = dyn_cast<FloatType>(type)) {
    const llvm::fltSemantics &semantics = floatType.getFloatSemantics();
    if (isa<arith::AddFOp>(combiner))
      return FloatAttr::get(type, APFloat::getZero(semantics, /*Negative=*/true));
    if (isa<arith::MulFOp>(combiner))
      return FloatAttr::get(type, APFloat::getOne(semantics));
    // A NaN is what maxnum and minnum ignore; an infinity would do as well, but for rows of nothing but NaN.
    if (isa<arith::MaxNumFOp, arith::MinNumFOp>(combiner))
      return FloatAttr::get(type, APFloat::getNaN(semantics));
    return FloatAttr::get(type, APFloat::getInf(semantics, isa<arith::MaximumFOp>(combiner)));
  }
  unsigned width = type.getIntOrFloatBitWidth();
  return llvm::TypeSwitch<Operation *, TypedAttr>(combiner)
      .Case<arith::MulIOp>([&](auto) { return IntegerAttr::get(type, 1); })
      .Case<arith::MaxSIOp>([&](auto) { return IntegerAttr::get(type, APInt::getSignedMinValue(width)); })
      .Case<arith::MinSIOp>([&](auto) { return IntegerAttr::get(type, APInt::getSignedMaxValue(width)); })
      .Case<arith::MinUIOp, arith::AndIOp>([&](auto) { return IntegerAttr::get(type, APInt::getAllOnes(width)); })
      .Default([&](auto) { return IntegerAttr::get(type, 0); });
}

static bool isVectorElement(Type type) { return isa<FloatType, IndexType>(type) || type.isSignlessInteger(); }

/// Element types that lie in memory as they lie in a vector register; i1 has a byte there.
static bool isLoadable(Type type) { return isa<FloatType>(type) || (type.isSignlessInteger() && type.getIntOrFloatBitWidth() >= 8); }

LaneKind laneKind(Operation *op, unsigned vectorDim, llvm::function_ref<LaneKind(Value)> kindOf) {
  if (auto index = dyn_cast<linalg::IndexOp>(op))
    return index.getDim() == vectorDim ? LaneKind::Step : LaneKind::Uniform;
  bool anyLanes = false;
  for (Value operand : op->getOperands()) {
    LaneKind kind = kindOf(operand);
    if (kind == LaneKind::Illegal)
      return LaneKind::Illegal;
    anyLanes |= kind != LaneKind::Uniform;
  }
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    if (!anyLanes)
      return LaneKind::Uniform;
    for (Value index : load.getIndices().drop_back())
      if (kindOf(index) != LaneKind::Uniform)
        return LaneKind::Illegal;
    bool isStep = kindOf(load.getIndices().back()) == LaneKind::Step;
    return isStep && hasDenseLastDim(load.getMemRefType()) && isLoadable(load.getType()) ? LaneKind::Vector : LaneKind::Illegal;
  }
  if (op->getNumRegions() || !isMemoryEffectFree(op))
    return LaneKind::Illegal;
  if (!anyLanes)
    return LaneKind::Uniform;
  bool isShift = isa<arith::AddIOp>(op) || (isa<arith::SubIOp>(op) && kindOf(op->getOperand(1)) == LaneKind::Uniform);
  unsigned steps = llvm::count_if(op->getOperands(), [&](Value operand) { return kindOf(operand) == LaneKind::Step; });
  bool noVectors = llvm::none_of(op->getOperands(), [&](Value operand) { return kindOf(operand) == LaneKind::Vector; });
  if (noVectors && steps == 1 && (isShift || isa<arith::IndexCastOp>(op)))
    return LaneKind::Step;
  bool isElementwise = OpTrait::hasElementwiseMappableTraits(op) && op->getNumResults() == 1;
  auto isElement = [](Type type) { return isVectorElement(type); };
  return isElementwise && llvm::all_of(op->getResultTypes(), isElement) && llvm::all_of(op->getOperandTypes(), isElement)
             ? LaneKind::Vector
             : LaneKind::Illegal;
}

/// Whether the body can be computed with `dim` as vector dim: every operand moves by one element or stays, and so does every op.
static bool isVectorisable(LinalgOp op, unsigned dim) {
  llvm::DenseMap<Value, LaneKind> kinds;
  for (OpOperand &operand : op->getOpOperands()) {
    Access access = accessOf(op, operand, dim);
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (access == Access::Other && !(op.isDpsInput(&operand) && argument.use_empty()))
      return false;
    bool hasLanes = access == Access::Contiguous;
    if (op.isDpsInit(&operand)) {
      hasLanes = true; // also the accumulator of a reduction
      if (!isLoadable(argument.getType()))
        return false;
    }
    if (hasLanes && !argument.use_empty() && !isLoadable(argument.getType()))
      return false;
    kinds[argument] = hasLanes ? LaneKind::Vector : LaneKind::Uniform;
  }
  auto kindOf = [&](Value value) {
    auto found = kinds.find(value);
    return found == kinds.end() ? LaneKind::Uniform : found->second;
  };
  for (Operation &inner : op.getBlock()->without_terminator()) {
    LaneKind kind = laneKind(&inner, dim, kindOf);
    if (kind == LaneKind::Illegal)
      return false;
    for (Value result : inner.getResults())
      kinds[result] = kind;
  }
  return true;
}

static int64_t lanesFor(int64_t size) {
  return ShapedType::isDynamic(size) ? maxLanes : std::min<int64_t>(maxLanes, llvm::bit_floor(static_cast<uint64_t>(size)));
}

/// Whether every output is indexed by each parallel dim once, by no reduction dim, and by nothing else.
static bool writesEachPointOnce(LinalgOp op, ArrayRef<unsigned> parallelDims) {
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    if (!map.isProjectedPermutation(/*allowZeroInResults=*/true) || map != op.getMatchingIndexingMap(op.getDpsInitOperand(0)))
      return false;
    if (llvm::count_if(map.getResults(), [](AffineExpr e) { return isa<AffineDimExpr>(e); }) != static_cast<int64_t>(parallelDims.size()))
      return false;
    if (!llvm::all_of(parallelDims, [&](unsigned dim) { return map.isFunctionOfDim(dim); }))
      return false;
  }
  return true;
}

static void chooseVectorDim(LinalgOp op, LoopPlan &plan, ArrayRef<int64_t> sizes) {
  if (!plan.parallelDims.empty()) {
    unsigned last = plan.parallelDims.back();
    int64_t lanes = lanesFor(sizes[last]);
    bool outputsMove =
        llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) { return accessOf(op, init, last) == Access::Contiguous; });
    if (lanes >= 4 && outputsMove && isVectorisable(op, last)) {
      plan.vectorDim = last;
      plan.lanes = lanes;
    }
  }
  if (plan.lanes >= 8)
    return;
  for (unsigned output = 0; output < op.getNumDpsInits(); ++output)
    if (!findCombiner(op, output))
      return;
  for (unsigned dim : llvm::reverse(plan.reductionDims)) {
    int64_t lanes = lanesFor(sizes[dim]);
    bool anyMoves =
        llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) { return accessOf(op, *input, dim) == Access::Contiguous; });
    if (lanes > plan.lanes && lanes >= 4 && anyMoves && isVectorisable(op, dim)) {
      plan.vectorDim = dim;
      plan.lanes = lanes;
      plan.vectorIsReduction = true;
    }
  }
}

/// All outer dims are split but the innermost one, which is a thread's own work; where the innermost work is a reduction over what the
/// output's dims name, all are. So a chain of row-wise ops gives each row to the same thread, and needs no barrier inside.
static void chooseSplit(LinalgOp op, LoopPlan &plan, ArrayRef<int64_t> sizes) {
  unsigned rank = plan.parallelDims.size();
  bool vectorIsParallel = plan.vectorDim >= 0 && !plan.vectorIsReduction;
  bool coversRows = llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    AffineMap map = op.getMatchingIndexingMap(input);
    return llvm::all_of(plan.parallelDims, [&](unsigned dim) { return map.isFunctionOfDim(dim); });
  });
  bool isRowReduction = !plan.reductionDims.empty() && coversRows && !vectorIsParallel;
  bool leadingAreUnit = llvm::all_of(ArrayRef<unsigned>(plan.parallelDims).drop_back(), [&](unsigned dim) { return sizes[dim] == 1; });
  plan.split = isRowReduction || leadingAreUnit ? rank : rank - 1;
  plan.splitsVector = plan.split == rank && vectorIsParallel;
}

LoopPlan LoopPlan::of(LinalgOp op) {
  LoopPlan plan;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  SmallVector<unsigned> parallel;
  int64_t points = 1;
  for (auto [dim, iterator] : llvm::enumerate(iterators)) {
    (iterator == utils::IteratorType::parallel ? parallel : plan.reductionDims).push_back(dim);
    points = ShapedType::isDynamic(sizes[dim]) || points > singleThreadPoints ? singleThreadPoints + 1 : points * sizes[dim];
  }
  plan.structured = writesEachPointOnce(op, parallel);
  plan.single = !plan.structured || parallel.empty() || points <= singleThreadPoints;
  if (!plan.structured) {
    plan.parallelDims = parallel;
    return plan;
  }
  for (AffineExpr index : op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(index))
      plan.parallelDims.push_back(dim.getPosition());
  chooseVectorDim(op, plan, sizes);
  if (!plan.single)
    chooseSplit(op, plan, sizes);
  return plan;
}

} // namespace moe
