// Scores of few rows. A vector of rows would be mostly empty, so here a vector has keys in its lanes: squares of keys are turned around in registers,
// after which a score is the same chain over D, with the same bits, as in the other kernels. Scores lie [row][key], and the softmax is of full vectors.
// Keys are copied to the first cache in the order of memory, a block ahead of the products: the hardware's prefetcher follows that.
#include "AttentionEmitter.h"

#include "BlockDecoder.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
namespace moe {

static constexpr double infinity = std::numeric_limits<double>::infinity();
/// How far in front of the copy keys are asked for.
static constexpr int64_t keysAhead = 16;

/// Lane `pick(lane)` of two vectors side by side, for each lane.
static Value shuffle(KernelBuilder &b, Value x, Value y, llvm::function_ref<int64_t(int64_t lane)> pick) {
  SmallVector<int64_t> lanes;
  for (int64_t lane = 0; lane < b.lanes(); ++lane)
    lanes.push_back(pick(lane));
  return vector::ShuffleOp::create(b, x, y, lanes);
}

/// Interleaves the lower or upper halves of each four lanes, elements of `width` lanes: unpcklps, unpckhps and their 64-bit kind.
static Value unpack(KernelBuilder &b, Value x, Value y, int64_t width, bool isUpper) {
  return shuffle(b, x, y, [&](int64_t lane) {
    const int64_t inFour = lane % 4, number = inFour / width, isSecond = number % 2;
    return lane - inFour + (number / 2 + (isUpper ? 2 / width : 0)) * width + inFour % width + isSecond * b.lanes();
  });
}

/// Every second four of both, from the first or the second on: vshuff32x4.
static Value everySecondFour(KernelBuilder &b, Value x, Value y, int64_t first) {
  return shuffle(b, x, y, [&](int64_t lane) {
    const int64_t fours = b.lanes() / 4, place = 2 * (lane / 4) + first;
    return place / fours * b.lanes() + place % fours * 4 + lane % 4;
  });
}

/// `lanes` vectors, transposed.
static SmallVector<Value> transpose(KernelBuilder &b, ArrayRef<Value> rows) {
  const int64_t lanes = b.lanes(), fours = lanes / 4;
  // parts[c][g]: four q of it has column 4q + c of the rows 4g to 4g + 3.
  SmallVector<SmallVector<Value>> parts(4);
  for (int64_t g = 0; g < fours; ++g) {
    const ArrayRef<Value> r = rows.slice(4 * g, 4);
    for (bool isUpper : {false, true}) {
      Value first = unpack(b, r[0], r[1], 1, isUpper), second = unpack(b, r[2], r[3], 1, isUpper);
      for (bool isOdd : {false, true})
        parts[2 * isUpper + isOdd].push_back(unpack(b, first, second, 2, isOdd));
    }
  }
  SmallVector<Value> columns(lanes);
  for (int64_t c = 0; c < 4; ++c) {
    // Fours are transposed as a square of `fours` by `fours`: each step halves the vectors of a list and doubles the lists.
    SmallVector<SmallVector<Value>> lists = {parts[c]};
    SmallVector<int64_t> numbers = {0};
    for (int64_t weight = 1; weight < fours; weight *= 2) {
      SmallVector<SmallVector<Value>> next;
      SmallVector<int64_t> nextNumbers;
      for (auto [list, number] : llvm::zip(lists, numbers))
        for (int64_t first : {0, 1}) {
          SmallVector<Value> half;
          for (size_t i = 0; i < list.size(); i += 2)
            half.push_back(everySecondFour(b, list[i], list[i + 1], first));
          next.push_back(half);
          nextNumbers.push_back(number + first * weight);
        }
      lists = next;
      numbers = nextNumbers;
    }
    for (auto [list, q] : llvm::zip(lists, numbers))
      columns[4 * q + c] = list.front();
  }
  return columns;
}

Value AttentionKernel::finishFewScore(Value sum, Value place, Value bound, Value keys) {
  Value score = cappedScore(sum, place), seen;
  const auto require = [&](Value limit, arith::CmpIPredicate predicate) {
    Value holds = b.compare(predicate, keys, b.broadcast(limit));
    seen = seen ? arith::AndIOp::create(b, seen, holds).getResult() : holds;
  };
  if (spec.left >= 0)
    require(b.load(b.getI32Type(), bound), arith::CmpIPredicate::sge);
  if (spec.hasEnd())
    require(b.load(b.getI32Type(), b.atF32(bound, frame.end - frame.first)), arith::CmpIPredicate::slt);
  return seen ? b.select(seen, score, b.splat(-infinity)) : score;
}

void AttentionKernel::callFewScores(int64_t rows, const FewScoreArguments &call) {
  const std::string key = llvm::formatv("attention few scores {0} {1} {2}", spec.text(), rows, b.lanes());
  const std::string name = llvm::formatv("moe_attention_few_scores_{0}x{1}", rows, b.lanes());
  func::FuncOp function = kernels.get(key, name, [&](StringRef free) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(6, b.ptrType());
    types.append(4, b.getI64Type());
    func::FuncOp made = b.beginFunction(kernels.module, free, types);
    emitFewScores(rows, made.getArguments());
    func::ReturnOp::create(b);
    return made;
  });
  func::CallOp::create(b, function, ValueRange{call.queries, call.keys, call.scores, call.bounds, call.next, call.room,
                                               call.keyStride, call.lastNext, call.firstKey, call.end});
}

/// Squares of D and keys: a square's lines of the next block are copied, then its keys are turned around and multiplied.
void AttentionKernel::emitFewScores(int64_t rows, ValueRange a) {
  const int64_t lanes = b.lanes(), padded = frame.paddedDepth, lines = padded / lanes, wholeLines = spec.depth / lanes;
  Value queries = a[0], keys = a[1], scores = a[2], bounds = a[3], next = a[4], room = a[5];
  const auto multiply = [&](Value d, int64_t count, ValueRange before) {
    SmallVector<Value> block, sums(before);
    for (int64_t number = 0; number < lanes; ++number)
      block.push_back(b.load(b.f32Vector(), b.atF32(b.atF32(keys, d), number * padded)));
    block = transpose(b, block);
    for (int64_t element = 0; element < count; ++element) {
      Value line = b.atF32(b.atF32(queries, b.mul(d, b.i64(AttentionFrame::rows))), element * AttentionFrame::rows);
      for (int64_t row = 0; row < rows; ++row)
        sums[row] = b.fma(block[element], b.broadcast(b.load(b.getF32Type(), b.atF32(line, row))), sums[row]);
    }
    return sums;
  };
  const SmallVector<Value> zeros(rows, b.splat(0.0));
  SmallVector<Value> sums = b.forLoop(b.i64(0), b.i64(wholeLines), b.i64(1), zeros, [&](Value square, ValueRange before) {
    Value first = b.mul(square, b.i64(lanes));
    for (int64_t number = 0; number < lanes; ++number) {
      Value line = b.add(first, b.i64(number)), keyNumber = b.div(line, b.i64(wholeLines));
      Value column = b.mul(b.sub(line, b.mul(keyNumber, b.i64(wholeLines))), b.i64(lanes));
      Value from = b.at(next, spec.key, b.add(b.mul(b.min(keyNumber, a[7]), a[6]), column));
      prefetch(b.at(from, spec.key, b.mul(a[6], b.i64(keysAhead))));
      b.store(loadWidened(b, spec.key, from), b.atF32(room, b.add(b.mul(keyNumber, b.i64(padded)), column)));
    }
    return multiply(first, lanes, before);
  });
  if (lines > wholeLines) {
    b.forLoop(b.i64(0), b.i64(lanes), [&](Value number) {
      Value from = b.at(next, spec.key, b.mul(b.min(number, a[7]), a[6])), to = b.atF32(room, b.mul(number, b.i64(padded)));
      b.forLoop(b.i64(wholeLines * lanes), b.i64(spec.depth), [&](Value column) {
        Value value = b.load(spec.key, b.at(from, spec.key, column));
        b.store(spec.key.isF32() ? value : Value(arith::ExtFOp::create(b, b.getF32Type(), value)), b.atF32(to, column));
      });
    });
    sums = multiply(b.i64(wholeLines * lanes), spec.depth % lanes, sums);
  }
  Value numbers = arith::ConstantOp::create(b, DenseIntElementsAttr::get(b.i32Vector(), llvm::to_vector(llvm::seq<int32_t>(0, static_cast<int32_t>(lanes)))));
  numbers = b.add(numbers, b.broadcast(arith::TruncIOp::create(b, b.getI32Type(), a[8])));
  // Lanes behind the chunk's last key see nothing.
  Value isKey = b.compare(arith::CmpIPredicate::slt, numbers, b.broadcast(arith::TruncIOp::create(b, b.getI32Type(), a[9])));
  for (int64_t row = 0; row < rows; ++row) {
    Value place = b.atF32(scores, row * AttentionFrame::fewRowsStride);
    Value score = finishFewScore(sums[row], place, b.atF32(bounds, row), numbers);
    b.store(b.select(isKey, score, b.splat(-infinity)), place);
  }
}

/// As computeScores, for a tile of at most fewRows() rows.
void AttentionEmitter::computeFewScores(const Tile &tile, int64_t rows, Value start, Value keys) {
  const int64_t lanes = b.lanes(), room = lanes * frame->paddedDepth;
  Value stride = arguments.kStrides.token, lastKey = b.sub(keys, b.i64(1));
  // The first block is copied before all.
  widenRows(keyAt(tile.sequence, tile.head, start), spec.key, stride, spec.depth, place(frame->fewKeys), frame->paddedDepth, b.min(keys, b.i64(lanes)));
  b.forLoop(b.i64(0), keys, b.i64(lanes), {b.i64(0), b.i64(room)}, [&](Value key, ValueRange rooms) -> SmallVector<Value> {
    // The last block copies its last key once more.
    Value nextKey = b.min(b.add(key, b.i64(lanes)), lastKey);
    AttentionKernel::FewScoreArguments call;
    call.queries = place(frame->queries);
    call.keys = place(frame->fewKeys, rooms[0]);
    call.scores = place(frame->scores, key);
    call.bounds = place(frame->first);
    call.next = keyAt(tile.sequence, tile.head, b.add(start, nextKey));
    call.room = place(frame->fewKeys, rooms[1]);
    call.keyStride = stride;
    call.lastNext = b.sub(lastKey, nextKey);
    call.firstKey = b.add(start, key);
    call.end = b.add(start, keys);
    kernel->callFewScores(rows, call);
    return {rooms[1], rooms[0]};
  });
}

/// As computePowers. The greatest of a row is the same in any order; its sum is one chain over keys, as there.
void AttentionEmitter::computeFewPowers(const Tile &tile, Value keys) {
  const int64_t rows = kernel->fewRows();
  Value zero = b.i64(0), step = b.i64(b.lanes());
  b.forLoop(zero, tile.rows, [&](Value row) {
    Value line = place(frame->scores, b.mul(row, b.i64(AttentionFrame::fewRowsStride)));
    Value most = b.forLoop(zero, keys, step, {b.splat(-infinity)}, [&](Value key, ValueRange carried) -> SmallVector<Value> {
      return {b.atLeast(carried[0], b.load(b.f32Vector(), b.atF32(line, key)))};
    })[0];
    Value greatest = vector::ReductionOp::create(b, vector::CombiningKind::MAXNUMF, most);
    Value base = finiteOr0(b.broadcast(greatest));
    b.forLoop(zero, keys, step, {}, [&](Value key, ValueRange) {
      Value at = b.atF32(line, key);
      b.store(math.exp(b.subf(b.load(b.f32Vector(), at), base)), at);
      return SmallVector<Value>();
    });
    b.store(greatest, place(frame->chunkMost, row));
  });
  b.switchUpTo(tile.rows, rows, [&](int64_t count) {
    const SmallVector<Value> totals = b.forLoop(zero, keys, b.i64(1), SmallVector<Value>(count, b.f32(0.0)), [&](Value key, ValueRange before) {
      SmallVector<Value> next;
      for (int64_t row = 0; row < count; ++row)
        next.push_back(b.addf(before[row], b.load(b.getF32Type(), b.atF32(place(frame->scores, key), row * AttentionFrame::fewRowsStride))));
      return next;
    });
    for (int64_t row = 0; row < count; ++row)
      b.store(totals[row], place(frame->chunkTotal + row));
  });
  forVectors(tile, [&](Value offset) { mergeFactors(offset); });
}

} // namespace moe
