// Weights of one register tile or some, decoded from panels of blocks (#moe.blocks) in registers: codes come from memory, f32 go into the
// multiply-adds. The scales and zero points of a block are loaded once for its group of k.
#ifndef MOE_CODEGEN_CPU_BLOCKDECODER_H
#define MOE_CODEGEN_CPU_BLOCKDECODER_H

#include "MatmulKernel.h"

namespace moe {

/// Loads vectors of f16 or bf16 at `pointer` and widens them; also of f32.
mlir::Value loadWidened(KernelBuilder &b, mlir::Type element, mlir::Value pointer);

class BlockDecoder {
public:
  /// `weight` is the first panel, `column` the first column of the first tile in it.
  BlockDecoder(KernelBuilder &builder, const MatmulSpec &spec, const TileGeometry &geometry, int64_t tiles, mlir::Value weight,
               mlir::Value column);

  /// What is the same for a whole block: where its codes are, and two vectors of scales and zero points for each tile.
  struct Block {
    llvm::SmallVector<mlir::Value> codes, scales, zeros;
    /// Of ternary blocks, whose scales are the lo.
    llvm::SmallVector<mlir::Value> highs;
  };
  /// Block number `number` of each panel.
  Block block(mlir::Value number);
  /// The weights of value `k` of the block, in the order [tile][vector].
  llvm::SmallVector<mlir::Value> weights(const Block &block, mlir::Value k);

private:
  // A vector of a panel: its first column, the byte of that column among 16 and which of the two halves of 16 it is in.
  struct Place {
    mlir::Value column, byte, half;
  };

  mlir::Value number(mlir::Value block, const Place &place, mlir::Value k);
  mlir::Value smallCode(mlir::Value codes, const Place &place, mlir::Value k);
  mlir::Value lookUp(mlir::Value index, llvm::ArrayRef<float> table);
  mlir::Value e4m3(mlir::Value bytes);
  mlir::Value ternary(mlir::Value codes, const Place &place, mlir::Value k, mlir::Value low, mlir::Value high);
  mlir::Value dictionaryTernary(mlir::Value codes, const Place &place, mlir::Value k, mlir::Value low, mlir::Value high);
  mlir::Value loadBytes(mlir::Value pointer) { return b.load(mlir::VectorType::get({b.lanes()}, b.getI8Type()), pointer); }
  mlir::Value extended(mlir::Value bytes, bool isSigned);
  mlir::Value shiftRight(mlir::Value vector, mlir::Value bits);

  KernelBuilder &b;
  const BlocksAttr blocks;
  llvm::SmallVector<mlir::Value> panels;
  llvm::SmallVector<Place> places;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_BLOCKDECODER_H
