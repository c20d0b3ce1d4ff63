//===- StoredSlices.h - slices of stored weights as stored weights ---*- C++ -*-===//
#ifndef MOE_LIB_RAISE_STOREDSLICES_H
#define MOE_LIB_RAISE_STOREDSLICES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/Value.h"

namespace moe {

/// Slice `number` (not negative, below the first dim) of a moe.weight_ref along its first dim, which is static, with one rank less: a reference to a
/// stored weight of its own, "<weight>.<number>", made where there is none yet. Null where `whole` is no stored weight or its slice is no whole number
/// of bytes.
mlir::Value storedSlice(mlir::OpBuilder &builder, mlir::SymbolTable &symbols, mlir::Value whole, int64_t number);

} // namespace moe

#endif // MOE_LIB_RAISE_STOREDSLICES_H
