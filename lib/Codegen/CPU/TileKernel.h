// The kernel for experts of many rows where the ISA has matrix tiles: up to 16 or 32 rows times some panels of 32 columns, one after the other, whole K. Sums
// leave the tiles through the stack, where the epilogue of all kernels takes them row by row.
#ifndef MOE_CODEGEN_CPU_TILEKERNEL_H
#define MOE_CODEGEN_CPU_TILEKERNEL_H

#include "MatmulKernel.h"
#include "TileOps.h"

namespace moe {

/// True if tall experts of `spec` are multiplied in tiles: the ISA has the product, K is whole steps of it, and gathered rows fit the stack.
bool usesTiles(const IsaVersion &isa, const MatmulSpec &spec);

/// Rows of an expert from which on it is multiplied in tiles.
int64_t leastTileRows(const MatmulSpec &spec);

/// True if in addition sums of bf16 products are made in the order of tdpbf16ps, also by vectors: even and odd values of 32 of k in a chain each, from
/// zero, then both added, then that to the total.
inline bool sumsLikeTiles(const IsaVersion &isa, const MatmulSpec &spec) { return spec.pairs && usesTiles(isa, spec); }

class TileKernel {
public:
  /// Values of k of one product of pairs.
  static constexpr int64_t pairDepth = 32;
  /// Bytes of the stack that copied rows may take.
  static constexpr int64_t mostCopied = 1 << 20;
  /// Of the panel ahead a pass asks for `aheadStep` of so many parts: all, or less where several passes share it.
  static constexpr int64_t aheadParts = 4;

  /// Parts of K whose integer products are scaled together.
  static constexpr int64_t roundParts = 2;

  /// `tall`: for 17 to 32 rows, else for 1 to 16.
  TileKernel(KernelBuilder &builder, const MatmulSpec &spec, bool tall)
      : b(builder), tiles(builder), spec(spec), geometry(builder.isa, spec.gateUp), tall(tall) {}

  /// Emits the function `name` at the end of `module`: the arguments of a micro-kernel for the first panel (rows are never gathered, `index` is null),
  /// then the units of panels side by side (MatmulSpec::panelsPerUnit), the elements from a unit's results to the next one's, and the rows (i16).
  /// Setting up tiles takes as long as six steps of K and waits for all before: hence the loop over panels in here.
  mlir::func::FuncOp emit(mlir::ModuleOp module, llvm::StringRef name);

  /// Bytes of a row of x.
  static int64_t rowBytes(const MatmulSpec &spec) { return spec.k * spec.xElement.getIntOrFloatBitWidth() / 8; }
  /// Bytes from one copied row to the next: an odd number of cache lines, so that the rows of a tile are not in one set of the cache.
  static int64_t copiedStride(const MatmulSpec &spec) { return (rowBytes(spec) + 127) / 128 * 128 + 64; }
  /// Rows that are copied at once, a multiple of a kernel's; 0 where not even those have room.
  static int64_t copiedRows(const IsaVersion &isa, const MatmulSpec &spec) {
    const int64_t height = isa.matrixTiles.kernelRows();
    return mostCopied / copiedStride(spec) / height * height;
  }

private:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;
  /// Of the rows a tile has: how many, and where its first one is from the kernel's first.
  struct RowTile {
    TileOps::Shape rows, sums;
    int64_t first;
  };
  struct Block {
    Values scales, zeros;
  };

  void makeRowTiles(Value rows, int64_t depthBytes);
  Values products(llvm::StringRef product, Value x, Value weights, int64_t weightRows, mlir::ValueRange sums);
  Values zeros();
  void storeSums(mlir::ValueRange sums, Value place);
  KernelArguments ofPanel(const KernelArguments &first, Value panel);
  void prefetch(Value offset, int64_t bytes);
  void sumPairs(Value totals);
  void sumIntegers(Value totals);
  Block block(Value number);
  Value bytesOf(Value codes, Value place);
  std::pair<Value, Value> placeOfPart(Value number);
  void multiplyPart(Value number, Value sums);
  void scaleRows(Value first, int64_t count, Value sums, int64_t share, int64_t shares, Value totals);
  void clear(Value totals);
  void scaleTotals(const Block &block, Value totals);
  /// Without zero points of their own, codes lie around one that is the same for all. Taken away from them it need not be taken from each sum.
  bool hasSignedCodes() const { return !spec.blocks.getZero(); }
  bool isOneBlock() const { return spec.k == spec.blocks.rowBlockBytes(); }

  KernelBuilder &b;
  TileOps tiles;
  const MatmulSpec &spec;
  const TileGeometry geometry;
  const bool tall;
  KernelArguments arguments;
  Value rowCount;
  llvm::SmallVector<RowTile, 2> rowTiles;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_TILEKERNEL_H
