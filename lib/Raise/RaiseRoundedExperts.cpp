// Layers whose rows are rounded to integers in other places than the recognisers of layers know (RowSteps.h): what quantisers of activations make of the
// forms that have all experts in one tensor. They stay; here they are named, since no recogniser got far enough to say what it missed.
//
// Anchored at a choice of experts: what is computed from it, and the products that meet that, are looked at, up to a bound.
#include "RoutedLayer.h"
#include "moe/Raise/Passes.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEROUNDEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {

static bool isNamed(OnnxOp op, ArrayRef<StringLiteral> names) { return op && llvm::is_contained(names, op.getOpType()); }

static bool isIntegerProduct(OnnxOp op) {
  return isNamed(op, {"MatMulInteger", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"});
}

static bool rounds(OnnxOp op) { return isNamed(op, {"QuantizeLinear", "DynamicQuantizeLinear"}); }

/// One step up: nodes that move elements, round them or give them another type.
static Value above(Value value) {
  auto op = value.getDefiningOp<OnnxOp>();
  const bool moves = isNamed(op, {"Reshape", "Squeeze", "Unsqueeze", "Identity", "Transpose", "Split", "Slice", "Gather", "GatherND", "Cast", "Expand",
                                  "DequantizeLinear"});
  return moves || rounds(op) ? op.getInputs()[0] : Value();
}

/// Is it the part of a tensor that one constant index names?
static bool isPart(Value value) {
  OnnxOp gather = definedBy(value, "Gather");
  return gather && constantInts(gather.getInputs()[1]).has_value();
}

/// Where the matrices of a product come from.
struct Matrices {
  /// What the model stores; null where they are computed.
  Value stored;
  /// An expert's part of it, as loops over experts take them.
  bool isPart = false;
};

static Matrices matricesOf(Value value) {
  constexpr unsigned most = 16;
  Matrices result;
  for (unsigned step = 0; value && step < most; ++step) {
    Operation *source = value.getDefiningOp();
    if (source && isa<WeightRefOp, arith::ConstantOp, DequantOp>(source) && tensorType(value)) {
      result.stored = value;
      return result;
    }
    result.isPart |= isPart(value);
    value = above(value);
  }
  return result;
}

/// Has `value` the matrices of `experts` experts, as the model stores them, or that of one where `parts`?
static bool holdsExperts(Value value, int64_t experts, bool parts) {
  const Matrices matrices = matricesOf(value);
  return matrices.stored && tensorType(matrices.stored).getRank() == 3 && staticDim(matrices.stored, 0) == experts && matrices.isPart == parts;
}

/// Are rows rounded that an op reads?
static bool readsRounded(OnnxOp product) {
  constexpr unsigned most = 16;
  for (Value rows : product.getInputs())
    for (unsigned step = 0; rows && step < most; ++step, rows = above(rows))
      if (rounds(rows.getDefiningOp<OnnxOp>()))
        return true;
  return false;
}

/// A product of rows that are rounded with the matrices of all experts.
static bool isRoundedProduct(OnnxOp op, int64_t experts, bool parts) {
  const bool isFloat = isNamed(op, {"MatMul", "Gemm", "Einsum"});
  return (isIntegerProduct(op) || (isFloat && readsRounded(op))) && llvm::any_of(op.getInputs(), [&](Value matrix) { return holdsExperts(matrix, experts, parts); });
}

/// `value` without the pairs that round it.
static Value withoutPairs(Value value) {
  for (auto op = value.getDefiningOp<OnnxOp>(); op && (rounds(op) || isNode(op, "DequantizeLinear")); op = value.getDefiningOp<OnnxOp>())
    value = op.getInputs()[0];
  return value;
}

/// The product of rounded rows with a matrix of its own whose results `term` weighs, by one number for each row that `nodes` make; null where it is
/// something else.
static OnnxOp weighedProduct(Value term, const llvm::SetVector<Operation *> &nodes) {
  OnnxOp weighed = definedBy(withoutPairs(term), "Mul");
  for (unsigned side : {0u, 1u}) {
    Value weights = weighed ? weighed.getInputs()[side] : Value();
    if (!weights || staticDim(weights, -1) != 1 || !nodes.contains(weights.getDefiningOp()))
      continue;
    auto product = withoutPairs(weighed.getInputs()[1 - side]).getDefiningOp<OnnxOp>();
    if (!isNamed(product, {"MatMul", "Gemm"}) || !readsRounded(product))
      continue;
    Value matrix = matricesOf(product.getInputs()[1]).stored;
    if (matrix && tensorType(matrix).getRank() == 2)
      return product;
  }
  return {};
}

/// How many experts the node chooses among: a TopK or ArgMax over the last dim; -1 where it is none.
static int64_t chosenAmong(OnnxOp op) {
  if (!isNode(op, "TopK") && !isNode(op, "ArgMax"))
    return -1;
  RankedTensorType type = tensorType(op.getInputs()[0]);
  const int64_t axis = type ? fromFront(intAttribute(op, "axis", isNode(op, "TopK") ? -1 : 0), type.getRank()) : -1;
  return type && axis == type.getRank() - 1 && type.getRank() > 1 ? staticDim(op.getInputs()[0], -1) : -1;
}

namespace {
struct RaiseRoundedExperts : impl::RaiseRoundedExpertsBase<RaiseRoundedExperts> {
  using Base::Base;

  void runOnOperation() override {
    DenseSet<Operation *> said;
    if (!getOperation().walk([](OnnxOp op) { return rounds(op) || isIntegerProduct(op) ? WalkResult::interrupt() : WalkResult::advance(); }).wasInterrupted())
      return;
    const bool findsTokens = getOperation().walk([](OnnxOp op) { return isNode(op, "NonZero") ? WalkResult::interrupt() : WalkResult::advance(); }).wasInterrupted();
    getOperation().walk([&](OnnxOp op) {
      const int64_t experts = chosenAmong(op);
      if (experts > 1)
        explain(op, experts, findsTokens, said);
    });
  }

  /// The nodes that read the choice, near to it first, up to the next choice.
  static llvm::SetVector<Operation *> nodesBehind(OnnxOp choice) {
    constexpr size_t most = 4096; // nodes of one layer and what follows it
    llvm::SetVector<Operation *> nodes;
    nodes.insert(choice);
    for (size_t i = 0; i < nodes.size() && nodes.size() < most; ++i)
      for (Operation *user : nodes[i]->getUsers())
        if (auto node = dyn_cast<OnnxOp>(user); node && chosenAmong(node) < 0)
          nodes.insert(node);
    return nodes;
  }

  /// The nearest product of rounded rows above `from`; null where there is none.
  static OnnxOp productAbove(Operation *from, int64_t experts, bool parts) {
    const size_t most = 64 + 8 * static_cast<size_t>(experts); // grouped experts have some nodes each
    llvm::SetVector<Operation *> nodes;
    nodes.insert(from);
    for (size_t i = 0; i < nodes.size() && nodes.size() < most; ++i) {
      if (auto node = cast<OnnxOp>(nodes[i]); isRoundedProduct(node, experts, parts))
        return node;
      for (Value operand : nodes[i]->getOperands())
        if (auto node = operand.getDefiningOp<OnnxOp>(); node && chosenAmong(node) < 0)
          nodes.insert(node);
    }
    return {};
  }

  /// Does the node sum rows: over choices or experts, or at places? One expert after the other where `parts`.
  static bool isSum(OnnxOp op, bool parts) {
    if (parts)
      return isNamed(op, {"Add", "Sum", "QLinearAdd"});
    if (isNamed(op, {"MatMul", "Einsum"}))
      return llvm::none_of(op.getInputs(), [](Value operand) { return static_cast<bool>(matricesOf(operand).stored); });
    return isNamed(op, {"ReduceSum", "ScatterND", "ScatterElements"});
  }

  /// At the first sum behind products of the experts.
  void explain(OnnxOp choice, int64_t experts, bool findsTokens, DenseSet<Operation *> &said) {
    const auto nodes = nodesBehind(choice);
    // Loops that find each expert's tokens are looked at by what reads them.
    for (bool parts : {false, true})
      for (Operation *node : nodes) {
        auto sum = cast<OnnxOp>(node);
        OnnxOp product = isSum(sum, parts) && !(parts && findsTokens) ? productAbove(sum, experts, parts) : OnnxOp();
        if (!product)
          continue;
        return say(sum, product, said);
      }
    // Every expert on all tokens, with matrices of its own.
    for (Operation *node : nodes)
      if (auto sum = cast<OnnxOp>(node); !findsTokens && isNamed(sum, {"Add", "Sum"}))
        for (Value term : sum.getInputs())
          if (OnnxOp product = weighedProduct(term, nodes))
            return say(sum, product, said);
  }

  void say(OnnxOp sum, OnnxOp product, DenseSet<Operation *> &said) {
    if (said.insert(product).second)
      remarkMiss(remarks, sum, product, "they are rounded elsewhere, too, or no form of a layer is known that is written like this");
  }
};
} // namespace
} // namespace raise
} // namespace moe
