// Stored weights seen with another shape: another symbol for the same bytes.
#include "WeightViews.h"

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/SmallString.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

Value moe::viewWeight(OpBuilder &builder, Value value, RankedTensorType type) {
  auto ref = value.getDefiningOp<WeightRefOp>();
  if (!ref || !type.hasStaticShape())
    return {};
  auto module = ref->getParentOfType<ModuleOp>();
  auto weight = module.lookupSymbol<WeightOp>(ref.getWeightAttr());
  auto weightType = weight ? dyn_cast<RankedTensorType>(weight.getType()) : RankedTensorType();
  if (!weightType || !weight.getSource() || weightType.getNumElements() != type.getNumElements() ||
      weightType.getElementTypeBitWidth() != type.getElementTypeBitWidth())
    return {};
  Attribute source = *weight.getSource();
  if (auto elements = dyn_cast<DenseElementsAttr>(source)) {
    if (elements.getElementType() != type.getElementType())
      elements = elements.bitcast(type.getElementType());
    source = elements.reshape(type);
  }
  else if (!isa<FileAttr>(source))
    return {};

  std::string name = weight.getSymName().str() + ".as";
  for (int64_t dim : type.getShape())
    name += "_" + std::to_string(dim);
  if (weightType.getElementType() != type.getElementType())
    name += "_signless";
  // The name may belong to another weight of the model; then a number is added.
  std::string unique = name;
  for (unsigned count = 1;; ++count) {
    auto taken = module.lookupSymbol(unique);
    auto existing = dyn_cast_or_null<WeightOp>(taken);
    if (existing && existing.getType() == type && existing.getSource() == source)
      break;
    if (!taken) {
      OpBuilder moduleBuilder(weight);
      moduleBuilder.setInsertionPointAfter(weight);
      auto view = cast<WeightOp>(moduleBuilder.clone(*weight));
      view.setSymName(unique);
      view.setTypeAttr(TypeAttr::get(type));
      view.setSourceAttr(source);
      break;
    }
    unique = name + "_" + std::to_string(count);
  }
  return WeightRefOp::create(builder, ref.getLoc(), type, FlatSymbolRefAttr::get(builder.getContext(), unique));
}
