// nvvm ops of one thread alone: conversions, byte permutation, small dot products. Those that LLVM has no op for are functions of the executor.
#include "SimtCalls.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "moe/Codegen/CUDA/Simt/Abi.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace moe {

/// simtE4M3 or simtE5M2, or nothing.
static std::optional<uint32_t> smallFloat(Type type) {
  if (isa<Float8E4M3FNType>(type))
    return simtE4M3;
  if (isa<Float8E5M2Type>(type))
    return simtE5M2;
  return std::nullopt;
}

LogicalResult SimtCalls::convertScalarOp(Operation *op, bool &done) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Type i8 = builder.getI8Type(), i16 = builder.getI16Type(), i32 = builder.getI32Type(), f32 = builder.getF32Type();
  auto number = [&](uint32_t value) { return constant(builder, loc, value); };
  auto pure = [&](StringRef name, Type type, ArrayRef<Value> operands) { return call(builder, op, name, type, operands, /*withSite=*/false); };
  Value result;
  std::string problem;
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](NVVM::RcpApproxFtzF32Op reciprocal) {
        Value one = LLVM::ConstantOp::create(builder, loc, builder.getF32FloatAttr(1.0f));
        result = LLVM::FDivOp::create(builder, loc, one, reciprocal->getOperand(0));
      })
      .Case([&](NVVM::PermuteOp permute) {
        if (permute.getMode() != NVVM::PermuteMode::DEFAULT)
          problem = "the SIMT executor has prmt without a mode only";
        else
          result = pure("simt_permute", i32, {permute.getLo(), permute.getHi(), permute.getSelector()});
      })
      .Case([&](NVVM::ConvertFloatToTF32Op convert) {
        if (convert.getRelu() || convert.getSat() != NVVM::SaturationMode::NONE)
          problem = "the SIMT executor converts to tf32 without relu and saturation only";
        else
          result = pure("simt_to_tf32", i32, {convert.getSrc(), number(static_cast<uint32_t>(convert.getRnd()))});
      })
      .Case([&](NVVM::ConvertF32x2ToF8x2Op convert) {
        const std::optional<uint32_t> type = smallFloat(convert.getDstTy());
        if (!type || convert.getRelu()) {
          problem = "the SIMT executor converts to e4m3 and e5m2 without relu only";
          return;
        }
        // The first operand becomes the upper byte.
        Value upper = pure("simt_to_fp8", i32, {convert.getA(), number(*type)}), lower = pure("simt_to_fp8", i32, {convert.getB(), number(*type)});
        Value both = LLVM::OrOp::create(builder, loc, LLVM::ShlOp::create(builder, loc, upper, number(8)), lower);
        Value packed = LLVM::TruncOp::create(builder, loc, i16, both);
        result = convert.getType() == i16 ? packed : LLVM::BitcastOp::create(builder, loc, convert.getType(), packed).getResult();
      })
      .Case<NVVM::ConvertF8x2ToF16x2Op, NVVM::ConvertF8x2ToBF16x2Op>([&](auto convert) {
        const std::optional<uint32_t> type = smallFloat(convert.getSrcType());
        if (!type) {
          problem = "the SIMT executor converts from e4m3 and e5m2 only";
          return;
        }
        auto vector = cast<VectorType>(convert.getType());
        result = LLVM::UndefOp::create(builder, loc, vector);
        for (unsigned i = 0; i < 2; ++i) {
          Value byte = LLVM::ExtractElementOp::create(builder, loc, i8, convert.getSrc(), number(i));
          Value wide = pure("simt_from_fp8", f32, {LLVM::ZExtOp::create(builder, loc, i32, byte), number(*type)});
          Value element = LLVM::FPTruncOp::create(builder, loc, vector.getElementType(), wide);
          result = LLVM::InsertElementOp::create(builder, loc, result, element, number(i));
        }
      })
      .Case([&](NVVM::DotAccumulate4WayOp dot) {
        auto isSigned = [&](NVVM::DotAccumulateType type) { return number(type == NVVM::DotAccumulateType::SIGNED); };
        result = pure("simt_dot4", i32, {LLVM::BitcastOp::create(builder, loc, i32, dot.getA()), isSigned(dot.getAType()),
                                         LLVM::BitcastOp::create(builder, loc, i32, dot.getB()), isSigned(dot.getBType()), dot.getC()});
      })
      .Default([&](Operation *) { done = false; });
  if (!problem.empty())
    return op->emitError() << problem;
  if (isa<NVVM::InlinePtxOp>(op)) {
    done = true;
    return convertInlinePtx(op);
  }
  if (done) {
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  }
  return success();
}

} // namespace moe
