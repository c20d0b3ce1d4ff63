//===- Layers.h - questions that several stages ask about an op ------*- C++ -*-===//
// Names of layers for messages, and which products the plan, fuse and lower stages speak of.
#ifndef MOE_IR_LAYERS_H
#define MOE_IR_LAYERS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "moe/IR/MoeDialect.h"

#include <optional>
#include <string>

namespace moe {

/// The name of the discardable attribute that holds the #moe.plan of an op of another dialect.
inline constexpr llvm::StringLiteral planAttrName = "moe.plan";

/// The name of the discardable attribute of a packed moe.weight whose experts are spread over devices, or of a moe.attention whose heads are: its #moe.sharding.
inline constexpr llvm::StringLiteral shardingAttrName = "moe.sharding";

/// The name of the discardable attribute of a function whose sequences are shared out: its #moe.batch_split.
inline constexpr llvm::StringLiteral batchSplitAttrName = "moe.batch_split";

/// Of a module: what the source model says of devices, as the planner's hints. A dictionary of `configurations` (name, devices, names) and `nodes` (node, configuration,
/// stage, specs: tensor, devices, groups, axes), as ONNX's protos have them.
inline constexpr llvm::StringLiteral deviceHintsAttrName = "moe.device_hints";

/// The name of the discardable attribute of a module (i64) that says how many memory nodes (NUMA) it is planned for; absent: one. And the most of them.
inline constexpr llvm::StringLiteral memoryNodesAttrName = "moe.memory_nodes";
inline constexpr int64_t mostMemoryNodes = 64;

/// The name that a user knows `op` by: that of its `origin`, else of its location (an ONNX node), else an empty string.
std::string layerName(mlir::Operation *op);

/// "op 'moe.experts' of layer 'x'" or "op 'moe.experts'" where no name is known; for messages about ops of one layer.
std::string describeOp(mlir::Operation *op);

/// The stored weight that `matmul` multiplies with if a kernel of ours can do the product: 2-D, f32 rows and results, and as right side a
/// `moe.weight_ref` of f32, f16 or bf16 or a `moe.dequant` of weights. Null otherwise.
mlir::Value storedWeightOf(mlir::linalg::MatmulOp matmul);

/// How the weight of `matmul` lies; nothing where its rows or its result are transposed or broadcast.
std::optional<WeightOrder> weightOrderOf(mlir::linalg::MatmulOp matmul);

/// The buffer below an init of `matmul` that holds only zeros: what was filled, or the constant itself (it is overwritten). Null otherwise.
mlir::Value zeroFilledInit(mlir::linalg::MatmulOp matmul);

/// May each of `devices` devices compute an equal range of the columns of `matmul`? Otherwise `why` gets the reason, a clause.
bool canShareColumns(mlir::linalg::MatmulOp matmul, int64_t devices, std::string &why);

/// May each of `devices` devices compute an equal range of the query heads of `op`, whatever number of ranks plays them? Otherwise `why` gets the reason, a clause.
bool canShareHeads(AttentionOp op, int64_t devices, std::string &why);

/// The rows of bf16 behind `rows`, where those are bf16 or hold the same numbers as f32 (a loop that only widens); null otherwise.
mlir::Value bfloat16Behind(mlir::Value rows);

/// Are `rows` such rows, maybe reshaped or moved by a `moe.dispatch`?
bool holdBfloat16(mlir::Value rows);

/// The inputs of `function` whose first dim is the number of its sequences: the first input with a dynamic first dim, and all that share its name
/// or must equal it (moe.require_equal). Empty where there is none.
llvm::SmallVector<mlir::BlockArgument> sequenceInputs(mlir::FunctionOpInterface function);

/// The mesh that `sharding`, of `op`, speaks of; null after an error where the module has none of that name, or one with other devices.
MeshOp meshOf(mlir::Operation *op, ShardingAttr sharding);

/// The ops around the experts of a ragged layer, and how many experts a token has.
struct RaggedLayer {
  DispatchOp dispatch;
  ExpertsOp experts;
  CombineOp combine;
  int64_t topK = 0;
};

/// The layer of `experts` if its rows may go to other devices and back: ragged rows of one moe.dispatch, standard experts, a moe.combine of the same
/// slots and no other reader. Otherwise nothing and the reason in `why`, a clause about the layer.
std::optional<RaggedLayer> shardableLayer(ExpertsOp experts, std::string &why);

} // namespace moe

#endif // MOE_IR_LAYERS_H
