//===- Caches.h - KV caches among inputs and outputs --------------*- C++ -*-===//
// Which output of a function is an input with rows added, seen on tensors: what plan counts, distribute shares out and lower lets grow in place.
#ifndef MOE_IR_CACHES_H
#define MOE_IR_CACHES_H

#include "mlir/IR/Block.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace moe {

/// Of an argument or a result of the entry: of one of its dims each rank has only its own part. array<i64: dim, heads, unit>: head h of `heads` has the places h·unit … of
/// the dim, and a rank those that its devices' query heads read. The dim is dynamic, `heads·unit` on one rank.
inline constexpr llvm::StringLiteral partAttrName = "moe.part";

/// An output `present` (an operand of the return) that is the argument `past` with rows added by `grown`, a moe.concat or a moe.append; casts between are passed over.
struct KvCache {
  mlir::BlockArgument past;
  mlir::OpOperand *present = nullptr;
  mlir::Operation *grown = nullptr;
};

/// `value` without the casts that made it.
mlir::Value peelCasts(mlir::Value value);

/// The cache that `present` is, if its value is one.
std::optional<KvCache> kvCacheOf(mlir::OpOperand &present);

/// Is the past read by nobody but what grows it?
bool isReadByGrowthOnly(const KvCache &cache);

/// All caches of a function's body of one block, in the order of the outputs. Each argument is in one at most.
llvm::SmallVector<KvCache> kvCachesOf(mlir::Block &body);

} // namespace moe

#endif // MOE_IR_CACHES_H
