// See Columns.h. The roofline of Cost.h with as many columns as a device has; a gather, and a pass over the result that puts columns behind each other.
#include "Columns.h"
#include "Between.h"
#include "MeshText.h"
#include "moe/IR/Layers.h"

#include "llvm/ADT/Sequence.h"

using namespace mlir;

namespace moe::plan {

std::vector<ColumnProduct> columnProducts(func::FuncOp function, const Mesh &machines, double tokens) {
  std::vector<ColumnProduct> found;
  const int64_t devices = machines.devices();
  for (auto op : function.getOps<linalg::MatmulOp>()) {
    std::string why;
    if (devices < 2 || !op->getAttrOfType<PlanAttr>(planAttrName) || !canShareColumns(op, devices, why))
      continue;
    BetweenProduct product = betweenProductOf(op, machines.device);
    ColumnProduct shared = {op, betweenUs(machines.device, {{product}}, tokens), 0, 0, devices};
    const double rowBytes = product.columns * cast<ShapedType>(op.getResult(0).getType()).getElementTypeBitWidth() / 8.0;
    product.columns /= double(devices);
    product.weightBytes /= double(devices);
    shared.ownUs = betweenUs(machines.device, {{product}}, tokens) + 2 * tokens * rowBytes / double(devices) / (machines.device.memoryGbps * 1e3);
    shared.sharedUs = betweenUs(machines.device, {{product}}, tokens) + allGatherUs(machines.levels(), tokens, rowBytes / double(devices)) +
                      2 * tokens * rowBytes / (machines.device.memoryGbps * 1e3);
    found.push_back(shared);
  }
  return found;
}

ShardingAttr evenSharding(MeshOp mesh, const Mesh &machines) {
  MLIRContext *context = mesh.getContext();
  Builder builder(context);
  SmallVector<Attribute> axes;
  for (const std::string &name : axesOfGroup(machines, machines.devices()))
    axes.push_back(builder.getStringAttr(name));
  const auto slots = llvm::to_vector(llvm::seq<int64_t>(0, machines.devices()));
  return ShardingAttr::get(context, FlatSymbolRefAttr::get(mesh.getSymNameAttr()), builder.getArrayAttr(axes), machines.devices(), /*edp=*/1,
                           builder.getDenseI64ArrayAttr(slots), "direct", "bitwise", /*chunks=*/1, /*per_node=*/0, "none", /*etp=*/1,
                           /*pinned=*/false, EstimateAttr());
}

void shareColumns(const ColumnProduct &product, MeshOp mesh, const Mesh &machines) {
  linalg::MatmulOp op = product.op;
  const auto plan = op->getAttrOfType<PlanAttr>(planAttrName);
  op->setAttr(planAttrName, PlanAttr::get(op.getContext(), plan.getPacking(), plan.getActivations(), evenSharding(mesh, machines)));
}

} // namespace moe::plan
