// Pools and local response norms as slices that are added or compared: K slices per axis, one axis after the other, which gives for k1 × k2 windows the
// same result as k1 · k2 slices.
#include "Speller.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

/// A window along one axis, after auto_pad and ceil_mode: `tail` are places behind the padding that only a last, incomplete window reaches.
struct Window {
  int64_t axis, kernel, stride, dilation, begin = 0, end = 0, tail = 0;
  int64_t reach() const { return (kernel - 1) * dilation + 1; }
};

/// Slices at each place of the windows along one axis, combined by `opType` (of two or more inputs).
Value combine(Speller &s, StringRef opType, Value x, const Window &window) {
  if (!s.requireMost("places of a window along an axis", window.kernel, Speller::mostNodes))
    return {};
  SmallVector<Value> parts;
  for (int64_t i = 0; i < window.kernel; ++i) {
    const int64_t behind = window.reach() - 1 - i * window.dilation;
    parts.push_back(s.emit("Slice", {x, s.list({i * window.dilation}), s.list({behind ? -behind : std::numeric_limits<int64_t>::max()}), s.list({window.axis}),
                                     s.list({window.stride})}));
  }
  return parts.size() == 1 ? parts.front() : s.emit(opType, parts);
}

Value pad(Speller &s, Value x, ArrayRef<Window> windows, Value filler) {
  if (!x)
    return {};
  const int64_t rank = s.typeOf(x).getRank();
  SmallVector<int64_t> pads(2 * rank, 0);
  for (const Window &window : windows) {
    pads[window.axis] = window.begin;
    pads[rank + window.axis] = window.end + window.tail;
  }
  return llvm::all_of(pads, [](int64_t count) { return count == 0; }) ? x : s.emit("Pad", {x, s.list(pads), filler});
}

/// Sets the padding of `window` in a dim of `size`. False after an error.
bool setPadding(Speller &s, Window &window, int64_t size, StringRef automatic, bool isCeiled) {
  if (automatic == "VALID")
    window.begin = window.end = 0;
  else if (automatic != "NOTSET" && automatic != "SAME_UPPER" && automatic != "SAME_LOWER")
    return s.error() << "expected an auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER, found '" << automatic << "'", false;
  const bool isSame = automatic.starts_with("SAME");
  if (!isSame && !isCeiled)
    return true;
  if (ShapedType::isDynamic(size))
    return s.error() << "expected known spatial dims with auto_pad " << automatic << " and ceil_mode " << isCeiled << ", found " << s.type(0), false;
  if (!s.requireMost("elements along an axis", size, int64_t(1) << 40))
    return false;
  if (isSame) {
    const int64_t total = std::max<int64_t>((llvm::divideCeil(size, window.stride) - 1) * window.stride + window.reach() - size, 0);
    window.begin = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
    window.end = total - window.begin;
    return true;
  }
  const int64_t padded = size + window.begin + window.end;
  int64_t count = llvm::divideCeil(std::max<int64_t>(padded - window.reach(), 0), window.stride) + 1;
  // A window that starts behind the input is none.
  if ((count - 1) * window.stride >= size + window.begin)
    --count;
  window.tail = std::max<int64_t>((count - 1) * window.stride + window.reach() - padded, 0);
  return true;
}

/// The windows that the attributes give for x of [N, C, …]; empty after an error.
SmallVector<Window> readWindows(Speller &s, RankedTensorType x) {
  const int64_t spatial = x.getRank() - 2;
  if (spatial < 1 || !s.attribute("kernel_shape"))
    return s.error() << "expected a kernel_shape and an input of 3 dims or more, found " << x, SmallVector<Window>();
  const SmallVector<int64_t> kernel = s.boundedIntegers("kernel_shape", 1, spatial, 1), strides = s.boundedIntegers("strides", 1, spatial, 1),
                             dilations = s.boundedIntegers("dilations", 1, spatial, 1), pads = s.boundedIntegers("pads", 0, 2 * spatial, 0);
  if (s.failed())
    return {};
  SmallVector<Window> windows;
  for (int64_t i = 0; i < spatial; ++i) {
    windows.push_back({i + 2, kernel[i], strides[i], dilations[i], pads[i], pads[spatial + i]});
    if (!setPadding(s, windows.back(), x.getDimSize(i + 2), s.string("auto_pad", "NOTSET"), s.integer("ceil_mode", 0)))
      return {};
  }
  return windows;
}

/// The least value of a type, as what max pools are padded with.
Value leastOf(Speller &s, Type element) {
  if (isa<FloatType>(element))
    return s.number(-std::numeric_limits<double>::infinity(), element);
  return s.number(element.isUnsignedInteger() ? 0 : -std::ldexp(1.0, element.getIntOrFloatBitWidth() - 1), element);
}

Value maxPool(Speller &s, Value x) {
  const SmallVector<Window> windows = readWindows(s, s.typeOf(x));
  if (windows.empty())
    return {};
  x = pad(s, x, windows, leastOf(s, s.typeOf(x).getElementType()));
  for (const Window &window : windows)
    x = combine(s, "Max", x, window);
  return x;
}

/// Values and where they lie.
struct Placed {
  Value values, places;
};

/// As combine for the greatest value, which among equal ones is the one at the least place.
Placed combinePlaced(Speller &s, Placed x, const Window &window) {
  if (!s.requireMost("places of a window along an axis, all of them with their Indices,", window.kernel, Speller::mostNodes / 8))
    return {};
  Placed best;
  for (int64_t i = 0; i < window.kernel; ++i) {
    const int64_t behind = window.reach() - 1 - i * window.dilation;
    const auto part = [&](Value value) {
      return s.emit("Slice", {value, s.list({i * window.dilation}), s.list({behind ? -behind : std::numeric_limits<int64_t>::max()}), s.list({window.axis}),
                              s.list({window.stride})});
    };
    const Placed own = {part(x.values), part(x.places)};
    if (!best.values) {
      best = own;
      continue;
    }
    Value isFirst = s.emit("And", {s.emit("Equal", {own.values, best.values}), s.emit("Less", {own.places, best.places})});
    Value isBetter = s.emit("Or", {s.emit("Greater", {own.values, best.values}), isFirst});
    best = {s.emit("Where", {isBetter, own.values, best.values}), s.emit("Where", {isBetter, own.places, best.places})};
  }
  return best;
}

/// Places row by row as those column by column (storage_order 1): the first spatial dim runs fastest, maps stay in order.
Value transposePlaces(Speller &s, Value places, Value x) {
  const int64_t rank = s.typeOf(x).getRank();
  Value rest = places, turned, stride;
  SmallVector<Value> at(rank), counts(rank);
  for (int64_t axis = rank - 1; axis >= 2; --axis) {
    counts[axis] = s.count(x, axis);
    Value above = s.divide(rest, counts[axis]);
    at[axis] = s.subtract(rest, s.multiply(above, counts[axis]));
    rest = above;
  }
  for (int64_t axis = 2; axis < rank; ++axis) {
    turned = turned ? s.add(turned, s.multiply(at[axis], stride)) : at[axis];
    stride = stride ? s.multiply(stride, counts[axis]) : counts[axis];
  }
  return s.add(turned, s.multiply(rest, stride));
}

/// The pool, and for each result the place of its element among all of the input's. Padding lies behind every element, so that it is never the place where
/// an element is as small.
Results maxPoolPlaced(Speller &s, Value input) {
  const int64_t order = s.integer("storage_order", 0);
  if (order != 0 && order != 1)
    return s.error() << "expected a storage_order of 0 or 1, found " << order, Results();
  const SmallVector<Window> windows = readWindows(s, s.typeOf(input));
  if (windows.empty())
    return {};
  Value places = s.emit("Reshape", {s.upTo(s.emit("Size", {input})), s.emit("Shape", {input})});
  Placed x = {pad(s, input, windows, leastOf(s, s.typeOf(input).getElementType())), pad(s, places, windows, s.number(std::ldexp(1.0, 60), s.i64()))};
  for (const Window &window : windows)
    x = combinePlaced(s, x, window);
  return {x.values, order ? transposePlaces(s, x.places, input) : x.places};
}

Results spellMaxPool(Speller &s) { return s.wants(1) ? maxPoolPlaced(s, s.input(0)) : Results{maxPool(s, s.input(0))}; }

/// How many places of each window count: those inside, and padding where it is counted; never those behind the padding.
SmallVector<double> countPlaces(const Window &window, int64_t size, bool countsPadding) {
  const int64_t low = countsPadding ? 0 : window.begin, high = window.begin + size + (countsPadding ? window.end : 0);
  const int64_t padded = window.begin + size + window.end + window.tail;
  SmallVector<double> counts;
  for (int64_t start = 0; start + window.reach() <= padded; start += window.stride) {
    int64_t count = 0;
    for (int64_t i = 0; i < window.kernel; ++i)
      count += start + i * window.dilation >= low && start + i * window.dilation < high;
    counts.push_back(std::max<int64_t>(count, 1));
  }
  return counts;
}

/// Sums of windows over their counts, in f32 for f16 and bf16.
Value averagePool(Speller &s, Value x) {
  const RankedTensorType type = s.typeOf(x);
  const SmallVector<Window> windows = readWindows(s, type);
  if (windows.empty())
    return {};
  const bool countsPadding = s.integer("count_include_pad", 0);
  const Type element = type.getElementType(), wide = element.isF64() ? element : s.f32();
  x = pad(s, s.cast(x, wide), windows, s.number(0, wide));
  double same = 1;
  for (const Window &window : windows) {
    x = combine(s, "Sum", x, window);
    if (window.tail == 0 && (countsPadding || (window.begin == 0 && window.end == 0))) {
      same *= window.kernel;
      continue;
    }
    if (type.isDynamicDim(window.axis))
      return s.error() << "expected known spatial dims where windows reach beyond the input, found " << type, Value();
    const int64_t windows = type.getDimSize(window.axis) / window.stride;
    if (!s.requireMost("windows along an axis where they reach beyond the input", windows, Speller::mostElements) ||
        !s.requireMost("places of all windows along an axis where they reach beyond the input", windows * window.kernel, 16 * Speller::mostElements))
      return {};
    const SmallVector<double> counts = countPlaces(window, type.getDimSize(window.axis), countsPadding);
    SmallVector<int64_t> dims(type.getRank() - window.axis, 1);
    dims[0] = counts.size();
    x = s.divide(x, s.constant(dims, counts, wide));
  }
  return s.cast(same == 1 ? x : s.divide(x, s.number(same, wide)), element);
}

Results spellAveragePool(Speller &s) { return {averagePool(s, s.input(0))}; }

/// [N, …, C] as [N, C, …], and back.
Value channelsFirst(Speller &s, Value x) {
  if (!x)
    return {};
  SmallVector<int64_t> permutation = {0, s.typeOf(x).getRank() - 1};
  for (int64_t i = 1; i + 1 < s.typeOf(x).getRank(); ++i)
    permutation.push_back(i);
  return s.transpose(x, permutation);
}
Value channelsLast(Speller &s, Value x) {
  if (!x)
    return {};
  SmallVector<int64_t> permutation = {0};
  for (int64_t i = 2; i < s.typeOf(x).getRank(); ++i)
    permutation.push_back(i);
  permutation.push_back(1);
  return s.transpose(x, permutation);
}

Results spellNhwcMaxPool(Speller &s) { return s.requireRank(0, 3, 8) ? Results{channelsLast(s, maxPool(s, channelsFirst(s, s.input(0))))} : Results(); }

Results spellQLinearAveragePool(Speller &s) {
  const bool isLast = s.integer("channels_last", 0);
  Value x = s.dequantised(0);
  if (!x || !s.requireRank(0, 3, 8))
    return {};
  Value y = averagePool(s, isLast ? channelsFirst(s, x) : x);
  return {s.quantised(isLast ? channelsLast(s, y) : y, 3, 0)};
}

SmallVector<int64_t> axesBetween(int64_t first, int64_t end) {
  SmallVector<int64_t> axes;
  for (int64_t i = first; i < end; ++i)
    axes.push_back(i);
  return axes;
}

Results spellGlobalAveragePool(Speller &s) {
  if (!s.requireRank(0, 3, 8))
    return {};
  return {s.mean(s.input(0), axesBetween(2, s.type(0).getRank()))};
}

Results spellGlobalMaxPool(Speller &s) {
  if (!s.requireRank(0, 3, 8))
    return {};
  return {s.emit("ReduceMax", {s.input(0), s.list(axesBetween(2, s.type(0).getRank()))}, {s.integerAttribute("keepdims", 1)})};
}

Results spellQLinearGlobalAveragePool(Speller &s) {
  if (!s.requireRank(0, 3, 8))
    return {};
  const int64_t rank = s.type(0).getRank(), first = s.integer("channels_last", 0) ? 1 : 2;
  return {s.quantised(s.mean(s.dequantised(0), axesBetween(first, rank + first - 2)), 3, 0)};
}

/// x / (bias + alpha / size · Σ x²)^beta, the sum over `size` channels around each.
Results spellLrn(Speller &s) {
  const int64_t size = s.integer("size", 0);
  if (size < 1 || size > Speller::mostNodes)
    return s.error() << "expected an attribute size from 1 to " << Speller::mostNodes << ", found " << size, Results();
  if (!s.requireRank(0, 2, 8))
    return {};
  const Type element = s.type(0).getElementType();
  const Window window = {1, size, 1, 1, (size - 1) / 2, size / 2};
  Value sums = combine(s, "Sum", pad(s, s.multiply(s.input(0), s.input(0)), window, s.number(0, element)), window);
  Value base = s.add(s.multiply(sums, s.number(s.real("alpha", 1e-4) / size, element)), s.number(s.real("bias", 1), element));
  return {s.divide(s.input(0), s.emit("Pow", {base, s.number(s.real("beta", 0.75), element)}))};
}

} // namespace

void addPoolingForms(SpelledForms &forms) {
  forms[":MaxPool"] = {spellMaxPool, {0}, 1, 2};
  forms[":AveragePool"] = {spellAveragePool, {0}, 1};
  forms[":GlobalAveragePool"] = {spellGlobalAveragePool, {0}, 1};
  forms[":GlobalMaxPool"] = {spellGlobalMaxPool, {0}, 1};
  forms[":LRN"] = {spellLrn, {0}, 1};
  forms["com.microsoft:NhwcMaxPool"] = {spellNhwcMaxPool, {0}, 1};
  forms["com.microsoft:QLinearAveragePool"] = {spellQLinearAveragePool, {0, 1, 3}, 5};
  forms["com.microsoft:QLinearGlobalAveragePool"] = {spellQLinearGlobalAveragePool, {0, 1, 3}, 5};
}

} // namespace moe
