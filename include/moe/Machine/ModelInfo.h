//===- ModelInfo.h - the binary description inside a model.so ----*- C++ -*-===//
// Every model.so carries `moe_model_info`: what the runtime must know about the model, without a JSON parser. lib/Package writes it,
// lib/Runtime reads it. No standard library here: the runtime inside model.so needs no libstdc++ symbol. A reader checks every length
// against `moe_model_info_size`.
//
// Layout. Integers are little-endian and unaligned (read them by memcpy). `list X` is u32 count, then the items. `string` is u32 length in
// bytes, the bytes (UTF-8), and one NUL that the length does not count: a reader may hand out pointers into the blob.
//
//     u8[8]        magic, "MOEINFO" and NUL
//     u32          version, modelInfoVersion
//     u32          bytes of the whole blob
//     u64          weights_bytes: length of model.weights, 0 if the model has none
//     u8[32]       weights_sha256: SHA-256 of model.weights (of the empty string if it has none)
//     list tensor  inputs, in the order of the model's inputs
//     list tensor  outputs, in the order of the model's outputs
//     list pair    kv_pairs
//     list default values of inputs that a caller may leave to the model, of an input one at most
//     list u32     inputs whose elements moe_shapes reads, in the order in which they lie behind the input dims; of int32, int64, float or double
//                  and of fixed dims, with 64 elements at most
//     list u32     dims of outputs that only a run finds out, by their place among the dims of all outputs: moe_shapes gives their bounds, and an entry
//                  writes what they are to the array of i64 behind the outputs (there is none where the list is empty)
//     list string  checks: message k belongs to the answer −1−k of moe_shapes
//     list string  faults: message k belongs to the fault of number k that a thread notes during a run (moe_rt_fault)
//     list section weight sections, item i with id i (0 bytes if no weight has it); `MoeThread.sections` has one pointer per item
//     list isa     ISA versions, best first; item n is moe_entries[n]
//     list layer   MoE layers that were found, in the order of the graph; for reports only
//     the end, or, where the model is planned for several devices:
//     u32          devices
//     list shard   weights whose experts are spread over them
//     list part    inputs and outputs of which each rank has only its own heads
//
//     tensor  = string name, u32 dtype (ONNX TensorProto.DataType), list dim
//     dim     = i64 size (−1: known at run time only), string symbol (empty: fixed or unnamed)
//               dims of the inputs with the same symbol must be equal; moe_shapes checks it as far as checks say
//     pair    = u32 input, u32 output, u32 axis: the output is the input extended along that axis; one buffer may serve both
//     default = u32 input, list i64 sizes that fit its dims, u32 bytes, then the elements: dense, row-major, as a caller's buffer holds them
//     section = u32 id, u64 offset in model.weights (a multiple of 4096), u64 bytes, u8[32] SHA-256 of those bytes
//     isa     = string name, u64 features (CpuFeature bits that the CPU must have), list u32 indices of the sections that it reads
//     shard   = u32 section, u64 offset in it, u64 bytes of an expert, u32 experts (one after the other), u32 slots of a device, list u32 the expert of each
//               slot: device d has those from (d · slots of a device) modulo the length of the list on
//     part    = u32 input, or the number of inputs plus the output, u32 dim (of size −1), u32 heads, u32 places of a head in the dim. Of n ranks rank r has the heads
//               r · devices/n · heads / devices … (of devices that are more than heads several have the same)
//     layer   = string name, string export form ("batched"), u32 experts, u32 top_k, u32 hidden size, u32 intermediate size (0: not known)
#ifndef MOE_MACHINE_MODELINFO_H
#define MOE_MACHINE_MODELINFO_H

#include <stdint.h>

namespace moe {

/// First bytes of moe_model_info.
constexpr char modelInfoMagic[8] = {'M', 'O', 'E', 'I', 'N', 'F', 'O', '\0'};

/// A reader refuses any other version.
constexpr uint32_t modelInfoVersion = 4;

/// Bytes before the first list: magic, version, size, weights_bytes, weights_sha256.
constexpr uint64_t modelInfoHeaderBytes = 8 + 4 + 4 + 8 + 32;

/// Length of a SHA-256 digest in bytes.
constexpr uint64_t sha256Bytes = 32;

/// Multiple at which every section of model.weights starts, in bytes.
constexpr uint64_t weightSectionAlignment = 4096;

/// An input whose elements moe_shapes reads has no more of them.
constexpr uint32_t maxShapeElements = 64;

/// A model is planned for at most so many devices.
constexpr uint32_t maxDevices = 4096;

/// Outputs whose names begin so are no results of the model but how often each expert of the layer whose name follows was chosen, i32[E] (moe-compile
/// --record-load).
constexpr char loadOutputPrefix[] = "moe.load.";

/// The size of a dim that is known at run time only.
constexpr int64_t dynamicDim = -1;

/// Element types that a model's inputs and outputs may have: ONNX TensorProto.DataType.
enum OnnxDataType : uint32_t {
  OnnxFloat = 1,
  OnnxUint8 = 2,
  OnnxInt8 = 3,
  OnnxUint16 = 4,
  OnnxInt16 = 5,
  OnnxInt32 = 6,
  OnnxInt64 = 7,
  OnnxBool = 9,
  OnnxFloat16 = 10,
  OnnxDouble = 11,
  OnnxUint32 = 12,
  OnnxUint64 = 13,
  OnnxBfloat16 = 16,
  OnnxFloat8e4m3fn = 17,
  OnnxFloat8e4m3fnuz = 18,
  OnnxFloat8e5m2 = 19,
  OnnxFloat8e5m2fnuz = 20,
  OnnxUint4 = 21,
  OnnxInt4 = 22,
  OnnxFloat4e2m1 = 23,
  OnnxFloat8e8m0 = 24,
  OnnxUint2 = 25,
  OnnxInt2 = 26,
  OnnxFloat6e2m3 = 27,
  OnnxFloat6e3m2 = 28,
};

/// Bits of one element, 0 for a type that is not in the enum. In a buffer an element of less than 8 bits takes a byte, and so does a bool.
constexpr uint32_t onnxDataTypeBits(uint32_t dtype) {
  switch (dtype) {
  case OnnxUint2:
  case OnnxInt2:
    return 2;
  case OnnxUint4:
  case OnnxInt4:
  case OnnxFloat4e2m1:
    return 4;
  case OnnxFloat6e2m3:
  case OnnxFloat6e3m2:
    return 6;
  case OnnxUint8:
  case OnnxInt8:
  case OnnxBool:
  case OnnxFloat8e4m3fn:
  case OnnxFloat8e4m3fnuz:
  case OnnxFloat8e5m2:
  case OnnxFloat8e5m2fnuz:
  case OnnxFloat8e8m0:
    return 8;
  case OnnxUint16:
  case OnnxInt16:
  case OnnxFloat16:
  case OnnxBfloat16:
    return 16;
  case OnnxFloat:
  case OnnxInt32:
  case OnnxUint32:
    return 32;
  case OnnxInt64:
  case OnnxUint64:
  case OnnxDouble:
    return 64;
  default:
    return 0;
  }
}

} // namespace moe

extern "C" {
struct MoeThread; // moe/Runtime/Kernel.h

/// Runs the model on one of its threads. `descriptors` points to the memref descriptors of inputs, outputs, the dims that the run finds out (if any) and
/// the arena, in that order; a
/// descriptor is {void *allocated, void *aligned, int64_t offset, int64_t sizes[rank], int64_t strides[rank]}.
typedef void (*MoeEntry)(void **descriptors, const struct MoeThread *thread);

/// What generated code defines inside a model.so; all hidden.
extern const unsigned char moe_model_info[];
extern const uint64_t moe_model_info_size;
extern const MoeEntry moe_entries[]; ///< One per ISA version, in the order of moe_model_info.
/// Dims of all outputs, one after the other, from those of all inputs and, behind them, the elements of the inputs that moe_model_info lists, integers
/// as they are and floats as the bits of a double. Answers the arena's bytes, or −1−k where check k fails.
int64_t moe_shapes(const int64_t *inDims, int64_t *outDims);
}

#endif // MOE_MACHINE_MODELINFO_H
