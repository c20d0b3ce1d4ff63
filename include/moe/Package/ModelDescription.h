//===- ModelDescription.h - what an artifact says about its model -*- C++ -*-===//
// Plain data, collected from the IR once and written three times: as moe_model_info, as manifest.json and as the comment in model.h.
#ifndef MOE_PACKAGE_MODELDESCRIPTION_H
#define MOE_PACKAGE_MODELDESCRIPTION_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"
#include "moe/Machine/ModelInfo.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// An MoE layer of the source model. A number is 0 and a string empty where the graph does not say it.
struct MoeLayerInfo {
  std::string name;         ///< As the graph names it.
  std::string form;         ///< How the exporter wrote it: "batched", "unrolled", ... "mlir" if written by hand.
  int64_t experts = 0;      ///< E.
  int64_t topK = 0;         ///< Experts per token.
  int64_t hidden = 0;       ///< H, the length of a token's row.
  int64_t intermediate = 0; ///< I, between the two projections.
  std::string activation;   ///< "silu"; "custom" if the experts are given as a region.
  bool gated = false;       ///< True if a gate projection multiplies the up projection.
  std::string router;       ///< "softmax top_k"; "given" if the router was not recognised and hands over experts and weights.
  std::string weightType;   ///< Element type of the stored weights: "f32", "int4_group".
};

/// A node of the model that looked like part of an MoE layer and was left as ordinary ops.
struct NotRaisedInfo {
  std::string node; ///< Where the layer would end.
  std::string what; ///< "MoE layer" or "router".
  std::string reason;
  std::string at; ///< The node that broke the match; empty where it is `node`.
};

/// The MoE layers of a module as the raise stage leaves it, in the order of the graph.
std::vector<MoeLayerInfo> collectMoeLayers(mlir::ModuleOp raised);

/// Writes the layers down as `moe.layers` of the module, so that stages that take the layers apart do not lose what a report says about them.
/// No layer: no attribute.
void recordMoeLayers(mlir::ModuleOp module, const std::vector<MoeLayerInfo> &layers);

/// The layers that recordMoeLayers wrote. An attribute of another form is an error (diagnostic).
mlir::FailureOr<std::vector<MoeLayerInfo>> recordedMoeLayers(mlir::ModuleOp module);

/// One dim of an input or output.
struct DimDescription {
  int64_t size = dynamicDim; ///< The size, or dynamicDim.
  std::string symbol;        ///< Name of a dynamic dim; empty if it has none.
};

/// Of dim `axis` of an input or output each rank has only its own heads: head h of `heads` has the places h·unit … of it.
struct PartDescription {
  uint32_t axis = 0, heads = 1, unit = 1;
};

/// An input or output.
struct TensorDescription {
  std::string name;
  uint32_t dataType = 0; ///< OnnxDataType.
  std::vector<DimDescription> dims;
  std::optional<PartDescription> part;
  /// Of an input with a default (an overridable initializer): its shape, and its elements as a caller gives them.
  std::vector<int64_t> defaultShape;
  std::optional<std::string> defaultBytes;
};

/// The output `output` is the input `input` extended along `axis`.
struct CachePairDescription {
  uint32_t input = 0, output = 0, axis = 0;
};

/// An input whose elements decide sizes, and where they begin among the elements of all such inputs.
struct SizeInputDescription {
  uint32_t input = 0;
  int64_t position = 0;
};

/// A section of model.weights. Its place in the list is its id.
struct SectionDescription {
  std::string packing;   ///< Layout of the weights in it: "plain", "panel32", ...; empty if it holds none.
  uint64_t offset = 0;   ///< In model.weights, a multiple of 4096.
  uint64_t bytes = 0;    ///< Length, 0 if it holds none.
  std::array<uint8_t, sha256Bytes> sha256 = {};
};

/// The file model.weights.
struct WeightsDescription {
  uint64_t bytes = 0;
  std::array<uint8_t, sha256Bytes> sha256 = {};
  std::vector<SectionDescription> sections;
};

/// One version of the code in model.so.
struct IsaDescription {
  std::string name;                  ///< "avx2".
  std::vector<std::string> features; ///< LLVM's names without sign.
  std::vector<uint32_t> sections;    ///< Ids of the sections of model.weights that it reads.
};

/// A weight whose experts are spread over devices.
struct ShardDescription {
  uint32_t section = 0;
  uint64_t offset = 0, expertBytes = 0;
  uint32_t experts = 0, slotsPerDevice = 0;
  std::vector<uint32_t> slots; ///< The expert of each slot of a group of devices.
};

/// What the source model says of itself; empty where it says nothing.
struct SourceDescription {
  std::string producerName, domain, description, graphName, graphDescription;
  std::optional<int64_t> version;
  std::map<std::string, std::string> metadata;
};

/// All of it.
struct ModelDescription {
  SourceDescription source;
  std::vector<TensorDescription> inputs, outputs;
  std::vector<CachePairDescription> cachePairs;
  std::vector<SizeInputDescription> sizeInputs; ///< By position.
  std::vector<uint32_t> foundDims; ///< Places among the dims of all outputs that a run finds out.
  std::vector<std::string> checks;
  std::vector<std::string> faults;
  WeightsDescription weights;
  std::vector<IsaDescription> isaVersions; ///< Best first.
  std::vector<MoeLayerInfo> layers;
  uint32_t devices = 1; ///< That layers are spread over.
  std::vector<ShardDescription> shards;
};

/// Inputs, outputs, cache pairs, checks, faults, devices and source of a module as the lower stage leaves it; the rest stays empty. An error is a diagnostic.
mlir::FailureOr<ModelDescription> describeModel(mlir::ModuleOp lowered);

/// The ONNX number of an element type; 0 if it has none of OnnxDataType.
uint32_t onnxDataType(mlir::Type type);

/// "float32" for OnnxFloat and so on, as numpy spells it; "unknown" for any other number.
llvm::StringRef dataTypeName(uint32_t dataType);

/// Lower-case hexadecimal of a digest.
std::string hexDigest(const std::array<uint8_t, sha256Bytes> &digest);

/// The bytes of moe_model_info. Fails with a text where a string or list does not fit in 32 bits, or a CPU feature has no bit.
bool writeModelInfo(const ModelDescription &model, std::vector<uint8_t> &bytes, std::string &error);

} // namespace moe

#endif // MOE_PACKAGE_MODELDESCRIPTION_H
