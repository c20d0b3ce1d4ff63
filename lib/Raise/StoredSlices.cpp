// See StoredSlices.h. No byte is read: a slice of a file is a range of that file.
#include "StoredSlices.h"

#include "moe/IR/MoeDialect.h"

using namespace mlir;

namespace moe {

/// The elements of slice `number` of `count` along the first dim; null where they cannot be had without reading a file.
static ElementsAttr sliceOfElements(ElementsAttr elements, RankedTensorType type, int64_t number, int64_t count) {
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (!dense || !type.getElementType().isIntOrFloat() || type.getElementTypeBitWidth() % 8 != 0)
    return {};
  if (dense.isSplat())
    return DenseElementsAttr::get(type, dense.getSplatValue<Attribute>());
  const ArrayRef<char> raw = dense.getRawData();
  const size_t bytes = raw.size() / count;
  return DenseElementsAttr::getFromRawBuffer(type, raw.slice(number * bytes, bytes));
}

static Attribute sliceOfSource(Attribute source, RankedTensorType whole, RankedTensorType type, int64_t number) {
  const int64_t count = whole.getDimSize(0);
  if (auto elements = dyn_cast<ElementsAttr>(source))
    return sliceOfElements(elements, type, number, count);
  auto file = dyn_cast<FileAttr>(source);
  if (!file || file.getLength() % count != 0 || (whole.getElementTypeBitWidth() % 8 != 0 && !whole.getElementType().isInteger(1)))
    return {};
  const int64_t bytes = file.getLength() / count;
  return FileAttr::get(source.getContext(), file.getPath(), file.getOffset() + number * bytes, bytes);
}

Value storedSlice(OpBuilder &builder, SymbolTable &symbols, Value value, int64_t number) {
  auto reference = value.getDefiningOp<WeightRefOp>();
  auto weight = reference ? symbols.lookup<WeightOp>(reference.getWeight()) : WeightOp();
  auto whole = cast<RankedTensorType>(value.getType());
  if (!weight || !weight.getSource() || whole.getRank() < 1 || whole.isDynamicDim(0) || number < 0 || number >= whole.getDimSize(0))
    return {};
  auto type = RankedTensorType::get(whole.getShape().drop_front(), whole.getElementType());
  Attribute source = sliceOfSource(*weight.getSource(), whole, type, number);
  if (!source)
    return {};
  const std::string name = (reference.getWeight() + "." + Twine(number)).str();
  auto known = symbols.lookup<WeightOp>(name);
  if (!known || known.getType() != type || known.getSource() != source) {
    OpBuilder top(weight);
    known = WeightOp::create(top, weight.getLoc(), StringAttr::get(weight.getContext(), name), StringAttr(), TypeAttr::get(type), source, PackingFamilyAttr(),
                             ArrayAttr(), WeightOrderAttr(), GateLayoutAttr(), IntegerAttr(), IntegerAttr(), QuantAttr(), TypeAttr(), BlocksAttr());
    symbols.insert(known, Block::iterator(weight));
  }
  return WeightRefOp::create(builder, reference.getLoc(), type, FlatSymbolRefAttr::get(known.getSymNameAttr()));
}

} // namespace moe
