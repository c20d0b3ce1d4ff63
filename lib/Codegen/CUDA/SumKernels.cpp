// moe.sum_slots on a GPU. The order of the sum is that of the slots, whatever the schedule; the result is rounded once.
#include "SumKernels.h"

using namespace mlir;
namespace moe {

LogicalResult SumKernels::replace(SumSlotsOp op) {
  const auto type = cast<MemRefType>(op.getY().getType()), outType = cast<MemRefType>(op.getOuts()[0].getType());
  for (Value operand : op.getOperands())
    if (!cast<MemRefType>(operand.getType()).getLayout().isIdentity())
      return op.emitOpError() << "the CUDA kernel expects contiguous buffers, found " << operand.getType();
  if (type.isDynamicDim(1))
    return op.emitOpError() << "the CUDA kernel expects a static number of columns, found " << type;
  columns = type.getDimSize(1);
  y = type.getElementType(), out = outType.getElementType();
  OpBuilder host(op);
  const Location loc = op.getLoc();
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(host, loc, value); };
  Value tokens = sizeOf(host, loc, op.getOuts()[0], 0), slots = sizeOf(host, loc, op.getPlaces(), 0);
  Value k = arith::DivUIOp::create(host, loc, slots, Value(arith::MaxUIOp::create(host, loc, tokens, index(1))));
  std::string key;
  llvm::raw_string_ostream(key) << "sum " << columns << ' ' << y << ' ' << out;
  const int64_t threads = std::min<int64_t>(llvm::alignTo(llvm::divideCeil(columns, width()), warpSize), 256);
  const KernelEntry entry = table.get(key, "moe_sum", threads, 0, [&](StringRef name) { emit(name); });
  auto pointer = [&](Value memref) { return pointerOf(host, loc, memref); };
  table.launch(host, loc, entry, tokens, index(1),
               {pointer(op.getY()), pointer(op.getPlaces()), pointer(op.getWeights()), pointer(op.getOuts()[0]),
                arith::IndexCastOp::create(host, loc, host.getI32Type(), k)});
  op.erase();
  return success();
}

int64_t SumKernels::width() const {
  int64_t most = 128 / std::max(y.getIntOrFloatBitWidth(), out.getIntOrFloatBitWidth());
  while (columns % most)
    most /= 2;
  return most;
}

void SumKernels::emit(StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(4, b.pointer());
  types.push_back(b.getI32Type());
  func::FuncOp function = b.beginKernel(table.device, name, types);
  const int64_t threads = std::min<int64_t>(llvm::alignTo(llvm::divideCeil(columns, width()), warpSize), 256);
  b.forLoop(b.mul(b.threadX(), width()), b.i32(columns), b.i32(threads * width()),
            [&](Value column) { emitColumns(function.getArguments(), column); });
  func::ReturnOp::create(b);
}

void SumKernels::emitColumns(ValueRange a, Value column) {
  const int64_t n = width();
  auto vectorOf = [&](Type element) -> Type { return VectorType::get({n}, element); };
  auto bytesOf = [&](Type element) { return unsigned(n * element.getIntOrFloatBitWidth() / 8); };
  Value token = b.blockX(), k = a[4], first = b.mul(token, k);
  SmallVector<Value> sums(n, b.f32(0.0));
  sums = b.forLoop(b.i32(0), k, b.i32(1), sums, [&](Value choice, ValueRange now) -> SmallVector<Value> {
    Value slot = b.load(b.getI32Type(), b.at(a[1], b.getI32Type(), b.add(first, choice)));
    SmallVector<Type> types(n, b.getF32Type());
    return b.ifElse(
        b.less(slot, b.i32(0)), types, [&]() { return SmallVector<Value>(now); },
        [&]() {
          Value weight = b.load(b.getF32Type(), b.at(a[2], b.getF32Type(), slot));
          Value row = b.load(vectorOf(y), b.at(a[0], y, b.add(b.mul(b.toI64(slot), columns), b.toI64(column))), bytesOf(y));
          SmallVector<Value> next;
          for (int64_t i = 0; i < n; ++i) {
            Value value = b.widen(LLVM::ExtractElementOp::create(b, row, b.i32(i)));
            next.push_back(b.fma(weight, value, now[i]));
          }
          return next;
        });
  });
  Value row = LLVM::UndefOp::create(b, vectorOf(out));
  for (int64_t i = 0; i < n; ++i)
    row = LLVM::InsertElementOp::create(b, row, b.narrow(sums[i], out), b.i32(i));
  b.store(row, b.at(a[3], out, b.add(b.mul(b.toI64(token), columns), b.toI64(column))), bytesOf(out));
}

} // namespace moe
