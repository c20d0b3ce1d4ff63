// Batched products of forms that keep the rows of all experts in one tensor.
#include "AllExpertsMatcher.h"

#include "LabelledProduct.h"

using namespace mlir;

namespace moe::raise {

/// Where `expert` stands among the labels of rows, whose columns are the last: before all others, after them, or nowhere else.
static bool placeOfExperts(ArrayRef<unsigned> labels, unsigned expert, bool &last) {
  if (labels.size() < 2)
    return false;
  ArrayRef<unsigned> rows = labels.drop_back();
  last = rows.front() != expert;
  return !last || rows.back() == expert;
}

std::optional<RoutedProduct> AllExpertsMatcher::matchProduct(Value value) {
  auto product = matchLabelledProduct(value);
  if (!product)
    return miss(value.getDefiningOp(), "no batched product with the matrices of all experts");
  Operation *at = value.getDefiningOp();
  for (unsigned side : {1u, 0u}) {
    bool transposed = true;
    Value weight = storedMatrix(product->operands[side], transposed), rows = product->operands[1 - side];
    if (!weight || !tensorType(rows))
      continue;
    expertsSeen = staticDim(weight, 0);
    const Labels &matrix = product->labels[side];
    const unsigned expert = matrix[0], in = product->inResult(matrix[1]) ? matrix[2] : matrix[1], out = in == matrix[1] ? matrix[2] : matrix[1];
    // In the graph the matrices are [E, in, out] where the second dim is summed; a transpose may lie between that and the store.
    transposed = transposed == (in == matrix[1]);
    RoutedProduct result{rows, weight, {}, transposed ? WeightOrder::InOut : WeightOrder::OutIn, staticDim(weight, 0),
                         staticDim(weight, transposed ? 1 : 2), staticDim(weight, transposed ? 2 : 1)};
    Labels rowLabels = product->withoutUnits(product->labels[1 - side], matrix), resultLabels = product->withoutUnits(product->result, matrix);
    result.sharesRows = !llvm::is_contained(rowLabels, expert);
    bool fits = product->sameSizes(proof) && result.experts > 1 && !product->inResult(in) && !rowLabels.empty() && rowLabels.back() == in &&
                !llvm::is_contained(rowLabels, out) && resultLabels.size() >= 2 && resultLabels.back() == out &&
                placeOfExperts(resultLabels, expert, result.expertsLast) &&
                (result.sharesRows || placeOfExperts(rowLabels, expert, result.rowsExpertsLast));
    // The tokens stay in their order.
    auto isToken = [&](unsigned label) { return label != expert && label != in && label != out; };
    fits &= llvm::equal(llvm::make_filter_range(rowLabels, isToken), llvm::make_filter_range(resultLabels, isToken));
    if (!fits)
      return miss(at, "the rows are not one set per expert");
    return result;
  }
  return miss(at, "no batched product with a stored tensor of one matrix per expert");
}

bool AllExpertsMatcher::isBias(Value addend) { return static_cast<bool>(storedTensor(peel(addend, Views | FloatCasts))); }

bool AllExpertsMatcher::takeBias(OnnxOp add, unsigned side, RoutedProduct &product) {
  RankedTensorType type = tensorType(add.getInputs()[side]), rows = tensorType(add.getInputs()[1 - side]);
  Value stored = storedTensor(peel(add.getInputs()[side], Views));
  const int64_t rank = type.getRank(), expertDim = product.expertsLast ? rank - 2 : 0;
  bool fits = stored && rank >= 2 && rank <= rows.getRank() && (product.expertsLast || rank == rows.getRank()) &&
              type.getDimSize(rank - 1) == product.out && type.getNumElements() == product.experts * product.out &&
              rows.getDimSize(rows.getRank() - 1) == product.out;
  // The experts of the bias meet those of the rows.
  if (!fits || type.getDimSize(expertDim) != product.experts || rows.getDimSize(rows.getRank() - rank + expertDim) != product.experts) {
    miss(add, "the bias is not a stored tensor of one vector per expert, as long as the product's rows");
    return false;
  }
  product.bias = stored;
  return true;
}

} // namespace moe::raise
