// Batched products of forms that keep the rows of all experts in one tensor of rank 3.
#include "AllExpertsMatcher.h"

using namespace mlir;

namespace moe::raise {

std::optional<RoutedProduct> AllExpertsMatcher::matchProduct(Value value) {
  OnnxOp product = definedBy(value, "MatMul");
  if (!product)
    return miss(value.getDefiningOp(), "no batched product with the matrices of all experts");
  Value rows = product.getInputs()[0];
  bool transposed = true;
  Value weight = storedMatrix(product.getInputs()[1], transposed);
  if (!weight || !tensorType(rows) || tensorType(rows).getRank() != 3)
    return miss(product, "no batched product with a stored tensor of one matrix per expert");
  sawProduct = true;
  RoutedProduct result{rows, weight, {}, transposed ? WeightOrder::InOut : WeightOrder::OutIn, staticDim(weight, 0),
                       staticDim(weight, transposed ? 1 : 2), staticDim(weight, transposed ? 2 : 1)};
  // One set of rows for all experts is as good as one for each.
  if (staticDim(rows, -1) != result.in || (staticDim(rows, 0) != result.experts && staticDim(rows, 0) != 1) || result.experts <= 1)
    return miss(product, "the rows are not one set per expert");
  return result;
}

bool AllExpertsMatcher::isBias(Value addend) { return static_cast<bool>(storedTensor(peel(addend, Views | FloatCasts))); }

bool AllExpertsMatcher::takeBias(OnnxOp add, unsigned side, RoutedProduct &product) {
  RankedTensorType type = tensorType(add.getInputs()[side]);
  Value stored = storedTensor(peel(add.getInputs()[side], Views));
  if (!stored || type.getRank() != 3 || type.getDimSize(0) != product.experts || type.getDimSize(1) != 1 || type.getDimSize(2) != product.out ||
      tensorType(add.getInputs()[1 - side]).getRank() != 3) {
    miss(add, "the bias is not a stored tensor of one vector per expert, as long as the product's rows");
    return false;
  }
  product.bias = stored;
  return true;
}

} // namespace moe::raise
