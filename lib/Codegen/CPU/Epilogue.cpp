// Epilogues. Short ones finish the sums in their registers. Those with an exp go through the stack, row by row: in registers LLVM would
// interleave the rows, run out of registers and spill far more than the sums.
#include "Epilogue.h"

using namespace mlir;
namespace moe {

bool Epilogue::isLong() const {
  if (!spec.ffn || rows == 1)
    return false;
  const Activation kind = spec.ffn.getActivation();
  return kind == Activation::Silu || kind == Activation::GeluErf || kind == Activation::GeluTanh;
}

Value Epilogue::spill(ArrayRef<Value> sums) {
  Value place = b.stack(b.getF32Type(), sums.size() * b.lanes(), 64);
  for (auto [number, sum] : llvm::enumerate(sums))
    b.store(sum, b.atF32(place, number * b.lanes()));
  return place;
}

void Epilogue::withMasks(function_ref<void(bool masked)> emit) {
  if (!spec.hasTail()) {
    emit(/*masked=*/false);
    return;
  }
  Value width = b.i64(tiles * geometry.tileStep);
  b.ifTrue(
      b.compare(arith::CmpIPredicate::sge, arguments.columns, width), [&] { emit(/*masked=*/false); }, [&] { emit(/*masked=*/true); });
}

void Epilogue::emit(ArrayRef<Value> sums) {
  if (isLong()) {
    emitStored(spill(sums), b.hidden(rows));
    return;
  }
  withMasks([&](bool masked) { emitRows(sums, masked); });
}

void Epilogue::emitStored(Value stored, Value count) {
  withMasks([&](bool masked) { emitStoredRows(stored, count, masked); });
}

SmallVector<Epilogue::Columns> Epilogue::resultColumns(bool masked) {
  SmallVector<Columns> all;
  for (int64_t first = 0; first < tiles * geometry.tileStep; first += b.lanes()) {
    Value mask;
    if (masked)
      mask = b.firstLanes(b.sub(arguments.columns, b.i64(first)));
    all.push_back({first, mask});
  }
  return all;
}

Value Epilogue::loadColumns(Value pointer, int64_t first, Value mask) {
  Value place = b.atF32(pointer, first);
  return mask ? b.maskedLoad(place, mask, b.splat(0.0)) : b.load(b.f32Vector(), place);
}

// The bias of a tile's two vectors.
Epilogue::Pair Epilogue::loadBias(int64_t tile, bool masked) {
  if (spec.bias == BiasForm::None)
    return {};
  const int64_t first = tile * geometry.tileStep, lanes = b.lanes();
  const auto mask = [&](int64_t column, int64_t perColumn) -> Value {
    return masked ? b.firstLanes(b.sub(b.mul(arguments.columns, b.i64(perColumn)), b.i64(column))) : Value();
  };
  if (!spec.gateUp)
    return {loadColumns(arguments.bias, first, mask(first, 1)),
            loadColumns(arguments.bias, first + lanes, mask(first + lanes, 1))};
  if (spec.bias != BiasForm::Interleaved) {
    const bool both = spec.bias == BiasForm::Halves;
    Pair pair;
    if (both || spec.hasGateBias)
      pair.first = loadColumns(arguments.bias, first, mask(first, 1));
    if (both || spec.hasUpBias)
      pair.second = loadColumns(arguments.upBias, first, mask(first, 1));
    return pair;
  }
  Value low = loadColumns(arguments.bias, 2 * first, mask(2 * first, 2));
  Value high = loadColumns(arguments.bias, 2 * first + lanes, mask(2 * first + lanes, 2));
  SmallVector<int64_t> even, odd;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    even.push_back(2 * lane);
    odd.push_back(2 * lane + 1);
  }
  if (spec.upBiasFirst)
    std::swap(even, odd);
  return {vector::ShuffleOp::create(b, low, high, even), vector::ShuffleOp::create(b, low, high, odd)};
}

Value Epilogue::finish(Value sum, Value bias) {
  Value value = bias ? b.addf(sum, bias) : sum;
  return spec.ffn ? math.activation(spec.ffn.getActivation(), spec.ffn.alphaValue(), value) : value;
}

Value Epilogue::finishGated(Pair sums, Pair bias) {
  Value gate = bias.first ? b.addf(sums.first, bias.first) : sums.first;
  Value up = bias.second ? b.addf(sums.second, bias.second) : sums.second;
  return math.gated(spec.ffn, gate, up);
}

void Epilogue::write(Value value, Value outRow, Value weight, const Columns &columns) {
  Value place = b.at(outRow, spec.outElement, columns.first);
  if (spec.outElement.isBF16()) {
    // As integers: a masked store of them is one instruction on more versions than one of bf16.
    Value rounded = arith::TruncFOp::create(b, VectorType::get({b.lanes()}, spec.outElement), value);
    value = arith::BitcastOp::create(b, VectorType::get({b.lanes()}, b.getI16Type()), rounded);
  }
  if (spec.combine)
    value = b.fma(weight, value, loadColumns(outRow, columns.first, columns.mask));
  if (columns.mask)
    b.maskedStore(value, place, columns.mask);
  else
    b.store(value, place);
}

void Epilogue::emitRows(ArrayRef<Value> sums, bool masked) {
  const int64_t perRow = tiles * 2;
  const SmallVector<Columns> columns = resultColumns(masked);
  SmallVector<Pair> bias;
  for (int64_t tile = 0; tile < tiles; ++tile)
    bias.push_back(loadBias(tile, masked));
  for (int64_t row = 0; row < rows; ++row)
    emitRow(b.i64(row), sums.slice(row * perRow, perRow), bias, columns);
}

void Epilogue::emitStoredRows(Value stored, Value count, bool masked) {
  const int64_t perRow = tiles * 2;
  const SmallVector<Columns> columns = resultColumns(masked);
  SmallVector<Pair> bias;
  for (int64_t tile = 0; tile < tiles; ++tile)
    bias.push_back(loadBias(tile, masked));
  b.forLoop(b.i64(0), count, [&](Value row) {
    Value place = b.atF32(stored, b.mul(row, b.i64(perRow * b.lanes())));
    SmallVector<Value> reloaded;
    for (int64_t number = 0; number < perRow; ++number)
      reloaded.push_back(b.load(b.f32Vector(), b.atF32(place, number * b.lanes())));
    emitRow(row, reloaded, bias, columns);
  });
}

// `sums` are the row's, in the order [tile][vector].
void Epilogue::emitRow(Value row, ArrayRef<Value> sums, ArrayRef<Pair> bias, ArrayRef<Columns> columns) {
  Value line = row, weight;
  if (spec.combine) {
    line = b.toI64(b.load(b.getI32Type(), b.at(arguments.combineRows, b.getI32Type(), row)));
    weight = b.broadcast(b.load(b.getF32Type(), b.atF32(arguments.combineWeights, row)));
  }
  Value outRow = b.at(arguments.out, spec.outElement, b.mul(line, arguments.outStride));
  for (int64_t tile = 0; tile < tiles; ++tile) {
    Value first = sums[tile * 2], second = sums[tile * 2 + 1];
    if (spec.gateUp) {
      write(finishGated({first, second}, bias[tile]), outRow, weight, columns[tile]);
      continue;
    }
    write(finish(first, bias[tile].first), outRow, weight, columns[2 * tile]);
    write(finish(second, bias[tile].second), outRow, weight, columns[2 * tile + 1]);
  }
}

} // namespace moe
