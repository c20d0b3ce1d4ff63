// What QMoE adds to MoE: codes, scales and zero points for each weight, in the formats of quant_type. Nothing in the file says for which
// backend it was exported; bytes that were permuted for CUTLASS show in the order of the dims alone, and are refused.
#include "FusedNode.h"
#include "OnnxMatch.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace moe::raise {

/// Scales, zero points, router weights and the format of each weight.
LogicalResult FusedReader::readQuantization() {
  const StringRef type = stringAttribute(op, "quant_type", "int");
  if (!llvm::is_contained({"int", "fp8", "fp4", "nvfp4"}, type))
    return error() << "quant_type '" << type << "' is not supported; expected int, fp8, fp4 or nvfp4";
  if (const int64_t prepacked = intAttribute(op, "weights_prepacked", -1); prepacked != -1 && prepacked != 0)
    return error() << "weights_prepacked = " << prepacked
                   << ": the bytes are permuted for CUTLASS; export again with weights_prepacked = 0 or for CPU";
  node.routerWeights = inputOrNull(op, 14);
  static const llvm::StringLiteral unsupported[] = {"fc1_global_scale", "fc2_global_scale", "fc1_act_scale",
                                                    "fc2_act_scale",    "fc1_act_block_scale", "fc2_act_block_scale"};
  for (unsigned i = 0; i < 6; ++i)
    if (inputOrNull(op, 15 + i))
      return error() << "input " << unsupported[i] << " is not supported yet (quant_type " << type << (type == "fp4" ? ", which is mxfp4" : "")
                     << "); export the experts as int4 or int8, or without it";
  FusedProjection *const projections[] = {&node.fc1, &node.fc2, &node.fc3};
  for (unsigned i = 0; i < 3; ++i) {
    FusedProjection &projection = *projections[i];
    projection.scales = inputOrNull(op, 3 + 3 * i);
    projection.zeros = inputOrNull(op, 11 + i);
    if (!projection.weight) {
      if (projection.scales || projection.zeros)
        return error() << projection.name << "_scales or " << projection.name << "_zero_points without " << projection.name << "_experts_weights";
      continue;
    }
    if (!projection.scales)
      return error() << "input " << projection.name << "_scales is missing";
    if (failed(readQuantFormat(projection, type)))
      return failure();
  }
  return success();
}

LogicalResult FusedReader::readQuantFormat(FusedProjection &projection, StringRef type) {
  const int64_t block = intAttribute(op, "block_size", 0);
  if (block < 0)
    return error() << "expected a block_size that is not negative, found " << block;
  const int64_t bits = intAttribute(op, (projection.name + "_expert_weight_bits").str(), intAttribute(op, "expert_weight_bits", 4));
  QuantFormat format = llvm::StringSwitch<QuantFormat>(type)
                           .Case("fp8", QuantFormat::Fp8Block)
                           .Case("fp4", QuantFormat::Mxfp4)
                           .Case("nvfp4", QuantFormat::Nvfp4)
                           .Default(bits == 2 ? QuantFormat::Int2Group : bits == 8 ? QuantFormat::Int8Group : QuantFormat::Int4Group);
  if (type == "int" && bits != 2 && bits != 4 && bits != 8)
    return error() << "expected expert_weight_bits 2, 4 or 8, found " << bits;
  if (type != "int" && projection.zeros)
    return error() << projection.name << "_zero_points have a meaning for quant_type int only, found '" << type << "'";
  if (type == "fp8" && block == 0)
    return error() << "quant_type fp8 with one scale per expert is not supported yet; expected a block_size";
  // Blocks of mxfp4 and nvfp4 have the size that the format says.
  const int64_t group = type == "int" || type == "fp8" ? block : 0;
  projection.quant = QuantAttr::get(op.getContext(), format, group, /*bits=*/0, /*axis=*/-1);
  return success();
}

/// Sizes of the dequantised weights. Their depth is not in the dims of the codes, which may fill up a byte: it is that of the rows.
LogicalResult FusedReader::readQuantizedTypes() {
  const RankedTensorType fc1 = tensorType(node.fc1.weight), fc2 = tensorType(node.fc2.weight);
  const RankedTensorType fc3 = node.fc3.weight ? tensorType(node.fc3.weight) : RankedTensorType();
  const int64_t parts = swiglu && !fc3 ? 2 : 1;
  const unsigned bits = storedBits(node.fc1.quant.getFormat()), downBits = storedBits(node.fc2.quant.getFormat());
  auto bytes = [](int64_t codes, unsigned bits) { return static_cast<int64_t>(llvm::divideCeil(codes * bits, int64_t(8))); };
  const int64_t hidden = staticDim(node.x, -1) < 0 ? fc2.getDimSize(1) : staticDim(node.x, -1);
  const int64_t inter = fc1.getDimSize(1) / parts;
  if (fc1.getDimSize(0) == fc2.getDimSize(0) && fc1.getDimSize(1) == parts * inter && fc1.getDimSize(2) == bytes(hidden, bits) &&
      fc2.getDimSize(1) == hidden && fc2.getDimSize(2) == bytes(inter, downBits))
    return failure(failed(readQuantizedType(node.fc1, parts * inter, hidden)) || failed(readQuantizedType(node.fc2, hidden, inter)) ||
                   failed(fc3 ? readQuantizedType(node.fc3, inter, hidden) : success()));
  // Transposed: [E, K, N·bits/8].
  const int64_t columns = fc1.getDimSize(2) * 8 / bits;
  if (fc1.getDimSize(1) == hidden && fc2.getDimSize(1) == columns / parts && fc2.getDimSize(2) == bytes(hidden, downBits))
    return error() << "weights are stored as [E, in, out] (fc1 " << fc1 << ", fc2 " << fc2
                   << "): their bytes are permuted for CUTLASS; export again with weights_prepacked = 0 or for CPU";
  return error() << "weights do not fit: expected fc1 [E, " << (parts == 2 ? "2·I" : "I") << ", bytes of H codes], fc2 [E, H, bytes of I codes], "
                 << bits << " and " << downBits << " bits a code, with H of the input " << tensorType(node.x) << ", found fc1 " << fc1 << ", fc2 "
                 << fc2;
}

LogicalResult FusedReader::readQuantizedType(FusedProjection &projection, int64_t columns, int64_t depth) {
  projection.type = RankedTensorType::get({tensorType(node.fc1.weight).getDimSize(0), columns, depth}, Float32Type::get(op.getContext()));
  const RankedTensorType zeros = projection.zeros ? tensorType(projection.zeros) : RankedTensorType();
  return QuantLayout::get({projection.quant, tensorType(projection.weight), tensorType(projection.scales), zeros, projection.type},
                          [&]() { return error() << projection.name << ": "; });
}

} // namespace moe::raise
