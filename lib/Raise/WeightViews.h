//===- WeightViews.h - stored weights seen with another shape ---*- C++ -*-===//
// A product with a stored weight must read the moe.weight_ref itself, so a reshape of a weight makes another symbol for the same bytes.
#ifndef MOE_LIB_RAISE_WEIGHTVIEWS_H
#define MOE_LIB_RAISE_WEIGHTVIEWS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

namespace moe {

/// A weight_ref of the same elements with static type `type`, if `value` is a weight_ref of a weight that has a source; else null.
mlir::Value viewWeight(mlir::OpBuilder &builder, mlir::Value value, mlir::RankedTensorType type);

/// The first `count` slices of a stored tensor along its first dim (`value` itself where it has no more): of a constant, or of a weight_ref of a weight
/// whose source is one file range or elements, of whole bytes each. Null for anything else.
mlir::Value firstSlices(mlir::OpBuilder &builder, mlir::Value value, int64_t count);
/// Would firstSlices give them?
bool hasFirstSlices(mlir::Value value, int64_t count);

/// A constant of elements of less than a byte as bytes, one for each element.
mlir::DenseElementsAttr constantBytes(mlir::DenseElementsAttr elements, mlir::RankedTensorType type);

} // namespace moe

#endif // MOE_LIB_RAISE_WEIGHTVIEWS_H
