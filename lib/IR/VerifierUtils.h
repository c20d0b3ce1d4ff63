//===- VerifierUtils.h - rules that several verifiers share -----*- C++ -*-===//
// One rule, one message: "expected … , got …". A size that is not known statically agrees with everything.
#ifndef MOE_LIB_IR_VERIFIERUTILS_H
#define MOE_LIB_IR_VERIFIERUTILS_H

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/Twine.h"

namespace moe::verify {

/// True if two sizes can be the same at run time.
inline bool agree(int64_t a, int64_t b) {
  return a == b || mlir::ShapedType::isDynamic(a) || mlir::ShapedType::isDynamic(b);
}

/// The product of two sizes; dynamic where one is, or where it does not fit 64 bits.
int64_t times(int64_t a, int64_t b);

/// The sum of two sizes; dynamic where one is, or where it does not fit 64 bits.
int64_t plus(int64_t a, int64_t b);

/// A value or type of an op and what the op calls it.
struct Named {
  llvm::StringRef name;
  mlir::Type type;
};

/// Sizes of a value's type; it must be shaped.
mlir::ShapedType shaped(mlir::Type type);

/// Error "expected NAME of length EXPECTED (WHY), got …" unless the 1-D `type` may have it.
mlir::LogicalResult length(mlir::Operation *op, llvm::StringRef name, mlir::Type type, int64_t expected, llvm::StringRef why);

/// Error unless dim `dim` of `type` may have the size.
mlir::LogicalResult size(mlir::Operation *op, llvm::StringRef name, mlir::Type type, unsigned dim, int64_t expected, llvm::StringRef why);

/// Error unless all of these 1-D types may have one length; null types are skipped.
mlir::LogicalResult oneLength(mlir::Operation *op, llvm::ArrayRef<Named> lists);

/// Error unless `type` has the rank and may have the sizes of `expected`.
mlir::LogicalResult sameSizes(mlir::Operation *op, Named value, Named expected);

/// Error unless the type has one of the ranks (second < 0: only the first).
mlir::LogicalResult rank(mlir::Operation *op, llvm::StringRef name, mlir::Type type, int64_t first, int64_t second = -1);

/// Error "expected NAME exactly WHERE" unless presence agrees.
mlir::LogicalResult exactlyWhere(mlir::Operation *op, llvm::StringRef name, bool present, bool expected, llvm::StringRef where);

/// select-c11, slots-c6, stats-c4: the size of groups of tokens, as an attribute (nullopt: none) or as an operand (null: none).
mlir::LogicalResult tokenGroups(mlir::Operation *op, std::optional<uint64_t> groupSize, mlir::Value groupsOf);

/// ffn-c1 to ffn-c3.
mlir::LogicalResult ffn(mlir::Operation *op, FfnAttr ffn);

/// router-c1 to router-c5; `experts` may be dynamic.
mlir::LogicalResult router(mlir::Operation *op, RouterAttr router, int64_t experts);

/// origin-c1; null is allowed.
mlir::LogicalResult origin(mlir::Operation *op, OriginAttr origin);

/// The second half of experts-c9: the activations of a plan are f32, bf16 or int8; null is allowed.
mlir::LogicalResult plan(mlir::Operation *op, PlanAttr plan);

} // namespace moe::verify

#endif // MOE_LIB_IR_VERIFIERUTILS_H
