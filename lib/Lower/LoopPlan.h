//===- LoopPlan.h - how one linalg op becomes loops -------------*- C++ -*-===//
// Which dims are split over threads, which one is the vector dim, and what each operand's access looks like. Decided from types and maps
// alone, so that barrier placement (before) and loop emission (after the arena is planned) agree without passing anything between them.
#ifndef MOE_LIB_LOWER_LOOPPLAN_H
#define MOE_LIB_LOWER_LOOPPLAN_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

/// Vectors have this many lanes where the size is not known to be smaller; codegen splits them for narrower machines.
constexpr int64_t maxLanes = 16;

/// How an operand moves along a loop dim.
enum class Access {
  Invariant,  ///< The dim is not in the operand's indices.
  Contiguous, ///< A step of one element.
  Other,      ///< A stride or something computed.
};

struct LoopPlan {
  /// Outputs are written once per point of their parallel dims. Where false, the op runs as plain nested loops over memory on one thread.
  bool structured = false;
  /// Only thread 0 runs the op: too little work, or not structured.
  bool single = false;
  /// Parallel loop dims in the order in which the first output's indices name them.
  llvm::SmallVector<unsigned> parallelDims;
  llvm::SmallVector<unsigned> reductionDims;
  /// The loop dim along which vectors lie, or -1; a parallel dim (then the last of parallelDims) or a reduction dim.
  int vectorDim = -1;
  bool vectorIsReduction = false;
  int64_t lanes = 1;
  /// The linearised space of the first `split` parallel dims is divided over threads. Where `splitsVector`, the only dim of a size other
  /// than 1 among them is the vector dim, divided in multiples of `lanes`.
  unsigned split = 0;
  bool splitsVector = false;

  static LoopPlan of(mlir::linalg::LinalgOp op);
};

/// Does thread 0 check all values of the condition? They are too few to split.
bool isOnOneThread(RequireRangeOp condition);

/// How `operand` moves along loop dim `dim`.
Access accessOf(mlir::linalg::LinalgOp op, mlir::OpOperand &operand, unsigned dim);

/// The op that combines the value of output `output` with new values, where the body is a reduction that may start from a neutral element;
/// else null.
mlir::Operation *findCombiner(mlir::linalg::LinalgOp op, unsigned output);

/// The neutral element of a combiner that findCombiner found.
mlir::TypedAttr neutralElement(mlir::Operation *combiner);

/// Whether the last dim of the memref is dense.
bool hasDenseLastDim(mlir::MemRefType type);

/// What a value in the body is when one loop dim is a vector.
enum class LaneKind {
  Uniform, ///< The same in all lanes.
  Step,    ///< The first lane's value, plus one per lane.
  Vector,  ///< Anything.
  Illegal, ///< Cannot be computed lane by lane.
};

/// The kind of each result of body op `op`, given the kinds of its operands.
LaneKind laneKind(mlir::Operation *op, unsigned vectorDim, llvm::function_ref<LaneKind(mlir::Value)> kindOf);

} // namespace moe

#endif // MOE_LIB_LOWER_LOOPPLAN_H
