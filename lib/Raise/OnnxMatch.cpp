// Reading moe.onnx graphs: attributes, constants, and walks up through ops that do not change values.
#include "OnnxMatch.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "moe/IR/ScalarFolding.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;

namespace moe::raise {

bool isNode(OnnxOp op, StringRef type, StringRef domain) {
  if (op.getOpType() != type)
    return false;
  StringRef found = op.getDomain();
  return found == domain || (domain.empty() && found == "ai.onnx");
}

bool isLinear(OnnxOp op, StringRef type) { return op && (isNode(op, type) || isNode(op, type, "com.microsoft")); }

OnnxOp definedBy(Value value, StringRef type, StringRef domain) {
  auto op = value ? value.getDefiningOp<OnnxOp>() : OnnxOp();
  return op && isNode(op, type, domain) ? op : OnnxOp();
}

int64_t intAttribute(OnnxOp op, StringRef name, int64_t otherwise) {
  auto attribute = op.getNodeAttributes().getAs<IntegerAttr>(name);
  return attribute ? attribute.getValue().getSExtValue() : otherwise;
}

IntegerAttr accuracyLevelOf(OnnxOp op) {
  const int64_t level = intAttribute(op, "accuracy_level", 0);
  return level ? IntegerAttr::get(IntegerType::get(op.getContext(), 64), level) : IntegerAttr();
}

double floatAttribute(OnnxOp op, StringRef name, double otherwise) {
  auto attribute = op.getNodeAttributes().getAs<FloatAttr>(name);
  return attribute ? attribute.getValueAsDouble() : otherwise;
}

StringRef stringAttribute(OnnxOp op, StringRef name, StringRef otherwise) {
  auto attribute = op.getNodeAttributes().getAs<StringAttr>(name);
  return attribute ? attribute.getValue() : otherwise;
}

std::optional<SmallVector<int64_t>> intsAttribute(OnnxOp op, StringRef name) {
  if (auto list = op.getNodeAttributes().getAs<DenseI64ArrayAttr>(name))
    return SmallVector<int64_t>(list.asArrayRef());
  return std::nullopt;
}

Value inputOrNull(OnnxOp op, unsigned index) {
  if (index >= op.getInputs().size())
    return {};
  Value input = op.getInputs()[index];
  return isa<NoneType>(input.getType()) ? Value() : input;
}

RankedTensorType tensorType(Value value) { return value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType(); }

int64_t staticDim(Value value, int64_t dim) {
  RankedTensorType type = tensorType(value);
  if (!type)
    return -1;
  if (dim < 0)
    dim += type.getRank();
  return dim < 0 || dim >= type.getRank() || type.isDynamicDim(dim) ? -1 : type.getDimSize(dim);
}

int64_t columnDim(RankedTensorType type) {
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim)
    if (type.getDimSize(dim) != 1)
      return dim;
  return type.getRank() - 1;
}

int64_t fromFront(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

static bool isPlainFloat(Type type) { return type.isF32() || type.isF16() || type.isBF16(); }
static bool isPlainInt(Type type) { return type.isSignlessInteger(64) || type.isSignlessInteger(32); }

/// Does a Transpose leave the order of all dims larger than 1? Then the elements lie as before.
static bool movesOnlyUnits(OnnxOp op) {
  RankedTensorType type = tensorType(op.getInputs()[0]);
  auto permutation = intsAttribute(op, "perm");
  if (!type || !permutation || static_cast<int64_t>(permutation->size()) != type.getRank())
    return false;
  int64_t last = -1;
  for (int64_t dim : *permutation) {
    if (dim < 0 || dim >= type.getRank())
      return false;
    if (type.getDimSize(dim) == 1)
      continue;
    if (dim < last)
      return false;
    last = dim;
  }
  return true;
}

static bool mayPeel(OnnxOp op, unsigned what) {
  if (op.getInputs().empty() || op->getNumResults() != 1 || !(op.getDomain().empty() || op.getDomain() == "ai.onnx"))
    return false;
  StringRef type = op.getOpType();
  if (type == "Identity")
    return true;
  if (type == "Reshape" || type == "Squeeze" || type == "Unsqueeze" || type == "Flatten")
    return what & Views;
  if (type == "Transpose")
    return (what & Transposes) || ((what & Views) && movesOnlyUnits(op));
  if (type != "Cast")
    return false;
  if (what & AllCasts)
    return true;
  RankedTensorType from = tensorType(op.getInputs()[0]), to = tensorType(op->getResult(0));
  if (!from || !to)
    return false;
  Type a = from.getElementType(), b = to.getElementType();
  return a == b || ((what & FloatCasts) && isPlainFloat(a) && isPlainFloat(b)) || ((what & IntCasts) && isPlainInt(a) && isPlainInt(b));
}

Value peelOnce(Value value, unsigned what) {
  auto op = value ? value.getDefiningOp<OnnxOp>() : OnnxOp();
  return op && mayPeel(op, what) ? op.getInputs()[0] : Value();
}

Value peel(Value value, unsigned what) {
  while (Value above = peelOnce(value, what))
    value = above;
  return value;
}

bool sameElements(Value a, Value b) {
  a = flatRoot(a);
  b = flatRoot(b);
  while (a != b) {
    OnnxOp one = definedBy(a, "Cast"), other = definedBy(b, "Cast");
    if (!one || !other || !tensorType(a) || !tensorType(b) || tensorType(a).getElementType() != tensorType(b).getElementType())
      return false;
    a = flatRoot(one.getInputs()[0]);
    b = flatRoot(other.getInputs()[0]);
  }
  return true;
}

Value farthest(Value value, unsigned what, llvm::function_ref<bool(Value)> wanted) {
  Value found;
  for (; value; value = peelOnce(value, what))
    if (wanted(value))
      found = value;
  return found;
}

/// The bytes of a stored weight as elements; null where they are too many, not there, or of a type that is not stored plainly.
static DenseElementsAttr readStored(FileAttr file, RankedTensorType type) {
  constexpr int64_t limit = 1 << 20;
  if (!type.hasStaticShape() || !type.getElementType().isIntOrFloat() || file.getLength() <= 0 || file.getLength() > limit || file.getOffset() < 0)
    return {};
  unsigned bits = type.getElementType().getIntOrFloatBitWidth();
  if (bits % 8 != 0 || type.getNumElements() * (bits / 8) != file.getLength())
    return {};
  auto buffer = llvm::MemoryBuffer::getFileSlice(file.getPath(), file.getLength(), file.getOffset());
  if (!buffer || static_cast<int64_t>((*buffer)->getBufferSize()) != file.getLength())
    return {};
  ArrayRef<char> bytes((*buffer)->getBufferStart(), (*buffer)->getBufferSize());
  bool splat;
  return DenseElementsAttr::isValidRawBuffer(type, bytes, splat) ? DenseElementsAttr::getFromRawBuffer(type, bytes) : DenseElementsAttr();
}

DenseElementsAttr constantElements(Value value) {
  value = flatRoot(value);
  DenseElementsAttr elements;
  if (matchPattern(value, m_Constant(&elements)))
    return elements;
  auto reference = value.getDefiningOp<WeightRefOp>();
  if (!reference)
    return {};
  auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(reference, reference.getWeightAttr());
  if (!weight || !weight.getSourceAttr())
    return {};
  if (auto dense = dyn_cast<DenseElementsAttr>(weight.getSourceAttr()))
    return dense;
  auto file = dyn_cast<FileAttr>(weight.getSourceAttr());
  return file ? readStored(file, dyn_cast<RankedTensorType>(weight.getType())) : DenseElementsAttr();
}

std::optional<SmallVector<int64_t>> constantInts(Value value) {
  DenseElementsAttr elements = value ? constantElements(peel(value, Views | IntCasts)) : DenseElementsAttr();
  if (!elements || !elements.getElementType().isSignlessInteger())
    return std::nullopt;
  SmallVector<int64_t> result;
  for (const APInt &element : elements.getValues<APInt>())
    result.push_back(element.getBitWidth() == 1 ? element.getZExtValue() : element.getSExtValue());
  return result;
}

std::optional<SmallVector<double>> finiteFloats(Value value) {
  DenseElementsAttr elements = value ? constantElements(value) : DenseElementsAttr();
  if (!elements || !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  SmallVector<double> result;
  for (APFloat element : elements.getValues<APFloat>()) {
    if (!element.isFinite())
      return std::nullopt;
    bool loses;
    element.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &loses);
    result.push_back(element.convertToDouble());
  }
  return result;
}

/// One element of a constant as a double; none for element types that are neither float nor signless integer.
static std::optional<double> elementNumber(DenseElementsAttr elements) {
  if (isa<FloatType>(elements.getElementType())) {
    APFloat number = *elements.getValues<APFloat>().begin();
    bool loses;
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &loses);
    return number.convertToDouble();
  }
  if (elements.getElementType().isSignlessInteger()) {
    APInt number = *elements.getValues<APInt>().begin();
    return static_cast<double>(number.getBitWidth() == 1 ? number.getZExtValue() : number.getSExtValue());
  }
  return std::nullopt;
}

/// The number of all elements of a constant. -0.0 and 0.0 count as equal.
static std::optional<double> splatOf(DenseElementsAttr elements) {
  if (!elements || elements.empty())
    return std::nullopt;
  std::optional<double> first = elementNumber(elements);
  if (!first || elements.isSplat())
    return first;
  if (isa<FloatType>(elements.getElementType())) {
    APFloat head = *elements.getValues<APFloat>().begin();
    return llvm::all_of(elements.getValues<APFloat>(), [&](const APFloat &x) { return x.compare(head) == APFloat::cmpEqual; })
               ? first : std::nullopt;
  }
  APInt head = *elements.getValues<APInt>().begin();
  return llvm::all_of(elements.getValues<APInt>(), [&](const APInt &x) { return x == head; }) ? first : std::nullopt;
}

std::optional<double> splatNumber(Value value) {
  // A scale is sometimes computed from a size, and rounded on the way.
  if (std::optional<double> number = foldScalar(value))
    return number;
  while (true) {
    value = peel(value, Views | FloatCasts | IntCasts);
    if (DenseElementsAttr elements = constantElements(value))
      return splatOf(elements);
    if (OnnxOp node = definedBy(value, "ConstantOfShape")) {
      auto fill = node.getNodeAttributes().getAs<DenseElementsAttr>("value");
      return fill ? splatOf(fill) : std::optional<double>(0.0);
    }
    OnnxOp node = definedBy(value, "Expand");
    if (!node)
      return std::nullopt;
    value = node.getInputs()[0];
  }
}

std::optional<double> scalarFor(Value value, Value to) {
  RankedTensorType type = tensorType(value), target = tensorType(to);
  if (!type || !target || !type.hasStaticShape() || type.getNumElements() != 1 || type.getRank() > target.getRank())
    return std::nullopt;
  return splatNumber(value);
}

std::optional<SmallVector<int64_t>> axesOf(OnnxOp op) {
  if (Value input = inputOrNull(op, 1))
    return constantInts(input);
  return intsAttribute(op, "axes");
}

std::optional<ScalarUse> matchScalar(Value value, StringRef type) {
  OnnxOp op = definedBy(value, type);
  if (!op || op.getInputs().size() != 2)
    return std::nullopt;
  Value lhs = op.getInputs()[0], rhs = op.getInputs()[1];
  if (auto number = scalarFor(rhs, lhs))
    return ScalarUse{lhs, *number};
  if (type == "Sub" || type == "Div")
    return std::nullopt;
  if (auto number = scalarFor(lhs, rhs))
    return ScalarUse{rhs, *number};
  return std::nullopt;
}

Value nearestMatrix(Value value, int64_t columns) {
  while (true) {
    RankedTensorType type = tensorType(value);
    if (type && type.getRank() == 2 && type.getDimSize(1) == columns)
      return value;
    auto op = value.getDefiningOp<OnnxOp>();
    if (!op || !mayPeel(op, Views))
      return value;
    value = op.getInputs()[0];
  }
}

void eraseDead(ArrayRef<Operation *> ops, Operation *keep) {
  llvm::SetVector<Operation *> worklist;
  for (Operation *op : ops)
    if (op)
      worklist.insert(op);
  while (!worklist.empty()) {
    Operation *next = worklist.pop_back_val();
    if (next == keep || !isOpTriviallyDead(next))
      continue;
    for (Value operand : next->getOperands())
      if (Operation *producer = operand.getDefiningOp())
        worklist.insert(producer);
    next->erase();
  }
}

} // namespace moe::raise
