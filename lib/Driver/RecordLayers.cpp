// moe-record-layers. Not a pass of the raise room: what is written down is the report of the package room, and rooms do not include each other.
#include "RecordLayers.h"

#include "moe/Package/ModelDescription.h"

using namespace mlir;

namespace moe {
namespace {

class RecordLayers : public PassWrapper<RecordLayers, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RecordLayers)

  StringRef getArgument() const override { return "moe-record-layers"; }
  StringRef getDescription() const override { return "writes down what a report says about each MoE layer, as moe.layers of the module"; }
  void runOnOperation() override { recordMoeLayers(getOperation(), collectMoeLayers(getOperation())); }
};

} // namespace

std::unique_ptr<Pass> createRecordLayers() { return std::make_unique<RecordLayers>(); }

} // namespace moe
