// Resize as Gathers: along each axis a result is a weighted sum of a few elements, whose places and weights the sizes decide.
#include "Speller.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

/// One axis that is resized.
struct ResizedAxis {
  int64_t axis, from, to = 0;
  double scale = 1;
  /// tf_crop_and_resize: the part of the axis that is read, as fractions.
  double start = 0, end = 1;
};

struct ResizeForm {
  StringRef mode, coordinates, nearest, policy;
  bool isAntialiased = false, excludesOutside = false;
  double cubic = -0.75;
};

/// The place in the input that a place of the result is read at.
double sourceOf(const ResizeForm &form, const ResizedAxis &a, int64_t at) {
  // The result's size before it was made whole, which the schema calls length_resized.
  const double half = (at + 0.5) / a.scale - 0.5, whole = a.scale * a.from;
  if (form.coordinates == "align_corners")
    return whole == 1 ? 0 : at * (a.from - 1.0) / (whole - 1);
  if (form.coordinates == "asymmetric")
    return at / a.scale;
  if (form.coordinates == "tf_half_pixel_for_nn")
    return (at + 0.5) / a.scale;
  if (form.coordinates == "pytorch_half_pixel")
    return a.to == 1 ? 0 : half;
  if (form.coordinates == "half_pixel_symmetric")
    return half + a.from / 2.0 * (1 - a.to / (a.scale * a.from));
  if (form.coordinates == "tf_crop_and_resize")
    return whole == 1 ? 0.5 * (a.start + a.end) * (a.from - 1) : a.start * (a.from - 1) + at * (a.end - a.start) * (a.from - 1) / (whole - 1);
  return half;
}

double cubicWeight(double x, double a) {
  x = std::abs(x);
  if (x <= 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// Weights of the elements from place `first` on, counted from the element below the source; `ratio` of (0, 1] is how far behind that the source is.
SmallVector<double> weightsOf(const ResizeForm &form, double scale, double ratio, int64_t &first) {
  if (form.mode == "nearest") {
    const bool isUpper = ratio == 1 || (form.nearest == "ceil") || (form.nearest == "round_prefer_floor" && ratio > 0.5) ||
                         (form.nearest == "round_prefer_ceil" && ratio >= 0.5);
    first = isUpper;
    return {1};
  }
  const double shrink = form.isAntialiased ? std::min(scale, 1.0) : 1, width = form.mode == "linear" ? 1 : 2;
  first = static_cast<int64_t>(std::floor(-width / shrink)) + 1;
  SmallVector<double> weights;
  double sum = 0;
  for (int64_t i = first; i < 2 - first; ++i) {
    const double away = (i - ratio) * shrink;
    weights.push_back(form.mode == "linear" ? std::max(1 - std::abs(away), 0.0) : cubicWeight(away, form.cubic));
    sum += weights.back();
  }
  for (double &weight : weights)
    weight = form.isAntialiased ? weight / sum : weight;
  return weights;
}

/// x with one axis resized.
Value resizeAxis(Speller &s, Value x, const ResizeForm &form, const ResizedAxis &a) {
  if (!x)
    return {};
  SmallVector<SmallVector<int64_t>> places;
  SmallVector<SmallVector<double>> weights;
  for (int64_t at = 0; at < a.to; ++at) {
    const double source = sourceOf(form, a, at), below = std::floor(source);
    const bool isWhole = source == below;
    int64_t first = 0;
    SmallVector<double> own = weightsOf(form, a.scale, isWhole ? 1 : source - below, first);
    const int64_t start = static_cast<int64_t>(below) - isWhole + first, count = own.size();
    places.resize(count), weights.resize(count);
    double inside = 0;
    for (auto [i, weight] : llvm::enumerate(own)) {
      const int64_t place = start + static_cast<int64_t>(i);
      const bool isOutside = place < 0 || place >= a.from;
      weight = form.excludesOutside && isOutside ? 0 : weight;
      inside += weight;
      places[i].push_back(std::clamp<int64_t>(place, 0, a.from - 1));
    }
    for (auto [i, weight] : llvm::enumerate(own))
      weights[i].push_back(form.excludesOutside && inside != 0 ? weight / inside : weight);
  }
  const auto axis = s.integerAttribute("axis", a.axis);
  if (form.mode == "nearest")
    return s.emit("Gather", {x, s.list(places.front())}, axis);
  SmallVector<int64_t> dims(s.typeOf(x).getRank() - a.axis, 1);
  dims[0] = a.to;
  Value sum;
  for (auto [own, factors] : llvm::zip(places, weights)) {
    if (llvm::all_of(factors, [](double weight) { return weight == 0; }))
      continue;
    Value term = s.multiply(s.emit("Gather", {x, s.list(own)}, axis), s.constant(dims, factors, s.typeOf(x).getElementType()));
    sum = sum ? s.add(sum, term) : term;
  }
  return sum;
}

/// Where the source of tf_crop_and_resize lies outside, the result is a constant.
Value fillOutside(Speller &s, Value y, const ResizeForm &form, const ResizedAxis &a) {
  if (!y)
    return {};
  SmallVector<double> outside;
  for (int64_t at = 0; at < a.to; ++at) {
    const double source = sourceOf(form, a, at);
    outside.push_back(source < 0 || source > a.from - 1);
  }
  SmallVector<int64_t> dims(s.typeOf(y).getRank() - a.axis, 1);
  dims[0] = a.to;
  return s.emit("Where", {s.constant(dims, outside, s.boolean()), s.number(s.real("extrapolation_value", 0), s.typeOf(y).getElementType()), y});
}

/// Sets sizes and scales of `axes` from the input that gives them. False after an error.
bool readSizes(Speller &s, const ResizeForm &form, unsigned scales, unsigned sizes, MutableArrayRef<ResizedAxis> axes) {
  const auto isThere = [&](unsigned i) { return s.has(i) && !(s.type(i).hasStaticShape() && s.type(i).getNumElements() == 0); };
  // Behind this factor no size of a resized axis is one that is taken.
  constexpr double mostScale = int64_t(1) << 31, leastScale = 1 / mostScale;
  if (isThere(sizes)) {
    if (s.type(sizes).getRank() != 1 || s.type(sizes).getDimSize(0) != static_cast<int64_t>(axes.size()))
      return s.error() << "expected " << axes.size() << " sizes, found " << s.type(sizes), false;
    SmallVector<int64_t> wanted;
    for (auto [i, a] : llvm::enumerate(axes)) {
      const bool isKept = s.isSizeOf(s.input(sizes), i, s.input(0), a.axis);
      const std::optional<int64_t> size = isKept ? a.from : s.knownElement(s.input(sizes), i);
      if (!size || *size < 1 || *size > mostScale || a.from < 1 || (!isKept && s.type(0).isDynamicDim(a.axis)))
        return s.error() << "expected sizes that are positive numbers for known dims, or the dims themselves, found none such for axis " << a.axis << " of " << s.type(0),
               false;
      wanted.push_back(*size);
    }
    double common = form.policy == "not_larger" ? std::numeric_limits<double>::infinity() : 0;
    for (auto [a, size] : llvm::zip(axes, wanted)) {
      a.to = size;
      a.scale = static_cast<double>(size) / a.from;
      common = form.policy == "not_larger" ? std::min(common, a.scale) : std::max(common, a.scale);
    }
    // Where the ratio is kept, every axis counts.
    if (form.policy != "stretch" && llvm::any_of(axes, [&](const ResizedAxis &a) { return s.type(0).isDynamicDim(a.axis); }))
      return s.error() << "expected known dims with keep_aspect_ratio_policy " << form.policy << ", found " << s.type(0), false;
    for (ResizedAxis &a : axes)
      if (form.policy != "stretch") {
        a.scale = common;
        a.to = static_cast<int64_t>(std::floor(common * a.from + 0.5));
      }
    return true;
  }
  const auto factors = isThere(scales) ? s.realConstants(s.input(scales)) : std::nullopt;
  if (!factors || factors->size() != axes.size() || llvm::any_of(*factors, [](double factor) { return !(factor >= leastScale && factor <= mostScale); }))
    return s.error() << "expected " << axes.size() << " scales from 2^-31 to 2^31, or sizes, known when the model is compiled", false;
  for (auto [a, factor] : llvm::zip(axes, *factors)) {
    a.scale = factor;
    a.to = static_cast<int64_t>(std::floor(std::min<double>(a.from, mostScale) * factor));
  }
  return true;
}

/// The attributes; false after an error.
bool readForm(Speller &s, ResizeForm &form) {
  const bool isOld = s.version() < 11;
  form.mode = s.string("mode", "nearest");
  form.coordinates = s.string("coordinate_transformation_mode", isOld ? "asymmetric" : "half_pixel");
  form.nearest = s.string("nearest_mode", isOld ? "floor" : "round_prefer_floor");
  form.policy = s.string("keep_aspect_ratio_policy", "stretch");
  form.isAntialiased = s.integer("antialias", 0);
  form.excludesOutside = s.integer("exclude_outside", 0);
  form.cubic = s.real("cubic_coeff_a", -0.75);
  const auto check = [&](StringRef name, StringRef found, ArrayRef<StringRef> known) {
    if (llvm::is_contained(known, found))
      return true;
    return s.error() << "attribute '" << name << "' = '" << found << "' is not supported", false;
  };
  return check("mode", form.mode, {"nearest", "linear", "cubic"}) &&
         check("coordinate_transformation_mode", form.coordinates,
               {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"}) &&
         check("nearest_mode", form.nearest, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) &&
         check("keep_aspect_ratio_policy", form.policy, {"stretch", "not_larger", "not_smaller"});
}

/// X, roi, scales, sizes; before version 11 X, scales.
Results spellResize(Speller &s) {
  ResizeForm form;
  if (!readForm(s, form))
    return {};
  const RankedTensorType type = s.type(0);
  const int64_t rank = type.getRank();
  SmallVector<int64_t> all(rank);
  std::iota(all.begin(), all.end(), 0);
  SmallVector<ResizedAxis> axes;
  for (int64_t axis : s.integers("axes").value_or(all)) {
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank)
      return s.error() << "expected axes of " << type, Results();
    // An axis of unknown size may only stay as it is.
    axes.push_back({axis, type.isDynamicDim(axis) ? 1 : type.getDimSize(axis)});
  }
  const bool isOld = s.version() < 11;
  if (!readSizes(s, form, isOld ? 1 : 2, isOld ? ~0u : 3, axes))
    return {};
  const bool crops = form.coordinates == "tf_crop_and_resize";
  if (crops) {
    const auto roi = s.has(1) ? s.realConstants(s.input(1)) : std::nullopt;
    if (!roi || roi->size() != 2 * axes.size())
      return s.error() << "expected a roi of " << 2 * axes.size() << " elements known when the model is compiled", Results();
    for (auto [i, a] : llvm::enumerate(axes))
      a.start = (*roi)[i], a.end = (*roi)[axes.size() + i];
  }
  llvm::erase_if(axes, [&](const ResizedAxis &a) { return a.scale == 1 && a.to == a.from && !(crops && (a.start != 0 || a.end != 1)); });
  for (const ResizedAxis &a : axes) {
    if (type.isDynamicDim(a.axis) || a.from < 1 || a.to < 1)
      return s.error() << "expected dims that are resized to be known and not empty, before and after, found " << type, Results();
    // An antialiased result is made of as many elements as its axis shrinks by, times four.
    if (!s.requireMost("elements of a resized axis", std::max(a.from, a.to), Speller::mostElements) ||
        (form.isAntialiased && !s.requireMost("elements for one of the result", static_cast<int64_t>(4 / std::min(a.scale, 1.0)), Speller::mostNodes)))
      return {};
  }
  const Type element = type.getElementType(), wide = element.isF64() || form.mode == "nearest" ? element : s.f32();
  Value y = s.cast(s.input(0), wide);
  for (const ResizedAxis &a : axes)
    y = resizeAxis(s, y, form, a);
  if (crops)
    for (const ResizedAxis &a : axes)
      y = fillOutside(s, y, form, a);
  return {axes.empty() ? s.emit("Identity", {s.input(0)}) : s.cast(y, element)};
}

} // namespace

void addResizeForms(SpelledForms &forms) { forms[":Resize"] = {spellResize, {0}, 4}; }

} // namespace moe
