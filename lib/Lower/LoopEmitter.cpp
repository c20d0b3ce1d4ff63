// See LoopEmitter.h.
#include "LoopEmitter.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "moe/IR/MoeDialect.h"

using namespace mlir;

namespace moe {

/// Points computed side by side, so that independent chains of sums hide the latency of an addition.
constexpr unsigned unrollCount = 4;

/// What vectors have left over of a dim runs a few times: LLVM would make vectors of it again, and half of a large model's code would be that.
static LLVM::LoopAnnotationAttr scalarLoop(MLIRContext *context) {
  auto vectorize = LLVM::LoopVectorizeAttr::get(context, /*disable=*/BoolAttr::get(context, true), {}, {}, {}, {}, {}, {});
  return LLVM::LoopAnnotationAttr::get(context, /*disableNonforced=*/{}, vectorize, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {});
}

Value LoopEmitter::constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

LoopEmitter::Values LoopEmitter::loop(int dim, Value begin, Value end, int64_t step, Values carried,
                                      llvm::function_ref<Values(Value, Values)> body, bool isRest) {
  // What is loaded inside is not known outside, and neither is the dim's index.
  auto outer = loaded;
  auto forOp = scf::ForOp::create(builder, loc, begin, end, constant(step), carried, [&](OpBuilder &, Location, Value, ValueRange) {});
  // A size that is known may be less than a vector, and LLVM then knows what to do.
  if (isRest && !getConstantIntValue(sizes[dim]))
    forOp->setDiscardableAttr("llvm.loop_annotation", scalarLoop(builder.getContext()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forOp.getBody());
  if (dim >= 0)
    ivs[dim] = forOp.getInductionVar();
  Values results = body(forOp.getInductionVar(), Values(forOp.getRegionIterArgs()));
  if (dim >= 0)
    ivs[dim] = Value();
  // Without carried values the builder has put the terminator.
  if (forOp.getBody()->mightHaveTerminator())
    forOp.getBody()->getTerminator()->erase();
  builder.setInsertionPointToEnd(forOp.getBody());
  scf::YieldOp::create(builder, loc, results);
  loaded = outer;
  return Values(forOp.getResults());
}

void LoopEmitter::emit() {
  for (const Range &range : op.createLoopRanges(builder, loc))
    sizes.push_back(getValueOrCreateConstantIndexOp(builder, loc, range.size));
  if (!plan.single)
    return emitSplit();
  Value thread = ThreadIdOp::create(builder, loc);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, thread, constant(0));
  auto ifOp = scf::IfOp::create(builder, loc, isFirst, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(ifOp.thenBlock());
  if (!plan.structured)
    return emitUnstructured();
  preload(false);
  emitParallel(plan.parallelDims);
}

/// Plain nested loops in the order of the dims; each point reads and writes memory.
void LoopEmitter::emitUnstructured() {
  for (unsigned dim = 0; dim < ivs.size(); ++dim) {
    auto forOp = scf::ForOp::create(builder, loc, constant(0), sizes[dim], constant(1));
    ivs[dim] = forOp.getInductionVar();
    builder.setInsertionPointToStart(forOp.getBody());
  }
  Values accumulators;
  for (unsigned output = 0; output < op.getNumDpsInits(); ++output)
    accumulators.push_back(initial(output, 0, false));
  Values results = emitBody(0, accumulators, false);
  for (auto [init, value] : llvm::zip(op.getDpsInitsMutable(), results))
    memref::StoreOp::create(builder, loc, value, init.get(), indicesOf(init, 0));
}

std::pair<Value, Value> shareOf(OpBuilder &builder, Location loc, Value total) {
  Value thread = ThreadIdOp::create(builder, loc), threads = NumThreadsOp::create(builder, loc);
  Value next = arith::AddIOp::create(builder, loc, thread, arith::ConstantIndexOp::create(builder, loc, 1));
  Value first = arith::MulIOp::create(builder, loc, thread, total), last = arith::MulIOp::create(builder, loc, next, total);
  return {arith::DivUIOp::create(builder, loc, first, threads), arith::DivUIOp::create(builder, loc, last, threads)};
}

void LoopEmitter::emitSplit() {
  ArrayRef<unsigned> dims(plan.parallelDims);
  preload(false);
  if (plan.splitsVector) {
    for (unsigned dim : dims.drop_back())
      ivs[dim] = constant(0);
    preload(false);
    Value size = sizes[dims.back()], lanes = constant(plan.lanes);
    Value blocks = arith::CeilDivUIOp::create(builder, loc, size, lanes);
    auto [first, last] = shareOf(builder, loc, blocks);
    Value begin = arith::MulIOp::create(builder, loc, first, lanes), end = arith::MulIOp::create(builder, loc, last, lanes);
    emitInner(arith::MinUIOp::create(builder, loc, begin, size), arith::MinUIOp::create(builder, loc, end, size));
    return;
  }
  ArrayRef<unsigned> split = dims.take_front(plan.split);
  Value total = constant(1);
  for (unsigned dim : split)
    total = arith::MulIOp::create(builder, loc, total, sizes[dim]);
  auto [first, last] = shareOf(builder, loc, total);
  loop(-1, first, last, 1, {}, [&](Value linear, Values) {
    for (unsigned dim : llvm::reverse(split.drop_front())) {
      ivs[dim] = arith::RemUIOp::create(builder, loc, linear, sizes[dim]);
      linear = arith::DivUIOp::create(builder, loc, linear, sizes[dim]);
    }
    ivs[split.front()] = linear;
    preload(false);
    emitParallel(dims.drop_front(plan.split));
    return Values();
  });
}

/// Whether some input is the same for all points of the last parallel dim: then several of them share its loads.
bool LoopEmitter::isContraction() const {
  auto self = op;
  return !plan.reductionDims.empty() && llvm::any_of(self.getDpsInputOperands(), [&](OpOperand *input) {
    return isa<MemRefType>(input->get().getType()) && !self.getMatchingIndexingMap(input).isFunctionOfDim(plan.parallelDims.back());
  });
}

/// Loops over parallel dims that are a thread's own; the last one is left to emitInner.
void LoopEmitter::emitParallel(ArrayRef<unsigned> dims) {
  if (dims.empty())
    return emitPoint(plan.vectorIsReduction);
  if (dims.size() == 1)
    return emitInner(constant(0), sizes[dims.front()]);
  loop(dims.front(), constant(0), sizes[dims.front()], 1, {}, [&](Value, Values) {
    preload(false);
    emitParallel(dims.drop_front());
    return Values();
  });
}

/// The last parallel dim from `begin` to `end`: in blocks of vectors, single vectors and single elements.
void LoopEmitter::emitInner(Value begin, Value end) {
  unsigned dim = plan.parallelDims.back();
  bool lanes = plan.vectorDim == static_cast<int>(dim);
  Value from = begin;
  auto blocks = [&](int64_t step, unsigned count) {
    Value length = arith::SubIOp::create(builder, loc, end, from);
    Value rest = arith::RemUIOp::create(builder, loc, length, constant(step * count));
    Value to = arith::SubIOp::create(builder, loc, end, rest);
    emitRange(dim, from, to, step, count, lanes || plan.vectorIsReduction);
    from = to;
  };
  if (lanes) {
    if (!plan.reductionDims.empty())
      blocks(plan.lanes, unrollCount);
    blocks(plan.lanes, 1);
    emitRange(dim, from, end, 1, 1, false);
    return;
  }
  if (plan.vectorIsReduction && isContraction())
    blocks(1, unrollCount);
  emitRange(dim, from, end, 1, 1, plan.vectorIsReduction);
}

/// A loop over `dim` that computes `count` points at distance `step` in each round.
void LoopEmitter::emitRange(unsigned dim, Value begin, Value end, int64_t step, unsigned count, bool lanes) {
  auto outer = loaded;
  unrolled = dim;
  instances = count;
  instanceStep = step;
  loaded.resize(count, outer.front());
  loop(dim, begin, end, step * count, {}, [&](Value, Values) {
    emitPoint(lanes);
    return Values();
  }, plan.vectorDim == static_cast<int>(dim) && !lanes);
  instances = 1;
  loaded = outer;
}

/// All parallel dims are bound: the reductions, and the stores.
void LoopEmitter::emitPoint(bool lanes) {
  bool laneOutputs = lanes && !plan.vectorIsReduction;
  unsigned outputs = op.getNumDpsInits();
  preload(laneOutputs);
  Values accumulators, results;
  for (unsigned instance = 0; instance < instances; ++instance)
    for (unsigned output = 0; output < outputs; ++output)
      accumulators.push_back(initial(output, instance, laneOutputs));
  if (lanes && plan.vectorIsReduction) {
    unsigned count = accumulators.size();
    for (unsigned i = 0; i < count; ++i) {
      TypedAttr neutral = neutralElement(findCombiner(op, i % outputs));
      accumulators.push_back(
          arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(vectorOf(neutral.getType()), ArrayRef<Attribute>(neutral))));
    }
    Values sums = emitVectorReductions(plan.reductionDims, accumulators);
    for (unsigned i = 0; i < count; ++i) {
      Operation *combiner = findCombiner(op, i % outputs);
      results.push_back(combine(combiner, reduceLanes(sums[count + i], combiner), sums[i]));
    }
  } else {
    results = emitReductions(plan.reductionDims, accumulators, lanes);
  }
  for (unsigned instance = 0; instance < instances; ++instance)
    for (auto [output, init] : llvm::enumerate(op.getDpsInitsMutable())) {
      Value value = results[instance * outputs + output];
      Values indices = indicesOf(init, instance);
      if (laneOutputs)
        vector::StoreOp::create(builder, loc, value, init.get(), indices);
      else
        memref::StoreOp::create(builder, loc, value, init.get(), indices);
    }
}

LoopEmitter::Values LoopEmitter::emitReductions(ArrayRef<unsigned> dims, Values accumulators, bool lanes) {
  if (dims.empty())
    return emitBodies(accumulators, lanes);
  return loop(dims.front(), constant(0), sizes[dims.front()], 1, accumulators, [&](Value, Values carried) {
    preload(lanes);
    return emitReductions(dims.drop_front(), carried, lanes);
  });
}

/// Reductions with vectors along one of them. `accumulators` are the scalars, then the vectors: the rest of a row that fills no vector goes
/// to the scalars.
LoopEmitter::Values LoopEmitter::emitVectorReductions(ArrayRef<unsigned> dims, Values accumulators) {
  SmallVector<unsigned> order;
  llvm::copy_if(dims, std::back_inserter(order), [&](unsigned dim) { return static_cast<int>(dim) != plan.vectorDim; });
  order.push_back(plan.vectorDim);
  unsigned dim = order.front(), count = accumulators.size() / 2;
  if (static_cast<int>(dim) != plan.vectorDim)
    return loop(dim, constant(0), sizes[dim], 1, accumulators, [&](Value, Values carried) {
      preload(false);
      return emitVectorReductions(ArrayRef<unsigned>(order).drop_front(), carried);
    });
  Value rest = arith::RemUIOp::create(builder, loc, sizes[dim], constant(plan.lanes));
  Value main = arith::SubIOp::create(builder, loc, sizes[dim], rest);
  auto body = [&](bool lanes) { return [&, lanes](Value, Values carried) { return emitBodies(carried, lanes); }; };
  Values vectors = loop(dim, constant(0), main, plan.lanes, Values(ArrayRef<Value>(accumulators).drop_front(count)), body(true));
  Values results = loop(dim, main, sizes[dim], 1, Values(ArrayRef<Value>(accumulators).take_front(count)), body(false), /*isRest=*/true);
  results.append(vectors);
  return results;
}

LoopEmitter::Values LoopEmitter::emitBodies(ArrayRef<Value> accumulators, bool lanes) {
  Values results;
  unsigned outputs = op.getNumDpsInits();
  for (unsigned instance = 0; instance < instances; ++instance)
    results.append(emitBody(instance, accumulators.slice(instance * outputs, outputs), lanes));
  return results;
}

LoopEmitter::Values LoopEmitter::emitBody(unsigned instance, ArrayRef<Value> accumulators, bool lanes) {
  llvm::DenseMap<Value, Lane> values;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(operand);
    if (argument.use_empty())
      continue;
    Value value = load(*operand, instance, lanes);
    bool hasLanes = lanes && accessOf(op, *operand, plan.vectorDim) == Access::Contiguous;
    values[argument] = {value, hasLanes ? LaneKind::Vector : LaneKind::Uniform};
  }
  for (auto [argument, value] : llvm::zip(op.getRegionOutputArgs(), accumulators))
    values[argument] = {value, lanes ? LaneKind::Vector : LaneKind::Uniform};
  // The dim that is unrolled has another value in each instance.
  Value base = unrolled >= 0 ? ivs[unrolled] : Value();
  if (instance)
    ivs[unrolled] = arith::AddIOp::create(builder, loc, base, constant(instance * instanceStep));
  for (Operation &inner : op.getBlock()->without_terminator()) {
    Lane lane = emitBodyOp(&inner, values, lanes);
    if (inner.getNumResults() == 1)
      values[inner.getResult(0)] = lane;
  }
  if (unrolled >= 0)
    ivs[unrolled] = base;
  Values results;
  for (Value result : op.getBlock()->getTerminator()->getOperands()) {
    auto found = values.find(result);
    Lane lane = found == values.end() ? Lane{result} : found->second;
    results.push_back(lanes ? toVector(lane) : lane.value);
  }
  return results;
}

/// A sum that accumulates a product is one fused operation, in vectors and in scalars alike.
Value LoopEmitter::emitFusedProduct(Operation *inner, llvm::DenseMap<Value, Lane> &values, bool lanes) {
  if (!isa<arith::AddFOp>(inner) || plan.reductionDims.empty() || !inner->getResult(0).getType().isF32())
    return {};
  for (unsigned side = 0; side < 2; ++side) {
    auto product = inner->getOperand(side).getDefiningOp<arith::MulFOp>();
    auto accumulator = dyn_cast<BlockArgument>(inner->getOperand(1 - side));
    if (!product || !product->hasOneUse() || product->getBlock() != inner->getBlock() || !accumulator ||
        !llvm::is_contained(op.getRegionOutputArgs(), accumulator))
      continue;
    auto get = [&](Value value) {
      auto found = values.find(value);
      Lane lane = found == values.end() ? Lane{value} : found->second;
      return lanes ? toVector(lane) : lane.value;
    };
    return math::FmaOp::create(builder, loc, get(product.getLhs()), get(product.getRhs()), get(accumulator));
  }
  return {};
}

LoopEmitter::Lane LoopEmitter::emitBodyOp(Operation *inner, llvm::DenseMap<Value, Lane> &values, bool lanes) {
  if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
    bool isStep = lanes && static_cast<int64_t>(index.getDim()) == plan.vectorDim;
    return {ivs[index.getDim()], isStep ? LaneKind::Step : LaneKind::Uniform};
  }
  if (Value fused = emitFusedProduct(inner, values, lanes))
    return {fused, lanes ? LaneKind::Vector : LaneKind::Uniform};
  auto get = [&](Value value) {
    auto found = values.find(value);
    return found == values.end() ? Lane{value} : found->second;
  };
  LaneKind kind = lanes ? laneKind(inner, plan.vectorDim, [&](Value value) { return get(value).kind; }) : LaneKind::Uniform;
  if (kind != LaneKind::Vector) {
    IRMapping mapping;
    if (inner->getNumRegions())
      for (auto &[from, lane] : values)
        mapping.map(from, lane.value);
    for (Value operand : inner->getOperands())
      mapping.map(operand, get(operand).value);
    Operation *clone = builder.clone(*inner, mapping);
    for (auto [from, to] : llvm::zip(inner->getResults(), clone->getResults()))
      values[from] = {to, kind};
    return {clone->getNumResults() ? clone->getResult(0) : Value(), kind};
  }
  if (auto read = dyn_cast<memref::LoadOp>(inner)) {
    Values indices;
    for (Value index : read.getIndices())
      indices.push_back(get(index).value);
    return {vector::LoadOp::create(builder, loc, vectorOf(read.getType()), get(read.getMemRef()).value, indices), kind};
  }
  Values operands;
  for (Value operand : inner->getOperands())
    operands.push_back(toVector(get(operand)));
  OperationState state(inner->getLoc(), inner->getName(), operands, vectorOf(inner->getResult(0).getType()));
  state.propertiesAttr = inner->getPropertiesAsAttribute();
  return {builder.create(state)->getResult(0), kind};
}

Value LoopEmitter::toVector(Lane lane) {
  if (lane.kind == LaneKind::Vector)
    return lane.value;
  Type type = lane.value.getType();
  Value splat = vector::BroadcastOp::create(builder, loc, vectorOf(type), lane.value);
  if (lane.kind == LaneKind::Uniform)
    return splat;
  Value steps = vector::StepOp::create(builder, loc, vectorOf(builder.getIndexType()));
  if (!type.isIndex())
    steps = arith::IndexCastOp::create(builder, loc, vectorOf(type), steps);
  return arith::AddIOp::create(builder, loc, splat, steps);
}

Value LoopEmitter::combine(Operation *combiner, Value accumulator, Value value) {
  OperationState state(combiner->getLoc(), combiner->getName(), {accumulator, value}, value.getType());
  state.propertiesAttr = combiner->getPropertiesAsAttribute();
  return builder.create(state)->getResult(0);
}

/// All lanes in one, halves first: always the same tree.
Value LoopEmitter::reduceLanes(Value vector, Operation *combiner) {
  for (int64_t half = plan.lanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> low = llvm::to_vector(llvm::seq<int64_t>(0, half)), high = llvm::to_vector(llvm::seq<int64_t>(half, 2 * half));
    Value first = vector::ShuffleOp::create(builder, loc, vector, vector, low);
    Value second = vector::ShuffleOp::create(builder, loc, vector, vector, high);
    vector = combine(combiner, first, second);
  }
  return vector::ExtractOp::create(builder, loc, vector, ArrayRef<int64_t>{0});
}

LoopEmitter::Values LoopEmitter::indicesOf(OpOperand &operand, unsigned instance) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  Values point(ivs);
  for (Value &value : point)
    if (!value)
      value = sizes.empty() ? Value() : constant(0); // a dim that the map does not use
  if (instance && map.isFunctionOfDim(unrolled))
    point[unrolled] = arith::AddIOp::create(builder, loc, ivs[unrolled], constant(instance * instanceStep));
  Values indices;
  for (AffineExpr index : map.getResults())
    indices.push_back(affine::expandAffineExpr(builder, loc, index, point, {}));
  return indices;
}

Value LoopEmitter::load(OpOperand &operand, unsigned instance, bool lanes) {
  if (!isa<MemRefType>(operand.get().getType()))
    return operand.get();
  auto found = loaded[instance].find(operand.getOperandNumber());
  if (found != loaded[instance].end())
    return found->second;
  Values indices = indicesOf(operand, instance);
  Type element = cast<MemRefType>(operand.get().getType()).getElementType();
  if (lanes && accessOf(op, operand, plan.vectorDim) == Access::Contiguous)
    return vector::LoadOp::create(builder, loc, vectorOf(element), operand.get(), indices);
  return memref::LoadOp::create(builder, loc, operand.get(), indices);
}

/// What an output starts from: the constant that moe-lower-threads noted in place of a fill, or what memory holds.
Value LoopEmitter::initial(unsigned output, unsigned instance, bool lanes) {
  OpOperand &init = *op.getDpsInitOperand(output);
  Type element = cast<MemRefType>(init.get().getType()).getElementType();
  Type type = lanes ? Type(vectorOf(element)) : element;
  TypedAttr known;
  if (auto values = op->getAttrOfType<ArrayAttr>("moe.init"))
    known = dyn_cast<TypedAttr>(values[output]);
  if (!known && !op.payloadUsesValueFromOperand(&init))
    known = cast<TypedAttr>(builder.getZeroAttr(element));
  if (known) {
    if (lanes)
      return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(cast<ShapedType>(type), ArrayRef<Attribute>(known)));
    return arith::ConstantOp::create(builder, loc, known);
  }
  Values indices = indicesOf(init, instance);
  if (lanes)
    return vector::LoadOp::create(builder, loc, cast<VectorType>(type), init.get(), indices);
  return memref::LoadOp::create(builder, loc, init.get(), indices);
}

/// Loads the inputs whose dims are all bound by now, ahead of the loops inside. Only where the address is in bounds although those may be
/// empty.
void LoopEmitter::preload(bool lanes) {
  for (OpOperand *operand : op.getDpsInputOperands()) {
    auto type = dyn_cast<MemRefType>(operand->get().getType());
    AffineMap map = op.getMatchingIndexingMap(operand);
    if (!type || op.getMatchingBlockArgument(operand).use_empty() || loaded.front().contains(operand->getOperandNumber()))
      continue;
    bool bound = true;
    for (auto [position, index] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(index);
      bound &= dim ? static_cast<bool>(ivs[dim.getPosition()]) : type.getDimSize(position) == 1;
    }
    if (!bound)
      continue;
    Value shared;
    for (unsigned instance = 0; instance < instances; ++instance) {
      bool isOwn = unrolled >= 0 && map.isFunctionOfDim(unrolled);
      Value value = isOwn || !shared ? load(*operand, instance, lanes) : shared;
      shared = value;
      loaded[instance][operand->getOperandNumber()] = value;
    }
  }
}

} // namespace moe
