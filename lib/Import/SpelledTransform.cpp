// Fourier transforms as products with matrices of cosines and sines, which the model makes from the length.
#include "Speller.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

/// rows · columns turns of 1 / length as cosines and sines; 2π (r·c mod length) / length is exact before the cosine.
std::pair<Value, Value> waves(Speller &s, Value rows, Value columns, Value length, Type wide) {
  Value turns = s.cast(s.emit("Mod", {s.multiply(s.unsqueeze(rows, {1}), columns), length}), wide);
  Value angles = s.divide(s.multiply(turns, s.number(2 * M_PI, wide)), s.cast(length, wide));
  return {s.emit("Cos", {angles}), s.emit("Sin", {angles})};
}

/// Real or imaginary parts of x of [..., 2], in f64: small values of a transform are differences of large ones.
Value partOf(Speller &s, Value x, int64_t i) {
  if (!x)
    return {};
  const int64_t last = s.typeOf(x).getRank() - 1;
  return s.cast(s.emit("Squeeze", {s.slice(x, last, i, i + 1), s.list({last})}), Float64Type::get(x.getContext()));
}

Value halfOf(Speller &s, Value length) { return s.add(s.divide(length, s.number(2, s.i64())), s.number(1, s.i64())); }

/// The transform along the last but one dim of x of [..., n, 1 or 2] (real, or real and imaginary), n as long as `length` says: [..., m, 2]. One-sided
/// results have the places up to length / 2.
Value transform(Speller &s, Value x, Value length, bool isInverse, bool isOneSided) {
  if (!x || !length)
    return {};
  const RankedTensorType type = s.typeOf(x);
  const Type wide = Float64Type::get(x.getContext());
  const int64_t last = type.getRank() - 1;
  auto [cosines, sines] = waves(s, s.upTo(length), s.upTo(isOneSided ? halfOf(s, length) : length), length, wide);
  const auto product = [&](int64_t part, Value rhs) { return s.emit("MatMul", {partOf(s, x, part), rhs}); };
  Value real = product(0, cosines), imaginary = product(0, sines);
  if (!isInverse)
    imaginary = s.emit("Neg", {imaginary});
  if (type.getDimSize(last) == 2) {
    Value crossed = product(1, sines);
    real = isInverse ? s.subtract(real, crossed) : s.add(real, crossed);
    imaginary = s.add(imaginary, product(1, cosines));
  }
  Value y = s.emit("Concat", {s.unsqueeze(real, {last}), s.unsqueeze(imaginary, {last})}, {s.integerAttribute("axis", last)});
  return s.cast(isInverse ? s.divide(y, s.cast(length, wide)) : y, type.getElementType());
}

/// The real signal [..., length, 1] whose one-sided transform x is, [..., length / 2 + 1, 2]: all places but the first and the middle one count twice.
Value invertOneSided(Speller &s, Value x, Value length) {
  if (!x || !length)
    return {};
  const RankedTensorType type = s.typeOf(x);
  const Type wide = Float64Type::get(x.getContext());
  Value rows = s.upTo(halfOf(s, length)), zero = s.number(0, s.i64());
  auto [cosines, sines] = waves(s, rows, s.upTo(length), length, wide);
  Value isSingle = s.emit("Equal", {s.emit("Mod", {s.add(rows, rows), length}), zero});
  Value weights = s.divide(s.emit("Where", {isSingle, s.number(1, wide), s.number(2, wide)}), s.cast(length, wide));
  Value real = s.emit("MatMul", {s.multiply(partOf(s, x, 0), weights), cosines}), crossed = s.emit("MatMul", {s.multiply(partOf(s, x, 1), weights), sines});
  return s.cast(s.unsqueeze(s.subtract(real, crossed), {type.getRank() - 1}), type.getElementType());
}

bool isComplexOrReal(Speller &s) {
  const RankedTensorType type = s.type(0);
  const int64_t rank = type.getRank();
  if (rank >= 2 && isa<FloatType>(type.getElementType()) && (type.getDimSize(rank - 1) == 1 || type.getDimSize(rank - 1) == 2))
    return true;
  return s.error() << "expected floats whose last dim is 1 (real) or 2 (real and imaginary), found " << type, false;
}

/// input, dft_length, axis (an attribute before version 20). An input longer than dft_length is cut, a shorter one filled with zeros.
Results spellDft(Speller &s) {
  const bool isInverse = s.integer("inverse", 0), isOneSided = s.integer("onesided", 0);
  if (!isComplexOrReal(s))
    return {};
  const bool isReal = isInverse && isOneSided;
  if (isReal && s.type(0).getDimSize(s.type(0).getRank() - 1) != 2)
    return s.error() << "has inverse = 1 and onesided = 1, which needs an input of complex numbers, found " << s.type(0), Results();
  const int64_t rank = s.type(0).getRank();
  int64_t axis = s.version() < 20 ? s.integer("axis", 1) : -2;
  if (s.has(2)) {
    const auto given = s.constants(s.input(2));
    if (!given || given->size() != 1)
      return s.error() << "expected an axis known when the model is compiled", Results();
    axis = given->front();
  }
  axis += axis < 0 ? rank : 0;
  if (axis < 0 || axis > rank - 2)
    return s.error() << "expected an axis that is not the last of " << s.type(0) << ", found " << axis, Results();
  SmallVector<int64_t> swapped(rank);
  std::iota(swapped.begin(), swapped.end(), 0);
  std::swap(swapped[axis], swapped[rank - 2]);
  Value x = axis == rank - 2 ? s.input(0) : s.transpose(s.input(0), swapped), length = s.count(x, rank - 2);
  if (isReal)
    length = s.multiply(s.subtract(length, s.number(1, s.i64())), s.number(2, s.i64()));
  if (s.has(1)) {
    const auto given = s.constants(s.input(1));
    const int64_t size = s.typeOf(x).getDimSize(rank - 2);
    if (!given || given->size() != 1 || given->front() < 1 || ShapedType::isDynamic(size))
      return s.error() << "expected a positive dft_length and a dim " << axis << " known when the model is compiled", Results();
    length = s.number(given->front(), s.i64());
    const int64_t read = isReal ? given->front() / 2 + 1 : given->front();
    SmallVector<int64_t> pads(2 * rank, 0);
    pads[2 * rank - 2] = std::max<int64_t>(read - size, 0);
    x = s.emit("Pad", {s.slice(x, rank - 2, 0, read), s.list(pads), s.number(0, s.type(0).getElementType())});
  }
  Value y = isReal ? invertOneSided(s, x, length) : transform(s, x, length, isInverse, isOneSided);
  return {axis == rank - 2 ? y : s.transpose(y, swapped)};
}

/// signal [batch, length, 1 or 2], frame_step, window, frame_length: each frame times the window, transformed.
Results spellStft(Speller &s) {
  if (!isComplexOrReal(s) || !s.requireRank(0, 3, 3))
    return {};
  const auto step = s.constants(s.input(1)), given = s.has(3) ? s.constants(s.input(3)) : std::nullopt;
  if (s.has(2) && !s.requireRank(2, 1, 1))
    return {};
  const int64_t size = given && given->size() == 1 ? given->front() : s.has(2) && !s.has(3) ? s.type(2).getDimSize(0) : -1;
  if (!step || step->size() != 1 || step->front() < 1 || size < 1)
    return s.error() << "expected a positive frame_step and frame_length known when the model is compiled", Results();
  const bool isOneSided = s.integer("onesided", 1);
  if (isOneSided && s.type(0).getDimSize(2) == 2)
    return s.error() << "has a complex signal and onesided = 1, expected a real one", Results();
  Value length = s.number(size, s.i64());
  Value frames = s.add(s.divide(s.subtract(s.count(s.input(0), 1), length), s.number(step->front(), s.i64())), s.number(1, s.i64()));
  Value starts = s.multiply(s.upTo(frames), s.number(step->front(), s.i64()));
  Value x = s.emit("Gather", {s.input(0), s.add(s.unsqueeze(starts, {1}), s.upTo(length))}, {s.integerAttribute("axis", 1)});
  if (s.has(2))
    x = s.multiply(x, s.unsqueeze(s.input(2), {1}));
  return {transform(s, x, length, false, isOneSided)};
}

/// num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz: [dft_length / 2 + 1, bins], in each column a triangle between three
/// frequencies of the mel scale.
Results spellMelWeights(Speller &s) {
  SmallVector<int64_t> counts;
  SmallVector<double> edges;
  for (unsigned i = 0; i < 5; ++i) {
    const auto count = i < 3 ? s.constants(s.input(i)) : std::nullopt;
    const auto edge = i < 3 ? std::nullopt : s.realConstants(s.input(i));
    if (i < 3 ? !count || count->size() != 1 || count->front() < 1 : !edge || edge->size() != 1 || !(edge->front() >= 0 && edge->front() < 1e9))
      return s.error() << "expected input " << i << " to be one number, neither negative nor above 10^9, known when the model is compiled", Results();
    if (i < 3)
      counts.push_back(count->front());
    else
      edges.push_back(edge->front());
  }
  const Type type = s.elementType(s.integer("output_datatype", 1));
  const int64_t mels = counts[0], rows = counts[1] / 2 + 1;
  if (!isa_and_nonnull<FloatType>(type) || mels > (1 << 20) / rows)
    return s.error() << "expected an output_datatype of floats and at most a million elements, found " << rows << " times " << mels, Results();
  const auto melOf = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double low = melOf(edges[0]), step = (melOf(edges[1]) - low) / (mels + 2);
  SmallVector<int64_t> bins;
  for (int64_t i = 0; i < mels + 2; ++i)
    bins.push_back(static_cast<int64_t>(std::floor((counts[1] + 1) * 700 * (std::pow(10, (i * step + low) / 2595) - 1) / counts[2])));
  if (bins.front() < 0 || bins.back() > rows || !llvm::is_sorted(bins))
    return s.error() << "expected edges in order and below half the sample rate, found " << edges[0] << " and " << edges[1] << " for " << counts[2], Results();
  SmallVector<double> weights(rows * mels, 0);
  const auto set = [&](int64_t row, int64_t mel, double weight) {
    if (row < rows)
      weights[row * mels + mel] = weight;
  };
  for (int64_t mel = 0; mel < mels; ++mel) {
    const int64_t first = bins[mel], middle = bins[mel + 1], last = bins[mel + 2];
    if (first == middle)
      set(middle, mel, 1);
    for (int64_t row = first; first < middle && row <= middle; ++row)
      set(row, mel, static_cast<double>(row - first) / (middle - first));
    for (int64_t row = middle; row < last; ++row)
      set(row, mel, static_cast<double>(last - row) / (last - middle));
  }
  return {s.constant({rows, mels}, weights, type)};
}

} // namespace

void addTransformForms(SpelledForms &forms) {
  forms[":DFT"] = {spellDft, {0}, 3};
  forms[":MelWeightMatrix"] = {spellMelWeights, {0, 1, 2, 3, 4}, 5};
  forms[":STFT"] = {spellStft, {0, 1}, 4};
}

} // namespace moe
