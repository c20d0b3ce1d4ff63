// Einsums of three tensors as two of two.
#include "EinsumOfThree.h"

#include "LabelledProduct.h"
#include "RoutedFfn.h"
#include "moe/IR/Einsum.h"

using namespace mlir;

namespace moe::raise {

/// Is it a stored tensor of one matrix per expert, or such matrices looked up by ids?
static bool holdsMatrices(Value operand) {
  Value value = peel(operand, Views | FloatCasts | Transposes);
  for (StringRef type : {"Gather", "GatherND"})
    if (OnnxOp gather = definedBy(value, type))
      value = gather.getInputs()[0];
  bool transposed = false;
  return static_cast<bool>(storedMatrix(value, transposed));
}

/// Size of `label` in the first operand that has it and knows.
static int64_t sizeOf(unsigned label, ArrayRef<Labels> labels, ValueRange operands) {
  for (auto [own, operand] : llvm::zip_equal(labels, operands))
    for (auto [dim, found] : llvm::enumerate(own))
      if (int64_t size = staticDim(operand, dim); found == label && size > 1)
        return size;
  return ShapedType::kDynamic;
}

static OnnxOp makeEinsum(OpBuilder &builder, OnnxOp node, ValueRange operands, ArrayRef<Labels> labels, const Labels &result, RankedTensorType type) {
  std::string equation;
  auto write = [&](const Labels &dims) {
    for (unsigned label : dims)
      equation += static_cast<char>(label < 26 ? 'a' + label : 'A' + label - 26);
  };
  write(labels[0]);
  equation += ',';
  write(labels[1]);
  equation += "->";
  write(result);
  NamedAttribute attribute = builder.getNamedAttr("equation", builder.getStringAttr(equation));
  return OnnxOp::create(builder, node.getLoc(), TypeRange{type}, "Einsum", operands, "", node.getVersion(), builder.getDictionaryAttr(attribute), 0);
}

static bool hasTwice(Labels labels) {
  llvm::sort(labels);
  return std::adjacent_find(labels.begin(), labels.end()) != labels.end();
}

/// The operand that is neither rows nor matrices: the one of the fewest dims, all of them dims of the others. -1 where there is none.
static int weightsAmong(ArrayRef<Labels> labels, int matrices) {
  int found = -1;
  for (int i = 0; i < 3; ++i) {
    auto isElsewhere = [&](unsigned label) {
      return llvm::is_contained(labels[(i + 1) % 3], label) || llvm::is_contained(labels[(i + 2) % 3], label);
    };
    if (i != matrices && llvm::all_of(labels[i], isElsewhere) && (found < 0 || labels[i].size() < labels[found].size()))
      found = i;
  }
  return found;
}

static void splitEinsum(OnnxOp node) {
  SmallVector<int64_t> ranks;
  int matrices = -1;
  for (auto [index, operand] : llvm::enumerate(node.getInputs())) {
    if (!tensorType(operand))
      return;
    ranks.push_back(tensorType(operand).getRank());
    if (matrices < 0 && holdsMatrices(operand))
      matrices = index;
  }
  std::string error;
  auto equation = parseEinsum(stringAttribute(node, "equation", ""), ranks, error);
  constexpr unsigned letters = 52;
  if (matrices < 0 || failed(equation) || equation->labels > letters || llvm::any_of(equation->operands, hasTwice))
    return;
  const int weights = weightsAmong(equation->operands, matrices);
  if (weights < 0)
    return;
  const int rows = 3 - matrices - weights;
  const Labels &left = equation->operands[rows], &right = equation->operands[matrices], &last = equation->operands[weights];
  Labels kept;
  for (unsigned label : llvm::concat<const unsigned>(left, right))
    if (!llvm::is_contained(kept, label) && (llvm::is_contained(last, label) || llvm::is_contained(equation->result, label)))
      kept.push_back(label);
  Value first = node.getInputs()[rows], second = node.getInputs()[matrices], third = node.getInputs()[weights];
  SmallVector<int64_t> shape;
  for (unsigned label : kept) {
    // A dim of size 1 in both, or one that only a run tells.
    int64_t size = sizeOf(label, {left, right}, {first, second});
    auto isOne = [&](const Labels &own, Value operand) {
      const auto *at = llvm::find(own, label);
      return at == own.end() || staticDim(operand, at - own.begin()) == 1;
    };
    shape.push_back(ShapedType::isDynamic(size) && isOne(left, first) && isOne(right, second) ? 1 : size);
  }
  OpBuilder builder(node);
  auto type = cast<RankedTensorType>(node->getResult(0).getType());
  Value product = makeEinsum(builder, node, {first, second}, {left, right}, kept, RankedTensorType::get(shape, type.getElementType()))->getResult(0);
  OnnxOp sum = makeEinsum(builder, node, {product, third}, {kept, last}, equation->result, type);
  node->getResult(0).replaceAllUsesWith(sum->getResult(0));
  node.erase();
}

void splitEinsums(ModuleOp module) {
  SmallVector<OnnxOp> nodes;
  module.walk([&](OnnxOp node) {
    if (isNode(node, "Einsum") && node.getInputs().size() == 3)
      nodes.push_back(node);
  });
  for (OnnxOp node : nodes)
    splitEinsum(node);
}

} // namespace moe::raise
