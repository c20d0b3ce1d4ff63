// What the kernels of a product depend on, read off a moe.grouped_matmul on memrefs: weights are plain, or packed in panels where they are quantised.
#ifndef MOE_CODEGEN_CUDA_PRODUCTSPEC_H
#define MOE_CODEGEN_CUDA_PRODUCTSPEC_H

#include "moe/IR/MoeDialect.h"

namespace moe {

/// k of a stage of the tensor core kernels' pipelines.
constexpr int64_t stageDepth = 64;

struct ProductSpec {
  /// Experts (1 for a dense product), columns of x, columns of one stored weight, columns of the result.
  int64_t experts = 1, depth = 0, stored = 0, columns = 0;
  /// Columns of a panel, and panels of an expert; 0 for a plain weight. `blocks` is null where panels are of floats.
  static constexpr int64_t panelColumns = 32;
  int64_t panels = 0;
  BlocksAttr blocks;
  bool hasOffsets = false, hasRows = false, hasBias = false, hasUpBias = false;
  WeightOrder order = WeightOrder::OutIn;
  GateLayout gate = GateLayout::None;
  /// Null: no activation.
  FfnAttr ffn;
  mlir::Type x, weight, bias, upBias, out;

  /// Reads and checks `op`; an error names the operand, what was expected and what was found.
  static llvm::FailureOr<ProductSpec> read(GroupedMatmulOp op);

  bool isGated() const { return gate != GateLayout::None; }
  bool isPacked() const { return panels != 0; }
  bool isInOut() const { return order == WeightOrder::InOut; }
  /// Tensor cores take rows and weights of one 16-bit type, whole chunks of 16 bytes along K and along the result's rows. In-out weights are copied in
  /// chunks of eight columns, which must be neighbours in the file.
  bool fitsTensorCores() const {
    return (x.isF16() || x.isBF16()) && x == weight && !isPacked() && depth % 8 == 0 && columns % 8 == 0 &&
           (!isInOut() || (!isInPairs(gate) && stored % 8 == 0));
  }
  /// Tensor maps of the weights: one for each tensor.
  int64_t mapCount() const { return gate == GateLayout::Separate ? 2 : 1; }
  /// And they take rows of such a type by quantised panels whose codes it holds (PanelCodes.h).
  bool fitsPanelTensorCores() const;
  void readPanels(GroupedMatmulOp op, BlocksAttr packed);
  /// All of it as text.
  std::string key() const;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_PRODUCTSPEC_H
