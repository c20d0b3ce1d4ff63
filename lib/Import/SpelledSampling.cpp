// GridSample as GatherNDs: a result is a weighted sum of 1, 2ʳ or 4ʳ elements around a place that the grid says, in r dims.
#include "Speller.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

enum class Outside { Zeros, Border, Reflection };

struct SampleForm {
  /// How many elements along each axis a result is made of: 1 nearest, 2 linear, 4 cubic.
  int64_t reach;
  Outside outside;
  bool alignsCorners;
  Type wide;
};

/// One spatial axis: its size, and the ends of what the grid's -1 and 1 span, as floats without dims.
struct SampledAxis {
  Value size, first, last;
};

/// An element along one axis: its place (i64), and its weight, of [N, P] both. No weight: 1.
struct Tap {
  Value place, weight;
};

Value isOutside(Speller &s, Value x, Value first, Value last) { return s.emit("Or", {s.emit("Less", {x, first}), s.emit("Greater", {x, last})}); }

/// Mirrored at both ends as often as it takes; x where it is inside, so that no rounding changes that.
Value reflect(Speller &s, const SampleForm &form, const SampledAxis &a, Value x) {
  // A single element that corners align with spans nothing; any place in it is that element.
  Value span = s.emit("Max", {s.subtract(a.last, a.first), s.number(0.5, form.wide)}), twice = s.add(span, span);
  Value away = s.emit("Abs", {s.subtract(x, a.first)}), turn = s.subtract(away, s.multiply(s.emit("Floor", {s.divide(away, twice)}), twice));
  Value mirrored = s.add(a.first, s.emit("Min", {turn, s.subtract(twice, turn)}));
  return s.emit("Where", {isOutside(s, x, a.first, a.last), mirrored, x});
}

/// x within [0, size - 1]; what is no number is 0.
Value clamp(Speller &s, const SampleForm &form, const SampledAxis &a, Value x) {
  Value zero = s.number(0, form.wide), last = s.subtract(a.size, s.number(1, form.wide));
  return s.emit("Min", {s.emit("Where", {s.emit("Greater", {x, zero}), x, zero}), last});
}

/// The weights of Keys' cubic with -0.75 for the elements at -1, 0, 1 and 2, `x` of [0, 1) behind the second.
SmallVector<Value> cubicWeights(Speller &s, const SampleForm &form, Value x) {
  const double a = -0.75;
  const auto number = [&](double value) { return s.number(value, form.wide); };
  const auto far = [&](Value d) { // 1 to 2 away
    Value inner = s.add(s.multiply(s.subtract(s.multiply(number(a), d), number(5 * a)), d), number(8 * a));
    return s.subtract(s.multiply(inner, d), number(4 * a));
  };
  const auto near = [&](Value d) { // 0 to 1 away
    return s.add(s.multiply(s.multiply(s.subtract(s.multiply(number(a + 2), d), number(a + 3)), d), d), number(1));
  };
  Value one = number(1), behind = s.subtract(one, x);
  return {far(s.add(x, one)), near(x), near(behind), far(s.add(behind, one))};
}

/// The elements along one axis for the grid's coordinates, from -1 to 1.
SmallVector<Tap> tapsOf(Speller &s, const SampleForm &form, const SampledAxis &a, Value coordinate) {
  Value one = s.number(1, form.wide), half = s.number(0.5, form.wide);
  Value shifted = s.add(coordinate, one);
  Value x = form.alignsCorners ? s.multiply(s.multiply(shifted, half), s.subtract(a.size, one)) : s.multiply(s.subtract(s.multiply(shifted, a.size), one), half);
  if (form.reach == 1)
    x = s.emit("Round", {x});
  // A cubic goes on behind the last element, over copies of it; the others are that element there.
  if (form.outside == Outside::Border && form.reach < 4)
    x = clamp(s, form, a, x);
  if (form.outside == Outside::Reflection)
    x = reflect(s, form, a, x);
  Value below = form.reach == 1 ? x : s.emit("Floor", {x}), ratio = s.subtract(x, below);
  SmallVector<Value> weights;
  if (form.reach == 2)
    weights = {s.subtract(one, ratio), ratio};
  else if (form.reach == 4)
    weights = cubicWeights(s, form, ratio);
  SmallVector<Tap> taps;
  for (int64_t i = 0; i < form.reach; ++i) {
    Value place = s.add(below, s.number(i - (form.reach == 4), form.wide)), weight = form.reach == 1 ? Value() : weights[i];
    if (form.outside == Outside::Reflection)
      place = reflect(s, form, a, place);
    if (form.outside == Outside::Zeros) {
      Value zero = s.number(0, form.wide);
      // Asked as "inside", a place that is no number counts as outside.
      Value inside = s.emit("And", {s.emit("GreaterOrEqual", {place, zero}), s.emit("Less", {place, a.size})});
      weight = s.emit("Where", {inside, weight ? weight : one, zero});
    }
    taps.push_back({s.cast(clamp(s, form, a, place), s.i64()), weight});
  }
  return taps;
}

bool readForm(Speller &s, SampleForm &form) {
  const StringRef mode = s.string("mode", s.version() < 20 ? "bilinear" : "linear"), padding = s.string("padding_mode", "zeros");
  form.reach = llvm::StringSwitch<int64_t>(mode).Case("nearest", 1).Cases({"linear", "bilinear"}, 2).Cases({"cubic", "bicubic"}, 4).Default(0);
  if (!form.reach)
    return s.error() << "expected a mode linear, nearest or cubic (bilinear and bicubic before version 20), found '" << mode << "'", false;
  if (padding != "zeros" && padding != "border" && padding != "reflection")
    return s.error() << "expected a padding_mode zeros, border or reflection, found '" << padding << "'", false;
  form.outside = padding == "zeros" ? Outside::Zeros : padding == "border" ? Outside::Border : Outside::Reflection;
  form.alignsCorners = s.integer("align_corners", 0);
  return true;
}

/// X [N, C, D₁, …, Dᵣ] and grid [N, E₁, …, Eᵣ, r], whose last dim has a place in each D, the last first.
Results spellGridSample(Speller &s) {
  SampleForm form;
  if (!s.requireRank(0, 3, 5) || !readForm(s, form))
    return {};
  const RankedTensorType type = s.type(0), grid = s.type(1);
  const int64_t spatial = type.getRank() - 2;
  if (!isa<FloatType>(type.getElementType()) || !isa<FloatType>(grid.getElementType()) || grid.getRank() != spatial + 2 || grid.getDimSize(spatial + 1) != spatial)
    return s.error() << "expected floats, and a grid of " << spatial + 2 << " dims whose last is " << spatial << ", found " << type << " and " << grid, Results();
  if (form.reach == 4 && spatial != 2)
    return s.error() << "expected an input of 4 dims with mode cubic, found " << type, Results();
  form.wide = type.getElementType().isF64() || grid.getElementType().isF64() ? Type(Float64Type::get(type.getContext())) : s.f32();

  Value zero = s.number(0, form.wide), one = s.number(1, form.wide), half = s.number(0.5, form.wide);
  Value places = s.cast(s.reshape(s.input(1), {0, -1, spatial}), form.wide);
  // Of all combinations of elements along the axes: the place among the N's elements row by row, and the weight.
  SmallVector<Tap> taps = {{}};
  for (int64_t i = 0; i < spatial; ++i) {
    const int64_t column = spatial - 1 - i;
    Value count = s.count(s.input(0), i + 2), size = s.cast(count, form.wide);
    const SampledAxis axis = {size, form.alignsCorners ? zero : s.emit("Neg", {half}), s.subtract(size, form.alignsCorners ? one : half)};
    const SmallVector<Tap> own = tapsOf(s, form, axis, s.emit("Squeeze", {s.slice(places, 2, column, column + 1), s.list({2})}));
    SmallVector<Tap> joined;
    for (const Tap &outer : taps)
      for (const Tap &inner : own)
        joined.push_back({outer.place ? s.add(s.multiply(outer.place, count), inner.place) : inner.place,
                          outer.weight && inner.weight ? s.multiply(outer.weight, inner.weight) : outer.weight ? outer.weight : inner.weight});
    taps = joined;
  }
  Value rows = s.transpose(s.reshape(s.cast(s.input(0), form.wide), {0, 0, -1}), {0, 2, 1}), sum;
  for (const Tap &tap : taps) {
    Value term = s.emit("GatherND", {rows, s.unsqueeze(tap.place, {2})}, {s.integerAttribute("batch_dims", 1)});
    if (tap.weight)
      term = s.multiply(term, s.unsqueeze(tap.weight, {2}));
    sum = sum ? s.add(sum, term) : term;
  }
  Value outer = s.emit("Shape", {s.input(0)}, {s.integerAttribute("start", 0), s.integerAttribute("end", 2)});
  Value inner = s.emit("Shape", {s.input(1)}, {s.integerAttribute("start", 1), s.integerAttribute("end", spatial + 1)});
  return {s.cast(s.emit("Reshape", {s.transpose(sum, {0, 2, 1}), s.joined({outer, inner})}), type.getElementType())};
}

} // namespace

void addSamplingForms(SpelledForms &forms) { forms[":GridSample"] = {spellGridSample, {0, 1}, 2}; }

} // namespace moe
