//===- LayerBuilder.h - emits the moe chain of one layer --------*- C++ -*-===//
// All export forms end as the same ops (docs/Stages.md, raise). The recognisers fill in what they found; this file writes it down.
#ifndef MOE_LIB_RAISE_LAYERBUILDER_H
#define MOE_LIB_RAISE_LAYERBUILDER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSet.h"

#include <string>

namespace moe::raise {

/// The four tensors of an assignment list, each of length N = T·K.
struct Assignments {
  mlir::Value token, expert, rank, valid;
};

/// What a router computes: all that a moe.router says, and what only moe.score, moe.select and moe.weigh can.
struct Routing {
  ScoreFunction function = ScoreFunction::Identity;
  ChoiceBasis basis = ChoiceBasis::Scores;
  /// f32[E], added to the choice only; null for none.
  mlir::Value bias;
  int64_t k = 1;
  /// Null where all experts may be chosen.
  GroupsAttr groups;
  /// Given: the sparse mixer chooses (and `source` says so too).
  std::optional<double> jitter;
  WeightSource source = WeightSource::Gather;
  WeightNorm norm = WeightNorm::None;
  /// Of norm lp.
  double p = 1.0;
  EpsilonMode epsilonMode = EpsilonMode::None;
  double epsilon = 0.0;
  double scale = 1.0;

  static Routing of(RouterAttr router);
};

/// Weights of all experts and what is computed between the two projections. Absent parts are null.
struct ExpertWeights {
  mlir::Value gate, gateBias, up, upBias, down, downBias;
  FfnAttr ffn;
  WeightOrder order = WeightOrder::OutIn;
  /// Of `down`, where it is another.
  std::optional<WeightOrder> downOrder = {};
  /// Of #moe.steps; null where no rows are rounded.
  mlir::ArrayAttr steps = {};
};

/// `down_order` of a moe.experts with these weights: null where it is that of all.
WeightOrderAttr orderOfDown(mlir::OpBuilder &builder, const ExpertWeights &weights);

/// The one result, of type `result`, of a new ONNX node.
mlir::Value makeNode(mlir::OpBuilder &builder, mlir::Location loc, llvm::StringRef type, int64_t version, mlir::ValueRange inputs,
                     mlir::RankedTensorType result, llvm::ArrayRef<mlir::NamedAttribute> attributes = {});
/// A constant vector of i64.
mlir::Value makeInts(mlir::OpBuilder &builder, mlir::Location loc, llvm::ArrayRef<int64_t> numbers);

/// Writes chains into one module: names of layers stay unique, constants among the weights become `moe.weight` symbols once.
class LayerBuilder {
public:
  explicit LayerBuilder(mlir::ModuleOp module);

  /// A name for a layer whose experts read `weights`: the longest common path of the weights' names ("model.layers.0.mlp.experts");
  /// else the path of the weight of the router, found above `routing` (indices or logits); else "moe_layer_<n>". Unique.
  std::string nameLayer(llvm::ArrayRef<mlir::Value> weights, mlir::Value routing);
  /// `wanted`, made unique among the layers of the module.
  std::string uniqueName(llvm::StringRef wanted);

  /// `value` as [rows, columns]: itself if it is that, else an ONNX Reshape.
  mlir::Value asMatrix(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, int64_t columns);
  /// An ONNX Reshape of `value` to `shape`, of type `type`.
  static mlir::Value reshape(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, llvm::ArrayRef<int64_t> shape,
                             mlir::RankedTensorType type);
  /// `value` as f32 vector of its elements in row-major order.
  mlir::Value asF32Vector(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value);
  /// `value` in f32, f16 or bf16: itself or an ONNX Cast.
  static mlir::Value castTo(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type element);
  /// `value` in f32: itself or an ONNX Cast.
  mlir::Value asF32(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value);

  /// score, select and weigh on f32 `logits` (T×E) as `routing` says. `weights` gets the f32[N].
  static Assignments route(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value logits, const Routing &routing, mlir::Value &weights);
  /// What moe.select chose by, for each choice: f32[N]. `list` is what `route` returned.
  static mlir::Value chosenValues(mlir::OpBuilder &builder, mlir::Location loc, Assignments list);
  /// moe.assign on `indices` (T×K).
  static Assignments assign(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value indices);

  /// slots, dispatch, experts, combine. `x` is T×H, `weights` f32[N]; the result has `resultType` (T×H).
  mlir::Value experts(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x, Assignments assignments, mlir::Value weights,
                      ExpertWeights expertWeights, OriginAttr origin, mlir::RankedTensorType resultType);

  /// One weight of the stored `parts`, in order along a new first dim: [parts, dims…]. Each part has as many elements as `dims` say. No bytes are read:
  /// the weight lists the parts' sources. Parts that are all moe.dequant of one format give a moe.dequant of their stacked operands.
  mlir::Value stackWeights(mlir::OpBuilder &builder, llvm::ArrayRef<mlir::Value> parts, llvm::ArrayRef<int64_t> dims, llvm::StringRef name);

  /// The stored tensor `value` with another shape of as many elements; null for null.
  mlir::Value storedAs(mlir::OpBuilder &builder, mlir::Value value, llvm::ArrayRef<int64_t> shape);

  /// `value` as a stored weight: a constant becomes a moe.weight called `name`, anything else stays.
  mlir::Value storedWeight(mlir::OpBuilder &builder, mlir::Value value, llvm::StringRef name);

private:
  mlir::Value stackQuantized(mlir::OpBuilder &builder, llvm::ArrayRef<mlir::Value> parts, llvm::StringRef name);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  llvm::StringSet<> names;
  llvm::DenseMap<mlir::Attribute, mlir::StringAttr> promoted;
  unsigned unnamed = 0;
};

} // namespace moe::raise

#endif // MOE_LIB_RAISE_LAYERBUILDER_H
