// What experts compute on routed rows: bias, gate layout, activation and clamps between two products.
//
// The activation is read as a product of factors: SiLU, GELU and a gate are all multiplications, and exporters multiply in any order.
// Matched by value: two values are the same only if the same op result is behind views and float casts.
#include "ExpertMatcher.h"
#include "RoutedLayer.h"

#include <cmath>

using namespace mlir;

namespace moe::raise {

static constexpr unsigned elementwise = Views | FloatCasts;

static Value seen(Value value) { return peel(value, elementwise); }

/// Equal up to what rounding a constant to f16 or bf16 does to it.
static bool isNear(double found, double wanted) { return std::abs(found - wanted) <= 4e-3 * std::abs(wanted); }

//===-- Stored tensors and lookups ---------------------------------------===//

bool storedAlike(Value a, Value b) {
  auto left = a.getDefiningOp<DequantOp>(), right = b.getDefiningOp<DequantOp>();
  if (tensorType(a).getElementType() != tensorType(b).getElementType() || !left != !right)
    return false;
  return !left || (left.getFormat() == right.getFormat() && llvm::equal(left->getOperandTypes(), right->getOperandTypes()));
}

/// Is it a Cast of f16 or bf16 to f32?
static bool widensHalves(OnnxOp cast) {
  RankedTensorType from = tensorType(cast.getInputs()[0]), to = tensorType(cast->getResult(0));
  return from && to && isa<Float16Type, BFloat16Type>(from.getElementType()) && to.getElementType().isF32();
}

Value storedTensor(Value value) {
  if (!value)
    return {};
  for (;;) {
    OnnxOp view = definedBy(value, "Identity"), cast = definedBy(value, "Cast");
    // Widened weights are multiplied as they are stored: that is exact.
    if (cast && widensHalves(cast))
      view = cast;
    if (!view)
      break;
    value = view.getInputs()[0];
  }
  Operation *op = value.getDefiningOp();
  return op && isa<WeightRefOp, arith::ConstantOp, DequantOp>(op) && tensorType(value) && tensorType(value).hasStaticShape() ? value : Value();
}

bool swapsInnerDims(OnnxOp op) {
  if (!op || !isNode(op, "Transpose"))
    return false;
  auto permutation = intsAttribute(op, "perm");
  return permutation && *permutation == SmallVector<int64_t>{0, 2, 1};
}

Value storedMatrix(Value value, bool &transposed) {
  while (OnnxOp identity = definedBy(value, "Identity"))
    value = identity.getInputs()[0];
  if (OnnxOp transpose = definedBy(value, "Transpose")) {
    if (!swapsInnerDims(transpose))
      return {};
    transposed = !transposed;
    value = transpose.getInputs()[0];
  }
  Value stored = storedTensor(value);
  return stored && tensorType(stored).getRank() == 3 ? stored : Value();
}

Value RoutedMatcher::matchLookup(Value value) {
  if (OnnxOp gather = definedBy(value, "GatherND")) {
    Value indices = gather.getInputs()[1];
    if (intAttribute(gather, "batch_dims", 0) != 0 || staticDim(indices, -1) != 1)
      return {};
    return areExpertIds(indices) ? gather.getInputs()[0] : Value();
  }
  if (OnnxOp gather = definedBy(value, "Gather"))
    return intAttribute(gather, "axis", 0) == 0 && areExpertIds(gather.getInputs()[1]) ? gather.getInputs()[0] : Value();
  return {};
}

std::nullopt_t RoutedMatcher::miss(Operation *at, const Twine &text) {
  if (!missedOp) {
    missedOp = at;
    missedText = text.str();
  }
  return std::nullopt;
}

//===-- Products ----------------------------------------------------------===//

bool RoutedMatcher::takeBias(OnnxOp add, unsigned side, RoutedProduct &product) {
  Value bias = storedTensor(matchLookup(peel(add.getInputs()[side], elementwise)));
  if (!bias || tensorType(bias).getRank() != 2 || staticDim(bias, 0) != product.experts || staticDim(bias, 1) != product.out) {
    miss(add, "the bias is not a stored tensor of one vector per expert, as long as the product's rows");
    return false;
  }
  if (!proof.sameShape(add.getInputs()[0], add.getInputs()[1])) {
    miss(add, "product and bias have different shapes");
    return false;
  }
  product.bias = bias;
  return true;
}

std::optional<RoutedProduct> RoutedMatcher::matchBiasedProduct(Value value) {
  value = seen(value);
  OnnxOp add = definedBy(value, "Add");
  if (!add)
    return matchProduct(value);
  for (unsigned side : {0u, 1u}) {
    if (!isBias(add.getInputs()[1 - side]))
      continue;
    auto product = matchProduct(seen(add.getInputs()[side]));
    if (product && product->bias)
      return miss(add, "a product has two biases");
    if (product && product->resultSteps)
      return miss(add, "rows are rounded between a product and its bias");
    if (!product || !takeBias(add, 1 - side, *product))
      return std::nullopt;
    return product;
  }
  return miss(add, "neither side is the bias of the row's expert");
}

//===-- Factors and activations ------------------------------------------===//

/// How many columns a row of `value` has.
static int64_t columnsOf(Value value) { return staticDim(value, columnDim(tensorType(value))); }

/// `isLinear`: what reads the product only multiplies it with a matrix, so that a factor of a row is one of its result.
bool RoutedMatcher::collectFactors(Value value, SmallVectorImpl<Value> &factors, double &constant, bool isLinear, unsigned depth) {
  constexpr unsigned maxDepth = 8;
  value = seen(value);
  if (depth > maxDepth)
    return false;
  if (auto scaled = matchScalar(value, "Mul")) {
    constant *= scaled->scalar;
    return collectFactors(scaled->operand, factors, constant, isLinear, depth + 1);
  }
  if (auto divided = matchScalar(value, "Div")) {
    constant /= divided->scalar;
    return collectFactors(divided->operand, factors, constant, isLinear, depth + 1);
  }
  OnnxOp product = definedBy(value, "Mul");
  if (!product) {
    factors.push_back(value);
    return true;
  }
  if (!proof.sameShape(product.getInputs()[0], product.getInputs()[1])) {
    if (auto weighted = takesFactors() ? matchWeightedRows(value, columnsOf(value), proof) : std::nullopt) {
      if (!isLinear) {
        miss(product, "rows are weighted before a product with a bias, which the weights do not reach");
        return false;
      }
      rowFactors.push_back(weighted->weights);
      return collectFactors(weighted->rows, factors, constant, isLinear, depth + 1);
    }
    miss(product, "the factors have different shapes");
    return false;
  }
  return collectFactors(product.getInputs()[0], factors, constant, isLinear, depth + 1) &&
         collectFactors(product.getInputs()[1], factors, constant, isLinear, depth + 1);
}

/// An activation of `gate`; `up` is what it is multiplied with, null where nothing is.
struct RoutedMatcher::Activated {
  Activation activation = Activation::Identity;
  double alpha = 1.0;
  Value gate, up;
};

namespace {
/// A node that is an activation by itself.
struct NamedActivation {
  Activation activation;
  double alpha = 1.0;
  Value input;
};
} // namespace

static std::optional<NamedActivation> matchNamed(Value factor) {
  auto op = factor.getDefiningOp<OnnxOp>();
  if (!op || op.getInputs().empty())
    return std::nullopt;
  Value input = op.getInputs()[0];
  if (isNode(op, "Relu"))
    return NamedActivation{Activation::Relu, 1.0, input};
  if (isNode(op, "Swish"))
    return NamedActivation{Activation::Silu, floatAttribute(op, "alpha", 1.0), input};
  if (isNode(op, "QuickGelu", "com.microsoft"))
    return NamedActivation{Activation::Silu, floatAttribute(op, "alpha", 1.702), input};
  if (isNode(op, "Gelu", "com.microsoft"))
    return NamedActivation{Activation::GeluErf, 1.0, input};
  if (isNode(op, "FastGelu", "com.microsoft") && !inputOrNull(op, 1))
    return NamedActivation{Activation::GeluTanh, 1.0, input};
  if (isNode(op, "Gelu"))
    return NamedActivation{stringAttribute(op, "approximate", "none") == "tanh" ? Activation::GeluTanh : Activation::GeluErf, 1.0, input};
  if (isNode(op, "Pow")) {
    auto exponent = op.getInputs().size() == 2 ? scalarFor(op.getInputs()[1], input) : std::nullopt;
    OnnxOp relu = definedBy(seen(input), "Relu");
    if (relu && exponent && *exponent == 2.0)
      return NamedActivation{Activation::Relu2, 1.0, relu.getInputs()[0]};
  }
  return std::nullopt;
}

/// `c·x` above `value`: x behind multiplications and divisions by scalars, and c.
static ScalarUse scaledValue(Value value) {
  ScalarUse result{seen(value), 1.0};
  while (true) {
    auto scaled = matchScalar(result.operand, "Mul");
    if (scaled) {
      result = {seen(scaled->operand), result.scalar * scaled->scalar};
      continue;
    }
    auto divided = matchScalar(result.operand, "Div");
    if (!divided || divided->scalar == 0.0)
      return result;
    result = {seen(divided->operand), result.scalar / divided->scalar};
  }
}

/// x of `√(2/π)·(x + 0.044715·x³)`, the argument of the tanh form of GELU; null if `value` is something else.
static Value matchTanhArgument(Value value) {
  ScalarUse outer = scaledValue(value);
  OnnxOp sum = definedBy(outer.operand, "Add");
  if (!sum || !isNear(outer.scalar, std::sqrt(2.0 / M_PI)))
    return {};
  for (unsigned side : {0u, 1u}) {
    Value x = seen(sum.getInputs()[side]);
    ScalarUse cubic = scaledValue(sum.getInputs()[1 - side]);
    if (!isNear(cubic.scalar, 0.044715))
      continue;
    if (OnnxOp power = definedBy(cubic.operand, "Pow")) {
      auto exponent = scalarFor(power.getInputs()[1], power.getInputs()[0]);
      if (seen(power.getInputs()[0]) == x && exponent && *exponent == 3.0)
        return x;
    }
    // x·x·x in either grouping.
    if (OnnxOp product = definedBy(cubic.operand, "Mul"))
      for (unsigned inner : {0u, 1u}) {
        OnnxOp square = definedBy(seen(product.getInputs()[inner]), "Mul");
        if (square && seen(product.getInputs()[1 - inner]) == x && seen(square.getInputs()[0]) == x && seen(square.getInputs()[1]) == x)
          return x;
      }
  }
  return {};
}

/// x of `1 + erf(x/√2)` or `1 + tanh(√(2/π)·(x + 0.044715·x³))`, and which of the two; null if `factor` is neither.
static Value matchGeluFactor(Value factor, Activation &activation) {
  auto sum = matchScalar(factor, "Add");
  if (!sum || sum->scalar != 1.0)
    return {};
  Value inner = seen(sum->operand);
  if (OnnxOp erf = definedBy(inner, "Erf")) {
    ScalarUse argument = scaledValue(erf.getInputs()[0]);
    activation = Activation::GeluErf;
    return isNear(argument.scalar, M_SQRT1_2) ? argument.operand : Value();
  }
  if (OnnxOp tanh = definedBy(inner, "Tanh")) {
    activation = Activation::GeluTanh;
    return matchTanhArgument(tanh.getInputs()[0]);
  }
  return {};
}

/// `factors` without the ones at `i` and `j`; at most one is left for a gated expert. Fails with more.
static bool remaining(ArrayRef<Value> factors, size_t i, size_t j, Value &left) {
  left = {};
  for (size_t n = 0; n < factors.size(); ++n) {
    if (n == i || n == j)
      continue;
    if (left)
      return false;
    left = factors[n];
  }
  return true;
}

std::optional<RoutedMatcher::Activated> RoutedMatcher::matchActivation(ArrayRef<Value> factors, double constant) {
  Activated result;
  auto partnerOf = [&](Value wanted, size_t self) -> size_t {
    for (size_t n = 0; n < factors.size(); ++n)
      if (n != self && factors[n] == wanted)
        return n;
    return factors.size();
  };
  for (size_t i = 0; i < factors.size(); ++i) {
    size_t partner = i;
    if (OnnxOp sigmoid = definedBy(factors[i], "Sigmoid")) {
      ScalarUse argument = scaledValue(sigmoid.getInputs()[0]);
      // The gate may itself be a scaled value: prefer the exact operand.
      Value exact = seen(sigmoid.getInputs()[0]);
      partner = partnerOf(exact, i);
      result = {Activation::Silu, 1.0, exact, {}};
      if (partner == factors.size()) {
        partner = partnerOf(argument.operand, i);
        result = {Activation::Silu, argument.scalar, argument.operand, {}};
      }
      if (partner != factors.size() && constant == 1.0 && remaining(factors, i, partner, result.up))
        return result;
      continue;
    }
    Activation gelu;
    if (Value gate = matchGeluFactor(factors[i], gelu)) {
      partner = partnerOf(gate, i);
      result = {gelu, 1.0, gate, {}};
      if (partner != factors.size() && constant == 0.5 && remaining(factors, i, partner, result.up))
        return result;
      continue;
    }
    if (auto named = matchNamed(factors[i])) {
      partner = partnerOf(factors[i], i);
      result = {named->activation, named->alpha, named->input, {}};
      if (named->activation == Activation::Relu && partner != factors.size())
        result.activation = Activation::Relu2;
      else
        partner = i;
      if (constant == 1.0 && remaining(factors, i, partner, result.up))
        return result;
    }
  }
  if (factors.size() == 1 && constant == 1.0)
    return Activated{Activation::Identity, 1.0, factors[0], {}};
  return std::nullopt;
}

//===-- Gate and up ------------------------------------------------------===//

namespace {
/// Which columns of a product a value takes.
enum class Columns { All, FirstHalf, SecondHalf, Even, Odd };
struct Part {
  Value source;
  Columns columns = Columns::All;
};
} // namespace

static std::optional<Part> matchSlice(OnnxOp slice, const SizeProof &proof) {
  Value source = slice.getInputs()[0];
  const int64_t rank = tensorType(source).getRank(), dim = columnDim(tensorType(source)), size = staticDim(source, dim);
  if (slice.getInputs().size() < 4 || size <= 0 || size % 2 != 0)
    return std::nullopt;
  // Exporters compute the half from the size, which is known.
  auto starts = proof.numbers(slice.getInputs()[1]), ends = proof.numbers(slice.getInputs()[2]), axes = proof.numbers(slice.getInputs()[3]);
  Value stepsInput = inputOrNull(slice, 4);
  auto steps = stepsInput ? proof.numbers(stepsInput) : std::optional<SmallVector<int64_t>>({1});
  if (!starts || !ends || !axes || !steps || starts->size() != 1 || ends->size() != 1 || axes->size() != 1 || steps->size() != 1 ||
      fromFront((*axes)[0], rank) != dim)
    return std::nullopt;
  int64_t start = fromFront((*starts)[0], size), end = std::min((*ends)[0] < 0 ? (*ends)[0] + size : (*ends)[0], size), step = (*steps)[0];
  if (step == 1 && start == 0 && end == size / 2)
    return Part{source, Columns::FirstHalf};
  if (step == 1 && start == size / 2 && end == size)
    return Part{source, Columns::SecondHalf};
  // The last element of the step may be cut off: of an even size, odd columns end at size - 1.
  if (step == 2 && start == 0 && end >= size - 1)
    return Part{source, Columns::Even};
  if (step == 2 && start == 1 && end == size)
    return Part{source, Columns::Odd};
  return std::nullopt;
}

/// One of two in a product of 2·I columns that is regrouped, as […, 2, I] or […, I, 2].
static std::optional<Part> matchRegrouped(Value value, const SizeProof &proof) {
  auto op = value.getDefiningOp<OnnxOp>();
  RankedTensorType type = op && !op.getInputs().empty() ? tensorType(op.getInputs()[0]) : RankedTensorType();
  const int64_t last = type ? columnDim(type) : -1;
  if (last < 1)
    return std::nullopt;
  for (int64_t axis : {last, last - 1}) {
    const int64_t columns = type.getDimSize(2 * last - 1 - axis);
    Value source = seen(op.getInputs()[0]);
    if (type.getDimSize(axis) != 2 || columns <= 1 || source == op.getInputs()[0] || columnsOf(source) != 2 * columns)
      continue;
    if (SinglePart part = matchSinglePart(value, axis, proof); part.source)
      return Part{source, axis == last ? (part.index == 0 ? Columns::Even : Columns::Odd) : part.index == 0 ? Columns::FirstHalf : Columns::SecondHalf};
  }
  return std::nullopt;
}

static std::optional<Part> matchPart(Value value, const SizeProof &proof) {
  value = seen(value);
  if (auto regrouped = matchRegrouped(value, proof))
    return regrouped;
  OnnxOp op = value.getDefiningOp<OnnxOp>();
  if (!op)
    return Part{value, Columns::All};
  if (isNode(op, "Slice") && tensorType(op.getInputs()[0]))
    return matchSlice(op, proof);
  if (!isNode(op, "Split"))
    return Part{value, Columns::All};
  Value source = op.getInputs()[0];
  RankedTensorType type = tensorType(source);
  const int64_t dim = type ? columnDim(type) : -1, size = staticDim(source, dim);
  if (!type || op->getNumResults() != 2 || size <= 0 || size % 2 != 0 || fromFront(intAttribute(op, "axis", 0), type.getRank()) != dim)
    return std::nullopt;
  auto sizes = inputOrNull(op, 1) ? constantInts(op.getInputs()[1]) : intsAttribute(op, "split");
  if ((inputOrNull(op, 1) && !sizes) || (sizes && *sizes != SmallVector<int64_t>{size / 2, size / 2}))
    return std::nullopt;
  return Part{source, cast<OpResult>(value).getResultNumber() == 0 ? Columns::FirstHalf : Columns::SecondHalf};
}

/// Takes a bound off `value`: Clip or Min with constant bounds. Bounds that are absent are infinite.
static bool takeClamp(Value &value, double &lower, double &upper) {
  const double infinity = std::numeric_limits<double>::infinity();
  lower = -infinity;
  upper = infinity;
  value = seen(value);
  OnnxOp clip = definedBy(value, "Clip");
  if (clip) {
    auto bound = [&](unsigned index, StringRef name, double &into) {
      if (Value input = inputOrNull(clip, index)) {
        auto number = scalarFor(input, clip.getInputs()[0]);
        into = number.value_or(0.0);
        return number.has_value();
      }
      into = floatAttribute(clip, name, into);
      return true;
    };
    if (!bound(1, "min", lower) || !bound(2, "max", upper))
      return false;
    // Clip-1 and Clip-6 say "no bound" with the largest float.
    const double largest = 3.4028234663852886e38;
    lower = lower <= -largest ? -infinity : lower;
    upper = upper >= largest ? infinity : upper;
    value = seen(clip.getInputs()[0]);
  } else if (auto least = matchScalar(value, "Min")) {
    upper = least->scalar;
    value = seen(least->operand);
  }
  return true;
}

static std::optional<GateLayout> layoutOf(Columns gate, Columns up) {
  if (gate == Columns::All && up == Columns::All)
    return GateLayout::Separate;
  if (gate == Columns::FirstHalf && up == Columns::SecondHalf)
    return GateLayout::Halves;
  if (gate == Columns::SecondHalf && up == Columns::FirstHalf)
    return GateLayout::UpFirst;
  if (gate == Columns::Even && up == Columns::Odd)
    return GateLayout::Interleaved;
  if (gate == Columns::Odd && up == Columns::Even)
    return GateLayout::UpFirstPairs;
  return std::nullopt;
}

static FloatAttr optionalNumber(MLIRContext *context, double value, double absent) {
  return value == absent ? FloatAttr() : FloatAttr::get(Float64Type::get(context), value);
}

std::optional<RoutedFfn> RoutedMatcher::resolve(const Activated &activated, RoutedProduct down) {
  const double infinity = std::numeric_limits<double>::infinity();
  MLIRContext *context = down.rows.getContext();
  Operation *at = down.rows.getDefiningOp();
  RoutedFfn result;
  result.down = down;
  Value gate = activated.gate;
  double gateLower, gateUpper, upLower = -infinity, upUpper = infinity, offset = 0.0;
  if (!takeClamp(gate, gateLower, gateUpper) || gateLower != -infinity)
    return miss(at, "the gate is clamped in a way that no limit expresses");
  auto gatePart = matchPart(gate, proof);
  if (!gatePart)
    return miss(at, "the gate is no half of a product");
  Value gateRows = gatePart->source;
  if (!takeSteps(gateRows, StepsPlace::Gate, result.steps))
    return std::nullopt;
  auto gateProduct = matchBiasedProduct(gateRows);
  if (!gateProduct || !addSteps(gateProduct->resultSteps, StepsPlace::Gate, result.steps))
    return std::nullopt;
  result.gate = *gateProduct;
  firstRows = gateProduct->rows;
  // A part is taken of the last dim: it must be the product's columns, not a regrouping of them.
  if (gatePart->columns != Columns::All && columnsOf(gatePart->source) != gateProduct->out)
    return miss(at, "the gate is a part of a reshaped product");
  GateLayout layout = GateLayout::None;
  if (activated.up) {
    Value up = activated.up;
    if (auto shifted = matchScalar(up, "Add")) {
      offset = shifted->scalar;
      up = shifted->operand;
    }
    if (!takeClamp(up, upLower, upUpper))
      return miss(at, "the bounds of a clamp are not constant");
    auto upPart = matchPart(up, proof);
    auto found = upPart ? layoutOf(gatePart->columns, upPart->columns) : std::nullopt;
    if (!found)
      return miss(at, "gate and up are not halves, alternate columns or separate products");
    layout = *found;
    if (layout == GateLayout::Separate) {
      Value upRows = upPart->source;
      if (!takeSteps(upRows, StepsPlace::Up, result.steps))
        return std::nullopt;
      result.up = matchBiasedProduct(upRows);
      if (!result.up || !addSteps(result.up->resultSteps, StepsPlace::Up, result.steps))
        return std::nullopt;
    } else if (seen(gatePart->source) != seen(upPart->source) || columnsOf(upPart->source) != gateProduct->out) {
      return miss(at, "gate and up are not parts of the same product");
    }
  } else if (gatePart->columns != Columns::All) {
    return miss(at, "an expert without gate uses only a part of its first product");
  }
  // One limit bounds the gate from above and the up part on both sides.
  const double limit = gateUpper;
  if (activated.up ? (upUpper != limit || upLower != -limit) : limit != infinity)
    return miss(at, "gate and up have different limits");
  if (limit <= 0.0)
    return miss(at, "the limit is not positive");
  if (activated.activation != Activation::Silu && activated.alpha != 1.0)
    return miss(at, "only SiLU takes a factor");
  const int64_t columns = isOneTensor(layout) ? 2 * down.in : down.in;
  if (result.gate.out != columns || (result.up && (result.up->out != down.in || result.up->in != result.gate.in)))
    return miss(at, "the widths of the two products do not fit");
  // What lies between may regroup rows as long as those of an expert stay together.
  auto feedsDown = [&](const RoutedProduct &first) {
    if (first.place.together == down.rowsPlace.together && down.rowsPlace.together >= 0)
      return true;
    return first.result && first.place.dim == down.rowsPlace.dim && proof.sameLeading(first.result, down.rows);
  };
  if (down.sharesRows || !feedsDown(result.gate) || (result.up && !feedsDown(*result.up)))
    return miss(at, "the products do not keep the rows in the same order");
  if (result.gate.experts != down.experts || (result.up && result.up->experts != down.experts))
    return miss(at, "the products have weights for different numbers of experts");
  if (result.up && result.up->order != result.gate.order)
    return miss(at, "the weights of gate and up are stored in different orders");
  if (result.up && !storedAlike(result.gate.weight, result.up->weight))
    return miss(at, "gate and up weights are stored in different ways");
  result.ffn = FfnAttr::get(context, activated.activation, layout, optionalNumber(context, activated.alpha, 1.0),
                            optionalNumber(context, offset, 0.0), optionalNumber(context, limit, infinity));
  return result;
}

//===-- Steps -------------------------------------------------------------===//

/// Takes a pair that rounds `value` off it and remembers it. False where the rows that it rounds are not those of one expert.
bool RoutedMatcher::takeSteps(Value &value, StepsPlace at, SmallVectorImpl<RowSteps> &steps) {
  Value rows;
  auto found = matchSteps(seen(value), rows);
  if (!found)
    return true;
  if (found->isDynamic() && !hasOwnRows()) {
    sawSharedSteps = true;
    miss(seen(value).getDefiningOp(), "the steps are found from more rows than those of an expert's tokens");
    return false;
  }
  found->at = at;
  steps.push_back(*found);
  value = rows;
  return true;
}

/// Those that the form found at a product.
bool RoutedMatcher::addSteps(const std::optional<RowSteps> &found, StepsPlace at, SmallVectorImpl<RowSteps> &steps) {
  if (!found)
    return true;
  if (!steps.empty() && steps.back().at == at) {
    miss(nullptr, "rows are rounded twice");
    return false;
  }
  steps.push_back(*found);
  steps.back().at = at;
  return true;
}

/// Those of the rows that the first products read.
bool RoutedMatcher::takeInputSteps(RoutedFfn &ffn) {
  SmallVector<RowSteps> own, others;
  if (!takeSteps(ffn.gate.rows, StepsPlace::Input, own) || !addSteps(ffn.gate.rowSteps, StepsPlace::Input, own) ||
      (ffn.up && (!takeSteps(ffn.up->rows, StepsPlace::Input, others) || !addSteps(ffn.up->rowSteps, StepsPlace::Input, others))))
    return false;
  const bool same = !ffn.up || (own.size() == others.size() && (own.empty() || own.front().sameNumbers(others.front())));
  if (!same) {
    miss(ffn.down.rows.getDefiningOp(), "gate and up read rows that are rounded in different ways");
    return false;
  }
  ffn.steps.insert(ffn.steps.begin(), own.begin(), own.end());
  return true;
}

//===-- Scales ------------------------------------------------------------===//

void RoutedFfn::scaleBy(ArrayRef<double> factors) {
  if (scales.empty())
    scales.assign(down.experts, 1.0);
  for (auto [expert, scale] : llvm::enumerate(scales))
    scale *= factors[factors.size() == 1 ? 0 : expert];
}

/// What multiplies the results of experts: one number for all, and nodes whose input `side` has one for each.
struct RoutedMatcher::Scales {
  double common = 1.0;
  SmallVector<std::pair<OnnxOp, unsigned>> nodes;
};

/// `value` without the factors of its rows and experts.
Value RoutedMatcher::takeScales(Value value, Scales &scales) {
  while (tensorType(value)) {
    Value product = seen(value);
    if (auto weighted = takesFactors() ? matchWeightedRows(product, columnsOf(product), proof) : std::nullopt) {
      rowFactors.push_back(weighted->weights);
      value = weighted->rows;
      continue;
    }
    if (auto scaled = matchScaled(product, proof)) {
      scales.common *= scaled->scalar;
      value = scaled->operand;
      continue;
    }
    OnnxOp op = definedBy(product, "Mul");
    const unsigned side = op && scalesBehind(op.getInputs()[0]) ? 0 : 1;
    if (!op || !scalesBehind(op.getInputs()[side]))
      break;
    scales.nodes.push_back({op, side});
    value = op.getInputs()[1 - side];
  }
  return value;
}

bool RoutedMatcher::applyScales(const Scales &scales, RoutedFfn &ffn) {
  if (scales.common != 1.0)
    ffn.scaleBy(scales.common);
  for (auto [op, side] : scales.nodes) {
    Value stored = scalesBehind(op.getInputs()[side]);
    auto numbers = tensorType(stored).getNumElements() == ffn.down.experts ? finiteFloats(stored) : std::nullopt;
    if (!numbers || !fitsScales(op, side, ffn.down)) {
      miss(op, "the results of the experts are not scaled by one known number each");
      return false;
    }
    ffn.scaleBy(*numbers);
  }
  return true;
}

std::optional<RoutedFfn> RoutedMatcher::matchFfn(Value value) {
  missedOp = nullptr;
  missedText.clear();
  firstRows = {};
  sawSharedSteps = false;
  rowFactors.clear();
  Scales scales;
  value = takeScales(value, scales);
  SmallVector<RowSteps> steps;
  if (!takeSteps(value, StepsPlace::Result, steps))
    return std::nullopt;
  auto down = matchBiasedProduct(value);
  Value hidden = down ? down->rows : Value();
  if (!down || !addSteps(down->resultSteps, StepsPlace::Result, steps) || !takeSteps(hidden, StepsPlace::Hidden, steps) ||
      !addSteps(down->rowSteps, StepsPlace::Hidden, steps))
    return std::nullopt;
  std::reverse(steps.begin(), steps.end());
  SmallVector<Value, 4> factors;
  double constant = 1.0;
  Operation *at = down->rows.getDefiningOp();
  // A factor of a row that is rounded is none of its result.
  if (!collectFactors(hidden, factors, constant, !down->bias && steps.empty(), 0))
    return miss(at, "what lies between the two products is too deep");
  auto activated = matchActivation(factors, constant);
  if (!activated)
    return miss(at, "no known activation lies between the two products");
  auto resolved = resolve(*activated, *down);
  // Where no activation is known, the node between is taken for the first product itself.
  auto node = dyn_cast_or_null<OnnxOp>(missedOp);
  const bool isProduct = node && (isNode(node, "MatMul") || isNode(node, "Gemm") || isNode(node, "Einsum"));
  if (!resolved && node && !isProduct && activated->activation == Activation::Identity && factors.size() == 1 && node == seen(factors[0]).getDefiningOp()) {
    missedOp = nullptr;
    return miss(at, "no known activation lies between the two products");
  }
  if (!resolved || !applyScales(scales, *resolved) || !takeInputSteps(*resolved))
    return std::nullopt;
  resolved->steps.append(steps);
  return resolved;
}

} // namespace moe::raise
