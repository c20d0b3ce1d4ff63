// The loop over K of the micro-kernels.
#include "MatmulKernel.h"

#include "BlockDecoder.h"
#include "Epilogue.h"
#include "IntegerSums.h"
#include "PairProduct.h"
#include "TileKernel.h"

using namespace mlir;
namespace moe {

static constexpr int64_t cacheLineBytes = 64;

func::FuncOp MatmulKernel::emit(ModuleOp module, StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(KernelArguments::pointers, b.ptrType());
  types.append(KernelArguments::integers, b.getI64Type());
  func::FuncOp function = b.beginFunction(module, name, types);
  arguments = KernelArguments::fromList(function.getArguments());
  SmallVector<Value> sums;
  if (spec.multipliesIntegers())
    sums = IntegerSums(b, spec, geometry, arguments, rowPointers(), tiles).emit();
  else
    sums = spec.blocks                   ? sumOverBlocks()
           : sumsLikeTiles(b.isa, spec) ? sumOverPairsLikeTiles()
           : spec.pairs                 ? sumOverPairs()
                                        : sumOverK();
  Epilogue(b, spec, geometry, arguments, rows, tiles).emit(sums);
  func::ReturnOp::create(b);
  return function;
}

SmallVector<Value> MatmulKernel::rowPointers() {
  SmallVector<Value> pointers;
  for (int64_t row = 0; row < rows; ++row) {
    Value number = spec.gather ? b.toI64(b.load(b.getI32Type(), b.at(arguments.index, b.getI32Type(), row))) : b.i64(row);
    pointers.push_back(b.at(arguments.x, spec.xElement, b.mul(number, arguments.xStride)));
  }
  return pointers;
}

Value MatmulKernel::floatPanelBytes() {
  Value steps = spec.pairs ? b.div(b.add(arguments.k, b.i64(1)), b.i64(2)) : arguments.k;
  return b.mul(steps, b.i64(panelColumns * spec.laneType().getIntOrFloatBitWidth() / 8));
}

SmallVector<Value> MatmulKernel::tilePointers() {
  Value panelBytes = floatPanelBytes();
  SmallVector<Value> pointers;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    // More tiles than one panel has means whole panels side by side.
    const int64_t panel = tile / geometry.tilesPerPanel, inPanel = tile % geometry.tilesPerPanel;
    Value start = panel ? b.at(arguments.weight, b.getI8Type(), b.mul(panelBytes, b.i64(panel))) : arguments.weight;
    pointers.push_back(inPanel ? b.at(start, spec.laneType(), inPanel * geometry.tileStep) : start);
  }
  return pointers;
}

// What comes later than step `step` of the weights. Helps where an expert has some rows but its weights come from memory.
void MatmulKernel::prefetch(Value step, int64_t tile) {
  // A tile reads whole lines of the panel or none of its business; kernels for few rows read as many streams as the hardware
  // prefetcher follows by itself.
  const int64_t elementBytes = spec.laneType().getIntOrFloatBitWidth() / 8, tileBytes = 2 * b.lanes() * elementBytes;
  if ((tiles > 1 && !b.isa.fewRowsAhead) || tileBytes < cacheLineBytes)
    return;
  // The second vector is in a line of its own if it is 16 or more columns away.
  const int64_t lines = geometry.secondVector * elementBytes >= cacheLineBytes ? 2 : 1;
  const int64_t stepLines = panelColumns * elementBytes / cacheLineBytes;
  Value aheadStep = isOnePass() ? b.i64(cacheLineBytes) : arguments.aheadStep;
  Value place = b.at(arguments.ahead, b.getI8Type(), b.mul(step, b.mul(aheadStep, b.i64(stepLines))));
  if (const int64_t panel = tile / geometry.tilesPerPanel)
    place = b.at(place, b.getI8Type(), b.mul(floatPanelBytes(), b.i64(panel)));
  for (int64_t line = 0; line < lines; ++line) {
    LLVM::Prefetch::create(b, place, /*rw=*/0, prefetchHint(), /*cache=*/1);
    place = b.at(place, b.getI8Type(), aheadStep);
  }
}

SmallVector<Value> MatmulKernel::sumInSections(function_ref<SmallVector<Value>(Value start, Value end, ValueRange sums)> section) {
  const SmallVector<Value> zeros(rows * tiles * 2, b.splat(0.0));
  if (!spec.hasSections())
    return section(b.i64(0), arguments.k, zeros);
  Value length = b.i64(MatmulSpec::sectionLength);
  return b.forLoop(b.i64(0), arguments.k, length, zeros, [&](Value start, ValueRange totals) {
    const SmallVector<Value> sums = section(start, b.min(b.add(start, length), arguments.k), zeros);
    SmallVector<Value> next;
    for (auto [total, sum] : llvm::zip_equal(totals, sums))
      next.push_back(b.addf(total, sum));
    return next;
  });
}

// Sums in the order [row][tile][vector]. K is not unrolled: that makes LLVM's scheduler spill.
SmallVector<Value> MatmulKernel::sumOverK() {
  const SmallVector<Value> x = rowPointers(), weights = tilePointers();
  return sumInSections([&](Value start, Value end, ValueRange zeros) {
    return b.forLoop(start, end, b.i64(1), zeros, [&](Value k, ValueRange sums) {
      Value offset = b.mul(k, b.i64(panelColumns));
      SmallVector<Value> vectors;
      for (const auto &[tile, weight] : llvm::enumerate(weights)) {
        Value place = b.at(weight, spec.weightElement, offset);
        vectors.push_back(loadWidened(b, spec.weightElement, place));
        vectors.push_back(loadWidened(b, spec.weightElement, b.at(place, spec.weightElement, geometry.secondVector)));
        prefetch(k, tile);
      }
      return multiplyAdd(sums, x, k, vectors);
    });
  });
}

SmallVector<Value> MatmulKernel::multiplyAdd(ValueRange sums, ArrayRef<Value> x, Value k, ArrayRef<Value> weights) {
  SmallVector<Value> next;
  for (int64_t row = 0; row < rows; ++row) {
    Value value = b.broadcast(b.load(b.getF32Type(), b.atF32(x[row], k)));
    for (Value vector : weights)
      next.push_back(b.fma(value, vector, sums[next.size()]));
  }
  return next;
}

// The same sums where a step is a pair of k. The last x of an odd K has no neighbour: nothing is read past the row.
SmallVector<Value> MatmulKernel::sumOverPairs() {
  const SmallVector<Value> x = rowPointers(), weights = tilePointers();
  const auto step = [&](ValueRange sums, Value pair, bool isHalf) {
    Value offset = b.mul(pair, b.i64(panelColumns));
    SmallVector<Value> vectors, values;
    for (const auto &[tile, weight] : llvm::enumerate(weights)) {
      Value place = b.at(weight, spec.laneType(), offset);
      vectors.push_back(b.load(b.i32Vector(), place));
      vectors.push_back(b.load(b.i32Vector(), b.at(place, spec.laneType(), geometry.secondVector)));
      prefetch(pair, tile);
    }
    for (Value row : x)
      values.push_back(loadPair(b, b.at(row, b.getI32Type(), pair), isHalf));
    return addPairProducts(b, sums, values, vectors);
  };
  const SmallVector<Value> zeros(rows * tiles * 2, b.splat(0.0));
  Value pairs = b.div(arguments.k, b.i64(2));
  const SmallVector<Value> sums = b.forLoop(b.i64(0), pairs, b.i64(1), zeros,
                                            [&](Value pair, ValueRange sums) { return step(sums, pair, /*isHalf=*/false); });
  return spec.k % 2 ? step(sums, pairs, /*isHalf=*/true) : sums;
}

// The sums that tdpbf16ps makes of a row, which it takes itself where there are more of them: a row must not show how many rode with it. What differs are
// numbers below the least normal f32, which tiles take for zero.
SmallVector<Value> MatmulKernel::sumOverPairsLikeTiles() {
  const SmallVector<Value> x = rowPointers(), weights = tilePointers();
  const size_t count = rows * tiles * 2;
  Value step = b.i64(TileKernel::pairDepth / 2);
  return b.forLoop(b.i64(0), b.div(arguments.k, b.i64(2)), step, SmallVector<Value>(count, b.splat(0.0)), [&](Value start, ValueRange totals) {
    const SmallVector<Value> chains =
        b.forLoop(start, b.add(start, step), b.i64(1), SmallVector<Value>(2 * count, b.splat(0.0)), [&](Value pair, ValueRange sums) {
          Value offset = b.mul(pair, b.i64(panelColumns));
          SmallVector<Value> vectors, values;
          for (const auto &[tile, weight] : llvm::enumerate(weights)) {
            Value place = b.at(weight, spec.laneType(), offset);
            vectors.push_back(b.load(b.i32Vector(), place));
            vectors.push_back(b.load(b.i32Vector(), b.at(place, spec.laneType(), geometry.secondVector)));
            prefetch(pair, tile);
          }
          for (Value row : x)
            values.push_back(loadPair(b, b.at(row, b.getI32Type(), pair), /*isHalf=*/false));
          return addPairChains(b, sums, values, vectors);
        });
    SmallVector<Value> next;
    for (size_t number = 0; number < count; ++number)
      next.push_back(b.addf(totals[number], b.addf(chains[number], chains[count + number])));
    return next;
  });
}

// Codes for one value of k are less than a cache line, but one request for each costs little beside decoding.
void MatmulKernel::prefetchBlocks(Value offset) {
  if (b.lanes() < 8)
    return;
  if (!isOnePass())
    offset = arith::ShRUIOp::create(b, b.mul(offset, arguments.aheadStep), b.i64(6));
  Value place = b.at(arguments.ahead, b.getI8Type(), offset);
  for (int64_t panel = 0; panel < std::max<int64_t>(tiles / geometry.tilesPerPanel, 1); ++panel)
    LLVM::Prefetch::create(b, b.at(place, b.getI8Type(), panel * spec.panelBytes()), /*rw=*/0, prefetchHint(), /*cache=*/1);
}

// The same sums where scales hold for a group of k. Sections are those of floats, wherever groups end: decoded weights give the bits of dense ones.
SmallVector<Value> MatmulKernel::sumOverBlocks() {
  const SmallVector<Value> x = rowPointers();
  BlockDecoder decoder(b, spec, geometry, tiles, arguments.weight, arguments.tileColumn);
  Value one = b.i64(1), group = b.i64(spec.blocks.getGroup());
  return sumInSections([&](Value start, Value end, ValueRange zeros) {
    return b.forLoop(b.div(start, group), b.ceilDiv(end, group), one, zeros, [&](Value number, ValueRange sums) {
      const BlockDecoder::Block block = decoder.block(number);
      Value blockStart = b.mul(number, group);
      Value from = b.max(b.sub(start, blockStart), b.i64(0)), to = b.min(b.sub(end, blockStart), group);
      Value offset = b.mul(number, b.i64(spec.blocks.blockBytes()));
      return b.forLoop(from, to, one, sums, [&](Value k, ValueRange inner) {
        prefetchBlocks(b.add(offset, b.div(b.mul(k, b.i64(spec.blocks.codeBytes())), group)));
        const SmallVector<Value> weights = decoder.weights(block, k);
        return multiplyAdd(inner, x, b.add(blockStart, k), weights);
      });
    });
  });
}

} // namespace moe
