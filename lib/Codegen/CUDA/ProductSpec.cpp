// Reading of moe.grouped_matmul. What the op's verifier holds for is taken as given; checked is what the kernels assume beyond it.
#include "PanelCodes.h"

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

/// Sizes of a packed weight, ExPx(bytes) or ExPxKx32.
void ProductSpec::readPanels(GroupedMatmulOp op, BlocksAttr packed) {
  const auto type = cast<MemRefType>(op.getWeight().getType());
  blocks = packed;
  experts = type.getDimSize(0);
  panels = type.getDimSize(1);
  depth = cast<MemRefType>(op.getX().getType()).getDimSize(1);
  // Elements of a bias for an expert: `columns` of the op counts gates and ups.
  const auto both = static_cast<int64_t>(*op.getColumns());
  stored = gate == GateLayout::Separate ? both / 2 : both;
}

FailureOr<ProductSpec> ProductSpec::read(GroupedMatmulOp op) {
  const bool isPacked = op.getPacking() != PackingFamily::Plain;
  const BlocksAttr blocks = op.getBlocks().value_or(BlocksAttr());
  if (blocks && (blocks.isTernary() || blocks.getQuads()))
    return op.emitOpError() << "the CUDA product kernels take blocks of integers, small floats and nf4 with rows of floats, found " << blocks;
  if (op.getCombineRows())
    return op.emitOpError() << "has a combine; moe-cuda-split-products makes it an op of its own";
  const std::tuple<StringRef, Value, bool> operands[] = {
      {"x", op.getX(), true},       {"rows", op.getRows(), false},      {"offsets", op.getOffsets(), false}, {"weight", op.getWeight(), !blocks},
      {"up", op.getUp(), true},     {"bias", op.getBias(), true},       {"up_bias", op.getUpBias(), true},   {"outs", op.getOuts()[0], true}};
  for (auto [name, operand, isFloat] : operands)
    if (failed(checkOperand(op, name, operand, isFloat)))
      return failure();
  auto element = [](Value value) { return value ? cast<MemRefType>(value.getType()).getElementType() : Type(); };
  const auto weight = cast<MemRefType>(op.getWeight().getType()), out = cast<MemRefType>(op.getOuts()[0].getType());
  if (!weight.hasStaticShape() || out.isDynamicDim(1))
    return op.emitOpError() << "the CUDA product kernels expect a weight and columns of static sizes, found " << weight << " and " << out;
  if (isPacked && weight.getRank() != (blocks ? 3 : 4))
    return op.emitOpError() << "the CUDA product kernels expect panels of single values of k, found " << weight;
  ProductSpec spec;
  spec.hasOffsets = static_cast<bool>(op.getOffsets());
  spec.hasRows = static_cast<bool>(op.getRows());
  spec.hasBias = static_cast<bool>(op.getBias());
  spec.hasUpBias = static_cast<bool>(op.getUpBias());
  spec.order = op.getOrder();
  spec.ffn = op.getFfnAttr();
  spec.gate = spec.ffn ? spec.ffn.getGate() : GateLayout::None;
  spec.columns = out.getDimSize(1);
  spec.x = element(op.getX()), spec.weight = element(op.getWeight()), spec.out = element(op.getOuts()[0]);
  spec.bias = element(op.getBias()), spec.upBias = element(op.getUpBias());
  if (isPacked) {
    spec.readPanels(op, blocks);
    return spec;
  }
  const int64_t rank = weight.getRank(), last = weight.getDimSize(rank - 1), before = weight.getDimSize(rank - 2);
  spec.experts = rank == 3 ? weight.getDimSize(0) : 1;
  spec.depth = spec.order == WeightOrder::OutIn ? last : before;
  spec.stored = spec.order == WeightOrder::OutIn ? before : last;
  return spec;
}

bool ProductSpec::fitsPanelTensorCores() const {
  return blocks && (x.isF16() || x.isBF16()) && depth % 8 == 0 && columns % 8 == 0 && PanelCodes::areExact(blocks) && PanelCodes::areWhole(blocks.getGroup(), depth);
}

std::string ProductSpec::key() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << experts << ' ' << depth << ' ' << stored << ' ' << columns << ' ' << hasOffsets << hasRows << ' ' << stringifyWeightOrder(order) << ' '
         << ffn << ' ' << panels << ' ' << x << ' ' << weight << ' ' << out;
  if (blocks)
    stream << ' ' << blocks;
  for (Type type : {bias, upBias})
    if (type)
      stream << ' ' << type;
    else
      stream << " -";
  return text;
}

} // namespace moe
