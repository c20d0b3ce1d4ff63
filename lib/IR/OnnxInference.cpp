// The driver of inference: entry arguments, constants, weights, and the table of rules for nodes.
#include "OnnxInferenceNode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace moe {

static constexpr int64_t maximumContent = 64;

OnnxInference::OnnxInference(MLIRContext *context) : context(context), algebra(std::make_unique<DimAlgebra>(context)) {}
OnnxInference::~OnnxInference() = default;

static const OnnxRuleTable &ruleTable() {
  static const OnnxRuleTable table = [] {
    OnnxRuleTable rules;
    addElementwiseRules(rules);
    addShapeRules(rules);
    addMovementRules(rules);
    addIndexingRules(rules);
    addReductionRules(rules);
    addProductRules(rules);
    addAttentionRules(rules);
    addConvolutionRules(rules);
    addContribRules(rules);
    return rules;
  }();
  return table;
}

static std::string ruleName(StringRef domain, StringRef opType) {
  return domain.empty() || domain == "ai.onnx" ? opType.str() : (domain + "::" + opType).str();
}

bool OnnxInference::knows(StringRef domain, StringRef opType) { return ruleTable().contains(ruleName(domain, opType)); }

ArrayRef<DimSymbol> OnnxInference::symbols() const { return algebra->symbols(); }
bool OnnxInference::provablyEqual(AffineExpr lhs, AffineExpr rhs) { return algebra->equal(lhs, rhs); }
bool OnnxInference::provablyNonNegative(AffineExpr expression) { return algebra->nonNegative(expression); }
AffineExpr OnnxInference::normalise(AffineExpr expression) { return algebra->normalise(expression); }
bool OnnxInference::dependsOnData(AffineExpr expression) const { return algebra->dependsOnData(expression); }
bool OnnxInference::usesElements(AffineExpr expression) const { return algebra->usesElements(expression); }
void OnnxInference::forEachElementTensor(AffineExpr expression, llvm::function_ref<void(Value)> visit) const {
  algebra->anySymbol(expression, [&](const DimSymbol &symbol) {
    if (symbol.kind == SymbolKind::Element)
      visit(symbol.tensor);
    return false;
  });
}

std::string OnnxInference::text(AffineExpr expression) const { return algebra->text(expression); }

/// Element `position` of `tensor` as a number that may be negative.
static AffineExpr elementSymbol(DimAlgebra &algebra, Value tensor, int64_t position, StringRef name, LocationAttr origin = {}) {
  DimSymbol symbol;
  symbol.kind = SymbolKind::Element;
  symbol.tensor = tensor;
  symbol.dim = position;
  symbol.isSize = false;
  symbol.origin = origin;
  symbol.name = (name + "[" + Twine(position) + "]").str();
  return algebra.addSymbol(std::move(symbol));
}

/// Is it like the inputs that give sizes, axes and positions in models: a scalar or a short list of int32 or int64? Ids are matrices.
static bool isListOfSizes(RankedTensorType type) {
  constexpr int64_t mostElements = 16;
  return type.hasStaticShape() && type.getRank() <= 1 && type.getNumElements() <= mostElements &&
         (type.getElementType().isSignlessInteger(32) || type.getElementType().isSignlessInteger(64));
}

void OnnxInference::addEntryArguments(func::FuncOp entry) {
  llvm::StringMap<AffineExpr> named;
  for (BlockArgument argument : entry.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    auto names = entry.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "moe.dims");
    auto argumentName = entry.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "moe.name");
    ValueFacts facts;
    for (auto [position, size] : llvm::enumerate(type.getShape())) {
      if (!ShapedType::isDynamic(size)) {
        facts.dims.push_back(algebra->constant(size));
        continue;
      }
      StringRef name;
      if (names && position < names.size())
        if (auto string = dyn_cast<StringAttr>(names[position]))
          name = string.getValue();
      if (name == "?")
        name = "";
      if (!name.empty() && named.contains(name)) {
        facts.dims.push_back(named[name]);
        continue;
      }
      DimSymbol symbol;
      symbol.argument = argument;
      symbol.dim = position;
      symbol.name = !name.empty() ? name.str()
                                  : (argumentName ? argumentName.str() : "argument " + std::to_string(argument.getArgNumber())) + ".dim" +
                                        std::to_string(position);
      AffineExpr expression = algebra->addSymbol(std::move(symbol));
      if (!name.empty())
        named[name] = expression;
      facts.dims.push_back(expression);
    }
    if (isListOfSizes(type)) {
      facts.content.emplace();
      for (int64_t position = 0, count = type.getNumElements(); position < count; ++position)
        facts.content->push_back(elementSymbol(*algebra, argument, position, argumentName ? argumentName.str() : "argument " + std::to_string(argument.getArgNumber())));
    }
    valueFacts[argument] = std::move(facts);
  }
}

const ValueFacts &OnnxInference::facts(Value value) {
  auto [place, isNew] = valueFacts.try_emplace(value);
  if (!isNew)
    return place->second;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return place->second;
  ValueFacts facts;
  for (auto [position, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size)) {
      facts.dims.push_back(algebra->constant(size));
      continue;
    }
    DimSymbol symbol;
    symbol.kind = SymbolKind::Data;
    symbol.name = "size" + std::to_string(algebra->symbols().size());
    facts.dims.push_back(algebra->addSymbol(std::move(symbol)));
  }
  return valueFacts[value] = std::move(facts);
}

/// Facts of a constant: its dims, and its elements where it is a small integer tensor.
static ValueFacts constantFacts(DimAlgebra &algebra, TypedAttr value, RankedTensorType type) {
  ValueFacts facts;
  for (int64_t size : type.getShape())
    facts.dims.push_back(algebra.constant(size));
  auto elements = dyn_cast<DenseIntElementsAttr>(value);
  if (!elements || type.getNumElements() > maximumContent || type.getElementTypeBitWidth() > 64)
    return facts;
  facts.content.emplace();
  bool isUnsigned = type.getElementType().isUnsignedInteger() || type.getElementType().isInteger(1);
  for (const APInt &element : elements.getValues<APInt>())
    facts.content->push_back(algebra.constant(isUnsigned ? static_cast<int64_t>(element.getZExtValue()) : element.getSExtValue()));
  return facts;
}

static LogicalResult inferNode(OnnxInference &inference, OnnxOp op) {
  OnnxNode node(inference, op);
  const OnnxRuleTable &table = ruleTable();
  auto place = table.find(ruleName(op.getDomain(), op.getOpType()));
  if (place == table.end())
    return node.error() << "there is no rule to infer its shape; the op is not supported";
  const OnnxRuleEntry &entry = place->second;
  if (node.version() < entry.minVersion)
    return node.error() << "expected version " << entry.minVersion << " of the op or later; convert the model to a newer opset";
  if (node.inputs() > entry.maxInputs)
    return node.error() << "expected at most " << entry.maxInputs << " inputs, found " << node.inputs();
  if (node.outputs() > entry.maxOutputs || node.outputs() == 0)
    return node.error() << "expected 1 to " << entry.maxOutputs << " outputs, found " << node.outputs();
  for (unsigned i = 0; i < entry.minInputs; ++i)
    if (!node.has(i))
      return node.error() << "input " << i << " is required, but the node does not have it";
  for (auto [i, input] : llvm::enumerate(op.getInputs()))
    if (!isa<RankedTensorType, NoneType>(input.getType()))
      return node.error() << "input " << i << ": expected a ranked tensor, found " << input.getType();
  if (!op.getSubgraphs().empty())
    return node.error() << "subgraphs are not supported";
  return entry.rule(node);
}

LogicalResult OnnxInference::infer(Operation *op) {
  if (auto node = dyn_cast<OnnxOp>(op))
    return inferNode(*this, node);
  for (Value result : op->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type)
      continue;
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      valueFacts[result] = constantFacts(*algebra, constant.getValue(), type);
    else
      facts(result);
  }
  inferChain(op);
  return success();
}

LogicalResult OnnxInference::inferFunction(func::FuncOp entry) {
  addEntryArguments(entry);
  if (entry.isExternal())
    return success();
  if (!entry.getBody().hasOneBlock())
    return entry.emitError("expected a function of one block, found ") << entry.getBody().getBlocks().size();
  for (Operation &op : entry.front())
    if (failed(infer(&op)))
      return failure();
  Operation *terminator = entry.front().getTerminator();
  entry.setType(FunctionType::get(context, entry.getArgumentTypes(), terminator->getOperandTypes()));
  return success();
}

//===-- OnnxNode ---------------------------------------------------------===//

InFlightDiagnostic OnnxNode::error() {
  std::string name = "";
  if (auto named = op.getLoc()->findInstanceOf<NameLoc>())
    name = named.getName().str();
  std::string opName = op.getDomain().empty() ? op.getOpType().str() : (op.getDomain() + "." + op.getOpType()).str();
  return emitError(op.getLoc()) << "node '" << name << "' (" << opName << ", version " << version() << "): ";
}

AffineExpr OnnxNode::fresh(StringRef what, bool isSize, AffineExpr most) {
  DimSymbol symbol;
  symbol.most = most;
  symbol.kind = SymbolKind::Data;
  symbol.isSize = isSize;
  symbol.origin = op.getLoc();
  symbol.name = what.str() + "#" + std::to_string(algebra.symbols().size());
  return algebra.addSymbol(std::move(symbol));
}

std::optional<Dims> OnnxNode::contentOrSymbols(unsigned i) {
  if (std::optional<Dims> known = content(i))
    return known;
  if (!has(i) || !element(i).isInteger())
    return std::nullopt;
  int64_t count = 1;
  for (AffineExpr dim : dims(i)) {
    std::optional<int64_t> size = algebra.constantValue(dim);
    if (!size || *size > maximumContent || (count *= *size) > maximumContent)
      return std::nullopt;
  }
  Dims symbols;
  for (int64_t position = 0; position < count; ++position)
    symbols.push_back(elementSymbol(algebra, op.getInputs()[i], position, "value#" + std::to_string(algebra.symbols().size()), op.getLoc()));
  // Kept, so that the same value means the same numbers everywhere.
  inference.valueFacts[op.getInputs()[i]].content = symbols;
  return symbols;
}

std::optional<SmallVector<int64_t>> ValueFacts::numbers() const {
  if (!content)
    return std::nullopt;
  SmallVector<int64_t> result;
  for (AffineExpr element : *content) {
    auto number = dyn_cast<AffineConstantExpr>(element);
    if (!number)
      return std::nullopt;
    result.push_back(number.getValue());
  }
  return result;
}

std::optional<SmallVector<int64_t>> OnnxNode::constants(unsigned i) {
  std::optional<Dims> elements = content(i);
  if (!elements)
    return std::nullopt;
  SmallVector<int64_t> numbers;
  for (AffineExpr expression : *elements) {
    std::optional<int64_t> value = algebra.constantValue(expression);
    if (!value)
      return std::nullopt;
    numbers.push_back(*value);
  }
  return numbers;
}

int64_t OnnxNode::integer(StringRef name, int64_t standard) const {
  auto value = dyn_cast_or_null<IntegerAttr>(attribute(name));
  return value ? value.getInt() : standard;
}

double OnnxNode::real(StringRef name, double standard) const {
  auto value = dyn_cast_or_null<FloatAttr>(attribute(name));
  return value ? value.getValueAsDouble() : standard;
}

StringRef OnnxNode::string(StringRef name, StringRef standard) const {
  auto value = dyn_cast_or_null<StringAttr>(attribute(name));
  return value ? value.getValue() : standard;
}

std::optional<SmallVector<int64_t>> OnnxNode::integers(StringRef name) const {
  auto value = dyn_cast_or_null<DenseI64ArrayAttr>(attribute(name));
  if (!value)
    return std::nullopt;
  return SmallVector<int64_t>(value.asArrayRef());
}

FailureOr<int64_t> OnnxNode::normaliseAxis(int64_t axis, int64_t rank, StringRef what) {
  if (axis < -rank || axis >= rank) {
    error() << "expected " << what << " from " << -rank << " to " << rank - 1 << ", found " << axis;
    return failure();
  }
  return axis < 0 ? axis + rank : axis;
}

FailureOr<int64_t> OnnxNode::axis(StringRef name, int64_t standard, int64_t rank) { return normaliseAxis(integer(name, standard), rank, name); }

FailureOr<std::optional<SmallVector<int64_t>>> OnnxNode::axes(unsigned i, int64_t inputSince, int64_t rank) {
  std::optional<SmallVector<int64_t>> given;
  if (version() < inputSince) {
    given = integers("axes");
  } else if (has(i)) {
    given = constants(i);
    if (!given) {
      error() << "expected axes that are known when the model is compiled, found values that are not";
      return failure();
    }
  }
  if (!given)
    return given;
  for (int64_t &axis : *given) {
    FailureOr<int64_t> checked = normaliseAxis(axis, rank, "axes");
    if (failed(checked))
      return failure();
    axis = *checked;
  }
  llvm::SmallDenseSet<int64_t> distinct(given->begin(), given->end());
  if (distinct.size() != given->size()) {
    error() << "expected each axis once, found one twice";
    return failure();
  }
  return given;
}

LogicalResult OnnxNode::set(unsigned i, Type element, ArrayRef<AffineExpr> dims, std::optional<Dims> content) {
  if (!hasOutput(i))
    return success();
  ValueFacts facts;
  SmallVector<int64_t> shape;
  for (AffineExpr dim : dims) {
    AffineExpr canonical = algebra.normalise(dim);
    auto size = dyn_cast<AffineConstantExpr>(canonical);
    if (size && size.getValue() < 0)
      return error() << "output " << i << " would have the size " << size.getValue();
    facts.dims.push_back(canonical);
    shape.push_back(size ? size.getValue() : ShapedType::kDynamic);
  }
  if (content) {
    facts.content.emplace();
    for (AffineExpr expression : *content)
      facts.content->push_back(algebra.normalise(expression));
    if (static_cast<int64_t>(content->size()) > maximumContent)
      facts.content.reset();
  }
  Value result = op.getOutputs()[i];
  result.setType(RankedTensorType::get(shape, element));
  inference.valueFacts[result] = std::move(facts);
  return success();
}

AffineExpr OnnxNode::product(ArrayRef<AffineExpr> sizes) {
  AffineExpr result = number(1);
  for (AffineExpr size : sizes)
    result = algebra.normalise(result * size);
  return result;
}

void OnnxNode::requireNotNegative(AffineExpr value) {
  AffineExpr least = algebra.minimum(value, number(0));
  if (least != number(0))
    inference.dimConditions.push_back({least, number(0), op.getLoc()});
}

AffineExpr OnnxNode::sizeFrom(AffineExpr value, StringRef what) {
  value = algebra.normalise(value);
  if (!algebra.usesElements(value) && !algebra.dependsOnData(value))
    return value;
  if (algebra.nonNegative(value))
    return value;
  if (!algebra.usesElements(value))
    return freshSize(what);
  requireNotNegative(value);
  return algebra.maximum(value, number(0));
}

LogicalResult OnnxNode::requireEqual(AffineExpr lhs, AffineExpr rhs, const Twine &what) {
  if (algebra.equal(lhs, rhs))
    return success();
  lhs = algebra.normalise(lhs);
  rhs = algebra.normalise(rhs);
  // What only the cases prove is taken from here on like an assumption, but nobody has to check it.
  bool isProven = algebra.equalByCases(lhs, rhs);
  AffineExpr first = lhs, second = rhs;
  if (algebra.different(lhs, rhs) || !algebra.assume(first, second))
    return error() << what << ": expected equal sizes, found " << text(lhs) << " and " << text(rhs);
  if (isProven)
    return success();
  inference.dimConditions.push_back({first, second, op.getLoc()});
  return success();
}

/// Is `size` surely 0 wherever `smallest`, a minimum with 1, is? So it is for a number of rows that were found among those of the same tensor.
bool OnnxNode::isEmptyWith(AffineExpr size, AffineExpr smallest) {
  const auto symbolOf = [&](AffineExpr expression) {
    auto symbol = dyn_cast<AffineSymbolExpr>(expression);
    return symbol ? &algebra.symbols()[symbol.getPosition()] : nullptr;
  };
  const DimSymbol *found = symbolOf(size), *minimum = symbolOf(smallest);
  if (!found || !found->most || !minimum || minimum->kind != SymbolKind::Minimum)
    return false;
  AffineExpr other = minimum->lhs == number(1) ? minimum->rhs : minimum->rhs == number(1) ? minimum->lhs : AffineExpr();
  return other && algebra.exactQuotient(algebra.normalise(found->most), algebra.normalise(other));
}

FailureOr<AffineExpr> OnnxNode::broadcastDim(AffineExpr lhs, AffineExpr rhs) {
  lhs = algebra.normalise(lhs);
  rhs = algebra.normalise(rhs);
  if (lhs == number(1))
    return rhs;
  if (rhs == number(1) || lhs == rhs)
    return lhs;
  // A size that can only be 0 or 1, such as that of `x[:1]`, is broadcast unless x is empty; taking the sizes as equal would be wrong whenever it is not.
  auto isAtMostOne = [&](AffineExpr size) { return algebra.nonNegative(size) && algebra.nonNegative(number(1) - size); };
  if (isAtMostOne(lhs))
    std::swap(lhs, rhs);
  if (isAtMostOne(rhs)) {
    if (isEmptyWith(lhs, rhs))
      return lhs;
    if (failed(requireEqual(rhs, number(1), "broadcasting of a dim that must not be empty")))
      return failure();
    return algebra.normalise(lhs);
  }
  if (failed(requireEqual(lhs, rhs, "broadcasting")))
    return failure();
  return algebra.normalise(lhs);
}

FailureOr<Dims> OnnxNode::broadcast(ArrayRef<AffineExpr> lhs, ArrayRef<AffineExpr> rhs) {
  if (lhs.size() < rhs.size())
    std::swap(lhs, rhs);
  Dims result(lhs);
  size_t ahead = lhs.size() - rhs.size();
  for (auto [position, dim] : llvm::enumerate(rhs)) {
    FailureOr<AffineExpr> joined = broadcastDim(lhs[ahead + position], dim);
    if (failed(joined))
      return failure();
    result[ahead + position] = *joined;
  }
  return result;
}

LogicalResult OnnxNode::broadcastTo(unsigned i, ArrayRef<AffineExpr> target, StringRef what) {
  if (failed(requireRank(i, 0, target.size(), what)))
    return failure();
  Dims source = dims(i);
  for (auto [dim, expected] : llvm::zip(source, target.take_back(source.size())))
    if (algebra.constantValue(dim) != 1 && failed(requireEqual(expected, dim, what)))
      return failure();
  return success();
}

LogicalResult OnnxNode::requireRank(unsigned i, int64_t least, int64_t most, StringRef what) {
  if (rank(i) >= least && rank(i) <= most)
    return success();
  InFlightDiagnostic report = error() << what << ": expected rank " << least;
  if (most != least)
    report << " to " << most;
  return report << ", found dims " << text(dims(i));
}

LogicalResult OnnxNode::requireSameElement(unsigned lhs, unsigned rhs) {
  if (element(lhs) == element(rhs))
    return success();
  return error() << "expected inputs " << lhs << " and " << rhs << " of one element type, found " << element(lhs) << " and " << element(rhs);
}

std::string OnnxNode::text(ArrayRef<AffineExpr> dims) const {
  std::string result = "[";
  for (AffineExpr dim : dims)
    result += (result.size() > 1 ? ", " : "") + text(dim);
  return result + "]";
}

} // namespace moe
