// A double holds every result before it is rounded to f32 or less as if it were exact (53 bits are more than twice 24 and two), so one rounding
// to the node's type gives what the type's own arithmetic gives.
#include "moe/IR/ScalarFolding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace mlir;

namespace moe {

/// Longer chains are not followed: they are no counts or scales, and recursion must end.
static constexpr unsigned longestChain = 32;
static constexpr double greatestInteger = 9007199254740992.0;

/// `value` as an element of `type` holds it; nothing where it cannot or where that depends on the runtime.
static std::optional<double> rounded(double value, Type type) {
  if (auto integer = dyn_cast<IntegerType>(type)) {
    if (integer.getWidth() == 1)
      return value != 0;
    const double whole = std::trunc(value), limit = std::min(greatestInteger, std::ldexp(1.0, static_cast<int>(integer.getWidth()) - 1));
    return whole > -limit && whole < limit && !(integer.isUnsigned() && whole < 0) ? std::optional<double>(whole) : std::nullopt;
  }
  auto floating = dyn_cast<FloatType>(type);
  if (!floating)
    return std::nullopt;
  llvm::APFloat number(value);
  bool lost;
  number.convert(floating.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &lost);
  number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &lost);
  return number.convertToDouble();
}

static std::optional<double> constantOf(Value value) {
  DenseElementsAttr constant;
  if (!matchPattern(value, m_Constant(&constant)) || constant.getNumElements() != 1)
    return std::nullopt;
  if (isa<FloatType>(constant.getElementType()))
    return (*constant.value_begin<APFloat>()).convertToDouble();
  if (!isa<IntegerType>(constant.getElementType()))
    return std::nullopt;
  const APInt number = *constant.value_begin<APInt>();
  const bool isUnsigned = constant.getElementType().isUnsignedInteger() || constant.getElementType().isInteger(1);
  if (number.getSignificantBits() > 53)
    return std::nullopt;
  return isUnsigned ? static_cast<double>(number.getZExtValue()) : static_cast<double>(number.getSExtValue());
}

/// Comparisons and logic: 1 for true, 0 for false. A condition of an If on settings of the model is such a chain.
static std::optional<double> compare(StringRef name, ArrayRef<double> in) {
  if (in.size() == 1 && name == "Not")
    return in[0] == 0;
  if (in.size() != 2)
    return std::nullopt;
  if (name == "Equal")
    return in[0] == in[1];
  if (name == "Greater" || name == "GreaterOrEqual")
    return name == "Greater" ? in[0] > in[1] : in[0] >= in[1];
  if (name == "Less" || name == "LessOrEqual")
    return name == "Less" ? in[0] < in[1] : in[0] <= in[1];
  if (name == "And" || name == "Or")
    return name == "And" ? in[0] != 0 && in[1] != 0 : in[0] != 0 || in[1] != 0;
  return std::nullopt;
}

static std::optional<double> apply(StringRef name, ArrayRef<double> in, bool isInteger) {
  const bool one = in.size() == 1, two = in.size() == 2;
  if (one && name == "Sqrt")
    return std::sqrt(in[0]);
  if (one && name == "Reciprocal")
    return 1 / in[0];
  if (!in.empty() && (name == "Cast" || name == "CastLike" || name == "Identity" || name == "Squeeze" || name == "Unsqueeze" || name == "Reshape"))
    return in[0];
  if (one && (name == "Ceil" || name == "Floor"))
    return name == "Ceil" ? std::ceil(in[0]) : std::floor(in[0]);
  if (one && name == "Relu")
    return std::isnan(in[0]) ? in[0] : std::max(in[0], 0.0);
  if (one && (name == "Neg" || name == "Abs"))
    return name == "Neg" ? -in[0] : std::abs(in[0]);
  if (two && (name == "Add" || name == "Sub"))
    return name == "Add" ? in[0] + in[1] : in[0] - in[1];
  if (two && (name == "Max" || name == "Min"))
    return std::isnan(in[0]) || std::isnan(in[1]) ? std::nan("") : name == "Max" ? std::max(in[0], in[1]) : std::min(in[0], in[1]);
  if (two && name == "Mul")
    return in[0] * in[1];
  if (two && name == "Div" && !(isInteger && in[1] == 0))
    return in[0] / in[1];
  return compare(name, in);
}

/// The one size that a Shape node gives.
static std::optional<double> sizeOf(OnnxOp node) {
  auto type = dyn_cast<RankedTensorType>(node.getInputs()[0].getType());
  if (!type)
    return std::nullopt;
  const auto attribute = [&](StringRef name, int64_t otherwise) {
    auto given = node.getNodeAttributes().getAs<IntegerAttr>(name);
    const int64_t dim = given ? given.getInt() : otherwise;
    return std::clamp<int64_t>(dim < 0 ? dim + type.getRank() : dim, 0, type.getRank());
  };
  const int64_t first = attribute("start", 0), end = attribute("end", type.getRank());
  return end == first + 1 && !type.isDynamicDim(first) ? std::optional<double>(type.getDimSize(first)) : std::nullopt;
}

static std::optional<double> fold(Value value, unsigned chain) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() || type.getNumElements() != 1 || chain > longestChain)
    return std::nullopt;
  if (std::optional<double> constant = constantOf(value))
    return constant;
  auto node = value.getDefiningOp<OnnxOp>();
  if (!node || !node.getDomain().empty() || node.getOutputs().size() != 1 || node.getInputs().size() > 2)
    return std::nullopt;
  if (node.getOpType() == "Shape" && node.getInputs().size() == 1)
    return sizeOf(node);
  const bool isView = llvm::is_contained({"Squeeze", "Unsqueeze", "Reshape", "CastLike"}, node.getOpType());
  SmallVector<double, 2> operands;
  for (Value input : isView ? node.getInputs().take_front() : node.getInputs()) {
    // What two chains share would be folded once for each.
    std::optional<double> operand = fold(input, chain + (node.getInputs().size() > 1 ? 4 : 1));
    if (!operand)
      return std::nullopt;
    operands.push_back(*operand);
  }
  const std::optional<double> result = apply(node.getOpType(), operands, isa<IntegerType>(type.getElementType()));
  return result && (!std::isnan(*result) || isa<FloatType>(type.getElementType())) ? rounded(*result, type.getElementType()) : std::nullopt;
}

std::optional<double> foldScalar(Value value) { return fold(value, 0); }

std::optional<int64_t> foldToInteger(Value value) {
  if (!isa<IntegerType>(getElementTypeOrSelf(value.getType())))
    return std::nullopt;
  const std::optional<double> number = fold(value, 0);
  return number ? std::optional<int64_t>(static_cast<int64_t>(*number)) : std::nullopt;
}

} // namespace moe
