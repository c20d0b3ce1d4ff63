//===- SizeProof.h - are two sizes the same for every input? ----*- C++ -*-===//
// Recognisers may only rely on sizes that are equal whatever the input dims are; a dim of -1 in a type proves nothing.
#ifndef MOE_LIB_RAISE_SIZEPROOF_H
#define MOE_LIB_RAISE_SIZEPROOF_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Value.h"
#include "moe/IR/OnnxInference.h"

#include <optional>

namespace moe::raise {

/// Equality of sizes, backed by the symbolic dims of OnnxInference. Values made after the inference ran are unknown to it: nothing that
/// depends on them is proven.
class SizeProof {
public:
  explicit SizeProof(OnnxInference &inference) : inference(inference) {}

  /// Do the two values have the same rank, and the same dims but the last?
  bool sameLeading(mlir::Value a, mlir::Value b) const;
  /// Do the two values have the same shape?
  bool sameShape(mlir::Value a, mlir::Value b) const;
  /// Is dim `i` of `a` equal to dim `j` of `b`? Negative dims count from the end.
  bool sameDim(mlir::Value a, int64_t i, mlir::Value b, int64_t j) const;
  /// Is the product of all dims but the last the same: the number of rows?
  bool sameRows(mlir::Value a, mlir::Value b) const;
  /// Has `elements` `times` elements for each row of `rows`?
  bool sameRowsTimes(mlir::Value rows, int64_t times, mlir::Value elements) const;
  /// Have `a` and `b` the same number of elements?
  bool sameCount(mlir::Value a, mlir::Value b) const;

  /// The elements of an integer tensor that is constant or whose numbers follow from static sizes; none where one depends on the inputs.
  std::optional<llvm::SmallVector<int64_t>> numbers(mlir::Value value) const;

  /// Did a node at `loc` make inference take two functions of the input dims as equal? What is proven then holds only where they are.
  /// Sizes that depend on data do not count: they are ranges of rows, whose sum the recogniser knows better.
  bool assumesAt(mlir::Location loc) const;

private:
  OnnxInference &inference;
};

/// Runs `act` on each function of `module` that has ONNX nodes, with the sizes that inference knows. Fails where inference fails.
mlir::LogicalResult forEachOnnxFunction(mlir::ModuleOp module,
                                        llvm::function_ref<void(mlir::func::FuncOp, const SizeProof &)> act);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_SIZEPROOF_H
