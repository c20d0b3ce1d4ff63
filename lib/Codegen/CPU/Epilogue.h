// What a micro-kernel does with its sums before they become results: bias, activation or gate, weighting, store or add.
#ifndef MOE_CODEGEN_CPU_EPILOGUE_H
#define MOE_CODEGEN_CPU_EPILOGUE_H

#include "KernelBuilder.h"
#include "MatmulKernel.h"
#include "moe/IR/ActivationMath.h"

namespace moe {

class Epilogue {
public:
  Epilogue(KernelBuilder &builder, const MatmulSpec &spec, const TileGeometry &geometry, const KernelArguments &arguments,
           int64_t rows, int64_t tiles)
      : b(builder), math(builder), spec(spec), geometry(geometry), arguments(arguments), rows(rows), tiles(tiles) {}

  /// `sums` in the order [row][tile][vector].
  void emit(llvm::ArrayRef<mlir::Value> sums);
  /// The same for sums of f32 in memory, one row after the other, and a number of rows (i64) that is known at run time.
  void emitStored(mlir::Value stored, mlir::Value count);

private:
  // One vector of result columns: its first column (from the tile's) and, in a tail, its mask (null: all lanes).
  struct Columns {
    int64_t first;
    mlir::Value mask;
  };
  // The pair of bias vectors of a tile (null: none).
  using Pair = std::pair<mlir::Value, mlir::Value>;

  bool isLong() const;
  mlir::Value spill(llvm::ArrayRef<mlir::Value> sums);
  void withMasks(llvm::function_ref<void(bool masked)> emit);
  void emitRows(llvm::ArrayRef<mlir::Value> sums, bool masked);
  void emitStoredRows(mlir::Value stored, mlir::Value count, bool masked);
  void emitRow(mlir::Value row, llvm::ArrayRef<mlir::Value> sums, llvm::ArrayRef<Pair> bias, llvm::ArrayRef<Columns> columns);
  llvm::SmallVector<Columns> resultColumns(bool masked);
  Pair loadBias(int64_t tile, bool masked);
  mlir::Value loadColumns(mlir::Value pointer, int64_t first, mlir::Value mask);
  mlir::Value finish(mlir::Value sum, mlir::Value bias);
  mlir::Value finishGated(Pair sums, Pair bias);
  void write(mlir::Value value, mlir::Value outRow, mlir::Value weight, const Columns &columns);

  KernelBuilder &b;
  ActivationMath<KernelBuilder> math;
  const MatmulSpec &spec;
  const TileGeometry &geometry;
  const KernelArguments &arguments;
  const int64_t rows, tiles;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_EPILOGUE_H
