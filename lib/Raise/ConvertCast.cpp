// Cast and CastLike.
#include "OnnxConversion.h"

using namespace mlir;
using moe::NodeConverter;
using moe::SizedTensor;

/// The result type is inference's reading of `to` (Cast) or of the second input (CastLike).
static LogicalResult convertCast(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  return node.finish(node.t.convert(x, node.resultElement(), node.isUnsigned(0)));
}

void moe::addCastConversions(ConversionTable &table) {
  table.add("Cast", convertCast);
  table.add("CastLike", convertCast, "", /*shapeOnlyInputs=*/1u << 1);
}
