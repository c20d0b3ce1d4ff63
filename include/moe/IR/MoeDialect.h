//===- MoeDialect.h - the moe dialect ---------------------------*- C++ -*-===//
// The dialect, its attributes and its ops. Semantics: the .td files beside this one and docs/Dialect.md.
#ifndef MOE_IR_MOEDIALECT_H
#define MOE_IR_MOEDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <limits>

#include "moe/IR/MoeDialect.h.inc"
#include "moe/IR/MoeEnums.h.inc"

namespace moe {

/// What a run found to be wrong with its data, as a side effect: moe.require_range and moe.fault write it, and nothing in the model reads it.
struct FaultWord : mlir::SideEffects::Resource::Base<FaultWord> {
  llvm::StringRef getName() final { return "fault word"; }
};

/// Are gate and up columns of one tensor?
inline bool isOneTensor(GateLayout layout) { return layout != GateLayout::None && layout != GateLayout::Separate; }

/// Are gate and up the two halves of one tensor, whichever comes first?
inline bool isInHalves(GateLayout layout) { return layout == GateLayout::Halves || layout == GateLayout::UpFirst; }

/// Do gate and up alternate in one tensor, whichever comes first?
inline bool isInPairs(GateLayout layout) { return layout == GateLayout::Interleaved || layout == GateLayout::UpFirstPairs; }

/// Is the up part what comes first in one tensor?
inline bool isUpFirst(GateLayout layout) { return layout == GateLayout::UpFirst || layout == GateLayout::UpFirstPairs; }

/// Error on `op` if it has an attribute that is not its own and has no dialect's prefix.
llvm::LogicalResult verifyKnownAttributes(mlir::Operation *op);

template <typename ConcreteType> class KnownAttributes : public mlir::OpTrait::TraitBase<ConcreteType, KnownAttributes> {
public:
  static llvm::LogicalResult verifyTrait(mlir::Operation *op) { return verifyKnownAttributes(op); }
};

} // namespace moe

#define GET_ATTRDEF_CLASSES
#include "moe/IR/MoeAttrs.h.inc"

#define GET_OP_CLASSES
#include "moe/IR/MoeOps.h.inc"

#endif // MOE_IR_MOEDIALECT_H
