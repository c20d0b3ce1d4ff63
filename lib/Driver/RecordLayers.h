//===- RecordLayers.h - layers of a raised module, written down -*- C++ -*-===//
// fuse and lower take MoE layers apart; the last pass of raise writes down what the summary and the manifest say about them.
#ifndef MOE_LIB_DRIVER_RECORDLAYERS_H
#define MOE_LIB_DRIVER_RECORDLAYERS_H

#include "mlir/Pass/Pass.h"

#include <memory>

namespace moe {

/// moe-record-layers: sets `moe.layers` of the module from its moe.experts.
std::unique_ptr<mlir::Pass> createRecordLayers();

} // namespace moe

#endif // MOE_LIB_DRIVER_RECORDLAYERS_H
