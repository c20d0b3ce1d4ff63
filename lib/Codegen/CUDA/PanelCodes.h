// Takes the codes of quantised panels (#moe.blocks) apart for mma.sync: from bytes in shared memory to pairs of 16-bit floats, the numbers of the codes less
// their zero points, without the scale. They are exact; the scale is multiplied with sums of a group in f32. A lane of a matrix product needs two
// neighbours along k of one column in a register, for each of four fragments of eight columns. Which columns those are is ours to choose: fragment j has at its
// place n the column 2n + j mod 2 + 16·(j / 2) of the panel, so that a lane's bytes are neighbours, and a gate and its up are fragments j and j + 2.
#ifndef MOE_CODEGEN_CUDA_PANELCODES_H
#define MOE_CODEGEN_CUDA_PANELCODES_H

#include "GpuBuilder.h"
#include "ProductSpec.h"

namespace moe {

class PanelCodes {
public:
  using Value = mlir::Value;
  using Type = mlir::Type;

  /// Fragments of a panel.
  static constexpr int64_t fragments = 4;

  /// `element` is f16 or bf16.
  PanelCodes(GpuBuilder &b, BlocksAttr blocks, Type element) : b(b), blocks(blocks), element(element) {}

  /// Codes less zero points are numbers of 16-bit floats.
  static bool areExact(BlocksAttr blocks);
  /// Groups of `group` of `depth` k are whole steps of a matrix product; a stage of the pipeline has whole ones, or one of them whole stages.
  static bool areWhole(int64_t group, int64_t depth) { return group % 16 == 0 && (group % stageDepth == 0 || stageDepth % group == 0 || group >= depth); }
  /// Bytes of one k, of two of which the codes of 2 bits share theirs.
  static int64_t lineBytes(BlocksAttr blocks) { return 4 * blocks.bits(); }

  /// What `pairs` subtracts, for each fragment: zero points behind `zeros` (shared memory), those of place `place` (i32) of the fragments. Empty where the format has none.
  llvm::SmallVector<Value> offsets(Value zeros, Value place);
  /// Numbers of two neighbouring k, an i32 for each fragment. `codes` (shared memory): the line of the first, which is even, plus twice the lane's place.
  llvm::SmallVector<Value> pairs(Value codes, mlir::ArrayRef<Value> offsets);

private:
  Value word(Value address);
  Value both(Value low, Value high);
  Value number(Value codes, Value offset);
  Value integer(Value codes, Value offset);
  Value wideInteger(Value codes, Value offset);
  Value smallFloat(Value codes);
  Value offsetOf(Value zero);
  Value asVector(Value bits);
  Value asBits(Value vector);
  Value shifted(Value value, int64_t bits);
  Value masked(Value value, int64_t mask) { return b.bitAnd(value, b.i32(mask * 0x00010001)); }
  bool isHalf() const { return element.isF16(); }
  /// Codes of int8 are signed where they have no zero point of their own.
  bool isSigned() const { return blocks.getCode() == PanelCode::Int8 && !blocks.getZero(); }
  /// Integers of these have too many bits for a number whose last bit is 1: they take the way through f32.
  bool isWide() const { return blocks.getCode() == PanelCode::Int8 && !isHalf(); }

  GpuBuilder &b;
  BlocksAttr blocks;
  Type element;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_PANELCODES_H
