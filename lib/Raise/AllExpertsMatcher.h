//===- AllExpertsMatcher.h - one batched product with all experts' matrices ---*- C++ -*-===//
// [E, R, in] times [E, in, out]: the rows of each expert lie side by side in one tensor, whatever they are: all tokens (form E), or an expert's slots.
// As a MatMul, or as an Einsum with the experts before or after the rows.
#ifndef MOE_LIB_RAISE_ALLEXPERTSMATCHER_H
#define MOE_LIB_RAISE_ALLEXPERTSMATCHER_H

#include "RoutedFfn.h"

namespace moe::raise {

class AllExpertsMatcher : public RoutedMatcher {
public:
  using RoutedMatcher::RoutedMatcher;

  /// Did the match get as far as a product with a stored tensor of one matrix per expert?
  bool isCandidate() const { return expertsSeen > 0; }

  /// A stored tensor.
  bool isBias(mlir::Value addend) override;

protected:
  /// A stored tensor of one number per expert, in the experts' dim.
  mlir::Value scalesBehind(mlir::Value factor) override;
  bool fitsScales(OnnxOp product, unsigned side, const RoutedProduct &down) override;

  /// How many matrices the last such tensor has.
  int64_t expertsSeen = 0;

  /// The rows have a dim for the experts, first or last before the columns, or none: then all experts read the same.
  std::optional<RoutedProduct> matchProduct(mlir::Value value) override;
  /// [E, 1, out] added to [E, R, out], or [E, out] to [R, E, out].
  bool takeBias(OnnxOp add, unsigned side, RoutedProduct &product) override;
};

} // namespace moe::raise

#endif // MOE_LIB_RAISE_ALLEXPERTSMATCHER_H
