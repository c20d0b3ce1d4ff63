//===- SpelledNodes.h - fused nodes read as the standard nodes they stand for -*- C++ -*-===//
// Quantisers and optimisers write one node for several: QLinearMul for two DequantizeLinear, a Mul and a QuantizeLinear; FusedGemm for a Gemm and its
// activation. Import spells them out, so that every later pass knows one form only, and stored weights stay as they lie. ONNX's own ops that have no
// kernel here, such as pools and Resize, are spelled out too. Source: the schemas of ONNX Runtime 1.31.1 (get_all_operator_schema) and of ONNX 1.23.
#ifndef MOE_LIB_IMPORT_SPELLEDNODES_H
#define MOE_LIB_IMPORT_SPELLEDNODES_H

#include "moe/IR/OnnxInference.h"

#include "mlir/IR/Builders.h"

namespace moe {

/// A node of the file whose operands were built: moe.absent for inputs it does not have.
struct FusedNodeView {
  llvm::StringRef domain, opType;
  mlir::Location loc;
  llvm::ArrayRef<mlir::Value> operands;
  mlir::DictionaryAttr attributes;
  /// Which outputs the node names.
  llvm::ArrayRef<bool> wanted;
  int64_t version = 1;
};

/// Is a node of this type spelled out?
bool isSpelledOut(llvm::StringRef domain, llvm::StringRef opType);

/// Builds the standard nodes at the builder's place; gives one value per output, null where it is not wanted. Errors were reported at the node.
mlir::FailureOr<llvm::SmallVector<mlir::Value>> spellOut(const FusedNodeView &node, mlir::OpBuilder &builder, OnnxInference &inference);

} // namespace moe

#endif // MOE_LIB_IMPORT_SPELLEDNODES_H
