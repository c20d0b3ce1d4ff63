// Convolutions that are a Conv of other operands: transposed, of integers, of codes.
#include "Speller.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

/// One spatial dim of a ConvTranspose: the input spread by `stride`, then `before` and `after` zeros (fewer than none are cut off), then a Conv.
struct SpreadDim {
  int64_t kernel, stride, dilation, before, after;
};

/// Padding by the attributes: that of the result, cut from what the spread input gives.
bool readSpread(Speller &s, SmallVectorImpl<SpreadDim> &spread) {
  const RankedTensorType x = s.type(0), w = s.type(1);
  const int64_t spatial = x.getRank() - 2;
  constexpr int64_t least = -(int64_t(1) << 30); // Pads below 0 make the result larger.
  const SmallVector<int64_t> strides = s.boundedIntegers("strides", 1, spatial, 1), dilations = s.boundedIntegers("dilations", 1, spatial, 1),
                             pads = s.boundedIntegers("pads", 0, 2 * spatial, least), more = s.boundedIntegers("output_padding", 0, spatial, 0);
  if (s.failed())
    return false;
  const auto wanted = s.integers("output_shape");
  const StringRef automatic = s.string("auto_pad", "NOTSET");
  const bool isSame = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (!isSame && automatic != "NOTSET" && automatic != "VALID")
    return s.error() << "expected an auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER, found '" << automatic << "'", false;
  for (int64_t i = 0; i < spatial; ++i) {
    const int64_t kernel = w.getDimSize(i + 2), size = x.getDimSize(i + 2);
    if (!s.requireMost("elements of a kernel along an axis", kernel, int64_t(1) << 30) || !s.requireMost("elements along an axis", size, int64_t(1) << 31))
      return false;
    const int64_t reach = (kernel - 1) * dilations[i] + 1;
    int64_t begin = automatic == "VALID" ? 0 : pads[i], end = automatic == "VALID" ? 0 : pads[spatial + i];
    if (isSame || wanted) {
      if (ShapedType::isDynamic(size) || (wanted && static_cast<int64_t>(wanted->size()) < spatial))
        return s.error() << "expected known spatial dims with auto_pad " << automatic << " or an output_shape of " << spatial << " elements, found " << x, false;
      // An output_shape may have all dims; the last ones are the spatial ones.
      const int64_t target = wanted ? (*wanted)[wanted->size() - spatial + i] : size * strides[i];
      if (target < 0 || !s.requireMost("elements of the result along an axis", target, int64_t(1) << 61))
        return s.failed() ? false : (s.error() << "expected an output_shape of numbers that are not negative, found " << target, false);
      const int64_t total = strides[i] * (size - 1) + more[i] + reach - target;
      // What a larger output_shape has beyond the result stands behind it.
      const int64_t cut = std::max<int64_t>(total, 0);
      begin = automatic == "SAME_UPPER" ? cut / 2 : cut - cut / 2;
      end = total - begin;
    }
    spread.push_back({kernel, strides[i], dilations[i], reach - 1 - begin, reach - 1 - end + more[i]});
  }
  return true;
}

/// x with stride − 1 zeros between neighbours of each spatial dim, and zeros around it.
Value spreadInput(Speller &s, Value x, ArrayRef<SpreadDim> spread) {
  const Type element = s.typeOf(x).getElementType();
  for (auto [i, dim] : llvm::enumerate(spread)) {
    const int64_t axis = i + 2, rank = s.type(0).getRank();
    int64_t after = dim.after;
    if (dim.stride > 1) {
      SmallVector<int64_t> pads(2 * (rank + 1), 0);
      pads[rank + 1 + axis + 1] = dim.stride - 1;
      Value apart = s.emit("Pad", {s.unsqueeze(x, {axis + 1}), s.list(pads), s.number(0, element)});
      SmallVector<Value> sizes;
      for (int64_t j = 0; j < rank; ++j)
        sizes.push_back(j == axis ? s.multiply(s.size(x, j), s.list({dim.stride})) : s.size(x, j));
      x = s.emit("Reshape", {apart, s.joined(sizes)});
      after -= dim.stride - 1;
    }
    SmallVector<int64_t> pads(2 * rank, 0);
    pads[axis] = std::max<int64_t>(dim.before, 0);
    pads[rank + axis] = std::max<int64_t>(after, 0);
    if (pads[axis] || pads[rank + axis])
      x = s.emit("Pad", {x, s.list(pads), s.number(0, element)});
    if (dim.before < 0 || after < 0)
      x = s.slice(x, axis, std::max<int64_t>(-dim.before, 0), after < 0 ? after : std::numeric_limits<int64_t>::max());
  }
  return x;
}

/// W [C, M / group, k…] as Conv has it, [M, C / group, k…], the kernels turned round.
Value turnKernel(Speller &s, int64_t group) {
  const RankedTensorType type = s.type(1);
  const int64_t rank = type.getRank(), channels = type.getDimSize(0) / group, maps = type.getDimSize(1);
  SmallVector<int64_t> starts, ends, axes, split = {group, channels, maps}, permutation = {0, 2, 1}, joined = {group * maps, channels};
  for (int64_t i = 2; i < rank; ++i) {
    starts.push_back(-1);
    ends.push_back(std::numeric_limits<int64_t>::min());
    axes.push_back(i);
    split.push_back(type.getDimSize(i));
    permutation.push_back(i + 1);
    joined.push_back(type.getDimSize(i));
  }
  Value turned = s.emit("Slice", {s.input(1), s.list(starts), s.list(ends), s.list(axes), s.list(SmallVector<int64_t>(axes.size(), -1))});
  return s.reshape(s.transpose(s.reshape(turned, split), permutation), joined);
}

Results spellConvTranspose(Speller &s) {
  const int64_t group = s.integer("group", 1), rank = s.type(0).getRank();
  if (!s.requireRank(0, 3, 8) || !s.requireRank(1, rank, rank))
    return {};
  if (!s.type(1).hasStaticShape() || group < 1 || s.type(1).getDimSize(0) % group != 0)
    return s.error() << "expected a W of known dims whose first " << group << " groups divide, found " << s.type(1), Results();
  SmallVector<SpreadDim> spread;
  if (!readSpread(s, spread))
    return {};
  SmallVector<int64_t> dilations;
  for (const SpreadDim &dim : spread)
    dilations.push_back(dim.dilation);
  SmallVector<Value> operands = {spreadInput(s, s.input(0), spread), turnKernel(s, group)};
  if (s.has(2))
    operands.push_back(s.input(2));
  return {s.emit("Conv", operands, {s.integerAttribute("group", group), s.integersAttribute("dilations", dilations)})};
}

/// The attributes that Conv and its relatives share.
SmallVector<NamedAttribute> convAttributes(Speller &s) { return s.kept({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}); }

/// x, w, zero points of both: products of integers, summed in f64, which holds every sum of up to 2^37 of them.
Results spellConvInteger(Speller &s) {
  Type wide = Float64Type::get(s.f32().getContext());
  const auto without = [&](unsigned i, unsigned zero, bool isPerMap) {
    Value value = s.cast(s.input(i), wide);
    if (!s.has(zero))
      return value;
    Value offset = s.cast(s.input(zero), wide);
    if (isPerMap && s.type(zero).getRank() == 1 && s.type(zero).getDimSize(0) != 1) {
      SmallVector<int64_t> axes;
      for (int64_t axis = 1; axis < s.type(1).getRank(); ++axis)
        axes.push_back(axis);
      offset = s.unsqueeze(offset, axes);
    } else if (s.type(zero).getRank() == 1) {
      offset = s.emit("Squeeze", {offset});
    }
    return s.subtract(value, offset);
  };
  return {s.cast(s.emit("Conv", {without(0, 2, false), without(1, 3, true)}, convAttributes(s)), s.i32())};
}

/// x, w and y with scales and zero points, then a bias in units of the product of both scales.
Results spellQLinearConv(Speller &s) {
  const int64_t rank = s.type(0).getRank();
  if (!s.requireRank(0, 3, 8))
    return {};
  const bool isLast = s.integer("channels_last", 0);
  SmallVector<int64_t> first = {0, rank - 1}, last = {0};
  for (int64_t i = 1; i + 1 < rank; ++i)
    first.push_back(i);
  for (int64_t i = 2; i < rank; ++i)
    last.push_back(i);
  last.push_back(1);
  Value x = s.dequantised(0);
  SmallVector<Value> operands = {isLast ? s.transpose(x, first) : x, s.dequantised(3, 0)};
  if (s.has(8))
    operands.push_back(s.multiply(s.cast(s.input(8), s.f32()), s.multiply(s.input(1), s.input(4))));
  Value y = s.emit("Conv", operands, convAttributes(s));
  return {s.quantised(isLast ? s.transpose(y, last) : y, 6, 0)};
}

} // namespace

void addConvolutionForms(SpelledForms &forms) {
  forms[":ConvTranspose"] = {spellConvTranspose, {0, 1}, 3};
  forms[":ConvInteger"] = {spellConvInteger, {0, 1}, 4};
  forms[":QLinearConv"] = {spellQLinearConv, {0, 1, 2, 3, 4, 5, 6, 7}, 9};
  forms["com.microsoft:QLinearConv"] = {spellQLinearConv, {0, 1, 2, 3, 4, 5, 6, 7}, 9};
}

} // namespace moe
