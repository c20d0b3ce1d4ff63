// Reading of moe.grouped_matmul. What the op's verifier holds for is taken as given; checked is what the kernels assume beyond it.
#include "ProductSpec.h"

using namespace mlir;
namespace moe {

static bool isKernelFloat(Type type) { return type.isF32() || type.isF16() || type.isBF16(); }

static LogicalResult checkOperand(GroupedMatmulOp op, StringRef name, Value operand, bool isFloat) {
  if (!operand)
    return success();
  const auto type = cast<MemRefType>(operand.getType());
  if (!type.getLayout().isIdentity())
    return op.emitOpError() << "the CUDA product kernels expect " << name << " in a contiguous buffer, found " << type;
  if (isFloat && !isKernelFloat(type.getElementType()))
    return op.emitOpError() << "the CUDA product kernels expect " << name << " of f32, f16 or bf16, found " << type.getElementType();
  return success();
}

FailureOr<ProductSpec> ProductSpec::read(GroupedMatmulOp op) {
  if (op.getPacking() != PackingFamily::Plain || op.getBlocks())
    return op.emitOpError() << "the CUDA product kernels take plain weights, found packing " << stringifyPackingFamily(op.getPacking())
                            << (op.getBlocks() ? " with blocks; quantised weights are not supported yet" : "");
  if (op.getCombineRows())
    return op.emitOpError() << "has a combine; moe-cuda-split-products makes it an op of its own";
  const std::tuple<StringRef, Value, bool> operands[] = {
      {"x", op.getX(), true},       {"rows", op.getRows(), false},      {"offsets", op.getOffsets(), false}, {"weight", op.getWeight(), true},
      {"up", op.getUp(), true},     {"bias", op.getBias(), true},       {"up_bias", op.getUpBias(), true},   {"outs", op.getOuts()[0], true}};
  for (auto [name, operand, isFloat] : operands)
    if (failed(checkOperand(op, name, operand, isFloat)))
      return failure();
  auto element = [](Value value) { return value ? cast<MemRefType>(value.getType()).getElementType() : Type(); };
  const auto weight = cast<MemRefType>(op.getWeight().getType()), out = cast<MemRefType>(op.getOuts()[0].getType());
  if (!weight.hasStaticShape() || out.isDynamicDim(1))
    return op.emitOpError() << "the CUDA product kernels expect a weight and columns of static sizes, found " << weight << " and " << out;
  ProductSpec spec;
  spec.hasOffsets = static_cast<bool>(op.getOffsets());
  spec.hasRows = static_cast<bool>(op.getRows());
  spec.hasBias = static_cast<bool>(op.getBias());
  spec.hasUpBias = static_cast<bool>(op.getUpBias());
  spec.order = op.getOrder();
  spec.ffn = op.getFfnAttr();
  spec.gate = spec.ffn ? spec.ffn.getGate() : GateLayout::None;
  const int64_t rank = weight.getRank(), last = weight.getDimSize(rank - 1), before = weight.getDimSize(rank - 2);
  spec.experts = rank == 3 ? weight.getDimSize(0) : 1;
  spec.depth = spec.order == WeightOrder::OutIn ? last : before;
  spec.stored = spec.order == WeightOrder::OutIn ? before : last;
  spec.columns = out.getDimSize(1);
  spec.x = element(op.getX()), spec.weight = element(op.getWeight()), spec.out = element(op.getOuts()[0]);
  spec.bias = element(op.getBias()), spec.upBias = element(op.getUpBias());
  return spec;
}

std::string ProductSpec::key() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << experts << ' ' << depth << ' ' << stored << ' ' << columns << ' ' << hasOffsets << hasRows << ' ' << stringifyWeightOrder(order) << ' '
         << ffn << ' ' << x << ' ' << weight << ' ' << out;
  for (Type type : {bias, upBias})
    if (type)
      stream << ' ' << type;
    else
      stream << " -";
  return text;
}

} // namespace moe
