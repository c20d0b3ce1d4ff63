// What the pieces of the tensor core kernel share while it is emitted. Shared memory holds, for each stage of the pipeline, the tile's rows of x and then its
// rows of weights, 64 of k (128 bytes, 8 chunks of 16) a row. Chunk c of row r lies at place c ^ (r % 8): the eight rows that ldmatrix reads
// at once, and the eight chunks that eight threads write, are in different banks. Of in-out weights a stage has 64 rows, one for each k, with a chunk
// for eight columns; ldmatrix turns the matrices round. For wgmma this is the layout with a swizzle of 128 bytes, of stages that begin at a multiple of 1024 bytes.
#ifndef MOE_CODEGEN_CUDA_MMASTATE_H
#define MOE_CODEGEN_CUDA_MMASTATE_H

#include "ProductKernels.h"

namespace moe {

/// Bytes of a stage's rows, chunks of 16 bytes in one.
constexpr int64_t stageRowBytes = 128, rowChunks = 8;

struct ProductKernels::MmaState {
  MmaState(Arguments &a, Tile &tile, const MmaTile &shape, Value memory) : a(a), tile(tile), shape(shape), memory(memory) {}

  Arguments &a;
  Tile &tile;
  const MmaTile &shape;
  Value memory;      // dynamic shared memory
  Value firstColumn; // of the result
  Value thread, lane, warpRow, warpColumn; // of the warp: its first row, its first row of weights
  Value chunk;       // that this thread copies, of each of its rows
  Value place;       // of that chunk in the rows' part of a stage
  Value weightRow, weightPlace; // of in-out weights: the first k of a stage that this thread copies, and the place of its chunk in their part
  /// Global addresses of this thread's rows of x and of weights, and whether there is such a row.
  llvm::SmallVector<Value> rows, weights, hasRow, hasWeight;

  int64_t stageBytes() const { return (shape.rows + shape.columns) * stageRowBytes; }
  /// Columns of results, and bytes from one row of them to the next in shared memory at the end: 16 more than it has, so that the eight rows of a
  /// fragment start in different banks.
  int64_t results(const ProductSpec &spec) const { return spec.isGated() ? shape.columns / 2 : shape.columns; }
  int64_t stagedPitch(const ProductSpec &spec) const { return results(spec) * spec.out.getIntOrFloatBitWidth() / 8 + 16; }
  int64_t rowsPerCopy() const { return (shape.isGroup() ? groupThreads : shape.threads()) / rowChunks; }
  /// Of in-out weights: chunks of one k, bytes of it, and how many of k all threads copy at once.
  int64_t lineChunks() const { return shape.columns / 8; }
  int64_t lineBytes() const { return shape.columns * 2; }
  int64_t linesPerCopy() const { return shape.threads() / lineChunks(); }
  /// Of a swapped tile: fragments of 16 rows of weights in a warp's tile.
  int64_t weightFragments() const { return shape.warpColumns() / 16; }
  int64_t rounds(const ProductSpec &spec) const { return llvm::divideCeil(spec.depth, stageDepth); }
  int64_t sums() const { return 4 * (shape.isSwapped() ? weightFragments() : down() * across()); }
  /// Fragments of 16 rows and of 8 columns in a warp's tile.
  int64_t down() const { return shape.warpRows() / 16; }
  int64_t across() const { return shape.warpColumns() / 8; }
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_MMASTATE_H
