// Replaces one moe.grouped_matmul by the call of a driver: the loops over experts, panels and row passes around the micro-kernels,
// with the split by thread. The driver is a function on pointers, shared by equal products.
#ifndef MOE_CODEGEN_CPU_MATMULEMITTER_H
#define MOE_CODEGEN_CPU_MATMULEMITTER_H

#include "KernelModule.h"
#include "MatmulKernel.h"
#include "PairProduct.h"
#include "TileKernel.h"

namespace moe {

/// Arguments of a driver, in this order; absent pointers are null.
struct DriverArguments {
  mlir::Value x, rows, offsets, weight, codebook, bias, upBias, combineRows, combineWeights, out;
  /// Row distances of x and out in elements; rows of x (a product without offsets) and of out; this thread and all.
  mlir::Value xStride, outStride, rowCount, outRows, thread, threads;

  static constexpr int pointers = 10, integers = 6;
  llvm::SmallVector<mlir::Value> list() const {
    return {x,           rows, offsets, weight,    codebook, bias,    upBias, combineRows,
            combineWeights, out,  xStride, outStride, rowCount, outRows, thread, threads};
  }
  static DriverArguments fromList(mlir::ValueRange v) {
    return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15]};
  }
};

class MatmulEmitter {
public:
  MatmulEmitter(KernelModule &kernels, mlir::Location loc)
      : kernels(kernels), b(loc, kernels.module.getContext(), kernels.isa), narrow(kernels.isa.withLanes(panelColumns / 4)) {}

  /// Replaces `op`; an error where the op is not what the kernels take.
  llvm::LogicalResult replace(GroupedMatmulOp op);

private:
  // The slots of one expert, cut into blocks of rows; a unit of work is one block of one panel, panels outermost.
  struct Expert {
    mlir::Value number, firstSlot, rows, blocks, blockRows;
  };
  // A run of units of one expert.
  struct Units {
    mlir::Value from, to;
  };
  // Of the units of each expert those of this thread's memory node, as parts of all (units · first / nodes on, units · (first + 1) / nodes off), and the
  // place of the thread among those of the node.
  struct Share {
    mlir::Value node, nodes, thread, threads;
  };
  // The passes over the rows of a panel: which one it is, and how many.
  struct Pass {
    mlir::Value number, count;
  };
  // A place in the work: expert, panel and tile in the panel.
  struct Place {
    mlir::Value expert, panel;
    mlir::Value tile;
  };

  // Where the results of a unit stay until they become int8: rows of 32 f32, from some slot and column of the result on.
  struct Scratch {
    mlir::Value rows, firstSlot, firstColumn;
  };

  mlir::func::FuncOp driver();
  void emitDriver(mlir::func::FuncOp function);
  Expert expert(mlir::Value number);
  mlir::Value unitCost(const Expert &expert);
  Share ownShare();
  void splitUnits();
  void splitColumns();
  bool splitsHalves() const;
  void emitHalf(const Expert &expert, mlir::Value half);
  void zeroColumns(mlir::Value first, mlir::Value end);
  void emitUnits(const Expert &expert, Units units);
  void emitQuantizedUnits(const Expert &expert, Units units);
  void emitQuantizedPasses(const Expert &expert, Units units);
  /// Rows up to which kernels take several tiles side by side.
  int64_t fewRows() const;
  void quantizeScratch(mlir::Value part, mlir::Value count);
  int64_t tilesFor(int64_t rows) const;
  int64_t passRows() const { return passRows(b.isa); }
  int64_t passRows(const IsaVersion &isa) const;
  static bool widensPairs(const MatmulSpec &spec, const IsaVersion &isa) { return spec.pairs && !hasPairProduct(isa); }
  int64_t panelsPerCall() const;
  void decodePanels(Place place, int64_t count);
  void emitFewRows(const Expert &expert, Units units, int64_t rows);
  void emitRowPasses(Place place, mlir::Value firstSlot, mlir::Value rows) { emitRowPasses(b.isa, place, firstSlot, rows); }
  void emitRowPasses(const IsaVersion &isa, Place place, mlir::Value firstSlot, mlir::Value rows);
  KernelArguments kernelArguments(Place place, Pass pass, mlir::Value slot) { return kernelArguments(b.isa, place, pass, slot); }
  KernelArguments kernelArguments(const IsaVersion &isa, Place place, Pass pass, mlir::Value slot);
  void callKernel(const IsaVersion &isa, int64_t rows, int64_t tiles, Place place, Pass pass, mlir::Value slot);

  // Matrix tiles (MatmulTiles.cpp).
  // Some rows of an expert times some units of panels: where the first panel is, the first slot and its row among the copied ones, how many rows and units;
  // bytes from the weights to those that are asked for, and how many of TileKernel::aheadParts.
  struct TilePass {
    Place place;
    mlir::Value slot, row, rows, units, ahead, aheadParts;
  };
  void makeTileRoom();
  int64_t scratchRows() const;
  int64_t tileScratchRows() const;
  void emitTilePasses(const Expert &expert, mlir::Value unit, mlir::Value units, mlir::Value slot, mlir::Value rows);
  void unlessTiled(const Expert &expert, Units units, llvm::function_ref<void()> otherwise);
  void emitTileUnits(const Expert &expert, Units units);
  void emitTileRows(const Expert &expert, mlir::Value firstUnit, mlir::Value units, mlir::Value firstRow, mlir::Value endRow);
  void copyRows(mlir::Value slot, mlir::Value rows);
  void callTileKernel(const TilePass &pass);
  mlir::func::FuncOp kernel(const IsaVersion &isa, int64_t rows, int64_t tiles);

  KernelModule &kernels;
  KernelBuilder b;
  /// For half a panel: vectors of 8 f32 at most.
  const IsaVersion narrow;
  MatmulSpec spec;
  /// Memory nodes that the model is planned for (memoryNodesAttrName).
  int64_t memoryNodes = 1;
  DriverArguments arguments;
  // Panels taken out of the dictionary; null without one.
  mlir::Value decoded;
  // Null where results go straight to memory.
  Scratch scratch;
  // Rows of x for tiles, side by side; null where they are read where they are.
  mlir::Value copied;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_MATMULEMITTER_H
