//===- FusedNode.h - com.microsoft.MoE and QMoE, read and checked ----*- C++ -*-===//
// Both nodes mean the same layer and differ in how its weights are stored. The reader checks all that the schema says, so that what builds
// the chain need not.
#ifndef MOE_LIB_RAISE_FUSEDNODE_H
#define MOE_LIB_RAISE_FUSEDNODE_H

#include "LayerBuilder.h"
#include "moe/IR/Quantization.h"

namespace moe::raise {

/// Domain of both nodes.
inline constexpr llvm::StringLiteral contribDomain = "com.microsoft";

/// One of fc1, fc2, fc3. Absent parts are null.
struct FusedProjection {
  llvm::StringRef name;
  mlir::Value weight, bias, scales, zeros;
  /// Null for MoE.
  QuantAttr quant;
  /// Type of the (dequantised) weight: [E, out, in], or [E, in, out] where the node's order is InOut.
  mlir::RankedTensorType type;
};

struct FusedNode {
  mlir::Value x, logits;
  /// Where given, the logits choose the experts and this matrix (T×E) has their weights.
  mlir::Value routerWeights;
  FusedProjection fc1, fc2, fc3;
  FfnAttr ffn;
  WeightOrder order = WeightOrder::OutIn;
  int64_t experts = 0, hidden = 0, inter = 0, k = 1;
  bool normalise = false, sparseMixer = false;
};

/// Reads one node; what does not fit the schema is an error at it.
class FusedReader {
public:
  FusedReader(OnnxOp op, bool quantized) : op(op), quantized(quantized) {}

  mlir::FailureOr<FusedNode> read();

private:
  mlir::InFlightDiagnostic error() { return emitError(op.getLoc()) << contribDomain << "." << op.getOpType() << ": "; }

  mlir::LogicalResult readAttributes();
  mlir::LogicalResult readFlag(llvm::StringRef name, bool &flag);
  mlir::LogicalResult readActivation();
  void warnIgnored(llvm::StringRef name, llvm::StringRef activationType);
  mlir::LogicalResult readInputs();
  mlir::LogicalResult checkInputs();
  mlir::LogicalResult checkStored(const FusedProjection &projection);
  mlir::LogicalResult checkGateForm();
  mlir::LogicalResult readLayout();
  mlir::LogicalResult readSizes();
  mlir::LogicalResult readFfn();
  mlir::LogicalResult checkBiases();
  mlir::LogicalResult checkBias(const FusedProjection &projection, int64_t columns);

  // FusedQuantized.cpp
  mlir::LogicalResult readQuantization();
  mlir::LogicalResult readQuantFormat(FusedProjection &projection, llvm::StringRef type);
  mlir::LogicalResult readQuantizedTypes();
  mlir::LogicalResult readQuantizedType(FusedProjection &projection, int64_t columns, int64_t depth);

  OnnxOp op;
  const bool quantized;
  FusedNode node;
  bool swiglu = false;
  int64_t fusion = 0;
  Activation activation = Activation::Relu;
};

} // namespace moe::raise

#endif // MOE_LIB_RAISE_FUSEDNODE_H
