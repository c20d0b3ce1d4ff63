// Kernels of moe.route_permute: "route" selects the experts of each token, a warp per token; "sort" puts the slots in the order of experts,
// by one block, without atomics: the same slots whatever the schedule.
#ifndef MOE_CODEGEN_CUDA_ROUTEKERNELS_H
#define MOE_CODEGEN_CUDA_ROUTEKERNELS_H

#include "GpuBuilder.h"
#include "KernelTable.h"
#include "moe/IR/ActivationMath.h"

namespace moe {

class RouteKernels {
public:
  RouteKernels(KernelTable &table, mlir::Location loc) : table(table), b(loc, table.host.getContext()), math(b) {}

  /// Replaces `op` by launches; an error names what no kernel takes.
  llvm::LogicalResult replace(RoutePermuteOp op);

private:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;
  llvm::LogicalResult check(RoutePermuteOp op);

  // Route: expert e of a token belongs to lane e % 32, as number e / 32 of its values.
  KernelEntry routeKernel();
  void emitRoute(llvm::StringRef name);
  void emitToken(Value logits, Value chosen, Value weights, Value lane);
  llvm::SmallVector<Value> scores(llvm::ArrayRef<Value> logits);
  llvm::SmallVector<Value> softmax(llvm::ArrayRef<Value> values, llvm::ArrayRef<Value> inside);
  Value key(Value score, Value inside);
  std::pair<Value, Value> best(llvm::ArrayRef<Value> keys, llvm::ArrayRef<Value> numbers);
  Value finishWeight(Value weight, Value lane);

  // Sort: a warp counts and places the slots of its own part, in order.
  int64_t sortWarps() const;
  KernelEntry sortKernel();
  void emitSort(llvm::StringRef name);
  struct SortState;
  void beginSort(SortState &s, ValueRange arguments);
  void setPart(SortState &s, Value from, Value to);
  void clearCounts(SortState &s);
  void emitCounts(SortState &s);
  void emitTotals(SortState &s, llvm::function_ref<void(Value expert, Value total)> take);
  void emitStarts(SortState &s);
  void emitUnused(SortState &s, Value first, Value step);
  void emitPlacement(SortState &s);
  void emitPlace(SortState &s, Value slot, Value expert, Value target);
  Value loadExpert(SortState &s, Value slot, Value inside);

  // Sort of many slots, by three kernels (ChunkSort.cpp): each block has a chunk of the slots.
  void launchSort(mlir::OpBuilder &host, Value slots, ValueRange arguments);
  void launchChunks(mlir::OpBuilder &host, Value slots, ValueRange arguments);
  KernelEntry chunkKernel(llvm::StringRef step, llvm::function_ref<void(llvm::StringRef name)> emit);
  void emitChunkCount(llvm::StringRef name);
  void emitChunkScan(llvm::StringRef name);
  void emitChunkPlace(llvm::StringRef name);
  void setChunk(SortState &s);
  Value chunkCount(SortState &s);

  KernelTable &table;
  GpuBuilder b;
  ActivationMath<GpuBuilder> math;
  int64_t experts = 0, k = 0;
  /// Null: indices are given, with or without weights.
  RouterAttr router;
  unsigned idBits = 32;
  bool hasWeights = true, hasPlaces = false;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_ROUTEKERNELS_H
