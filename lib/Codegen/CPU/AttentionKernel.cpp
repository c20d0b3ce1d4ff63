// See AttentionKernel.h.
#include "AttentionKernel.h"

#include "BlockDecoder.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
namespace moe {

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr int64_t lineBytes = 64, lineElements = lineBytes / 4;
/// How far in front of the sums of few rows values are asked for.
static constexpr int64_t valuesAhead = 8;

AttentionFrame::AttentionFrame(const AttentionSpec &spec) : size(0) {
  const auto take = [&](int64_t count) {
    const int64_t start = size;
    size += llvm::divideCeil(count, int64_t(16)) * 16;
    return start;
  };
  constexpr int64_t keys = AttentionOp::chunkKeys;
  queries = take(spec.depth * rows);
  scores = take((keys + spareKeys) * rows);
  sums = take(rows * spec.paddedColumns());
  paddedDepth = llvm::divideCeil(spec.depth, int64_t(16)) * 16;
  fewKeys = take(2 * spareKeys * paddedDepth);
  wideKeys = take(spec.key.isF32() ? 0 : spareKeys * spec.depth);
  wideValues = take(spec.columns == spec.paddedColumns() ? 0 : keys * spec.paddedColumns());
  first = take(rows);
  end = take(rows);
  range = take(4);
  chunkMost = take(rows);
  chunkTotal = take(rows);
  most = take(rows);
  total = take(rows);
  keep = take(rows);
  this->take = take(rows);
}

// Sums, a vector of queries for each of rowVectors, a broadcast key and, without fused multiply-add, a product.
int64_t AttentionKernel::blockKeys(int64_t rowVectors) const {
  if (b.isa.vectorRegisters > 16)
    return rowVectors == 3 ? 8 : 12;
  const int64_t most = b.isa.hasFma ? 12 : 10;
  return rowVectors == 1 ? 8 : most / 2;
}

int64_t AttentionKernel::columnVectors(int64_t rows) const {
  return std::min<int64_t>(2 * b.isa.tilesFor(static_cast<int>(rows)), llvm::divideCeil(spec.columns, b.lanes()));
}

/// Scaled, capped, and what lies at `place` added where there is a mask.
Value AttentionKernel::cappedScore(Value sum, Value place) {
  Value score = b.mulf(sum, b.splat(spec.scale));
  if (spec.softcap > 0)
    score = b.mulf(math.tanh(b.divf(score, b.splat(spec.softcap))), b.splat(spec.softcap));
  if (spec.mask)
    score = b.addf(score, b.load(b.f32Vector(), place));
  return score;
}

Value AttentionKernel::finishScore(Value sum, Value place, Value bounds, int64_t vector, Value key) {
  Value score = cappedScore(sum, place), seen;
  const auto require = [&](int64_t list, arith::CmpIPredicate predicate) {
    Value bound = b.load(b.i32Vector(), b.atF32(bounds, list + vector * b.lanes()));
    Value holds = b.compare(predicate, b.broadcast(key), bound);
    seen = seen ? arith::AndIOp::create(b, seen, holds).getResult() : holds;
  };
  if (spec.left >= 0)
    require(0, arith::CmpIPredicate::sge);
  if (spec.hasEnd())
    require(frame.end - frame.first, arith::CmpIPredicate::slt);
  return seen ? b.select(seen, score, b.splat(-infinity)) : score;
}

// 2^n scaling is an instruction on whole vectors only.
IsaVersion AttentionKernel::halfOf(const IsaVersion &isa) {
  IsaVersion half = isa;
  half.f32Lanes /= 2;
  half.hasScale = false;
  return half;
}

/// Into the second cache: a chunk does not fit the first.
void AttentionKernel::prefetch(Value place) { LLVM::Prefetch::create(b, place, /*rw=*/0, /*hint=*/2, /*cache=*/1); }

void AttentionKernel::callHalfScores(int64_t keys, const ScoreArguments &call) {
  const IsaVersion half = halfOf(b.isa);
  KernelBuilder builder(b.getLoc(), b.getContext(), half);
  builder.restoreInsertionPoint(b.saveInsertionPoint());
  AttentionKernel(kernels, builder, spec).callScores(1, keys, call);
}

void AttentionKernel::callScores(int64_t rowVectors, int64_t keys, const ScoreArguments &call) {
  const std::string key = llvm::formatv("attention scores {0} {1} {2} {3}", spec.text(), rowVectors, keys, b.lanes());
  const std::string name = llvm::formatv("moe_attention_scores_{0}x{1}", keys, rowVectors * b.lanes());
  func::FuncOp function = kernels.get(key, name, [&](StringRef free) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(4, b.ptrType());
    types.append(4, b.getI64Type());
    func::FuncOp made = b.beginFunction(kernels.module, free, types);
    const ValueRange a = made.getArguments();
    Value queries = a[0], scores = a[2], bounds = a[3], last = b.sub(a[5], b.i64(1));
    SmallVector<Value> places;
    for (int64_t number = 0; number < keys; ++number)
      places.push_back(b.atF32(a[1], b.mul(b.min(b.i64(number), last), a[4])));
    const SmallVector<Value> zeros(keys * rowVectors, b.splat(0.0));
    const auto addElement = [&](Value d, int64_t more, ValueRange before) {
      Value line = b.atF32(b.atF32(queries, b.mul(d, b.i64(AttentionFrame::rows))), more * AttentionFrame::rows);
      SmallVector<Value> vectors, next;
      for (int64_t vector = 0; vector < rowVectors; ++vector)
        vectors.push_back(b.load(b.f32Vector(), b.atF32(line, vector * b.lanes())));
      for (Value place : places) {
        Value element = b.broadcast(b.load(b.getF32Type(), b.atF32(b.atF32(place, d), more)));
        for (Value vector : vectors)
          next.push_back(b.fma(element, vector, before[next.size()]));
      }
      return next;
    };
    // Lines are asked for one by one between the elements, since a burst stops the loop.
    const int64_t whole = readsAhead() ? spec.depth / lineElements * lineElements : 0;
    SmallVector<Value> sums = b.forLoop(b.i64(0), b.i64(whole), b.i64(lineElements), zeros, [&](Value d, ValueRange before) {
      SmallVector<Value> next(before);
      for (int64_t element = 0; element < lineElements; ++element) {
        if (element < keys)
          prefetch(b.at(b.atF32(places[element], d), b.getI8Type(), a[7]));
        next = addElement(d, element, next);
      }
      return next;
    });
    sums = b.forLoop(b.i64(whole), b.i64(spec.depth), b.i64(1), sums, [&](Value d, ValueRange before) { return addElement(d, 0, before); });
    Value firstKey = arith::TruncIOp::create(b, b.getI32Type(), a[6]);
    for (int64_t number = 0; number < keys; ++number)
      for (int64_t vector = 0; vector < rowVectors; ++vector) {
        Value place = b.atF32(scores, number * AttentionFrame::rows + vector * b.lanes());
        b.store(finishScore(sums[number * rowVectors + vector], place, bounds, vector, b.add(firstKey, b.i32(number))), place);
      }
    func::ReturnOp::create(b);
    return made;
  });
  func::CallOp::create(b, function, ValueRange{call.queries, call.keys, call.scores, call.bounds, call.keyStride, call.count, call.firstKey,
                                               call.ahead ? call.ahead : b.i64(0)});
}

void AttentionKernel::callValues(int64_t rows, int64_t vectors, const ValueArguments &call) {
  const Type element = readsValuesDirectly() ? spec.value : Type(b.getF32Type());
  const int64_t padded = spec.paddedColumns(), elementBytes = element.getIntOrFloatBitWidth() / 8;
  std::string key = llvm::formatv("attention values {0} {1} {2} {3} {4} ", padded, rows, vectors, (call.ahead ? "ahead " : "") + std::to_string(call.columnsAhead), call.isFew ? "few" : "");
  llvm::raw_string_ostream(key) << element;
  const std::string name = llvm::formatv("moe_attention_values_{0}x{1}", rows, vectors * b.lanes());
  func::FuncOp function = kernels.get(key, name, [&](StringRef free) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(4, b.ptrType());
    types.append(3, b.getI64Type());
    func::FuncOp made = b.beginFunction(kernels.module, free, types);
    const ValueRange a = made.getArguments();
    Value powers = a[0], sums = a[2], factors = a[3];
    const SmallVector<Value> zeros(rows * vectors, b.splat(0.0));
    const SmallVector<Value> added = b.forLoop(b.i64(0), a[5], b.i64(1), zeros, [&](Value number, ValueRange before) {
      Value line = b.at(a[1], element, b.mul(number, a[4])), weights = call.isFew ? b.atF32(powers, number) : b.atF32(powers, b.mul(number, b.i64(AttentionFrame::rows)));
      SmallVector<Value> values, next;
      for (int64_t vector = 0; vector < vectors; ++vector)
        values.push_back(loadWidened(b, element, b.at(line, element, vector * b.lanes())));
      for (int64_t column = 0; column < call.columnsAhead; column += lineBytes / elementBytes)
        prefetch(b.at(b.at(line, element, b.mul(a[4], b.i64(valuesAhead))), element, column));
      for (int64_t column = 0; call.ahead && column < vectors * b.lanes(); column += lineBytes / elementBytes)
        prefetch(b.at(b.at(line, element, column), b.getI8Type(), a[6]));
      for (int64_t row = 0; row < rows; ++row) {
        Value weight = b.broadcast(b.load(b.getF32Type(), b.atF32(weights, call.isFew ? row * AttentionFrame::fewRowsStride : row)));
        for (Value value : values)
          next.push_back(b.fma(weight, value, before[next.size()]));
      }
      return next;
    });
    for (int64_t row = 0; row < rows; ++row) {
      Value keep = b.broadcast(b.load(b.getF32Type(), b.atF32(factors, row)));
      Value take = b.broadcast(b.load(b.getF32Type(), b.atF32(factors, frame.take - frame.keep + row)));
      for (int64_t vector = 0; vector < vectors; ++vector) {
        Value place = b.atF32(sums, row * padded + vector * b.lanes());
        b.store(b.fma(added[row * vectors + vector], take, b.mulf(b.load(b.f32Vector(), place), keep)), place);
      }
    }
    func::ReturnOp::create(b);
    return made;
  });
  func::CallOp::create(b, function, ValueRange{call.powers, call.values, call.sums, call.factors, call.valueStride, call.count, call.ahead ? call.ahead : b.i64(0)});
}

} // namespace moe
