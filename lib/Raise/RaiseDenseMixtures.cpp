// Mixtures of other kinds than the layers that the recognisers know: a Softmax over all experts weighs what each makes of a token, one product each (MMoE)
// or low-rank adapters (LoRA), and nothing is chosen; experts that are convolutions, matrices merged by gates, rows of tables.
// They stay as they are; no other recogniser gets far enough to say so.
#include "ExpertLoop.h"
#include "ExpertSum.h"
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
/// Weights of experts, side by side in dim `axis`.
struct Gates {
  Value value;
  int64_t axis = 0, experts = 0;
  /// A Softmax over all; else what a choice spread into zeros.
  bool isSoftmax = false;
};

/// What the columns of one gate tensor weigh.
struct Columns {
  Gates gates;
  llvm::SmallSet<int64_t, 8> numbers;
  /// The first product of a column and rows, these rows, and those of the last.
  OnnxOp weighted;
  Value rows, lastRows;
};
} // namespace

static std::string describe(const Gates &gates) {
  return ((gates.isSoftmax ? "a Softmax over " : "a choice among ") + Twine(gates.experts) + " experts").str();
}

/// A Softmax over at least two experts, or the weights of a choice scattered into zeros; none for anything else.
static std::optional<Gates> gatesOf(Value value, const SizeProof &proof) {
  value = peel(value, Views | FloatCasts);
  auto op = value.getDefiningOp<OnnxOp>();
  // The gates of a whole sequence.
  if (op && isNode(op, "ReduceMean") && !op.getInputs().empty() && tensorType(value) && staticDim(op.getInputs()[0], -1) == staticDim(value, -1)) {
    value = peel(op.getInputs()[0], Views | FloatCasts);
    op = value.getDefiningOp<OnnxOp>();
  }
  RankedTensorType type = op ? tensorType(value) : RankedTensorType();
  if (!type || type.getRank() < 2)
    return std::nullopt;
  Gates gates{value, type.getRank() - 1, 0, isNode(op, "Softmax")};
  if (gates.isSoftmax || isNode(op, "ScatterElements"))
    gates.axis = fromFront(intAttribute(op, "axis", gates.isSoftmax ? (op.getVersion() >= 13 ? -1 : 1) : 0), type.getRank());
  gates.experts = staticDim(value, gates.axis);
  if (gates.experts < 2)
    return std::nullopt;
  if (gates.isSoftmax)
    return gates;
  if (isNode(op, "ScatterElements")) {
    Value ids = peel(op.getInputs()[1], Views | IntCasts);
    if (OnnxOp slice = definedBy(ids, "Slice"))
      ids = peel(slice.getInputs()[0], Views | IntCasts);
    const bool isChoice = splatNumber(op.getInputs()[0]) == 0.0 && (definedBy(ids, "TopK") || definedBy(ids, "ArgMax")) && idsInRange(ids, gates.experts);
    return isChoice ? std::optional<Gates>(gates) : std::nullopt;
  }
  StringRef why;
  return matchWeightMap(value, proof, why) ? std::optional<Gates>(gates) : std::nullopt;
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
    if (isNode(op, "MatMul") || isNode(op, "Gemm") || isNode(op, "Einsum") || isNode(op, "Conv"))
      return op.getInputs().size() >= 2 && storedOperand(op) ? op : OnnxOp();
    static constexpr StringLiteral names[] = {"Add", "Mul", "Div", "Relu", "Gelu", "Sigmoid", "Tanh", "Erf", "LeakyRelu", "Elu", "Clip", "HardSwish", "Transpose"};
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

static constexpr StringLiteral areConvolutions = "the experts are convolutions, and those of a layer are matrices";

/// All gates at once: rows of all experts, which one product made.
static void remarkSingleProducts(OnnxOp mul, const Gates &gates, Value rows) {
  OnnxOp product = productAbove(rows);
  if (!hasMatrices(product, gates.experts))
    return;
  for (Value input : product.getInputs())
    if (hasMatrices(productAbove(input), gates.experts))
      return;
  remarkMiss(true, mul, product, describe(gates) + " weighs the results of one product with their matrices, and the experts of a layer have two");
}

/// A sum over experts that one Conv computes, a group of its channels each.
static void remarkConvolutions(OnnxOp sum, const SizeProof &proof) {
  for (const ExpertSum &found : matchExpertSums(sum, proof)) {
    auto gates = found.map ? gatesOf(found.map, proof) : std::nullopt;
    OnnxOp product = gates ? productAbove(found.rows) : OnnxOp();
    if (product && isNode(product, "Conv") && intAttribute(product, "group", 1) % gates->experts == 0)
      return remarkMiss(true, sum, product, areConvolutions);
  }
}

//===-- Columns of gates -------------------------------------------------===//

/// The column of gates that `weights` are.
static std::optional<Gates> columnOf(Value weights, const SizeProof &proof, int64_t &number) {
  weights = peel(weights, Views | FloatCasts);
  auto taken = weights.getDefiningOp<OnnxOp>();
  auto gates = taken && !taken.getInputs().empty() ? gatesOf(taken.getInputs()[0], proof) : std::nullopt;
  RankedTensorType type = gates ? tensorType(taken.getInputs()[0]) : RankedTensorType();
  if (!type || type.getRank() == 0)
    return std::nullopt;
  const int64_t axis = type.getRank() == tensorType(gates->value).getRank() ? gates->axis : type.getRank() - 1;
  SinglePart part = matchSinglePart(weights, axis, proof);
  if (!part.source || staticDim(part.source, axis) != gates->experts)
    return std::nullopt;
  number = part.index;
  return gates;
}

static void remarkColumns(const Columns &columns, const SizeProof &proof) {
  ExpertMatcher matcher(proof);
  auto last = matcher.matchFfn(columns.lastRows), first = matcher.matchFfn(columns.rows);
  const bool isExpert = first.has_value();
  const bool readsOthers = first && last && !sameElements(peel(first->gate.rows, FloatCasts), peel(last->gate.rows, FloatCasts));
  // Experts of the same rows that a choice weighs are looked at elsewhere.
  if (static_cast<int64_t>(columns.numbers.size()) != columns.gates.experts || (isExpert && !readsOthers && !columns.gates.isSoftmax))
    return;
  std::string why = "each column of " + describe(columns.gates) + " weighs ";
  OnnxOp product = productAbove(columns.rows);
  if (product && isNode(product, "Conv"))
    why = areConvolutions.str();
  else if (readsOthers)
    why += "an expert of rows of its own, and those of a layer, of two products, all read the tokens";
  else if (isExpert)
    why += "the rows of an expert, and no ids say which of them a token chose";
  else
    why += "rows, but what made them is no expert: " +
           (matcher.missed().empty() ? "not two products with a known activation between" : matcher.missed().str());
  remarkMiss(true, columns.weighted, isExpert ? nullptr : matcher.missedAt(), why);
}

//===-- Matrices that are made for each token ----------------------------===//

/// Are the last dims of `value` those of a matrix (or kernel) of so many elements?
static bool isMatrixOf(Value value, int64_t elements) {
  int64_t count = 1, dims = 0;
  for (int64_t dim = tensorType(value).getRank() - 1; dim >= 0 && count < elements && staticDim(value, dim) > 0; --dim) {
    count *= staticDim(value, dim);
    dims += staticDim(value, dim) > 1;
  }
  return count == elements && dims >= 2;
}

/// The product of computed rows with `value`, behind views and sums, as a matrix of so many elements; null where there is none.
static OnnxOp productWith(Value value, int64_t elements) {
  constexpr unsigned most = 512; // nodes that add up the matrices of many experts
  SmallVector<Value> values = {value};
  for (size_t i = 0; i < values.size() && i < most; ++i)
    for (Operation *user : values[i].getUsers()) {
      auto node = dyn_cast<OnnxOp>(user);
      if (!node || node->getNumResults() != 1)
        continue;
      const bool isProduct = isNode(node, "MatMul") || isNode(node, "Einsum") || isNode(node, "Gemm") || isNode(node, "Conv");
      if (isProduct && !storedOperand(node) && isMatrixOf(values[i], elements))
        return node;
      const bool goesOn = peelOnce(node->getResult(0), Views | FloatCasts | Transposes) || isNode(node, "Add") || isNode(node, "Sum") || isNode(node, "ReduceSum");
      if (goesOn && !llvm::is_contained(values, node->getResult(0)))
        values.push_back(node->getResult(0));
    }
  return {};
}

namespace {
/// Stored matrices, of so many elements each, that gates multiply.
struct Merged {
  int64_t experts = 0, elements = 0;
};
} // namespace

/// Gates that multiply stored matrices, which are then added up: SMEAR, CondConv.
static std::optional<Merged> mergedMatrices(OnnxOp op, const SizeProof &proof) {
  if (op.getInputs().size() < 2 || !(isNode(op, "MatMul") || isNode(op, "Einsum") || isNode(op, "Gemm") || isNode(op, "Mul")))
    return std::nullopt;
  for (unsigned side : {0u, 1u}) {
    Value weights = op.getInputs()[side], matrices = op.getInputs()[1 - side], stored = storedTensor(peel(matrices, Views | FloatCasts));
    RankedTensorType type = tensorType(stored);
    if (!type || type.getRank() < 2)
      continue;
    // A matrix, or a row with its elements, for each expert.
    if (auto gates = gatesOf(weights, proof); gates && type.getDimSize(0) == gates->experts && llvm::is_contained(tensorType(matrices).getShape(), gates->experts))
      return Merged{gates->experts, type.getNumElements() / gates->experts};
    int64_t number = 0;
    if (auto gates = isNode(op, "Mul") ? columnOf(weights, proof, number) : std::nullopt)
      return Merged{gates->experts, type.getNumElements()};
  }
  return std::nullopt;
}

/// The ids by which rows of a stored matrix are looked up in front of `value`; null where none are.
static Value rowIds(Value value) {
  OnnxOp gather = definedBy(peel(value, Views | FloatCasts | Transposes), "Gather");
  if (!gather || intAttribute(gather, "axis", 0) != 0 || !tensorType(gather.getInputs()[1]) || tensorType(gather.getInputs()[1]).getRank() < 2)
    return {};
  Value stored = storedTensor(gather.getInputs()[0]), ids = peel(gather.getInputs()[1], IntCasts);
  return stored && tensorType(stored).getRank() == 2 && isa<FloatType>(tensorType(stored).getElementType()) && ids.getDefiningOp<OnnxOp>() ? ids : Value();
}

/// Experts that are a row in each of two tables (product keys: PEER): a product with the rows that `op` looks up, of what products with other rows at the
/// same ids gave.
static bool meetsRowsOfTables(OnnxOp op) {
  for (unsigned side : {0u, 1u}) {
    Value ids = op.getInputs().size() == 2 ? rowIds(op.getInputs()[side]) : Value();
    if (!ids)
      continue;
    constexpr size_t most = 24; // nodes of an activation and weights
    SmallVector<Value> values = {op.getInputs()[1 - side]};
    for (size_t i = 0; i < values.size() && i < most; ++i) {
      auto node = values[i].getDefiningOp<OnnxOp>();
      if (!node)
        continue;
      for (Value input : node.getInputs()) {
        Value others = rowIds(input);
        if (others && others == ids && (isNode(node, "MatMul") || isNode(node, "Einsum") || isNode(node, "Mul")))
          return true;
        values.push_back(input);
      }
    }
  }
  return false;
}

//===-- Pieces by gates --------------------------------------------------===//

/// Do the sizes of a Split say how many gates of each expert are not 0?
static bool countsGates(Value sizes, const SizeProof &proof) {
  constexpr size_t most = 64; // nodes that put the sizes together
  SmallVector<Value> values = {sizes};
  for (size_t i = 0; i < values.size() && i < most; ++i) {
    auto node = values[i].getDefiningOp<OnnxOp>();
    if (!node)
      continue;
    OnnxOp positive = isNode(node, "ReduceSum") ? definedBy(peel(node.getInputs()[0], AllCasts), "Greater") : OnnxOp();
    if (positive && splatNumber(positive.getInputs()[1]) == 0.0 && gatesOf(positive.getInputs()[0], proof))
      return true;
    llvm::append_range(values, node.getInputs());
  }
  return false;
}

/// Rows that gates put in order (the SparseDispatcher of sparsely gated mixtures), a piece for each expert.
static void remarkPieces(OnnxOp split, const SizeProof &proof) {
  Value sizes = inputOrNull(split, 1);
  if (sizes && feedsExperts(split) && countsGates(sizes, proof))
    remarkMiss(true, split, nullptr,
               "the rows of experts are pieces as long as each has gates above 0, in an order that no sort of chosen ids made; a loop over the experts that "
               "finds the tokens of each is raised");
}

//===-- The pass ---------------------------------------------------------===//

static void remarkMixtures(func::FuncOp function, const SizeProof &proof) {
  llvm::MapVector<Value, Columns> mixtures;
  DenseSet<Operation *> merged;
  function.walk([&](OnnxOp op) {
    if (auto matrices = mergedMatrices(op, proof)) {
      OnnxOp product = productWith(op->getResult(0), matrices->elements);
      if (product && merged.insert(product).second)
        remarkMiss(true, product, op, ("the matrices of " + Twine(matrices->experts) + " experts are merged by gates as the model runs, and those of a layer are stored").str());
      return;
    }
    if (isNode(op, "Split"))
      return remarkPieces(op, proof);
    if (isNode(op, "MatMul") || isNode(op, "Einsum") || isNode(op, "ReduceSum"))
      remarkConvolutions(op, proof);
    if ((isNode(op, "MatMul") || isNode(op, "Einsum")) && meetsRowsOfTables(op))
      return remarkMiss(true, op, nullptr, "the experts are rows of two tables that a token looks up (product keys), and those of a layer have matrices");
    if (!isNode(op, "Mul") || op.getInputs().size() != 2)
      return;
    for (unsigned side : {0u, 1u}) {
      Value weights = op.getInputs()[side], rows = op.getInputs()[1 - side];
      if (!tensorType(weights) || !tensorType(rows) || tensorType(weights).getShape() == tensorType(rows).getShape())
        continue;
      if (auto gates = gatesOf(weights, proof); gates && gates->isSoftmax) {
        remarkSingleProducts(op, *gates, rows);
        continue;
      }
      int64_t number = 0;
      auto gates = columnOf(weights, proof, number);
      if (!gates || !productAbove(rows))
        continue;
      Columns &columns = mixtures[gates->value];
      if (columns.numbers.empty())
        columns = {*gates, {}, op, rows, rows};
      columns.lastRows = rows;
      columns.numbers.insert(number);
    }
  });
  for (auto &[gates, columns] : mixtures)
    remarkColumns(columns, proof);
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
