// Kernels of moe.grouped_matmul. Two families: tensor cores (mma.sync, cp.async) for rows of 16 bits and weights of the same type or of codes, and f32 multiply-adds for
// everything else. In both a block has a tile of rows of one expert: block x finds its expert from the offsets, and those beyond the last
// tile end at once, so that the grid depends on the number of slots alone.
#ifndef MOE_CODEGEN_CUDA_PRODUCTKERNELS_H
#define MOE_CODEGEN_CUDA_PRODUCTKERNELS_H

#include "GpuBuilder.h"
#include "KernelTable.h"
#include "ProductSpec.h"
#include "moe/IR/ActivationMath.h"

namespace moe {

/// Threads that a wgmma is of.
constexpr int64_t groupThreads = 128;

/// Which instruction a tile multiplies with: mma.sync; mma.sync with weights as the 16 rows of a matrix product and rows of x as its 8 columns; wgmma, for which a warp
/// has all columns of 16 rows.
enum class TileKind { Plain, Swapped, Group };

/// Tile of the tensor core kernel; `columns` counts rows of weights, half of them gates where there are any.
struct MmaTile {
  int64_t rows, columns, warpsDown, warpsAcross, stages;
  TileKind kind = TileKind::Plain;

  bool isSwapped() const { return kind == TileKind::Swapped; }
  bool isGroup() const { return kind == TileKind::Group; }
  /// Threads that multiply. Of wgmma's tiles four warps more copy, and nothing else.
  int64_t workers() const { return warpsDown * warpsAcross * warpSize; }
  int64_t threads() const { return workers() + (isGroup() ? groupThreads : 0); }
  int64_t warpRows() const { return rows / warpsDown; }
  int64_t warpColumns() const { return columns / warpsAcross; }
};

/// A tile, and the greatest number of slots that it is for.
struct TileRange {
  const MmaTile *tile;
  int64_t mostSlots;
};

class ProductKernels {
public:
  ProductKernels(KernelTable &table, mlir::Location loc) : table(table), b(loc, table.host.getContext()), math(b) {}

  /// Rows of the tile for packed weights and few rows of an expert.
  static constexpr int64_t panelTileRows = 8;

  /// Replaces `op` by launches; an error names what no kernel takes.
  llvm::LogicalResult replace(GroupedMatmulOp op);

private:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  /// The arguments of every product kernel; those that the spec does not have are null. Kernels of wgmma have the tensor maps of weights besides.
  struct Arguments {
    Value x, rows, offsets, weight, up, bias, upBias, out, slots;
    llvm::SmallVector<Value> maps;
    explicit Arguments(ValueRange a)
        : x(a[0]), rows(a[1]), offsets(a[2]), weight(a[3]), up(a[4]), bias(a[5]), upBias(a[6]), out(a[7]), slots(a[8]), maps(a.drop_front(9)) {}
  };
  /// A block's part: rows [first, end) of an expert, at most those of a tile.
  struct Tile {
    Value expert, first, end;
  };

  /// The tensor core tiles of this product by the number of slots, on GPUs with wgmma or without; of those that tests ask for an error where there is no such one.
  llvm::FailureOr<llvm::SmallVector<TileRange>> tilesOf(GroupedMatmulOp op, bool hasGroups);
  llvm::LogicalResult launchTensorCores(mlir::OpBuilder &host, GroupedMatmulOp op, Value slots, ValueRange arguments);
  /// Launches `kernel` where there are at most so many slots; what follows at `host` is for more.
  void launchUpTo(mlir::OpBuilder &host, mlir::Location loc, int64_t mostSlots, const KernelEntry &kernel, int64_t rows, int64_t columns, Value slots,
                  ValueRange arguments);
  /// Launches the tile that the number of slots takes.
  void launchRanges(mlir::OpBuilder &host, mlir::Location loc, llvm::ArrayRef<TileRange> ranges, Value slots, ValueRange arguments);
  KernelEntry tensorCoreKernel(const MmaTile &tile) { return spec.isPacked() ? panelMmaKernel(tile) : mmaKernel(tile); }
  KernelEntry kernel(llvm::StringRef kind, int64_t threads, int64_t sharedBytes, llvm::function_ref<void(Arguments &)> body, bool isGroup = false);
  void launchTiles(mlir::OpBuilder &host, mlir::Location loc, const KernelEntry &kernel, int64_t rows, int64_t columns, Value slots,
                   ValueRange arguments);
  /// Runs `body` on the tile of this block, if there is one.
  void withTile(Arguments &a, int64_t rows, llvm::function_ref<void(Tile &)> body);
  /// The row of x behind slot `slot`, whose place in `rows` is read only where `isInside`.
  Value sourceRow(Arguments &a, Tile &tile, Value slot, Value isInside);
  /// Row of the stored weight (or element of the stored bias) for a column of the result, part 0 (gate, or all) or 1 (up).
  Value storedColumn(Value column, Value part);
  Value storedColumn(Value column, int64_t part) { return storedColumn(column, b.i32(part)); }
  /// Sum plus bias, then the activation; `up` is null where the product is not gated. `column` is inside.
  Value finish(Arguments &a, Tile &tile, Value sum, Value up, Value column);
  Value biasOf(Arguments &a, Tile &tile, Value column, int64_t part);

  // f32 multiply-adds (FloatProduct.cpp).
  struct FloatState;
  KernelEntry floatKernel();
  void emitFloat(Arguments &a);
  void loadFloatRows(FloatState &s, Value k0);
  void loadFloatWeights(FloatState &s, Value k0);
  void storeFloat(FloatState &s, ValueRange sums);

  // Packed weights, few rows (PanelProduct.cpp).
  struct PanelState;
  KernelEntry panelKernel();
  void emitPanel(Arguments &a);
  void loadPanelRows(PanelState &s, Value k0);
  llvm::SmallVector<Value> multiplyPanel(PanelState &s, Value k0, ValueRange sums);
  void storePanel(PanelState &s, ValueRange sums);

  // Tensor cores (MmaProduct.cpp, MmaEpilogue.cpp).
  struct MmaState;
  KernelEntry mmaKernel(const MmaTile &shape);
  llvm::SmallVector<Value> multiplyRounds(MmaState &s);
  /// All threads that multiply meet.
  void meet(MmaState &s);
  int64_t mmaSharedBytes(const MmaTile &shape) const;
  void emitMma(Arguments &a, const MmaTile &shape);
  void prepareRows(MmaState &s);
  void prepareWeights(MmaState &s);
  void prepareLines(MmaState &s);
  void loadLines(MmaState &s, Value k, Value stage);
  llvm::SmallVector<llvm::SmallVector<Value>> loadColumns(MmaState &s, Value stageBase, int64_t step);
  void copyChunks(MmaState &s, Value k, Value place, llvm::ArrayRef<Value> sources, llvm::ArrayRef<Value> present);
  void loadStage(MmaState &s, Value k, Value stage);
  llvm::SmallVector<llvm::SmallVector<Value>> loadRows(MmaState &s, Value stageBase, int64_t step);
  llvm::SmallVector<Value> multiplyStage(MmaState &s, Value stage, ValueRange sums);
  llvm::SmallVector<Value> loadFragments(Value address, bool turned = false);
  llvm::SmallVector<Value> multiply(llvm::ArrayRef<Value> rows, llvm::ArrayRef<Value> columns, ValueRange sums);
  void storeMma(MmaState &s, ValueRange sums);
  void stageSums(MmaState &s, ValueRange sums);
  void stagePair(MmaState &s, Value row, int64_t fragment, Value column, ValueRange pair, ValueRange up);
  void copyStaged(MmaState &s);

  // Swapped operands, few rows (SwappedProduct.cpp).
  llvm::SmallVector<Value> loadSwappedRows(MmaState &s, Value stageBase, int64_t step);
  llvm::SmallVector<Value> multiplySwappedStage(MmaState &s, Value stage, ValueRange sums);
  llvm::SmallVector<Value> loadSwappedWeights(MmaState &s, Value stageBase, int64_t step, int64_t fragment);
  void stageSwappedSums(MmaState &s, ValueRange sums);

  // wgmma, sm_90a (WarpgroupProduct.cpp).
  struct GroupState;
  KernelEntry groupKernel(const MmaTile &shape);
  void emitGroup(Arguments &a, const MmaTile &shape);
  void produceStages(GroupState &s);
  void copyWeights(GroupState &s, Value round, Value stage);
  void consumeStages(GroupState &s);
  Value multiplyGroupStage(GroupState &s, Value stage, Value sums);
  Value descriptorOf(Value address, int64_t betweenParts);
  /// On the host, tensor maps of the weights for boxes of a tile with `columns` rows of weights.
  llvm::SmallVector<Value> weightMaps(mlir::OpBuilder &host, mlir::Location loc, int64_t columns, ValueRange arguments);
  // Packed weights on tensor cores (PanelMma.cpp).
  struct PanelMmaState;
  KernelEntry panelMmaKernel(const MmaTile &shape);
  void emitPanelMma(Arguments &a, const MmaTile &shape);
  void preparePanels(PanelMmaState &s);
  void loadPanelStage(PanelMmaState &s, Value round, Value stage);
  llvm::SmallVector<Value> multiplyGroups(PanelMmaState &s);
  llvm::SmallVector<Value> multiplyLines(PanelMmaState &s, Value stage, Value block, int64_t first, llvm::SmallVector<Value> sums);
  llvm::SmallVector<Value> scaled(PanelMmaState &s, Value block, llvm::ArrayRef<Value> ofGroup, llvm::ArrayRef<Value> sums);
  void storePanelMma(PanelMmaState &s, ValueRange sums);
  void stageNeighbours(PanelMmaState &s, Value row, Value column, llvm::ArrayRef<Value> sums, llvm::ArrayRef<Value> ups);

  KernelTable &table;
  GpuBuilder b;
  ActivationMath<GpuBuilder> math;
  ProductSpec spec;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_PRODUCTKERNELS_H
