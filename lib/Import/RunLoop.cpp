// A Loop whose number of runs only a run tells: moe.loop_begin, one copy of the body, moe.loop_end. The flag that says whether there is another run and
// the run's number are carried like the values of the model. Sizes must be the same in every run.
#include "GraphImporter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace moe {

/// Types that a buffer is carried in: those that code computes with, as they are.
static bool mayBeCarried(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return false;
  Type element = tensor.getElementType();
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(element) ||
         (element.isSignlessInteger() && llvm::is_contained({1u, 8u, 16u, 32u, 64u}, element.getIntOrFloatBitWidth()));
}

/// `value` may be one element of any rank; null where it is not, or not of this type.
FailureOr<Value> GraphImporter::emitOnlyElement(Value value, Type element, StringRef what, const wire::Node &node, Location loc) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getElementType() != element || !type.hasStaticShape() || type.getNumElements() != 1)
    return nodeError(node, loc) << "expected one element of type " << element << " as " << what << ", found " << value.getType(), failure();
  return emitScalar(value, loc);
}

/// Does run `first` take place? `active` may be null: it does if the count says so.
FailureOr<Value> GraphImporter::emitFirstFlag(const LoopForm &form, Value first, Value count, Value active) {
  FailureOr<Value> flag = active ? emitOnlyElement(active, builder.getI1Type(), "condition", form.node, form.loc) : emitConstantTrue(form.loc);
  if (succeeded(flag) && count) {
    FailureOr<Value> isBelow = emitNode("Less", {first, count}, {}, form.loc);
    flag = succeeded(isBelow) ? emitNode("And", {*flag, *isBelow}, {}, form.loc) : isBelow;
  }
  // A loop in a branch that is not taken does not run.
  for (auto [condition, isTaken] : branches) {
    FailureOr<Value> here = isTaken || failed(flag) ? FailureOr<Value>(condition) : emitNode("Not", condition, {}, form.loc);
    if (succeeded(flag))
      flag = succeeded(here) ? emitNode("And", {*flag, *here}, {}, form.loc) : here;
  }
  return flag;
}

LogicalResult GraphImporter::checkCarried(const LoopForm &form, ValueRange next, ValueRange carried) {
  for (auto [i, pair] : llvm::enumerate(llvm::zip_equal(next, carried))) {
    auto [value, place] = pair;
    if (!mayBeCarried(place.getType()))
      return nodeError(form.node, form.loc) << "carried value " << i << " of a loop whose number of runs is not known when the model is compiled is "
                                            << place.getType() << ", which is not supported there";
    auto type = dyn_cast<RankedTensorType>(value.getType()), expected = cast<RankedTensorType>(place.getType());
    bool same = type && type.getElementType() == expected.getElementType() && type.getRank() == expected.getRank();
    if (same) {
      SmallVector<AffineExpr> dims = inference.facts(value).dims, placeDims = inference.facts(place).dims;
      for (auto [dim, placeDim] : llvm::zip(dims, placeDims))
        same &= inference.provablyEqual(dim, placeDim);
    }
    if (!same)
      return nodeError(form.node, form.loc) << "carried value " << i << " is " << expected << " before a run and " << value.getType()
                                            << " behind it: sizes must stay where the number of runs is not known when the model is compiled "
                                               "(write into a tensor of the greatest size instead of joining)";
  }
  return success();
}

//===-- Conditions -------------------------------------------------------===//

bool GraphImporter::mayFoldCondition(const LoopForm &form) {
  llvm::StringMap<const wire::Node *> producers;
  for (const wire::Node &node : form.body.nodes)
    for (std::string_view output : node.outputs)
      producers[StringRef(output)] = &node;
  llvm::StringMap<Value> carried;
  for (auto [input, value] : llvm::zip(llvm::drop_begin(form.body.inputs, 2), form.values))
    carried[StringRef(input.name)] = value;
  llvm::StringSet<> seen = {StringRef(form.body.inputs[0].name), StringRef(form.body.inputs[1].name)};
  for (const wire::TensorProto &tensor : form.body.initializers)
    seen.insert(StringRef(tensor.name));
  SmallVector<StringRef> names = {StringRef(form.body.outputs.front().name)};
  while (!names.empty()) {
    StringRef name = names.pop_back_val();
    if (name.empty() || !seen.insert(name).second)
      continue;
    if (const wire::Node *producer = producers.lookup(name)) {
      if (producer->opType == "Shape" || producer->opType == "Size")
        continue;
      if (llvm::any_of(producer->attributes, [](const wire::Attribute &attribute) { return !attribute.graph.empty(); }))
        return false;
      for (std::string_view input : producer->inputs)
        names.push_back(StringRef(input));
      continue;
    }
    FailureOr<Value> outer = carried.contains(name) ? FailureOr<Value>(carried.lookup(name)) : lookup(name, form.loc);
    // What is wrong with a name is told where it is used.
    if (failed(outer) || !*outer)
      continue;
    if (!isa<RankedTensorType>(outer->getType()))
      continue;
    if (!isa_and_nonnull<arith::ConstantOp>(outer->getDefiningOp()) && !inference.facts(*outer).content && !knownInteger(*outer))
      return false;
  }
  return true;
}

//===-- Scan outputs -----------------------------------------------------===//

FailureOr<Value> GraphImporter::emitSize(const LoopForm &form, AffineExpr dim, StringRef what) {
  if (auto constant = dyn_cast<AffineConstantExpr>(inference.normalise(dim))) {
    auto op = arith::ConstantOp::create(builder, form.loc, DenseElementsAttr::get(RankedTensorType::get({1}, builder.getI64Type()), constant.getValue()));
    if (failed(inference.infer(op)))
      return failure();
    return op.getResult();
  }
  for (Value value : llvm::concat<Value>(SmallVector<Value>(form.values), SmallVector<Value>(entry.getArguments())))
    for (auto [i, other] : llvm::enumerate(SmallVector<AffineExpr>(inference.facts(value).dims)))
      if (inference.provablyEqual(dim, other)) {
        const auto axis = static_cast<int64_t>(i);
        return emitNode("Shape", value, {builder.getNamedAttr("start", builder.getI64IntegerAttr(axis)), builder.getNamedAttr("end", builder.getI64IntegerAttr(axis + 1))},
                        form.loc);
      }
  return nodeError(form.node, form.loc) << what << " has rows whose size is no dim of an input or of a carried value, which is not supported where the number of "
                                           "runs is not known when the model is compiled", failure();
}

FailureOr<Value> GraphImporter::emitRows(const LoopForm &form, Value row, int64_t first, LoopBeginOp begin, StringRef what) {
  auto type = cast<RankedTensorType>(row.getType());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(begin);
  const Location loc = form.loc;
  FailureOr<Value> zero = emitInteger(0, loc), start = emitInteger(first, loc), count = emitScalar(form.count, loc);
  auto axes = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({1}, builder.getI64Type()), int64_t(0)));
  if (failed(zero) || failed(start) || failed(count) || failed(inference.infer(axes)))
    return failure();
  FailureOr<Value> left = emitNode("Sub", {*count, *start}, {}, loc);
  FailureOr<Value> runs = succeeded(left) ? emitNode("Max", {*left, *zero}, {}, loc) : left;
  FailureOr<Value> list = succeeded(runs) ? emitNode("Unsqueeze", {*runs, axes}, {}, loc) : runs;
  if (failed(list))
    return failure();
  SmallVector<Value> sizes = {*list};
  for (AffineExpr dim : SmallVector<AffineExpr>(inference.facts(row).dims)) {
    FailureOr<Value> size = emitSize(form, dim, what);
    if (failed(size))
      return failure();
    sizes.push_back(*size);
  }
  FailureOr<Value> shape = emitNode("Concat", sizes, builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)), loc);
  if (failed(shape))
    return failure();
  auto element = RankedTensorType::get({1}, type.getElementType());
  return emitNode("ConstantOfShape", *shape, builder.getNamedAttr("value", builder.getZeroAttr(element)), loc);
}

/// The place of a run among those from `start` on, counted from the last where it goes backwards.
FailureOr<Value> GraphImporter::emitPlace(Value run, Value start, Value count, bool backwards, Location loc) {
  if (!backwards)
    return emitNode("Sub", {run, start}, {}, loc);
  FailureOr<Value> one = emitInteger(1, loc);
  FailureOr<Value> left = succeeded(one) ? emitNode("Sub", {count, *one}, {}, loc) : one;
  return succeeded(left) ? emitNode("Sub", {*left, run}, {}, loc) : left;
}

/// The rows before and behind a run of the loop, in which this run's is `row`.
FailureOr<std::pair<Value, Value>> GraphImporter::emitScan(const LoopForm &form, Value row, Value place, int64_t first, LoopBeginOp begin, StringRef what) {
  if (!form.count)
    return nodeError(form.node, form.loc) << what << " has no bound: the node gives no maximum of its runs, which only the run counts", failure();
  if (!mayBeCarried(row.getType()))
    return nodeError(form.node, form.loc) << what << " of a loop whose number of runs is not known when the model is compiled has rows of " << row.getType()
                                          << ", which is not supported there", failure();
  FailureOr<Value> zeros = emitRows(form, row, first, begin, what);
  if (failed(zeros))
    return failure();
  const Location loc = form.loc;
  OpBuilder ahead(begin);
  auto apart = LoopBeginOp::create(ahead, loc, zeros->getType(), begin.getNumber(), *zeros, /*apart=*/true);
  // Two outputs that start alike are two all the same.
  apart->setAttr("moe.part", builder.getStringAttr(what));
  auto axes = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({1}, builder.getI64Type()), int64_t(0)));
  auto square = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({2}, builder.getI64Type()), int64_t(1)));
  if (failed(inference.infer(apart)) || failed(inference.infer(axes)) || failed(inference.infer(square)))
    return failure();
  FailureOr<Value> index = emitNode("Reshape", {place, square}, {}, loc);
  FailureOr<Value> update = succeeded(index) ? emitNode("Unsqueeze", {row, axes}, {}, loc) : index;
  FailureOr<Value> rows = succeeded(update) ? emitNode("ScatterND", {apart.getResult(0), *index, *update}, {}, loc) : update;
  if (failed(rows))
    return failure();
  return std::pair(apart.getResult(0), *rows);
}

/// The first rows, as many as there were runs.
FailureOr<Value> GraphImporter::emitWritten(Value rows, Value run, Value start, Location loc) {
  auto zero = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({1}, builder.getI64Type()), int64_t(0)));
  if (failed(inference.infer(zero)))
    return failure();
  FailureOr<Value> count = emitNode("Sub", {run, start}, {}, loc);
  FailureOr<Value> list = succeeded(count) ? emitNode("Unsqueeze", {*count, zero}, {}, loc) : count;
  return succeeded(list) ? emitNode("Slice", {rows, zero, *list, zero}, {}, loc) : list;
}

//===-- The loop ---------------------------------------------------------===//

FailureOr<SmallVector<Value>> GraphImporter::buildRunLoop(const LoopForm &form, int64_t first, Value active) {
  const Location loc = form.loc;
  FailureOr<Value> start = emitInteger(first, loc), one = emitInteger(1, loc), always = emitConstantTrue(loc);
  if (failed(start) || failed(one) || failed(always))
    return failure();
  Value count;
  if (form.count) {
    FailureOr<Value> scalar = emitOnlyElement(form.count, builder.getI64Type(), "number of runs", form.node, loc);
    if (failed(scalar))
      return failure();
    count = *scalar;
  }
  FailureOr<Value> flag = emitFirstFlag(form, *start, count, active);
  if (failed(flag))
    return failure();
  SmallVector<Value> inits = {*flag, *start};
  llvm::append_range(inits, form.values);
  for (Value value : form.values)
    if (!isa<RankedTensorType>(value.getType()))
      return nodeError(form.node, loc) << "expected a tensor for each carried value, found none", failure();
  const int64_t number = runLoops++;
  auto begin = LoopBeginOp::create(builder, loc, ValueRange(inits).getTypes(), number, inits, /*apart=*/false);
  if (failed(inference.infer(begin)))
    return failure();

  SmallVector<Value> arguments;
  if (!form.isScan)
    arguments = {begin.getResult(1), *always};
  llvm::append_range(arguments, begin.getResults().drop_front(2));
  for (const ScanSequence &sequence : form.sequences) {
    FailureOr<Value> place = emitPlace(begin.getResult(1), *start, count, sequence.backwards, loc);
    if (succeeded(place))
      place = emitNode("Gather", {sequence.values, *place}, builder.getNamedAttr("axis", builder.getI64IntegerAttr(sequence.axis)), loc);
    if (failed(place))
      return failure();
    arguments.push_back(*place);
  }
  FailureOr<SmallVector<Value>> results = buildSubgraph(form.body, arguments, form.node, loc, "run");
  if (failed(results))
    return failure();
  if (form.isScan)
    results->insert(results->begin(), *always);
  FailureOr<Value> run = emitNode("Add", {begin.getResult(1), *one}, {}, loc);
  FailureOr<Value> again = emitOnlyElement(results->front(), builder.getI1Type(), "condition", form.node, loc);
  if (failed(run) || failed(again))
    return failure();
  if (count) {
    FailureOr<Value> isBelow = emitNode("Less", {*run, count}, {}, loc);
    again = succeeded(isBelow) ? emitNode("And", {*again, *isBelow}, {}, loc) : isBelow;
    if (failed(again))
      return failure();
  }
  SmallVector<Value> next = {*again, *run}, carried(begin.getResults());
  llvm::append_range(next, ArrayRef<Value>(*results).slice(1, form.values.size()));
  if (failed(checkCarried(form, ArrayRef<Value>(next).drop_front(2), ArrayRef<Value>(carried).drop_front(2))))
    return failure();
  for (size_t i = 0; i < form.scans; ++i) {
    FailureOr<Value> place = emitPlace(begin.getResult(1), *start, count, form.isScan && form.outputBackwards[i], loc);
    if (failed(place))
      return failure();
    FailureOr<std::pair<Value, Value>> rows = emitScan(form, (*results)[1 + form.values.size() + i], *place, first, begin, "scan output " + std::to_string(i));
    if (failed(rows))
      return failure();
    carried.push_back(rows->first);
    next.push_back(rows->second);
  }
  auto end = LoopEndOp::create(builder, loc, ValueRange(carried).getTypes(), number, next, carried, ValueRange());
  if (failed(inference.infer(end)))
    return failure();
  SmallVector<Value> values(end.getResults().drop_front(2));
  for (auto [i, axis] : llvm::enumerate(form.outputAxes)) {
    Value &rows = values[form.values.size() + i];
    const int64_t rank = cast<RankedTensorType>(rows.getType()).getRank();
    if (axis < -rank || axis >= rank)
      return nodeError(form.node, loc) << "expected an axis of scan output " << i << " from " << -rank << " to " << rank - 1 << ", found " << axis, failure();
    SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(1, rank));
    order.insert(order.begin() + (axis < 0 ? axis + rank : axis), 0);
    FailureOr<Value> turned = emitNode("Transpose", rows, builder.getNamedAttr("perm", builder.getDenseI64ArrayAttr(order)), loc);
    if (failed(turned))
      return failure();
    rows = *turned;
  }
  const bool endsEarly = active || knownInteger(results->front()) != 1;
  for (Value &rows : MutableArrayRef<Value>(values).drop_front(form.values.size())) {
    if (!endsEarly)
      break;
    FailureOr<Value> written = emitWritten(rows, end.getResult(1), *start, loc);
    if (failed(written))
      return failure();
    rows = *written;
  }
  return values;
}

} // namespace moe
