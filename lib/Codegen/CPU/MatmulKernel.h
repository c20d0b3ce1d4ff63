// The micro-kernel: `rows` rows of x times `tiles` register tiles of a packed weight, whole K, then the epilogue, all in registers.
// One emitter for every height, ISA and epilogue. A row's sum is made in the same order in every kernel: results are row-stable.
#ifndef MOE_CODEGEN_CPU_MATMULKERNEL_H
#define MOE_CODEGEN_CPU_MATMULKERNEL_H

#include "KernelBuilder.h"
#include "MatmulSpec.h"

namespace moe {

/// Arguments of a micro-kernel, in this order. Pointers are to the tile's first row and column; those that its variant does not
/// use are null.
struct KernelArguments {
  /// Row-major x, or its row 0 where rows are gathered by `index` (i32 per row).
  mlir::Value x, index;
  /// The tile's first vector in its panel; the panel where it has blocks.
  mlir::Value weight;
  /// Result, row 0 of the result where `combine` rows are given.
  mlir::Value out;
  mlir::Value bias, upBias, combineRows, combineWeights;
  /// Where to ask memory for weights that come later.
  mlir::Value ahead;
  /// Length of the sums; distance of rows of x and of the result in elements; result columns from the tile's first one on.
  mlir::Value k, xStride, outStride, columns;
  /// First column of the tile in its panel.
  mlir::Value tileColumn;
  /// Bytes of `ahead` for 64 bytes of weights read: 64, or less where several passes over the weights share what comes later.
  mlir::Value aheadStep;

  static constexpr int pointers = 9, integers = 6;
  llvm::SmallVector<mlir::Value> list() const {
    return {x, index, weight, out, bias, upBias, combineRows, combineWeights, ahead, k, xStride, outStride, columns, tileColumn, aheadStep};
  }
  static KernelArguments fromList(mlir::ValueRange v) {
    return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13], v[14]};
  }
};

/// Where a tile's two vectors lie in its panel and which result columns they make.
struct TileGeometry {
  TileGeometry(const IsaVersion &isa, bool gateUp)
      : tilesPerPanel(panelColumns / (2 * isa.f32Lanes)), secondVector(gateUp ? panelColumns / 2 : isa.f32Lanes),
        tileStep(gateUp ? isa.f32Lanes : 2 * isa.f32Lanes) {}
  int64_t tilesPerPanel;
  /// From a tile's first vector to its second, and from a tile to the next of its panel; also the result columns of a tile.
  int64_t secondVector, tileStep;
};

class MatmulKernel {
public:
  /// Of kernels for up to `mostRows` rows, that for `rows`.
  MatmulKernel(KernelBuilder &builder, const MatmulSpec &spec, int64_t rows, int64_t tiles, int64_t mostRows)
      : b(builder), spec(spec), geometry(builder.isa, spec.gateUp), rows(rows), tiles(tiles), mostRows(mostRows) {}

  /// Bytes from the weights in use to those asked for where one pass reads them.
  static constexpr int64_t prefetchBytes = 6144;
  /// Into which cache, in LLVM's numbers: what is read at once into the first, the panel behind this one, which has no room there, into the second.
  /// There it would also push out the rows.
  static constexpr int32_t prefetchHint(bool isOnePass) { return isOnePass ? 3 : 2; }

  /// Emits the function `name` at the end of `module`.
  mlir::func::FuncOp emit(mlir::ModuleOp module, llvm::StringRef name);

private:
  llvm::SmallVector<mlir::Value> rowPointers();
  llvm::SmallVector<mlir::Value> tilePointers();
  /// Bytes from a panel of floats to the next; K is an argument.
  mlir::Value floatPanelBytes();
  /// Adds up sections of K, each summed from zero by `section`: the error of one long chain would grow with the root of K.
  llvm::SmallVector<mlir::Value>
  sumInSections(llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value start, mlir::Value end, mlir::ValueRange sums)> section);
  llvm::SmallVector<mlir::Value> sumOverK();
  llvm::SmallVector<mlir::Value> sumOverPairs();
  llvm::SmallVector<mlir::Value> sumOverPairsLikeTiles();
  llvm::SmallVector<mlir::Value> sumOverBlocks();
  llvm::SmallVector<mlir::Value> multiplyAdd(mlir::ValueRange sums, llvm::ArrayRef<mlir::Value> x, mlir::Value k,
                                             llvm::ArrayRef<mlir::Value> weights);
  /// Passes have balanced heights: a lower kernel than half the highest is never one of several, and asks for what is next by constants.
  bool isOnePass() const { return 2 * rows < mostRows; }
  int32_t prefetchHint() const { return prefetchHint(isOnePass() && !b.isa.fewRowsAhead); }
  void prefetch(mlir::Value step, int64_t tile);
  void prefetchBlocks(mlir::Value offset);

  KernelBuilder &b;
  const MatmulSpec &spec;
  const TileGeometry geometry;
  const int64_t rows, tiles, mostRows;
  KernelArguments arguments;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_MATMULKERNEL_H
