// Normalisations and activations that have no kernel of their own.
#include "Speller.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

/// A vector of C elements as [C, 1, …], to be read at [N, C, …].
Value perChannel(Speller &s, Value vector, int64_t rank) {
  SmallVector<int64_t> axes;
  for (int64_t i = 1; i + 1 < rank; ++i)
    axes.push_back(i);
  return axes.empty() ? vector : s.unsqueeze(vector, axes);
}

/// (x − mean) / √(variance + epsilon)
Value normalised(Speller &s, Value x, Value mean, Value variance, double epsilon) {
  if (!x || !variance)
    return {};
  return s.divide(s.subtract(x, mean), s.emit("Sqrt", {s.add(variance, s.number(epsilon, s.typeOf(variance).getElementType()))}));
}

Value varianceOf(Speller &s, Value x, Value mean, ArrayRef<int64_t> axes) {
  Value away = s.subtract(x, mean);
  return s.mean(s.multiply(away, away), axes);
}

/// X, scale, B, mean, var. In training the batch's own mean and variance are used, and the running ones move towards them.
Results spellBatchNormalization(Speller &s) {
  if (!s.requireRank(0, 2, 8))
    return {};
  const RankedTensorType type = s.type(0);
  const Type element = type.getElementType(), wide = element.isF64() ? element : s.f32();
  const bool isTraining = s.version() >= 14 && s.integer("training_mode", 0);
  if (s.version() < 9 && s.integer("spatial", 1) == 0)
    return s.error() << "has 'spatial' = 0, which is not supported", Results();
  if (!isTraining && (s.wants(1) || s.wants(2) || s.wants(3) || s.wants(4)))
    return s.error() << "has outputs of running statistics, which only training_mode = 1 has", Results();
  const auto channels = [&](unsigned i) { return perChannel(s, s.cast(s.input(i), wide), type.getRank()); };
  Value x = s.cast(s.input(0), wide), mean = channels(3), variance = channels(4);
  SmallVector<int64_t> axes = {0};
  for (int64_t i = 2; i < type.getRank(); ++i)
    axes.push_back(i);
  Results running;
  if (isTraining) {
    const double momentum = s.real("momentum", 0.9);
    mean = s.mean(x, axes);
    variance = varianceOf(s, x, mean, axes);
    for (auto [i, batch] : {std::pair(3u, mean), std::pair(4u, variance)}) {
      const Type kept = s.type(i).getElementType();
      Value old = s.multiply(s.cast(s.input(i), wide), s.number(momentum, wide));
      Value now = s.multiply(s.emit("Squeeze", {batch, s.list(axes)}), s.number(1 - momentum, wide));
      running.push_back(s.cast(s.add(old, now), kept));
    }
  }
  Value normal = normalised(s, x, mean, variance, s.real("epsilon", 1e-5));
  Results results = {s.cast(s.add(s.multiply(normal, channels(1)), channels(2)), element)};
  results.append(running);
  return results;
}

Results spellInstanceNormalization(Speller &s) {
  if (!s.requireRank(0, 3, 8))
    return {};
  SmallVector<int64_t> axes;
  for (int64_t i = 2; i < s.type(0).getRank(); ++i)
    axes.push_back(i);
  const Type element = s.type(0).getElementType(), wide = element.isF64() ? element : s.f32();
  const auto channels = [&](unsigned i) { return perChannel(s, s.cast(s.input(i), wide), s.type(0).getRank()); };
  Value x = s.cast(s.input(0), wide), mean = s.mean(x, axes);
  Value normal = normalised(s, x, mean, varianceOf(s, x, mean, axes), s.real("epsilon", 1e-5));
  return {s.cast(s.add(s.multiply(normal, channels(1)), channels(2)), element)};
}

/// x of [N, C, …] normalised over each of the groups that its channels are divided into, without scale; `perGroup` is applied to [N, groups, …].
Value groupNormal(Speller &s, Value x, int64_t groups, double epsilon, llvm::function_ref<Value(Value)> perGroup = {}) {
  Value runs = s.reshape(x, {0, groups, -1}), mean = s.mean(runs, {2});
  Value normal = normalised(s, runs, mean, varianceOf(s, runs, mean, {2}), epsilon);
  return s.emit("Reshape", {perGroup ? perGroup(normal) : normal, s.emit("Shape", {x})});
}

/// A positive number of groups that divides the channels in dim `axis`.
bool checkGroups(Speller &s, int64_t groups, int64_t channels) {
  if (groups > 0 && !ShapedType::isDynamic(channels) && channels % groups == 0)
    return true;
  return s.error() << "expected a known number of channels that " << groups << " groups divide, found " << s.type(0), false;
}

/// Scale and bias are per group before version 21, and per channel from there on.
Results spellGroupNormalization(Speller &s) {
  const int64_t groups = s.integer("num_groups", 0);
  if (!s.requireRank(0, 3, 8) || !checkGroups(s, groups, s.type(0).getDimSize(1)))
    return {};
  const int64_t rank = s.type(0).getRank();
  const Type element = s.type(0).getElementType(), wide = element.isF64() ? element : s.f32();
  const auto scaled = [&](Value normal, int64_t rank) {
    return s.add(s.multiply(normal, perChannel(s, s.cast(s.input(1), wide), rank)), perChannel(s, s.cast(s.input(2), wide), rank));
  };
  const bool isPerGroup = s.version() < 21;
  Value normal = groupNormal(s, s.cast(s.input(0), wide), groups, s.real("epsilon", 1e-5), [&](Value runs) { return isPerGroup ? scaled(runs, 3) : runs; });
  return {s.cast(isPerGroup ? normal : scaled(normal, rank), element)};
}

/// com.microsoft: [N, H, W, C] or [N, C, H, W], gamma and beta per channel, then SiLU where `activation` is 1.
Value contribGroupNorm(Speller &s, Value x) {
  const int64_t groups = s.integer("groups", 0), activation = s.integer("activation", 0);
  const bool isLast = s.integer("channels_last", 1);
  if (!x || !s.requireRank(0, 4, 4) || !checkGroups(s, groups, s.type(0).getDimSize(isLast ? 3 : 1)))
    return {};
  if (activation != 0 && activation != 1)
    return s.error() << "expected an activation 0 or 1, found " << activation, Value();
  const Type element = s.type(0).getElementType();
  x = s.cast(x, s.f32());
  Value normal = groupNormal(s, isLast ? s.transpose(x, {0, 3, 1, 2}) : x, groups, s.real("epsilon", 1e-5));
  const auto channels = [&](unsigned i) { return perChannel(s, s.cast(s.input(i), s.f32()), 4); };
  Value y = s.add(s.multiply(normal, channels(1)), channels(2));
  if (activation)
    y = s.multiply(y, s.emit("Sigmoid", {y}));
  return s.cast(isLast ? s.transpose(y, {0, 2, 3, 1}) : y, element);
}

Results spellContribGroupNorm(Speller &s) { return {contribGroupNorm(s, s.input(0))}; }

/// X, gamma, beta, skip, bias: the norm of the sum, and the sum. A skip of one place per sequence is broadcast.
Results spellSkipGroupNorm(Speller &s) {
  if (!s.requireRank(0, 4, 4))
    return {};
  const int64_t rank = s.type(3).getRank();
  Value skip = s.input(3);
  if (rank == 2)
    skip = s.unsqueeze(skip, s.integer("channels_last", 1) ? ArrayRef<int64_t>{1, 2} : ArrayRef<int64_t>{2, 3});
  Value sum = s.add(s.input(0), skip);
  if (s.has(4))
    sum = s.add(sum, s.integer("channels_last", 1) ? s.input(4) : perChannel(s, s.input(4), 4));
  return {contribGroupNorm(s, sum), sum};
}

//===-- Activations -------------------------------------------------------===//

Value wideOf(Speller &s) { return s.cast(s.input(0), s.type(0).getElementType().isF64() ? s.type(0).getElementType() : s.f32()); }
Value narrowed(Speller &s, Value y) { return s.cast(y, s.type(0).getElementType()); }

/// max(0, x) + min(0, α (exp(x / α) − 1))
Results spellCelu(Speller &s) {
  Value x = wideOf(s);
  if (!x)
    return {};
  const Type wide = s.typeOf(x).getElementType();
  Value zero = s.number(0, wide), alpha = s.number(s.real("alpha", 1), wide);
  Value below = s.multiply(alpha, s.subtract(s.emit("Exp", {s.divide(x, alpha)}), s.number(1, wide)));
  return {narrowed(s, s.add(s.emit("Max", {x, zero}), s.emit("Min", {zero, below})))};
}

/// γ x, or γ (α exp(x) − α) where x is not positive.
Results spellSelu(Speller &s) {
  Value x = wideOf(s);
  if (!x)
    return {};
  const Type wide = s.typeOf(x).getElementType();
  Value alpha = s.number(s.real("alpha", 1.67326319217681884765625), wide), gamma = s.number(s.real("gamma", 1.05070102214813232421875), wide);
  Value below = s.subtract(s.multiply(alpha, s.emit("Exp", {x})), alpha), isAbove = s.emit("Greater", {x, s.number(0, wide)});
  return {narrowed(s, s.multiply(gamma, s.emit("Where", {isAbove, x, below})))};
}

Results spellPRelu(Speller &s) {
  Value isBelow = s.emit("Less", {s.input(0), s.number(0, s.type(0).getElementType())});
  return {s.emit("Where", {isBelow, s.multiply(s.input(0), s.input(1)), s.input(0)})};
}

/// Outside of training what comes in, and a mask of ones. A ratio of 0 makes training the same.
Results spellDropout(Speller &s) {
  if (s.has(2)) {
    const auto isTraining = s.constants(s.input(2));
    const auto ratio = s.has(1) ? s.realConstants(s.input(1)) : SmallVector<double>{0.5};
    const bool isNone = ratio && ratio->size() == 1 && ratio->front() == 0;
    if (!isNone && (!isTraining || isTraining->size() != 1 || isTraining->front() != 0))
      return s.error() << "expected a training_mode that is known to be false, or a ratio known to be 0: random dropping is not supported", Results();
  }
  Results results = {s.emit("Identity", {s.input(0)})};
  // Before version 10 the mask was of the type of the data.
  if (s.wants(1))
    results.push_back(s.emit("Expand", {s.number(1, s.version() < 10 ? s.type(0).getElementType() : s.boolean()), s.emit("Shape", {s.input(0)})}));
  return results;
}

/// One where the greatest element along the axis is, the first of them; before version 13 along all dims from the axis on.
Results spellHardmax(Speller &s) {
  const RankedTensorType type = s.type(0);
  const int64_t rank = type.getRank();
  int64_t axis = s.integer("axis", s.version() < 13 ? 1 : -1);
  axis += axis < 0 ? rank : 0;
  if (axis < 0 || axis >= rank)
    return s.error() << "expected an axis of " << type << ", found " << s.integer("axis", -1), Results();
  Value x = s.input(0);
  const bool isFlat = s.version() < 13 && axis + 1 < rank;
  if (isFlat) {
    x = s.emit("Flatten", {x}, {s.integerAttribute("axis", axis)});
    axis = 1;
  }
  Value first = s.emit("ArgMax", {x}, {s.integerAttribute("axis", axis), s.integerAttribute("keepdims", 1)});
  Value places = s.upTo(s.count(x, axis));
  SmallVector<int64_t> behind;
  for (int64_t i = 1; x && i < s.typeOf(x).getRank() - axis; ++i)
    behind.push_back(i);
  Value hit = s.cast(s.emit("Equal", {first, behind.empty() ? places : s.unsqueeze(places, behind)}), type.getElementType());
  return {isFlat ? s.emit("Reshape", {hit, s.emit("Shape", {s.input(0)})}) : hit};
}

} // namespace

void addNormalizationForms(SpelledForms &forms) {
  forms[":BatchNormalization"] = {spellBatchNormalization, {0, 1, 2, 3, 4}, 5, 5};
  forms[":InstanceNormalization"] = {spellInstanceNormalization, {0, 1, 2}, 3};
  forms[":GroupNormalization"] = {spellGroupNormalization, {0, 1, 2}, 3};
  forms["com.microsoft:GroupNorm"] = {spellContribGroupNorm, {0, 1, 2}, 3};
  forms["com.microsoft:SkipGroupNorm"] = {spellSkipGroupNorm, {0, 1, 2, 3}, 5, 2};
  forms[":Celu"] = {spellCelu, {0}, 1};
  forms[":Selu"] = {spellSelu, {0}, 1};
  forms[":PRelu"] = {spellPRelu, {0, 1}, 2};
  forms[":Dropout"] = {spellDropout, {0}, 3, 2};
  forms[":Hardmax"] = {spellHardmax, {0}, 1};
}

} // namespace moe
