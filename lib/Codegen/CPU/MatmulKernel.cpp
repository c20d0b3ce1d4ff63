// The loop over K of the micro-kernels.
#include "MatmulKernel.h"

#include "Epilogue.h"

using namespace mlir;
namespace moe {

// Bytes from the weights in use to those asked for. Helps where an expert has some rows but its weights come from memory.
static constexpr int64_t prefetchBytes = 6144;
static constexpr int64_t cacheLineBytes = 64;

func::FuncOp MatmulKernel::emit(ModuleOp module, StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(KernelArguments::pointers, b.ptrType());
  types.append(KernelArguments::integers, b.getI64Type());
  func::FuncOp function = b.beginFunction(module, name, types);
  arguments = KernelArguments::fromList(function.getArguments());
  const SmallVector<Value> sums = sumOverK();
  Epilogue(b, spec, geometry, arguments, rows, tiles).emit(sums);
  func::ReturnOp::create(b);
  return function;
}

SmallVector<Value> MatmulKernel::rowPointers() {
  SmallVector<Value> pointers;
  for (int64_t row = 0; row < rows; ++row) {
    Value number = spec.gather ? b.toI64(b.load(b.getI32Type(), b.at(arguments.index, b.getI32Type(), row))) : b.i64(row);
    pointers.push_back(b.atF32(arguments.x, b.mul(number, arguments.xStride)));
  }
  return pointers;
}

SmallVector<Value> MatmulKernel::tilePointers() {
  Value panelStride = b.mul(arguments.k, b.i64(panelColumns));
  SmallVector<Value> pointers;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    // More tiles than one panel has means whole panels side by side.
    const int64_t panel = tile / geometry.tilesPerPanel, inPanel = tile % geometry.tilesPerPanel;
    Value start = panel ? b.atF32(arguments.weight, b.mul(panelStride, b.i64(panel))) : arguments.weight;
    pointers.push_back(b.atF32(start, inPanel * geometry.tileStep));
  }
  return pointers;
}

void MatmulKernel::prefetch(Value weight) {
  // A tile reads whole lines of the panel or none of its business; kernels for few rows read as many streams as the hardware
  // prefetcher follows by itself.
  const int64_t tileBytes = 2 * b.lanes() * 4;
  if (tiles > 1 || tileBytes < cacheLineBytes)
    return;
  const auto line = [&](int64_t bytes) {
    LLVM::Prefetch::create(b, b.at(weight, b.getI8Type(), prefetchBytes + bytes), /*rw=*/0, /*hint=*/3, /*cache=*/1);
  };
  line(0);
  // The second vector is in a line of its own if it is 16 or more columns away.
  if (geometry.secondVector * 4 >= cacheLineBytes)
    line(geometry.secondVector * 4);
}

// Sums in the order [row][tile][vector]. K is not unrolled: that makes LLVM's scheduler spill.
SmallVector<Value> MatmulKernel::sumOverK() {
  const SmallVector<Value> x = rowPointers(), weights = tilePointers();
  const SmallVector<Value> zeros(rows * tiles * 2, b.splat(0.0));
  return b.forLoop(b.i64(0), arguments.k, b.i64(1), zeros, [&](Value k, ValueRange sums) {
    Value offset = b.mul(k, b.i64(panelColumns));
    SmallVector<Value> vectors;
    for (Value weight : weights) {
      Value tile = b.atF32(weight, offset);
      vectors.push_back(b.load(b.f32Vector(), tile));
      vectors.push_back(b.load(b.f32Vector(), b.atF32(tile, geometry.secondVector)));
      prefetch(tile);
    }
    SmallVector<Value> next;
    for (int64_t row = 0; row < rows; ++row) {
      Value value = b.broadcast(b.load(b.getF32Type(), b.atF32(x[row], k)));
      for (Value vector : vectors)
        next.push_back(b.fma(value, vector, sums[next.size()]));
    }
    return next;
  });
}

} // namespace moe
