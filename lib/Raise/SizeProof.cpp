// Equality of sizes for every input, from the symbolic dims of OnnxInference.
#include "SizeProof.h"

#include "OnnxMatch.h"

using namespace mlir;

namespace moe::raise {

/// A copy: facts are valid only until the next question.
static SmallVector<AffineExpr> dimsOf(OnnxInference &inference, Value value) { return inference.facts(value).dims; }

static AffineExpr product(ArrayRef<AffineExpr> dims, MLIRContext *context) {
  AffineExpr result = getAffineConstantExpr(1, context);
  for (AffineExpr dim : dims)
    result = result * dim;
  return result;
}

bool SizeProof::sameDim(Value a, int64_t i, Value b, int64_t j) const {
  RankedTensorType left = tensorType(a), right = tensorType(b);
  if (!left || !right)
    return false;
  i = fromFront(i, left.getRank());
  j = fromFront(j, right.getRank());
  if (i < 0 || j < 0 || i >= left.getRank() || j >= right.getRank())
    return false;
  if (!left.isDynamicDim(i) && !right.isDynamicDim(j))
    return left.getDimSize(i) == right.getDimSize(j);
  SmallVector<AffineExpr> leftDims = dimsOf(inference, a), rightDims = dimsOf(inference, b);
  return i < static_cast<int64_t>(leftDims.size()) && j < static_cast<int64_t>(rightDims.size()) &&
         inference.provablyEqual(leftDims[i], rightDims[j]);
}

bool SizeProof::sameLeading(Value a, Value b) const {
  RankedTensorType left = tensorType(a), right = tensorType(b);
  if (!left || !right || left.getRank() != right.getRank())
    return false;
  for (int64_t dim = 0; dim + 1 < left.getRank(); ++dim)
    if (!sameDim(a, dim, b, dim))
      return false;
  return true;
}

bool SizeProof::sameShape(Value a, Value b) const {
  RankedTensorType left = tensorType(a), right = tensorType(b);
  return left && right && sameLeading(a, b) && (left.getRank() == 0 || sameDim(a, -1, b, -1));
}

bool SizeProof::sameRows(Value a, Value b) const {
  SmallVector<AffineExpr> left = dimsOf(inference, a), right = dimsOf(inference, b);
  return !left.empty() && !right.empty() &&
         inference.provablyEqual(product(ArrayRef<AffineExpr>(left).drop_back(), a.getContext()), product(ArrayRef<AffineExpr>(right).drop_back(), a.getContext()));
}

bool SizeProof::sameRowsTimes(Value rows, int64_t times, Value elements) const {
  SmallVector<AffineExpr> left = dimsOf(inference, rows), right = dimsOf(inference, elements);
  return !left.empty() && !right.empty() &&
         inference.provablyEqual(product(ArrayRef<AffineExpr>(left).drop_back(), rows.getContext()) * times, product(right, rows.getContext()));
}

bool SizeProof::sameCount(Value a, Value b) const {
  SmallVector<AffineExpr> left = dimsOf(inference, a), right = dimsOf(inference, b);
  return !left.empty() && !right.empty() && inference.provablyEqual(product(left, a.getContext()), product(right, a.getContext()));
}

std::optional<SmallVector<int64_t>> SizeProof::numbers(Value value) const {
  if (auto constant = constantInts(value))
    return constant;
  return inference.facts(value).numbers();
}

bool SizeProof::assumesAt(Location loc) const {
  return llvm::any_of(inference.conditions(), [&](const DimCondition &condition) {
    return condition.loc == loc && !inference.dependsOnData(condition.lhs) && !inference.dependsOnData(condition.rhs);
  });
}

LogicalResult forEachOnnxFunction(ModuleOp module, llvm::function_ref<void(func::FuncOp, const SizeProof &)> act) {
  for (func::FuncOp function : module.getOps<func::FuncOp>()) {
    if (!function.walk([](OnnxOp) { return WalkResult::interrupt(); }).wasInterrupted())
      continue;
    OnnxInference inference(module.getContext());
    if (failed(inference.inferFunction(function)))
      return failure();
    act(function, SizeProof(inference));
  }
  return success();
}

} // namespace moe::raise
