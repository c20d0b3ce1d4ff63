// Replaces one moe.route_permute by calls of two functions with a barrier between: "select" makes expert ids and weights per token
// (tokens split by thread), "scatter" sorts them by expert (experts split by thread). With given indices only the second is needed.
#ifndef MOE_CODEGEN_CPU_ROUTEEMITTER_H
#define MOE_CODEGEN_CPU_ROUTEEMITTER_H

#include "KernelBuilder.h"
#include "KernelModule.h"
#include "moe/IR/ActivationMath.h"

namespace moe {

/// What the routing code depends on.
struct RouteSpec {
  int64_t experts = 0;
  /// Experts per token; dynamic for given indices of unknown width.
  int64_t k = 0;
  /// Null: indices are given.
  RouterAttr router;
  /// Bits of an expert id in memory.
  unsigned idBits = 32;
  /// False: all weights are one (given indices without weights).
  bool hasWeights = true;

  /// Reads and checks `op`; an error names the operand, what was expected and what was found.
  static llvm::FailureOr<RouteSpec> read(RoutePermuteOp op);
};

class RouteEmitter {
public:
  RouteEmitter(KernelModule &kernels, mlir::Location loc) : kernels(kernels), b(loc, kernels.module.getContext(), kernels.isa), math(b) {}

  /// Replaces `op`; an error where the op is not what the kernels take.
  llvm::LogicalResult replace(RoutePermuteOp op);

private:
  using Value = mlir::Value;
  // Elements in whole vectors, the last one masked: `body` gets the offset, the mask (null: all lanes) and what is carried.
  llvm::SmallVector<Value> forBlocks(int64_t count, mlir::ValueRange carried,
                                     llvm::function_ref<llvm::SmallVector<Value>(Value, Value, mlir::ValueRange)> body);
  Value loadBlock(Value base, Value offset, Value mask, double passThrough);
  void storeBlock(Value value, Value base, Value offset, Value mask);
  Value reduce(mlir::vector::CombiningKind kind, Value vector);
  Value maximum(Value base, int64_t count);
  Value sum(Value base, int64_t count);
  void divideBy(Value base, int64_t count, Value divisor);
  void softmax(Value from, Value to, int64_t count);

  mlir::func::FuncOp selectFunction();
  void emitToken(Value logits, Value chosen, Value weights, Value scores, Value keys);
  void emitScores(Value logits, Value scores);
  void emitKeys(Value scores, Value keys);
  Value bestExpert(Value keys);
  void finishWeights(Value weights);

  mlir::func::FuncOp scatterFunction();
  void emitCounts(Value ids, Value counts, Value slots);
  void emitStarts(Value counts, Value offsets, Value rows, Value slotWeights, Value slots, Value thread);
  void emitScatter(Value ids, Value weights, Value counts, Value rows, Value slotWeights, Value tokens, Value k, Value from, Value to);
  Value loadId(Value ids, Value slot);
  Value bump(Value counts, Value id);

  KernelModule &kernels;
  KernelBuilder b;
  ActivationMath<KernelBuilder> math;
  RouteSpec spec;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_ROUTEEMITTER_H
