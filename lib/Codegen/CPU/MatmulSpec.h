// What of a moe.grouped_matmul its code depends on: read once from the op, checked, then the key under which kernels are shared.
// Needs the op on memrefs, as lower leaves it.
#ifndef MOE_CODEGEN_CPU_MATMULSPEC_H
#define MOE_CODEGEN_CPU_MATMULSPEC_H

#include "moe/IR/MoeDialect.h"

#include <string>

namespace moe {

/// How the bias of a tile's columns lies in memory.
enum class BiasForm {
  None,
  /// One vector; for gated products gate and up have a tensor each (either may be absent).
  Plain,
  /// Gate and up bias are the halves of a row.
  Halves,
  /// Gate bias at even, up bias at odd places.
  Interleaved
};

struct MatmulSpec {
  int64_t experts = 1;
  /// Panels of 32 packed columns per expert, and the length of a row of x.
  int64_t panels = 0, k = 0;
  /// Columns of the result.
  int64_t columns = 0;
  /// The panels hold 16 gate and 16 up columns; the result has one column per pair.
  bool gateUp = false;
  /// Rows of x come from an index list.
  bool gather = false;
  /// Slots of an expert come from `offsets`; else one expert has all rows.
  bool ragged = false;
  /// Results are weighted and added to the row of their token.
  bool combine = false;
  BiasForm bias = BiasForm::None;
  /// For gated products with BiasForm::Plain: which of the two are there.
  bool hasGateBias = false, hasUpBias = false;
  /// With BiasForm::Halves and Interleaved: the up bias is the first half, or on the even columns.
  bool upBiasFirst = false;
  /// Null: no activation.
  FfnAttr ffn;
  /// Element of the panels: f32, f16 or bf16; bytes where there are blocks.
  mlir::Type weightElement;
  /// Null: the panels hold floats.
  BlocksAttr blocks;
  /// The result is rows of int8 for these blocks; null: floats.
  BlocksAttr outBlocks;
  /// Rows of x are bf16, and so are the panels, in pairs of k.
  bool pairs = false;
  /// Elements of x (f32 or bf16; i8 where the blocks have quads, of which k counts the bytes of a row then) and of the
  /// result (f32 or bf16; f32 where it becomes int8 later).
  mlir::Type xElement, outElement;

  /// Values of k whose products are summed before the sum joins the total. A fixed number: bits do not depend on the machine.
  static constexpr int64_t sectionLength = 128;
  bool hasSections() const { return k > sectionLength; }
  bool multipliesIntegers() const { return blocks && blocks.getQuads(); }
  /// The panels are strings of a dictionary, which are decoded before a kernel reads them.
  bool hasDictionary() const { return blocks && blocks.getDictionary(); }
  /// Bytes of one panel as a kernel reads it.
  int64_t panelBytes() const;
  /// What one column of a panel without blocks holds for one step along k: an element, or a pair of them as an i32.
  mlir::Type laneType() const;
  /// Short name of the precision that rows are read in, for names of functions.
  llvm::StringRef precision() const { return multipliesIntegers() ? "int8" : pairs ? "bf16" : "f32"; }
  /// Columns of the result that one panel makes.
  int64_t panelResultColumns() const { return gateUp ? 16 : 32; }
  /// Panels that are never split among threads: a part of a row of int8 has one scale, for columns of all of them.
  int64_t panelsPerUnit() const { return outBlocks ? BlocksAttr::partDepth / panelResultColumns() : 1; }
  /// True if the last panel is not full.
  bool hasTail() const { return columns % panelResultColumns() != 0; }
  /// f32 from one expert's bias to the next.
  int64_t biasStride() const { return bias == BiasForm::Halves || bias == BiasForm::Interleaved ? 2 * columns : columns; }
  /// Equal for products that may share micro-kernels.
  std::string kernelKey() const;
  /// Equal for products that may share all their code.
  std::string driverKey() const;

  /// Reads and checks `op`; an error names the operand, what was expected and what was found.
  static llvm::FailureOr<MatmulSpec> read(GroupedMatmulOp op);
};

/// Checks that `value` is a memref of `element` (null: any integer of 32 or 64 bits) and of a rank in `ranks`, dense in its last
/// dim and, with `contiguous`, row-major without gaps. Emits an error on `op` that calls it `name`.
llvm::LogicalResult checkKernelMemRef(mlir::Operation *op, llvm::StringRef name, mlir::Value value, mlir::Type element,
                                      llvm::ArrayRef<int64_t> ranks, bool contiguous);

} // namespace moe

#endif // MOE_CODEGEN_CPU_MATMULSPEC_H
