//===- Fields.h - field numbers of ONNX's messages --------------*- C++ -*-===//
// The generated numbers (OnnxFields.inc) in their namespace.
#ifndef MOE_IMPORT_WIRE_FIELDS_H
#define MOE_IMPORT_WIRE_FIELDS_H

#include <cstdint>

namespace moe::wire {
#define MOE_ONNX_FIELDS
#include "moe/Import/Wire/OnnxFields.inc"
#undef MOE_ONNX_FIELDS
} // namespace moe::wire

#endif // MOE_IMPORT_WIRE_FIELDS_H
