// One expert of a layer that is written expert by expert: products with a matrix of its own or with a slice of a stored tensor.
#include "ExpertMatcher.h"

#include "WeightViews.h"

#include <cmath>

using namespace mlir;

namespace moe::raise {

//===-- Slices of stored tensors -----------------------------------------===//

static SinglePart partOfSlice(OnnxOp slice, int64_t axis, int64_t rank, const SizeProof &proof) {
  if (slice.getInputs().size() < 3)
    return {};
  auto starts = proof.numbers(slice.getInputs()[1]), ends = proof.numbers(slice.getInputs()[2]);
  auto axes = inputOrNull(slice, 3) ? proof.numbers(slice.getInputs()[3]) : std::optional<SmallVector<int64_t>>({0});
  auto steps = inputOrNull(slice, 4) ? proof.numbers(slice.getInputs()[4]) : std::optional<SmallVector<int64_t>>({1});
  if (!starts || !ends || !axes || !steps || starts->size() != 1 || ends->size() != 1 || axes->size() != 1 || fromFront((*axes)[0], rank) != axis ||
      *steps != SmallVector<int64_t>{1})
    return {};
  const int64_t size = staticDim(slice.getInputs()[0], axis), start = (*starts)[0], end = (*ends)[0];
  if (start < 0 && size <= 0)
    return {};
  const int64_t first = start < 0 ? start + size : start;
  if (first < 0 || staticDim(slice->getResult(0), axis) != 1 || (end >= 0 && end <= first))
    return {};
  return {slice.getInputs()[0], first};
}

SinglePart matchSinglePart(Value value, int64_t axis, const SizeProof &proof) {
  value = peel(value, Views);
  auto op = value.getDefiningOp<OnnxOp>();
  if (!op || op.getInputs().empty() || !tensorType(op.getInputs()[0]))
    return {};
  Value source = op.getInputs()[0];
  const int64_t rank = tensorType(source).getRank(), size = axis < rank ? staticDim(source, axis) : -1;
  if (axis >= rank)
    return {};
  if (isNode(op, "Gather")) {
    auto index = proof.numbers(op.getInputs()[1]);
    if (!index || index->size() != 1 || fromFront(intAttribute(op, "axis", 0), rank) != axis || size <= 0)
      return {};
    return {source, fromFront((*index)[0], size)};
  }
  if (isNode(op, "Split")) {
    if (fromFront(intAttribute(op, "axis", 0), rank) != axis || size != op->getNumResults())
      return {};
    for (Value part : op->getResults())
      if (staticDim(part, axis) != 1)
        return {};
    return {source, static_cast<int64_t>(cast<OpResult>(value).getResultNumber())};
  }
  if (isNode(op, "Slice"))
    return partOfSlice(op, axis, rank, proof);
  return {};
}

std::optional<ScalarUse> matchScaled(Value value, const SizeProof &proof) {
  if (auto scaled = matchScalar(value, "Mul"))
    return std::isfinite(scaled->scalar) ? scaled : std::nullopt;
  if (auto divided = matchScalar(value, "Div"))
    return std::isfinite(1.0 / divided->scalar) ? std::optional<ScalarUse>({divided->operand, 1.0 / divided->scalar}) : std::nullopt;
  OnnxOp product = definedBy(value, "Mul");
  for (unsigned side : {0u, 1u}) {
    Value factor = product ? product.getInputs()[side] : Value(), rows = product ? product.getInputs()[1 - side] : Value();
    RankedTensorType type = tensorType(factor), rowsType = tensorType(rows);
    if (!type || !rowsType || !type.hasStaticShape() || type.getNumElements() != 1 || type.getRank() > rowsType.getRank())
      continue;
    SinglePart part = matchSinglePart(factor, 0, proof);
    auto numbers = part.source && storedTensor(part.source) && tensorType(part.source).getRank() == 1 ? finiteFloats(part.source) : std::nullopt;
    if (numbers && part.index >= 0 && part.index < static_cast<int64_t>(numbers->size()))
      return ScalarUse{rows, (*numbers)[part.index]};
  }
  return std::nullopt;
}

StoredSlice matchStoredMatrix(Value value, bool &transposed, const SizeProof &proof) {
  value = peel(value, 0);
  while (OnnxOp transpose = definedBy(value, "Transpose")) {
    // Without the attribute all dims are reversed.
    auto permutation = intsAttribute(transpose, "perm");
    if (permutation ? *permutation != SmallVector<int64_t>{1, 0} : !tensorType(value) || tensorType(value).getRank() != 2)
      return {};
    transposed = !transposed;
    value = peel(transpose.getInputs()[0], 0);
  }
  if (Value whole = storedTensor(value))
    return tensorType(whole).getRank() == 2 ? StoredSlice{whole, -1} : StoredSlice{};
  RankedTensorType type = tensorType(value);
  SinglePart part = matchSinglePart(value, 0, proof);
  if (!part.source || tensorType(part.source).getRank() != 3)
    return {};
  // A view must leave the matrix as it is in the stored tensor.
  RankedTensorType whole = tensorType(part.source);
  if (type.getRank() != 2 || type.getDimSize(0) != whole.getDimSize(1) || type.getDimSize(1) != whole.getDimSize(2))
    return {};
  return {storedMatrix(part.source, transposed), part.index};
}

/// A bias of `size` elements: a stored vector, or a row of a stored matrix.
static StoredSlice matchVector(Value value, const SizeProof &proof) {
  Value root = peel(value, Views);
  if (!tensorType(value) || !tensorType(value).hasStaticShape())
    return {};
  if (Value whole = storedTensor(root); whole && !whole.getDefiningOp<DequantOp>()) {
    // More than one dim larger than 1 would be no vector.
    return tensorType(whole).getNumElements() == staticDim(value, -1) ? StoredSlice{whole, -1} : StoredSlice{};
  }
  SinglePart part = matchSinglePart(root, 0, proof);
  Value stored = storedTensor(part.source);
  if (!stored || tensorType(stored).getRank() != 2 || staticDim(stored, 1) != staticDim(value, -1))
    return {};
  return {stored, part.index};
}

//===-- Products ---------------------------------------------------------===//

bool ExpertMatcher::isBias(Value addend) { return static_cast<bool>(matchVector(addend, proof).stored); }

bool ExpertMatcher::takeBias(OnnxOp add, unsigned side, RoutedProduct &product) {
  StoredSlice bias = matchVector(add.getInputs()[side], proof);
  RankedTensorType addend = tensorType(add.getInputs()[side]);
  if (!bias.stored || addend.getNumElements() != product.out || staticDim(add->getResult(0), -1) != product.out ||
      addend.getRank() > tensorType(add.getInputs()[1 - side]).getRank()) {
    miss(add, "the bias is not a stored vector as long as the product's rows");
    return false;
  }
  product.bias = bias.stored;
  product.biasSlice = bias.index;
  return true;
}

std::optional<RoutedProduct> ExpertMatcher::matchProduct(Value value) {
  auto op = value.getDefiningOp<OnnxOp>();
  const bool isGemm = op && isNode(op, "Gemm");
  if (!op || !(isGemm || isNode(op, "MatMul")))
    return miss(op, "no product of rows with a stored matrix");
  Value rows = op.getInputs()[0], matrix = op.getInputs()[1];
  RankedTensorType type = tensorType(matrix);
  if (!type || type.getRank() != 2 || !type.hasStaticShape())
    return miss(op, "the right side of a product is no matrix of static sizes");
  // Transposed is a weight that is stored [in, out].
  bool transposed = !(isGemm && intAttribute(op, "transB", 0) != 0);
  const int64_t in = type.getDimSize(transposed ? 0 : 1), out = type.getDimSize(transposed ? 1 : 0);
  StoredSlice weight = matchStoredMatrix(matrix, transposed, proof);
  if (!weight.stored)
    return miss(op, "the right side of a product is no stored matrix");
  if (isGemm && (intAttribute(op, "transA", 0) != 0 || floatAttribute(op, "alpha", 1.0) != 1.0))
    return miss(op, "a Gemm with a factor or transposed rows");
  if (staticDim(rows, -1) != in)
    return miss(op, "the rows of a product are not as wide as its matrix");
  RoutedProduct product{rows, weight.stored, {}, transposed ? WeightOrder::InOut : WeightOrder::OutIn, 1, in, out, weight.index, -1};
  if (Value addend = isGemm ? inputOrNull(op, 2) : Value()) {
    StoredSlice bias = matchVector(addend, proof);
    if (!bias.stored || tensorType(addend).getNumElements() != out || floatAttribute(op, "beta", 1.0) != 1.0)
      return miss(op, "the bias of a Gemm is not a stored vector as long as its rows");
    product.bias = bias.stored;
    product.biasSlice = bias.index;
  }
  return product;
}

//===-- All experts ------------------------------------------------------===//

/// May the weights of two experts be stacked? What is quantised is stacked by its parts, which must be stored.
static bool mayStack(Value a, Value b) {
  if (a.getType() != b.getType() || !storedAlike(a, b))
    return false;
  auto left = a.getDefiningOp<DequantOp>(), right = b.getDefiningOp<DequantOp>();
  auto isStored = [](Value operand) { return isa_and_nonnull<WeightRefOp, arith::ConstantOp>(operand.getDefiningOp()); };
  return !left || (left->getAttrDictionary() == right->getAttrDictionary() && !left.getCodebook() && llvm::all_of(left->getOperands(), isStored) &&
                   llvm::all_of(right->getOperands(), isStored));
}

bool mergePart(ArrayRef<StoredSlice> parts, SmallVectorImpl<Value> &pieces, Value &whole, std::string &why, bool mayHaveMore) {
  const auto count = static_cast<int64_t>(parts.size());
  whole = parts.front().stored;
  if (!whole) {
    why = "some experts have a bias and others have none";
    return llvm::none_of(parts, [](const StoredSlice &part) { return static_cast<bool>(part.stored); });
  }
  if (parts.front().index >= 0) {
    why = "the experts do not take the slices of a stored tensor in order";
    for (auto [expert, part] : llvm::enumerate(parts))
      if (part.stored != whole || part.index != static_cast<int64_t>(expert))
        return false;
    why = "a stored tensor has slices for more experts than the layer";
    return staticDim(whole, 0) == count || (mayHaveMore && hasFirstSlices(whole, count));
  }
  why = "the experts' tensors have different types";
  for (const StoredSlice &part : parts) {
    if (!part.stored || part.index >= 0 || !mayStack(part.stored, whole))
      return false;
    pieces.push_back(part.stored);
  }
  return true;
}

static StoredSlice weightOf(const RoutedProduct &product) { return {product.weight, product.weightSlice}; }
static StoredSlice biasOf(const RoutedProduct &product) { return {product.bias, product.biasSlice}; }

static bool sameForm(const RoutedProduct &a, const RoutedProduct &b) { return a.order == b.order && a.in == b.in && a.out == b.out; }

std::optional<RoutedFfn> mergeExperts(ArrayRef<RoutedFfn> experts, ExpertPieces &pieces, std::string &why, bool mayHaveMore) {
  RoutedFfn result = experts.front();
  result.scales.clear();
  if (llvm::any_of(experts, [](const RoutedFfn &expert) { return !expert.scales.empty(); }))
    for (const RoutedFfn &expert : experts)
      result.scales.push_back(expert.scales.empty() ? 1.0 : expert.scales.front());
  for (const RoutedFfn &expert : experts)
    if (expert.ffn != result.ffn || !sameForm(expert.gate, result.gate) || !sameForm(expert.down, result.down) ||
        expert.up.has_value() != result.up.has_value() || (expert.up && !sameForm(*expert.up, *result.up))) {
      why = "the experts compute different functions or have different sizes";
      return std::nullopt;
    }
  SmallVector<ArrayRef<RowSteps>> steps;
  for (const RoutedFfn &expert : experts)
    steps.push_back(expert.steps);
  auto merged = mergeSteps(steps, why);
  if (!merged)
    return std::nullopt;
  result.steps = *merged;
  auto merge = [&](auto product, RoutedProduct &into, SmallVectorImpl<Value> &weights, SmallVectorImpl<Value> &biases) {
    SmallVector<StoredSlice> weightParts, biasParts;
    for (const RoutedFfn &expert : experts) {
      weightParts.push_back(weightOf(product(expert)));
      biasParts.push_back(biasOf(product(expert)));
    }
    into.experts = static_cast<int64_t>(experts.size());
    return mergePart(weightParts, weights, into.weight, why, mayHaveMore) && mergePart(biasParts, biases, into.bias, why, mayHaveMore);
  };
  if (!merge([](const RoutedFfn &expert) { return expert.gate; }, result.gate, pieces.gate, pieces.gateBias) ||
      !merge([](const RoutedFfn &expert) { return expert.down; }, result.down, pieces.down, pieces.downBias) ||
      (result.up && !merge([](const RoutedFfn &expert) { return *expert.up; }, *result.up, pieces.up, pieces.upBias)))
    return std::nullopt;
  return result;
}

} // namespace moe::raise
