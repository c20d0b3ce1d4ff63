// f16 and bf16 are stored, never computed with: an operation on them extends its operands, computes in f32 and rounds its result. Without
// the CPU's own conversions, LLVM would call functions of a compiler's library that a model does not have; f16 is then taken apart here
// (bf16 by MLIR's own expansion).
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/DialectConversion.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace moe {
#define GEN_PASS_DEF_CPUWIDENHALVES
#include "moe/Codegen/CPU/Passes.h.inc"

using namespace mlir;

namespace {

/// Integer arithmetic on the bits of scalars or vectors.
class BitBuilder {
public:
  BitBuilder(OpBuilder &builder, Location loc, Type like) : builder(builder), loc(loc), like(like) {}

  /// The type `like` with other elements.
  Type as(Type element) {
    auto vector = dyn_cast<VectorType>(like);
    return vector ? Type(vector.clone(element)) : element;
  }
  Value number(int64_t value) {
    Type i32 = as(builder.getI32Type());
    TypedAttr attribute = builder.getI32IntegerAttr(static_cast<int32_t>(value));
    if (auto vector = dyn_cast<VectorType>(i32))
      attribute = DenseElementsAttr::get(vector, cast<Attribute>(attribute));
    return arith::ConstantOp::create(builder, loc, attribute);
  }
  Value bits(Value value, unsigned width) { return arith::BitcastOp::create(builder, loc, as(builder.getIntegerType(width)), value); }
  Value real(Value value) { return arith::BitcastOp::create(builder, loc, as(builder.getF32Type()), value); }
  Value both(Value a, Value b) { return arith::AndIOp::create(builder, loc, a, b); }
  Value either(Value a, Value b) { return arith::OrIOp::create(builder, loc, a, b); }
  Value add(Value a, Value b) { return arith::AddIOp::create(builder, loc, a, b); }
  Value left(Value a, int64_t count) { return arith::ShLIOp::create(builder, loc, a, number(count)); }
  Value right(Value a, int64_t count) { return arith::ShRUIOp::create(builder, loc, a, number(count)); }
  Value less(Value a, int64_t limit) { return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, a, number(limit)); }
  Value choose(Value condition, Value a, Value b) { return arith::SelectOp::create(builder, loc, condition, a, b); }

  OpBuilder &builder;
  Location loc;
  Type like;
};

/// f16 to f32, exact: normal numbers are rebiased, subnormal ones are integers times 2^-24; infinities and NaNs keep their payload.
Value extendHalf(BitBuilder b, Value value) {
  Value half = arith::ExtUIOp::create(b.builder, b.loc, b.as(b.builder.getI32Type()), b.bits(value, 16));
  Value magnitude = b.both(half, b.number(0x7fff)), sign = b.left(b.both(half, b.number(0x8000)), 16);
  Value bias = b.choose(b.less(magnitude, 0x7c00), b.number(112 << 23), b.number(224 << 23));
  Value normal = b.add(b.left(magnitude, 13), bias);
  Value integer = arith::SIToFPOp::create(b.builder, b.loc, b.as(b.builder.getF32Type()), magnitude);
  Value small = b.bits(arith::MulFOp::create(b.builder, b.loc, integer, b.real(b.number(103 << 23))), 32);
  return b.real(b.either(b.choose(b.less(magnitude, 0x400), small, normal), sign));
}

/// f32 to f16, to nearest, ties to even. 0.5 plus a number below 2^-14 has that number's multiple of 2^-24 in its low bits.
Value roundToHalf(BitBuilder b, Value value) {
  Value wide = b.bits(value, 32), magnitude = b.both(wide, b.number(0x7fffffff));
  Value sign = b.both(b.right(wide, 16), b.number(0x8000));
  Value odd = b.both(b.right(magnitude, 13), b.number(1));
  Value normal = b.right(b.add(b.add(magnitude, odd), b.number(0xfff - (112 << 23))), 13);
  Value shifted = arith::AddFOp::create(b.builder, b.loc, b.real(magnitude), b.real(b.number(126 << 23)));
  Value small = b.add(b.bits(shifted, 32), b.number(-(126 << 23)));
  // A NaN is quiet and keeps the upper bits of its payload.
  Value nan = b.either(b.number(0x7e00), b.both(b.right(magnitude, 13), b.number(0x3ff)));
  Value special = b.choose(b.less(magnitude, 0x7f800001), b.number(0x7c00), nan);
  Value result = b.choose(b.less(magnitude, 0x38800000), small, b.choose(b.less(magnitude, 0x47800000), normal, special));
  Value narrow = arith::TruncIOp::create(b.builder, b.loc, b.as(b.builder.getIntegerType(16)), b.either(result, sign));
  return arith::BitcastOp::create(b.builder, b.loc, b.as(b.builder.getF16Type()), narrow);
}

struct CpuWidenHalves : impl::CpuWidenHalvesBase<CpuWidenHalves> {
  using Base::Base;

  void runOnOperation() override {
    const Type f32 = Float32Type::get(&getContext());
    const SmallVector<Type> halves = {Float16Type::get(&getContext()), BFloat16Type::get(&getContext())};
    TypeConverter converter;
    arith::populateEmulateUnsupportedFloatsConversions(converter, halves, f32);
    RewritePatternSet patterns(&getContext());
    arith::populateEmulateUnsupportedFloatsPatterns(patterns, converter);
    ConversionTarget target(getContext());
    arith::populateEmulateUnsupportedFloatsLegality(target, converter);
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      return signalPassFailure();
    const auto has = [&](StringRef name) { return llvm::is_contained(llvm::split(features, ','), name); };
    const bool expand = !has("+f16c") && !has("+avx512f");
    getOperation().walk([&](Operation *op) {
      if (isa<arith::ExtFOp, arith::TruncFOp>(op))
        finishConversion(op, expand);
    });
  }

  /// Every rounding counts: no flag may let one be folded. What the CPU does not have is expanded.
  void finishConversion(Operation *op, bool expand) {
    op->removeAttr("fastmath");
    const Type from = op->getOperand(0).getType(), to = op->getResult(0).getType();
    const auto isHalf = [](Type type) { return getElementTypeOrSelf(type).isF16(); };
    if (!isHalf(from) && !isHalf(to))
      return;
    OpBuilder builder(op);
    BitBuilder b(builder, op->getLoc(), from);
    const Type f32 = b.as(builder.getF32Type());
    Value value = op->getOperand(0);
    if (isHalf(to)) {
      if (!getElementTypeOrSelf(from).isF32())
        value = arith::TruncFOp::create(builder, op->getLoc(), f32, value);
      else if (!expand)
        return;
      value = expand ? roundToHalf(b, value) : arith::TruncFOp::create(builder, op->getLoc(), to, value).getResult();
    } else {
      if (!expand)
        return;
      value = extendHalf(b, value);
      if (to != f32)
        value = arith::ExtFOp::create(builder, op->getLoc(), to, value);
    }
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
  }
};

} // namespace
} // namespace moe
