// Scan: one run of the body for each place of the scan inputs, unrolled where their length is known, else as runs that only a run counts (RunLoop.cpp).
// Version 8 scans each row of a batch by itself.
#include "GraphImporter.h"

using namespace mlir;

namespace moe {

/// What a Scan says of itself, checked; axes of scan inputs are not negative.
struct ScanForm {
  const wire::Node &node;
  const wire::Graph &body;
  Location loc;
  size_t states;
  SmallVector<int64_t> inputAxes, inputBackwards, outputAxes, outputBackwards;
};

/// An attribute of Scan with one number per scan input or output, 0 where it is not there.
static FailureOr<SmallVector<int64_t>> scanNumbers(const wire::Node &node, StringRef name, size_t count) {
  const wire::Attribute *attribute = findAttribute(node, name);
  if (!attribute)
    return SmallVector<int64_t>(count, 0);
  if (attribute->ints.size() != count)
    return failure();
  return SmallVector<int64_t>(attribute->ints.begin(), attribute->ints.end());
}

FailureOr<Value> GraphImporter::emitSlice(Value value, int64_t axis, int64_t place, Location loc) {
  FailureOr<Value> number = emitInteger(place, loc);
  if (failed(number))
    return failure();
  return emitNode("Gather", {value, *number}, builder.getNamedAttr("axis", builder.getI64IntegerAttr(axis)), loc);
}

/// The number of runs of a scan whose scan inputs are of these types, -1 where only a run tells, or an error.
static FailureOr<int64_t> countRuns(ScanForm &form, ValueRange sequences, llvm::function_ref<InFlightDiagnostic()> error) {
  std::optional<int64_t> count;
  bool isOpen = false;
  for (auto [i, sequence] : llvm::enumerate(sequences)) {
    auto type = dyn_cast<RankedTensorType>(sequence.getType());
    int64_t &axis = form.inputAxes[i];
    if (!type || axis < -type.getRank() || axis >= type.getRank())
      return error() << "axis " << axis << " of scan input " << i << " is not one of " << sequence.getType();
    axis += axis < 0 ? type.getRank() : 0;
    const int64_t size = type.getDimSize(axis);
    if (ShapedType::isDynamic(size) || size > maximumRuns) {
      isOpen = true;
      continue;
    }
    if (count && *count != size)
      return error() << "expected scan inputs of one length, found " << *count << " and " << size;
    count = size;
  }
  return isOpen ? -1 : *count;
}

/// A scan over as many places as a run has.
FailureOr<SmallVector<Value>> GraphImporter::buildOpenScan(const ScanForm &form, ValueRange operands) {
  const ValueRange sequences = operands.drop_front(form.states);
  LoopForm loop{form.node, form.body, form.loc, Value(), SmallVector<Value>(operands.take_front(form.states)), form.outputAxes.size(), /*isScan=*/true};
  loop.outputAxes = form.outputAxes;
  loop.outputBackwards = form.outputBackwards;
  const AffineExpr length = SmallVector<AffineExpr>(inference.facts(sequences.front()).dims)[form.inputAxes.front()];
  for (auto [i, sequence] : llvm::enumerate(sequences)) {
    const int64_t axis = form.inputAxes[i];
    if (!inference.provablyEqual(length, SmallVector<AffineExpr>(inference.facts(sequence).dims)[axis]))
      return nodeError(form.node, form.loc) << "expected scan inputs of one length, found " << sequences.front().getType() << " along dim "
                                            << form.inputAxes.front() << " and " << sequence.getType() << " along dim " << axis
                                            << ", which may differ; name their dims alike, or fix them with --dim", failure();
    loop.sequences.push_back({sequence, axis, form.inputBackwards[i] != 0});
  }
  const int64_t axis = form.inputAxes.front();
  FailureOr<Value> size = emitNode("Shape", sequences.front(), {builder.getNamedAttr("start", builder.getI64IntegerAttr(axis)),
                                                                builder.getNamedAttr("end", builder.getI64IntegerAttr(axis + 1))}, form.loc);
  if (failed(size))
    return failure();
  loop.count = *size;
  return buildRunLoop(loop, 0, Value());
}

FailureOr<SmallVector<Value>> GraphImporter::buildScanRuns(const ScanForm &form, ValueRange operands) {
  ScanForm scan = form;
  const FailureOr<int64_t> count = countRuns(scan, operands.drop_front(form.states), [&] { return nodeError(form.node, form.loc); });
  if (failed(count))
    return failure();
  if (*count < 0)
    return buildOpenScan(scan, operands);
  SmallVector<Value> values(operands.take_front(form.states));
  SmallVector<SmallVector<Value>> slices(form.outputAxes.size());
  for (int64_t run = 0; run < *count; ++run) {
    SmallVector<Value> arguments(values);
    for (auto [i, sequence] : llvm::enumerate(operands.drop_front(form.states))) {
      FailureOr<Value> slice = emitSlice(sequence, scan.inputAxes[i], form.inputBackwards[i] ? *count - 1 - run : run, form.loc);
      if (failed(slice))
        return failure();
      arguments.push_back(*slice);
    }
    FailureOr<SmallVector<Value>> results = buildSubgraph(form.body, arguments, form.node, form.loc, Twine(run));
    if (failed(results))
      return failure();
    values.assign(results->begin(), results->begin() + form.states);
    for (size_t i = 0; i < slices.size(); ++i)
      slices[i].push_back((*results)[form.states + i]);
  }
  for (auto [i, rows] : llvm::enumerate(slices)) {
    if (rows.empty())
      return nodeError(form.node, form.loc) << "scan output " << i << " of a scan without runs is not supported", failure();
    if (form.outputBackwards[i])
      std::reverse(rows.begin(), rows.end());
    int64_t rank = cast<RankedTensorType>(rows.front().getType()).getRank() + 1, axis = form.outputAxes[i];
    if (axis < -rank || axis >= rank)
      return nodeError(form.node, form.loc) << "expected an axis of scan output " << i << " from " << -rank << " to " << rank - 1 << ", found " << axis,
             failure();
    FailureOr<Value> joined = emitStack(rows, axis < 0 ? axis + rank : axis, form.loc);
    if (failed(joined))
      return failure();
    values.push_back(*joined);
  }
  return values;
}

FailureOr<SmallVector<Value>> GraphImporter::buildScan(const wire::Node &node, Location loc, ValueRange operands, int64_t version) {
  const wire::Graph *body = subgraph(node, "body", loc);
  const wire::Attribute *number = findAttribute(node, "num_scan_inputs");
  if (!body)
    return failure();
  const bool batched = version < 9;
  if (batched && !operands.empty()) {
    if (!isa<NoneType>(operands[0].getType()))
      return nodeError(node, loc) << "sequence lengths of a Scan of version 8 are not supported", failure();
    operands = operands.drop_front();
  }
  size_t inputs = number && number->i > 0 ? number->i : 0;
  if (inputs == 0 || inputs > operands.size() || body->inputs.size() != operands.size() || body->outputs.size() + inputs < operands.size())
    return nodeError(node, loc) << "expected num_scan_inputs from 1 to the number of inputs, and a body of as many inputs as the node", failure();
  size_t states = operands.size() - inputs, outputs = body->outputs.size() - states;
  auto inputAxes = scanNumbers(node, "scan_input_axes", inputs);
  auto inputBackwards = scanNumbers(node, batched ? "directions" : "scan_input_directions", inputs);
  auto outputAxes = scanNumbers(node, "scan_output_axes", outputs), outputBackwards = scanNumbers(node, "scan_output_directions", outputs);
  if (failed(inputAxes) || failed(inputBackwards) || failed(outputAxes) || failed(outputBackwards))
    return nodeError(node, loc) << "expected one axis and one direction for each scan input and output", failure();
  const ScanForm form = {node, *body, loc, states, *inputAxes, *inputBackwards, *outputAxes, *outputBackwards};
  if (!batched)
    return buildScanRuns(form, operands);

  // Dim 0 of all states and scan inputs is the batch; what the runs of its rows give is joined along it.
  auto first = dyn_cast<RankedTensorType>(operands.back().getType());
  if (!first || first.getRank() < 2 || first.isDynamicDim(0) || first.getDimSize(0) < 1 || first.getDimSize(0) > maximumRuns)
    return nodeError(node, loc) << "expected scan inputs of rank >= 2 whose first dim is the batch, from 1 to " << maximumRuns
                                << " and known when the model is compiled, found " << operands.back().getType(), failure();
  SmallVector<SmallVector<Value>> rows(states + outputs);
  for (int64_t row = 0; row < first.getDimSize(0); ++row) {
    SmallVector<Value> arguments;
    for (Value operand : operands) {
      auto type = dyn_cast<RankedTensorType>(operand.getType());
      if (!type || type.getRank() < 1 || type.getDimSize(0) != first.getDimSize(0))
        return nodeError(node, loc) << "expected states and scan inputs of the batch " << first.getDimSize(0) << ", found " << operand.getType(), failure();
      FailureOr<Value> slice = emitSlice(operand, 0, row, loc);
      if (failed(slice))
        return failure();
      arguments.push_back(*slice);
    }
    FailureOr<SmallVector<Value>> results = buildScanRuns(form, arguments);
    if (failed(results))
      return failure();
    for (auto [i, result] : llvm::enumerate(*results))
      rows[i].push_back(result);
  }
  SmallVector<Value> joined;
  for (const SmallVector<Value> &slices : rows) {
    FailureOr<Value> value = emitStack(slices, 0, loc);
    if (failed(value))
      return failure();
    joined.push_back(*value);
  }
  return joined;
}

} // namespace moe
