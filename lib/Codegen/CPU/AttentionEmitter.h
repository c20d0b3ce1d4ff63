// Replaces one moe.attention by calls of a driver that all threads run. A tile is 48 rows, which are queries of all heads that share keys (a
// row is token·group + head of the group); keys are read once for all of them, in chunks of 256, each with a softmax of its own that is merged
// into what the chunks before it gave. Where tiles are fewer than threads keep busy, chunks are shared out instead and merged behind a barrier, in
// the same order by the same arithmetic.
#ifndef MOE_CODEGEN_CPU_ATTENTIONEMITTER_H
#define MOE_CODEGEN_CPU_ATTENTIONEMITTER_H

#include "AttentionKernel.h"

namespace moe {

/// Elements from one sequence, head and token to the next.
struct TokenStrides {
  mlir::Value sequence, head, token;
};

/// Arguments of the driver functions, in this order; absent pointers are null.
struct AttentionArguments {
  mlir::Value q, k, v, mask, counts, sink, out, scratch;
  TokenStrides qStrides, kStrides, vStrides, maskStrides, outStrides;
  /// From one key's element of the mask to the next, and how many keys have one.
  mlir::Value maskKey, maskKeys;
  /// B, T and S; the place of the first query; this thread and all; key heads and query heads of each.
  mlir::Value sequences, queries, keys, before, thread, threads, keyHeads, group;

  static constexpr int pointers = 8, integers = 25;
  llvm::SmallVector<mlir::Value> list() const;
  static AttentionArguments fromList(mlir::ValueRange values);
};

class AttentionEmitter {
public:
  AttentionEmitter(KernelModule &kernels, mlir::Location loc)
      : kernels(kernels), b(loc, kernels.module.getContext(), kernels.isa), math(b) {}

  /// Replaces `op`; an error where the op is not what the kernels take.
  llvm::LogicalResult replace(AttentionOp op);

private:
  using Value = mlir::Value;
  /// A key head of a sequence and rows of it: firstRow … firstRow + rows.
  struct Tile {
    Value sequence, head, firstRow, rows;
  };

  // The driver (AttentionEmitter.cpp).
  AttentionArguments callArguments(AttentionOp op);
  mlir::func::FuncOp function(llvm::StringRef name, llvm::function_ref<void()> body);
  void forUnits(Value count, llvm::function_ref<void(Value unit, Value next)> body);
  Tile tileOf(Value headNumber, Value firstRow);
  void emitTiles();
  void emitPartials();
  void emitMerge();
  Value partialOf(Value headNumber, Value chunk);
  Value headCount();
  /// Key heads, and query heads of each: constants where the spec says them.
  Value keyHeads() { return mlir::ShapedType::isDynamic(spec.keyHeads) ? arguments.keyHeads : b.i64(spec.keyHeads); }
  Value group() { return mlir::ShapedType::isDynamic(spec.group) ? arguments.group : b.i64(spec.group); }
  Value chunkCount();

  // One tile (AttentionTile.cpp). All work on `frameMemory`.
  Value place(int64_t offset) { return b.atF32(frameMemory, offset); }
  Value place(int64_t offset, Value more) { return b.atF32(b.atF32(frameMemory, offset), more); }
  /// Rounded up to whole vectors.
  Value vectorsOf(const Tile &tile) { return b.ceilDiv(tile.rows, b.i64(b.lanes())); }
  void forVectors(const Tile &tile, llvm::function_ref<void(Value offset)> body);
  std::pair<Value, Value> tokenAndHead(const Tile &tile, Value row);
  void begin(const Tile &tile);
  void packRow(const Tile &tile, Value row);
  std::pair<Value, Value> keysOf(const Tile &tile);
  Value keyAt(Value sequence, Value head, Value key);
  Value valueAt(Value sequence, Value head, Value key);
  /// `next`: keys that will be wanted when these are done.
  void addChunk(const Tile &tile, Value start, Value end, Value next);
  void readMask(const Tile &tile, Value start, Value keys);
  void readMaskRow(const Tile &tile, Value row, int64_t copies, Value start, Value keys, bool isFew = false);
  void widenRows(Value from, mlir::Type element, Value stride, int64_t columns, Value to, int64_t toStride, Value rows);
  void computeScores(const Tile &tile, Value start, Value keys);
  void computeScores(const Tile &tile, int64_t rowVectors, Value start, Value keys);
  void computeFewScores(const Tile &tile, int64_t rows, Value start, Value keys);
  void computeFewPowers(const Tile &tile, Value keys);
  void computePowers(const Tile &tile, Value keys);
  void mergeFactors(Value offset);
  Value finiteOr0(Value most);
  void addValues(const Tile &tile, Value start, Value keys, Value next, bool isFew);
  void finish(const Tile &tile);
  void addSink(const Tile &tile);
  Value loadScalar(mlir::Type element, Value place);

  KernelModule &kernels;
  KernelBuilder b;
  ActivationMath<KernelBuilder> math;
  AttentionSpec spec;
  std::optional<AttentionKernel> kernel;
  std::optional<AttentionFrame> frame;
  AttentionArguments arguments;
  Value frameMemory;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_ATTENTIONEMITTER_H
