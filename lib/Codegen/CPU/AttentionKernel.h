// The two micro-kernels of attention and the memory that they share. Scores are kept with the rows of a tile in lanes: s[key][row], so that
// a key's element is broadcast to all rows and the softmax has no sums across lanes; values are added with their columns in lanes. Every score
// is one chain over D, every sum one chain over the keys of a chunk, in kernels of any height: results are row-stable.
#ifndef MOE_CODEGEN_CPU_ATTENTIONKERNEL_H
#define MOE_CODEGEN_CPU_ATTENTIONKERNEL_H

#include "AttentionSpec.h"
#include "KernelBuilder.h"
#include "KernelModule.h"
#include "moe/IR/ActivationMath.h"

namespace moe {

/// Places in a thread's frame, in f32 (or i32) from its start. Lists have one element per row of the tile.
struct AttentionFrame {
  explicit AttentionFrame(const AttentionSpec &spec);

  /// Keys that a kernel may write behind the last of a chunk.
  static constexpr int64_t spareKeys = 16;
  static constexpr int64_t rows = AttentionOp::tileRows;
  /// From a row's scores to the next one's where rows are few: these lie [row][key], in the place of the others.
  static constexpr int64_t fewRowsStride = AttentionOp::chunkKeys + spareKeys;
  /// [D][row] queries, [key][row] scores and then powers, [row][column] sums.
  int64_t queries, scores, sums;
  /// Keys of a block and values of a chunk as f32, where they are not that in memory.
  int64_t wideKeys, wideValues;
  /// Where rows are few: two blocks of keys as f32, a key of `paddedDepth`.
  int64_t fewKeys, paddedDepth;
  /// First key and end of the keys that a row sees (i32); least and greatest of these of all rows (i64 at `range`, two each).
  int64_t first, end, range;
  /// Of a chunk: greatest score and sum of powers. Of all chunks so far the same; what the sums so far and the new ones are multiplied by.
  int64_t chunkMost, chunkTotal, most, total, keep, take;
  int64_t size;
};

class AttentionKernel {
public:
  AttentionKernel(KernelModule &kernels, KernelBuilder &builder, const AttentionSpec &spec) : kernels(kernels), b(builder), math(builder), spec(spec), frame(spec) {}

  /// Are there vectors of half the width, in as many registers? Eight rows waste nothing in them.
  bool hasHalfVectors() const { return b.isa.f32Lanes == 16 && b.isa.has("avx512vl"); }
  /// What a kernel on such vectors is built for.
  static IsaVersion halfOf(const IsaVersion &isa);
  /// Vectors of rows that a score kernel takes at most, and the keys of its block for that many.
  int64_t mostRowVectors() const { return b.isa.vectorRegisters > 16 ? 3 : 2; }
  int64_t blockKeys(int64_t rowVectors) const;
  /// Rows of a value kernel at most, and vectors of columns for that many rows.
  int64_t mostRows() const { return b.isa.f32Tile.rows; }
  int64_t columnVectors(int64_t rows) const;

  struct ScoreArguments {
    /// In the frame, at the first row: queries, scores of the block's first key, `first` of the bounds. `keys` is the block's first key.
    mlir::Value queries, keys, scores, bounds;
    /// Elements from key to key; keys there are (the block may be longer: its last one again); number of the first key.
    mlir::Value keyStride, count, firstKey;
    /// Bytes from a key to what lies as keys do and will be wanted next: it is asked for meanwhile. Where readsAhead().
    mlir::Value ahead;
  };
  /// scores = masked, capped, scaled products of `rowVectors` vectors of rows and a block of `keys` keys.
  void callScores(int64_t rowVectors, int64_t keys, const ScoreArguments &arguments);
  /// The same for one vector of half the width.
  void callHalfScores(int64_t keys, const ScoreArguments &arguments);

  /// Rows that have keys, not rows, in lanes at most.
  int64_t fewRows() const { return std::min<int64_t>(4, mostRows()); }
  struct FewScoreArguments {
    /// In the frame: queries, a block of `lanes` keys, scores of its first key, `first` of the bounds.
    mlir::Value queries, keys, scores, bounds;
    /// The next block in memory, and where in the frame it is copied to.
    mlir::Value next, room;
    /// Elements from key to key in memory; the next block's last key; number of the first key and the chunk's end.
    mlir::Value keyStride, lastNext, firstKey, end;
  };
  /// As callScores, for `rows` rows.
  void callFewScores(int64_t rows, const FewScoreArguments &arguments);

  struct ValueArguments {
    /// At the first row and column: powers of the chunk's first key, values of it, sums, `keep` of the row's factors.
    mlir::Value powers, values, sums, factors;
    /// Elements from value to value; keys.
    mlir::Value valueStride, count;
    /// As for scores, in the kernel's columns; null: nothing is asked for.
    mlir::Value ahead;
    /// So many columns of the next values are asked for meanwhile, in the order of memory: also those that other calls want.
    int64_t columnsAhead = 0;
    /// Powers lie [row][key].
    bool isFew = false;
  };
  /// sums = sums·keep + take·Σ powers·values for `rows` rows and `vectors` vectors of columns.
  void callValues(int64_t rows, int64_t vectors, const ValueArguments &arguments);
  /// Do the kernels read keys and values where they lie, and ask for those behind them in between?
  bool readsAhead() const { return spec.key.isF32() && spec.value.isF32() && readsValuesDirectly(); }

  /// Are values read from memory as they lie, not from the frame?
  bool readsValuesDirectly() const { return spec.columns % b.lanes() == 0; }

private:
  void prefetch(mlir::Value place);
  void emitFewScores(int64_t rows, mlir::ValueRange arguments);
  mlir::Value finishFewScore(mlir::Value sum, mlir::Value place, mlir::Value bound, mlir::Value keys);
  mlir::Value cappedScore(mlir::Value sum, mlir::Value place);
  mlir::Value finishScore(mlir::Value sum, mlir::Value place, mlir::Value bounds, int64_t vector, mlir::Value key);

  KernelModule &kernels;
  KernelBuilder &b;
  ActivationMath<KernelBuilder> math;
  const AttentionSpec &spec;
  const AttentionFrame frame;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_ATTENTIONKERNEL_H
