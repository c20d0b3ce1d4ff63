//===- BufferizableOpInterfaceImpl.h - bufferization of moe ops -*- C++ -*-===//
// External models that let upstream One-Shot Bufferize turn moe kernel ops and weight references into memref form.
#ifndef MOE_IR_BUFFERIZABLEOPINTERFACEIMPL_H
#define MOE_IR_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace moe {

/// Attaches the models to moe.route_permute, moe.grouped_matmul, moe.concat and moe.weight_ref once the dialect is loaded.
/// Kernel operands become memrefs with identity layout (a strided view is copied); those of moe.concat keep their strides.
void registerBufferizableOpInterfaceExternalModels(mlir::DialectRegistry &registry);

} // namespace moe

#endif // MOE_IR_BUFFERIZABLEOPINTERFACEIMPL_H
