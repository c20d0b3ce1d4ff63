// Batched products of forms that keep the rows of all experts in one tensor.
#include "AllExpertsMatcher.h"

#include "LabelledProduct.h"

using namespace mlir;

namespace moe::raise {

/// Where `expert` stands in a tensor with these labels, whose columns are the last; none where it is not among the rows. `kept` are the labels without those
/// of size 1.
static std::optional<ExpertPlace> placeOf(unsigned expert, const Labels &labels, const Labels &kept, const LabelledProduct &product) {
  const auto *found = llvm::find(kept, expert);
  if (kept.empty() || found == kept.end() || found == kept.end() - 1)
    return std::nullopt;
  ExpertPlace place{llvm::find(labels, expert) - labels.begin(), found == kept.begin() ? 0 : 1};
  for (unsigned label : ArrayRef<unsigned>(found + 1, kept.end() - 1)) {
    const int64_t size = product.sizeOf(label);
    place.together = place.together <= 0 ? place.together : size <= 0 ? -1 : place.together * size;
  }
  return place;
}

/// `value` without views that only add or take dims of size 1.
static Value peelUnits(Value value) {
  auto sizes = [](Value of) {
    SmallVector<int64_t> kept;
    for (int64_t size : tensorType(of).getShape())
      if (size != 1)
        kept.push_back(size);
    return kept;
  };
  while (Value above = peelOnce(value, Views)) {
    if (!tensorType(above) || !tensorType(above).hasStaticShape() || sizes(above) != sizes(value))
      break;
    value = above;
  }
  return value;
}

std::optional<RoutedProduct> AllExpertsMatcher::matchProduct(Value value) {
  auto product = matchLabelledProduct(value);
  if (!product)
    return miss(value.getDefiningOp(), "no batched product with the matrices of all experts");
  Operation *at = value.getDefiningOp();
  for (unsigned side : {1u, 0u}) {
    bool transposed = true;
    Value weight = storedMatrix(peelUnits(product->operands[side]), transposed), rows = product->operands[1 - side];
    if (!weight || !tensorType(rows))
      continue;
    expertsSeen = staticDim(weight, 0);
    // [E, in, out], perhaps with dims of size 1 between. A single expert's dim may be one of these.
    const Labels &stored = product->labels[side], matrix = stored.size() == 3 ? stored : product->withoutUnits(stored, product->labels[1 - side]);
    if (matrix.size() != 3 || matrix[0] != product->labels[side][0])
      return miss(at, "the stored tensor is not one matrix per expert");
    const unsigned expert = matrix[0], in = product->inResult(matrix[1]) ? matrix[2] : matrix[1], out = in == matrix[1] ? matrix[2] : matrix[1];
    // In the graph the matrices are [E, in, out] where the second dim is summed; a transpose may lie between that and the store.
    transposed = transposed == (in == matrix[1]);
    RoutedProduct result{rows, weight, {}, transposed ? WeightOrder::InOut : WeightOrder::OutIn, staticDim(weight, 0),
                         staticDim(weight, transposed ? 1 : 2), staticDim(weight, transposed ? 2 : 1)};
    Labels rowLabels = product->withoutUnits(product->labels[1 - side], matrix), resultLabels = product->withoutUnits(product->result, matrix);
    result.sharesRows = !llvm::is_contained(rowLabels, expert);
    auto rowsPlace = placeOf(expert, product->labels[1 - side], rowLabels, *product), place = placeOf(expert, product->result, resultLabels, *product);
    bool fits = product->sameSizes(proof) && result.experts >= 1 && !product->inResult(in) && !rowLabels.empty() && rowLabels.back() == in &&
                !llvm::is_contained(rowLabels, out) && resultLabels.back() == out && place && (result.sharesRows || rowsPlace);
    // The tokens stay in their order.
    auto isToken = [&](unsigned label) { return label != expert && label != in && label != out; };
    fits &= llvm::equal(llvm::make_filter_range(rowLabels, isToken), llvm::make_filter_range(resultLabels, isToken));
    if (!fits)
      return miss(at, "the rows are not one set per expert");
    result.place = *place;
    result.rowsPlace = rowsPlace.value_or(ExpertPlace());
    result.result = value;
    return result;
  }
  return miss(at, "no batched product with a stored tensor of one matrix per expert");
}

bool AllExpertsMatcher::isBias(Value addend) { return static_cast<bool>(storedTensor(peel(addend, Views | FloatCasts))); }

/// The dim of the experts in `rows`, a view of the product; -1 where that is not known.
static int64_t expertDim(Value rows, const RoutedProduct &product, const SizeProof &proof) {
  const int64_t rank = tensorType(rows).getRank();
  const int64_t dim = product.place.together == 0 ? 0 : product.place.together == 1 ? rank - 2 : proof.sameShape(rows, product.result) ? product.place.dim : -1;
  return dim >= 0 && dim < rank - 1 && staticDim(rows, dim) == product.experts && staticDim(rows, -1) == product.out ? dim : -1;
}

Value AllExpertsMatcher::scalesBehind(Value factor) {
  Value stored = storedTensor(peel(factor, Views));
  return stored && !stored.getDefiningOp<DequantOp>() ? stored : Value();
}

bool AllExpertsMatcher::fitsScales(OnnxOp product, unsigned side, const RoutedProduct &down) {
  Value rows = product.getInputs()[1 - side], factor = product.getInputs()[side];
  const int64_t dim = expertDim(rows, down, proof), rank = tensorType(factor).getRank(), place = dim - (tensorType(rows).getRank() - rank);
  return dim >= 0 && rank <= tensorType(rows).getRank() && place >= 0 && tensorType(factor).getNumElements() == down.experts &&
         tensorType(factor).getDimSize(place) == down.experts;
}

bool AllExpertsMatcher::takeBias(OnnxOp add, unsigned side, RoutedProduct &product) {
  RankedTensorType type = tensorType(add.getInputs()[side]), rows = tensorType(add.getInputs()[1 - side]);
  Value stored = storedTensor(peel(add.getInputs()[side], Views));
  // The experts of the bias meet those of the rows, which may be a view of the product where that leaves no doubt.
  const int64_t rank = type.getRank(), rowsRank = rows.getRank();
  int64_t dim = product.place.together == 0 ? 0 : product.place.together == 1 ? rowsRank - 2 : product.place.dim;
  bool fits = stored && rank <= rowsRank && (product.place.together == 0 || product.place.together == 1 || proof.sameShape(add.getInputs()[1 - side], product.result));
  dim -= rowsRank - rank;
  if (!fits || dim < 0 || dim >= rank - 1 || type.getDimSize(dim) != product.experts || type.getDimSize(rank - 1) != product.out ||
      type.getNumElements() != product.experts * product.out || staticDim(add.getInputs()[1 - side], dim - rank) != product.experts ||
      staticDim(add.getInputs()[1 - side], -1) != product.out) {
    miss(add, "the bias is not a stored tensor of one vector per expert, as long as the product's rows");
    return false;
  }
  product.bias = stored;
  return true;
}

} // namespace moe::raise
