// Dense mixtures: a Softmax over all experts weighs what each makes of a token, one product each (MMoE) or low-rank adapters (LoRA), and nothing is chosen.
// They stay as they are; no other recogniser gets far enough to say so.
#include "RoutedLayer.h"
#include "moe/Raise/Passes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallSet.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEDENSEMIXTURES
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {
/// What the columns of one Softmax weigh.
struct Columns {
  llvm::SmallSet<int64_t, 8> numbers;
  /// The first product of a column and rows, and these rows.
  OnnxOp weighted;
  Value rows;
};
} // namespace

/// A Softmax over a last dim of at least two experts; null for anything else.
static OnnxOp gatesOf(Value value) {
  OnnxOp softmax = definedBy(peel(value, Views | FloatCasts), "Softmax");
  RankedTensorType type = softmax ? tensorType(softmax->getResult(0)) : RankedTensorType();
  const bool overLast = type && type.getRank() >= 2 && fromFront(intAttribute(softmax, "axis", -1), type.getRank()) == type.getRank() - 1;
  return overLast && staticDim(softmax->getResult(0), -1) >= 2 ? softmax : OnnxOp();
}

static Value storedOperand(OnnxOp product) {
  for (Value input : product.getInputs().take_front(2))
    if (Value stored = storedTensor(peel(input, Views | FloatCasts | Transposes)))
      return stored;
  return {};
}

/// The nearest product with a stored tensor from which `value` is computed element by element; null where there is none.
static OnnxOp productAbove(Value value) {
  constexpr unsigned most = 16; // nodes of an activation and a bias
  for (unsigned step = 0; step < most; ++step) {
    auto op = peel(value, Views | FloatCasts).getDefiningOp<OnnxOp>();
    if (!op || op.getInputs().empty())
      return {};
    if (isNode(op, "MatMul") || isNode(op, "Gemm") || isNode(op, "Einsum"))
      return op.getInputs().size() >= 2 && storedOperand(op) ? op : OnnxOp();
    static constexpr StringLiteral names[] = {"Add", "Mul", "Div", "Relu", "Gelu", "Sigmoid", "Tanh", "Erf", "LeakyRelu", "Elu", "Transpose"};
    if (!llvm::is_contained(names, op.getOpType()))
      return {};
    Value next;
    for (Value input : op.getInputs())
      if (!next && !storedTensor(peel(input, Views | FloatCasts)))
        next = input;
    if (!next)
      return {};
    value = next;
  }
  return {};
}

/// Has `product` a stored matrix for each of `experts`?
static bool hasMatrices(OnnxOp product, int64_t experts) {
  Value stored = product ? storedOperand(product) : Value();
  return stored && tensorType(stored).getRank() == 3 && llvm::is_contained(tensorType(stored).getShape(), experts);
}

/// All gates at once: rows of all experts, which one product made.
static void remarkSingleProducts(OnnxOp mul, OnnxOp gates, Value rows) {
  const int64_t experts = staticDim(gates->getResult(0), -1);
  OnnxOp product = productAbove(rows);
  if (!hasMatrices(product, experts))
    return;
  for (Value input : product.getInputs())
    if (hasMatrices(productAbove(input), experts))
      return;
  remarkMiss(true, mul, product,
             ("a Softmax over " + Twine(experts) + " experts weighs the results of one product with their matrices, and the experts of a layer have two").str());
}

static void remarkMixtures(func::FuncOp function, const SizeProof &proof) {
  llvm::MapVector<Operation *, Columns> mixtures;
  function.walk([&](OnnxOp mul) {
    if (!isNode(mul, "Mul") || mul.getInputs().size() != 2)
      return;
    for (unsigned side : {0u, 1u}) {
      Value weights = mul.getInputs()[side], rows = mul.getInputs()[1 - side];
      if (!tensorType(weights) || !tensorType(rows) || tensorType(weights).getShape() == tensorType(rows).getShape())
        continue;
      if (OnnxOp gates = gatesOf(weights)) {
        remarkSingleProducts(mul, gates, rows);
        continue;
      }
      auto taken = peel(weights, Views | FloatCasts).getDefiningOp<OnnxOp>();
      if (!taken || taken.getInputs().empty())
        continue;
      OnnxOp gates = gatesOf(taken.getInputs()[0]);
      RankedTensorType type = tensorType(taken.getInputs()[0]);
      SinglePart part = gates && type.getRank() > 0 ? matchSinglePart(peel(weights, Views | FloatCasts), type.getRank() - 1, proof) : SinglePart();
      if (!part.source || staticDim(part.source, -1) != staticDim(gates->getResult(0), -1) || !productAbove(rows))
        continue;
      Columns &columns = mixtures[gates];
      if (columns.numbers.empty()) {
        columns.weighted = mul;
        columns.rows = rows;
      }
      columns.numbers.insert(part.index);
    }
  });
  for (auto &[gates, columns] : mixtures) {
    const int64_t experts = staticDim(gates->getResult(0), -1);
    ExpertMatcher matcher(proof);
    if (static_cast<int64_t>(columns.numbers.size()) != experts)
      continue;
    std::string why = ("each column of a Softmax over " + Twine(experts) + " experts weighs ").str();
    const bool isExpert = matcher.matchFfn(columns.rows).has_value();
    if (isExpert)
      why += "the rows of an expert, and no ids say which of them a token chose";
    else
      why += "rows, but what made them is no expert: " +
             (matcher.missed().empty() ? "not two products with a known activation between" : matcher.missed().str());
    remarkMiss(true, columns.weighted, isExpert ? nullptr : matcher.missedAt(), why);
  }
}

namespace {
struct RaiseDenseMixtures : impl::RaiseDenseMixturesBase<RaiseDenseMixtures> {
  using Base::Base;

  void runOnOperation() override {
    if (remarks && failed(forEachOnnxFunction(getOperation(), remarkMixtures)))
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
