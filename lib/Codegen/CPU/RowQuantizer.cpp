// One part is 32 values of a row: the greatest magnitude gives the scale, then codes and their sum. Codes are rounded by adding 1.5·2^23, which
// leaves the integer, ties to even, in the low bits of the sum.
#include "RowQuantizer.h"

#include <limits>

using namespace mlir;
namespace moe {
namespace {

constexpr double roundingNumber = 0x1.8p23;
/// Bits of infinity and of 2^-100: parts with a greater magnitude than the one, or none of the other, have no scale of their own.
constexpr int64_t infinityBits = 0x7f800000, leastBits = int64_t(127 - 100) << 23, magnitudeBits = 0x7fffffff;

/// The scale of a part and what its numbers are multiplied with.
struct Factors {
  Value scale, inverse;
};

// The bits of magnitudes order numbers, infinity above them and NaN above that.
Factors factorsOf(KernelBuilder &b, Value greatest) {
  Value number = arith::BitcastOp::create(b, b.getF32Type(), greatest);
  Value isSpecial = b.compare(arith::CmpIPredicate::sge, greatest, b.i32(infinityBits));
  Value isNothing = b.compare(arith::CmpIPredicate::slt, greatest, b.i32(leastBits));
  Value scale = b.select(isNothing, b.f32(0.0), b.divf(number, b.f32(127.0)));
  scale = b.select(isSpecial, b.f32(std::numeric_limits<double>::quiet_NaN()), scale);
  Value hasNone = arith::OrIOp::create(b, isSpecial, isNothing);
  return {scale, b.select(hasNone, b.f32(0.0), b.divf(b.f32(127.0), number))};
}

void emitPart(KernelBuilder &b, BlocksAttr blocks, Value from, Value to, Value part) {
  const Type i8 = b.getI8Type();
  SmallVector<Value> numbers;
  Value greatest, sum;
  for (int64_t k = 0; k < BlocksAttr::partDepth; k += b.lanes()) {
    numbers.push_back(b.load(b.f32Vector(), b.atF32(from, k)));
    Value bits = arith::BitcastOp::create(b, b.i32Vector(), numbers.back());
    Value magnitude = arith::AndIOp::create(b, bits, b.splatInt(magnitudeBits));
    greatest = greatest ? b.max(greatest, magnitude) : magnitude;
  }
  const Factors factors = factorsOf(b, vector::ReductionOp::create(b, vector::CombiningKind::MAXSI, greatest));
  Value inverse = b.broadcast(factors.inverse), above = b.splatInt(24);
  Value codes = b.at(to, i8, b.add(b.mul(part, b.i64(BlocksAttr::partDepth)), b.i64(8 * blocks.partCount())));
  for (const auto &[index, number] : llvm::enumerate(numbers)) {
    Value bits = arith::BitcastOp::create(b, b.i32Vector(), b.addf(b.mulf(number, inverse), b.splat(roundingNumber)));
    Value narrow = arith::TruncIOp::create(b, VectorType::get({b.lanes()}, i8), bits);
    b.store(narrow, b.at(codes, i8, static_cast<int64_t>(index) * b.lanes()));
    Value code = arith::ShRSIOp::create(b, arith::ShLIOp::create(b, bits, above), above);
    sum = sum ? b.add(sum, code) : code;
  }
  Value total = vector::ReductionOp::create(b, vector::CombiningKind::ADD, sum);
  if (!blocks.getZero())
    total = b.mul(total, b.i32(-(int64_t(1) << (blocks.bits() - 1))));
  Value scales = b.at(to, b.getF32Type(), part);
  b.store(factors.scale, scales);
  b.store(total, b.at(scales, b.getI32Type(), blocks.partCount()));
}

} // namespace

func::FuncOp emitRowQuantizer(KernelBuilder &b, BlocksAttr blocks, ModuleOp module, StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  const Type pointer = b.ptrType(), i64 = b.getI64Type();
  func::FuncOp function = b.beginFunction(module, name, {pointer, pointer, i64, i64, i64});
  const ValueRange a = function.getArguments();
  Value from = a[0], to = a[1], part = a[2], rows = a[3], stride = a[4];
  b.forLoop(b.i64(0), rows, [&](Value row) {
    emitPart(b, blocks, b.atF32(from, b.mul(row, b.i64(BlocksAttr::partDepth))), b.at(to, b.getI8Type(), b.mul(row, stride)), part);
  });
  func::ReturnOp::create(b);
  return function;
}

} // namespace moe
