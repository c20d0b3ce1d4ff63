// See NumberRange.h. Ranges only narrow what is checked: where a rule gives up, the check stays.
#include "NumberRange.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace moe {
namespace {

/// Ops whose result has only elements of input 0.
bool isMovement(StringRef opType) {
  static const llvm::StringSet<> names = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Tile", "Slice", "Split", "Gather",
                                          "GatherElements", "GatherND", "ReduceMax", "ReduceMin", "Compress", "DepthToSpace", "SpaceToDepth"};
  return names.contains(opType);
}

/// Those whose result has all of them.
bool keepsAll(StringRef opType) {
  static const llvm::StringSet<> names = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand"};
  return names.contains(opType);
}

class RangeFinder {
public:
  explicit RangeFinder(OnnxInference &inference) : inference(inference) {}

  NumberRange find(Value value, int depth = 0) {
    constexpr int deepest = 32;
    if (auto found = known.find(value); found != known.end())
      return found->second;
    NumberRange range = depth < deepest ? compute(value, depth) : NumberRange();
    known[value] = range;
    return range;
  }

private:
  AffineExpr number(int64_t value, MLIRContext *context) { return getAffineConstantExpr(value, context); }
  bool isAtMost(AffineExpr a, AffineExpr b) { return inference.provablyNonNegative(b - a); }
  /// The lesser of two bounds, where it is known which; null otherwise.
  AffineExpr lesser(AffineExpr a, AffineExpr b) { return !a || !b ? AffineExpr() : isAtMost(a, b) ? a : isAtMost(b, a) ? b : AffineExpr(); }
  AffineExpr greater(AffineExpr a, AffineExpr b) { return !a || !b ? AffineExpr() : isAtMost(a, b) ? b : isAtMost(b, a) ? a : AffineExpr(); }
  NumberRange unite(NumberRange a, NumberRange b) { return {lesser(a.least, b.least), greater(a.most, b.most)}; }
  /// The better of two bounds that both hold: either, where it is not known which.
  AffineExpr tighterMost(AffineExpr a, AffineExpr b) { return !a ? b : !b ? a : isAtMost(b, a) ? b : a; }
  AffineExpr tighterLeast(AffineExpr a, AffineExpr b) { return !a ? b : !b ? a : isAtMost(a, b) ? b : a; }

  NumberRange compute(Value value, int depth) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !isa<IntegerType>(type.getElementType()))
      return {};
    if (type.getElementType().isInteger(1))
      return {number(0, value.getContext()), number(1, value.getContext())};
    const ValueFacts facts = inference.facts(value);
    if (facts.content && !facts.content->empty() &&
        llvm::none_of(*facts.content, [&](AffineExpr element) { return inference.dependsOnData(element) || inference.usesElements(element); }))
      return ofElements(*facts.content);
    DenseIntElementsAttr elements;
    if (matchPattern(value, m_Constant(&elements)))
      return ofConstant(elements, type.getElementType().isUnsignedInteger());
    auto node = value.getDefiningOp<OnnxOp>();
    if (!node || (!node.getDomain().empty() && node.getDomain() != "ai.onnx"))
      return {};
    return ofNode(node, value, depth);
  }

  NumberRange ofElements(ArrayRef<AffineExpr> elements) {
    NumberRange range{elements.front(), elements.front(), elements.size() == 1};
    for (AffineExpr element : elements.drop_front())
      range = unite(range, {element, element});
    return range;
  }

  NumberRange ofConstant(DenseIntElementsAttr elements, bool isUnsigned) {
    if (elements.empty() || isUnsigned)
      return {};
    int64_t least = std::numeric_limits<int64_t>::max(), most = std::numeric_limits<int64_t>::min();
    for (const APInt &element : elements.getValues<APInt>()) {
      least = std::min(least, element.getSExtValue());
      most = std::max(most, element.getSExtValue());
    }
    return {number(least, elements.getContext()), number(most, elements.getContext())};
  }

  NumberRange input(OnnxOp node, unsigned i, int depth) {
    return i < node.getInputs().size() && !isa<NoneType>(node.getInputs()[i].getType()) ? find(node.getInputs()[i], depth + 1) : NumberRange();
  }

  /// Positions along the axis of the node's input 0.
  NumberRange ofPositions(OnnxOp node, int64_t standardAxis) {
    auto attribute = dyn_cast_or_null<IntegerAttr>(node.getNodeAttributes().get("axis"));
    int64_t axis = attribute ? attribute.getInt() : standardAxis;
    const ValueFacts facts = inference.facts(node.getInputs()[0]);
    const auto rank = static_cast<int64_t>(facts.dims.size());
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank || inference.dependsOnData(facts.dims[axis]))
      return {};
    return {number(0, node.getContext()), facts.dims[axis] - 1};
  }

  NumberRange ofNode(OnnxOp node, Value value, int depth) {
    StringRef type = node.getOpType();
    if (isMovement(type)) {
      NumberRange range = input(node, 0, depth);
      range.isExact &= keepsAll(type);
      return range;
    }
    if (type == "Cast") {
      // A range of a wider type that does not fit in the narrower one does not hold for it.
      NumberRange range = input(node, 0, depth);
      auto from = cast<RankedTensorType>(node.getInputs()[0].getType()).getElementType(), to = cast<RankedTensorType>(value.getType()).getElementType();
      constexpr unsigned sizeBits = 32; // dims are counted in these at least
      return isa<IntegerType>(from) && (to.getIntOrFloatBitWidth() >= sizeBits || to.getIntOrFloatBitWidth() > from.getIntOrFloatBitWidth()) ? range : NumberRange();
    }
    if (type == "TopK")
      return cast<OpResult>(value).getResultNumber() == 1 ? ofPositions(node, -1) : NumberRange();
    if (type == "ArgMax" || type == "ArgMin")
      return ofPositions(node, 0);
    if (type == "Where")
      return unite(input(node, 1, depth), input(node, 2, depth));
    if (type == "Range")
      return ofSequence(node, depth);
    if (type == "Add" || type == "Sub")
      return ofSum(input(node, 0, depth), input(node, 1, depth), type == "Sub");
    if (type == "Mod")
      return ofRemainder(node, depth);
    if (type == "Clip")
      return ofClip(node, depth);
    if (type == "Concat" || type == "Max" || type == "Min")
      return ofMany(node, depth);
    return {};
  }

  /// Bounds as great as the type itself say nothing of a sum, which may wrap.
  static bool isFarFromWrapping(AffineExpr bound) {
    constexpr int64_t most = int64_t(1) << 40;
    auto constant = dyn_cast_or_null<AffineConstantExpr>(bound);
    return bound && (!constant || (constant.getValue() <= most && constant.getValue() >= -most));
  }

  NumberRange ofSum(NumberRange a, NumberRange b, bool isDifference) {
    for (AffineExpr bound : {a.least, a.most, b.least, b.most})
      if (!isFarFromWrapping(bound))
        return {};
    const bool isShift = a.isExact && b.isExact && (a.least == a.most || b.least == b.most);
    return isDifference ? NumberRange{a.least - b.most, a.most - b.least, isShift} : NumberRange{a.least + b.least, a.most + b.most, isShift};
  }

  /// start, start + 1, … below limit. An empty one has no elements.
  NumberRange ofSequence(OnnxOp node, int depth) {
    NumberRange start = input(node, 0, depth), limit = input(node, 1, depth), step = input(node, 2, depth);
    if (!step.least || !isAtMost(number(1, node.getContext()), step.least) || !limit.most)
      return {};
    const AffineExpr one = number(1, node.getContext());
    const bool isExact = step.least == one && step.most == one && start.isExact && start.least == start.most && limit.isExact && limit.least == limit.most;
    return {start.least, limit.most - 1, isExact};
  }

  NumberRange ofRemainder(OnnxOp node, int depth) {
    NumberRange x = input(node, 0, depth), divisor = input(node, 1, depth);
    AffineExpr zero = number(0, node.getContext());
    auto truncates = dyn_cast_or_null<IntegerAttr>(node.getNodeAttributes().get("fmod"));
    const bool isPositive = divisor.least && isAtMost(number(1, node.getContext()), divisor.least);
    const bool followsDivisor = !truncates || truncates.getInt() == 0 || (x.least && isAtMost(zero, x.least));
    return isPositive && divisor.most && followsDivisor ? NumberRange{zero, divisor.most - 1} : NumberRange();
  }

  /// min(max(x, low), high); a bound that is not given does not bind.
  NumberRange ofClip(OnnxOp node, int depth) {
    NumberRange x = input(node, 0, depth), low = input(node, 1, depth), high = input(node, 2, depth);
    const bool hasHigh = node.getInputs().size() > 2 && !isa<NoneType>(node.getInputs()[2].getType());
    NumberRange range{tighterLeast(x.least, low.least), tighterMost(high.most, greater(x.most, low.most)), false};
    if (node.getInputs().size() < 2 || isa<NoneType>(node.getInputs()[1].getType()))
      range = {x.least, tighterMost(high.most, x.most)};
    if (hasHigh)
      range.least = lesser(range.least, high.least);
    return range;
  }

  NumberRange ofMany(OnnxOp node, int depth) {
    NumberRange range = input(node, 0, depth);
    for (unsigned i = 1; i < node.getInputs().size(); ++i) {
      NumberRange next = input(node, i, depth);
      if (node.getOpType() == "Max")
        range = {tighterLeast(range.least, next.least), greater(range.most, next.most)};
      else if (node.getOpType() == "Min")
        range = {lesser(range.least, next.least), tighterMost(range.most, next.most)};
      else
        range = unite(range, next);
    }
    return range;
  }

  OnnxInference &inference;
  llvm::DenseMap<Value, NumberRange> known;
};

} // namespace

NumberRange rangeOf(OnnxInference &inference, Value value) { return RangeFinder(inference).find(value); }

bool isProvenWithin(OnnxInference &inference, Value value, AffineExpr low, AffineExpr high) {
  const NumberRange range = rangeOf(inference, value);
  return range.least && range.most && inference.provablyNonNegative(range.least - low) && inference.provablyNonNegative(high - 1 - range.most);
}

} // namespace moe
