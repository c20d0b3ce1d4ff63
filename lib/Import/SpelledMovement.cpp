// Ops that move elements, or make tensors from sizes alone.
#include "Speller.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

/// Dim `axis` of a value times, or over, a number, as i64 [1].
Value scaledSize(Speller &s, Value x, int64_t axis, StringRef opType, int64_t factor) { return s.emit(opType, {s.size(x, axis), s.list({factor})}); }

bool readBlock(Speller &s, int64_t &block, bool &isRowFirst) {
  block = s.integer("blocksize", 0);
  const StringRef mode = s.string("mode", "DCR");
  isRowFirst = mode == "DCR";
  constexpr int64_t most = 1 << 15; // Its square is a number of channels.
  if (block < 1 || block > most || (mode != "DCR" && mode != "CRD"))
    return s.error() << "expected a blocksize from 1 to 2^15 and a mode DCR or CRD, found " << block << " and '" << mode << "'", false;
  return s.requireRank(0, 4, 4);
}

Results spellDepthToSpace(Speller &s) {
  int64_t block = 0;
  bool isRowFirst = true;
  if (!readBlock(s, block, isRowFirst))
    return {};
  Value x = s.input(0), one = s.list({block}), height = s.size(x, 2), width = s.size(x, 3), channels = scaledSize(s, x, 1, "Div", block * block);
  if (const int64_t depth = s.type(0).getDimSize(1); ShapedType::isDynamic(depth) || depth % (block * block) != 0)
    return s.error() << "expected a known number of channels that " << block << "² divides, found " << s.type(0), Results();
  Value split = isRowFirst ? s.joined({s.size(x, 0), one, one, channels, height, width}) : s.joined({s.size(x, 0), channels, one, one, height, width});
  Value moved = s.transpose(s.emit("Reshape", {x, split}), isRowFirst ? ArrayRef<int64_t>{0, 3, 4, 1, 5, 2} : ArrayRef<int64_t>{0, 1, 4, 2, 5, 3});
  return {s.emit("Reshape", {moved, s.joined({s.size(x, 0), channels, scaledSize(s, x, 2, "Mul", block), scaledSize(s, x, 3, "Mul", block)})})};
}

Results spellSpaceToDepth(Speller &s) {
  int64_t block = 0;
  bool isRowFirst = true;
  if (!readBlock(s, block, isRowFirst))
    return {};
  Value x = s.input(0), one = s.list({block}), height = scaledSize(s, x, 2, "Div", block), width = scaledSize(s, x, 3, "Div", block);
  Value moved = s.transpose(s.emit("Reshape", {x, s.joined({s.size(x, 0), s.size(x, 1), height, one, width, one})}),
                            isRowFirst ? ArrayRef<int64_t>{0, 3, 5, 1, 2, 4} : ArrayRef<int64_t>{0, 1, 3, 5, 2, 4});
  return {s.emit("Reshape", {moved, s.joined({s.size(x, 0), scaledSize(s, x, 1, "Mul", block * block), height, width})})};
}

/// Each axis cut or padded on both sides to the size that is asked for; the odd element goes behind.
Results spellCenterCropPad(Speller &s) {
  const RankedTensorType type = s.type(0);
  const int64_t rank = type.getRank();
  SmallVector<int64_t> all(rank);
  std::iota(all.begin(), all.end(), 0);
  const SmallVector<int64_t> axes = s.integers("axes").value_or(all);
  const auto sizes = s.constants(s.input(1));
  if (!sizes || sizes->size() != axes.size())
    return s.error() << "expected a shape of " << axes.size() << " elements known when the model is compiled", Results();
  SmallVector<int64_t> starts(rank, 0), ends(rank, std::numeric_limits<int64_t>::max()), pads(2 * rank, 0);
  for (auto [given, wanted] : llvm::zip(axes, *sizes)) {
    const int64_t axis = given < 0 ? given + rank : given;
    if (axis < 0 || axis >= rank || type.isDynamicDim(axis) || wanted < 0)
      return s.error() << "expected axes of known dims of " << type << " and sizes that are not negative, found axis " << given << " and " << wanted, Results();
    const int64_t more = wanted - type.getDimSize(axis);
    if (more < 0) {
      starts[axis] = -more / 2;
      ends[axis] = starts[axis] + wanted;
    } else {
      pads[axis] = more / 2;
      pads[rank + axis] = more - more / 2;
    }
  }
  Value cut = s.emit("Slice", {s.input(0), s.list(starts), s.list(ends), s.list(all)});
  return {s.emit("Pad", {cut, s.list(pads), s.number(0, type.getElementType())})};
}

/// The first lengths[b] elements of each sequence the other way round.
Results spellReverseSequence(Speller &s) {
  const int64_t rank = s.type(0).getRank(), time = s.integer("time_axis", 0), batch = s.integer("batch_axis", 1);
  if (rank < 2 || time + batch != 1 || time * batch != 0)
    return s.error() << "expected time_axis and batch_axis to be 0 and 1 or 1 and 0, found " << time << " and " << batch, Results();
  SmallVector<int64_t> swapped(rank);
  std::iota(swapped.begin(), swapped.end(), 0);
  std::swap(swapped[0], swapped[1]);
  Value x = time == 0 ? s.transpose(s.input(0), swapped) : s.input(0);
  Value lengths = s.unsqueeze(s.input(1), {1}), places = s.unsqueeze(s.upTo(s.count(x, 1)), {0});
  Value mirrored = s.subtract(s.subtract(lengths, s.number(1, s.i64())), places);
  Value source = s.emit("Where", {s.emit("Less", {places, lengths}), mirrored, places});
  Value y = s.emit("GatherND", {x, s.unsqueeze(source, {2})}, {s.integerAttribute("batch_dims", 1)});
  return {time == 0 ? s.transpose(y, swapped) : y};
}

/// Ones where column − row is k.
Results spellEyeLike(Speller &s) {
  if (!s.requireRank(0, 2, 2))
    return {};
  const Type type = s.attribute("dtype") ? s.elementType(s.integer("dtype", 1)) : s.type(0).getElementType();
  if (!type)
    return s.error() << "expected a dtype of numbers, found " << s.integer("dtype", 1), Results();
  Value rows = s.unsqueeze(s.upTo(s.count(s.input(0), 0)), {1}), columns = s.upTo(s.count(s.input(0), 1));
  return {s.cast(s.emit("Equal", {columns, s.add(rows, s.number(s.integer("k", 0), s.i64()))}), type)};
}

/// Σ factors[i] · cos(2π i n / N), N the size, or one less where the window is symmetric.
Results spellWindow(Speller &s, ArrayRef<double> factors) {
  const Type type = s.elementType(s.integer("output_datatype", 1));
  if (!isa_and_nonnull<FloatType>(type))
    return s.error() << "expected an output_datatype of floats, found " << s.integer("output_datatype", 1), Results();
  const Type wide = type.isF64() ? type : s.f32();
  Value count = s.cast(s.input(0), s.i64());
  if (s.type(0).getRank() == 1)
    count = s.emit("Squeeze", {count});
  Value period = s.cast(s.integer("periodic", 1) ? count : s.subtract(count, s.number(1, s.i64())), wide);
  Value places = s.cast(s.upTo(count), wide), result = s.number(factors[0], wide);
  for (size_t i = 1; i < factors.size(); ++i) {
    Value angle = s.divide(s.multiply(places, s.number(2 * M_PI * i, wide)), period);
    result = s.add(result, s.multiply(s.emit("Cos", {angle}), s.number(factors[i], wide)));
  }
  return {s.cast(result, type)};
}

Results spellHann(Speller &s) { return spellWindow(s, {0.5, -0.5}); }
Results spellHamming(Speller &s) { return spellWindow(s, {25.0 / 46, -21.0 / 46}); }
Results spellBlackman(Speller &s) { return spellWindow(s, {0.42, -0.5, 0.08}); }

/// Columns of blocks put where they were cut from, overlaps added: image_shape, block_shape, known when the model is compiled.
Results spellCol2Im(Speller &s) {
  const auto image = s.constants(s.input(1)), block = s.constants(s.input(2));
  if (!image || !block || image->size() != block->size() || image->empty() || !s.requireRank(0, 3, 3))
    return s.failed() ? Results() : (s.error() << "expected an image_shape and a block_shape of as many elements, known when the model is compiled", Results());
  const int64_t spatial = image->size();
  const SmallVector<int64_t> strides = s.boundedIntegers("strides", 1, spatial, 1), dilations = s.boundedIntegers("dilations", 1, spatial, 1),
                             pads = s.boundedIntegers("pads", 0, 2 * spatial, 0);
  const auto isSize = [](int64_t size) { return size > 0 && size <= Speller::mostElements; };
  if (s.failed())
    return {};
  if (!llvm::all_of(*image, isSize) || !llvm::all_of(*block, isSize))
    return s.error() << "expected an image_shape and a block_shape of numbers from 1 to " << Speller::mostElements << ", found [" << *image << "] and [" << *block << "]", Results();
  int64_t pixels = 1, places = 1, blocks = 1;
  SmallVector<int64_t> counts;
  for (int64_t i = 0; i < spatial; ++i) {
    const int64_t reach = ((*block)[i] - 1) * dilations[i] + 1, padded = (*image)[i] + pads[i] + pads[spatial + i];
    counts.push_back(padded < reach ? 0 : (padded - reach) / strides[i] + 1);
    pixels *= (*image)[i], places *= (*block)[i], blocks *= counts.back();
    if (!s.requireMost("pixels, and elements of a column, and columns", std::max({pixels, places, blocks}), Speller::mostElements))
      return {};
  }
  if (!s.requireMost("elements of all columns of a channel", places * blocks, Speller::mostElements))
    return {};
  const RankedTensorType type = s.type(0);
  if (type.isDynamicDim(1) || type.getDimSize(1) % places != 0 || type.getDimSize(2) != blocks)
    return s.error() << "expected " << blocks << " columns of channels times " << places << " elements, found " << type, Results();
  // The pixel of each element of each block; what falls on padding goes to a spare one.
  SmallVector<int64_t> targets;
  for (int64_t place = 0; place < places; ++place)
    for (int64_t column = 0; column < blocks; ++column) {
      int64_t target = 0, size = 1, inBlock = place, inColumns = column;
      bool isInside = true;
      for (int64_t i = spatial - 1; i >= 0; --i) {
        const int64_t at = inColumns % counts[i] * strides[i] + inBlock % (*block)[i] * dilations[i] - pads[i];
        inBlock /= (*block)[i], inColumns /= counts[i];
        isInside &= at >= 0 && at < (*image)[i];
        target += at * size, size *= (*image)[i];
      }
      targets.push_back(isInside ? target : pixels);
    }
  const int64_t channels = type.getDimSize(1) / places;
  Value rows = s.reshape(s.input(0), {-1, places * blocks});
  Value start = s.emit("Expand", {s.number(0, type.getElementType()), s.joined({s.size(rows, 0), s.list({pixels + 1})})});
  Value index = s.emit("Expand", {s.list(targets), s.emit("Shape", {rows})});
  Value sums = s.emit("ScatterElements", {start, index, rows}, {s.integerAttribute("axis", 1), s.stringAttribute("reduction", "add")});
  SmallVector<int64_t> dims = {channels};
  dims.append(*image);
  return {s.emit("Reshape", {s.slice(sums, 1, 0, pixels), s.joined({s.size(s.input(0), 0), s.list(dims)})})};
}

} // namespace

void addMovementForms(SpelledForms &forms) {
  forms[":DepthToSpace"] = {spellDepthToSpace, {0}, 1};
  forms[":SpaceToDepth"] = {spellSpaceToDepth, {0}, 1};
  forms[":CenterCropPad"] = {spellCenterCropPad, {0, 1}, 2};
  forms[":ReverseSequence"] = {spellReverseSequence, {0, 1}, 2};
  forms[":EyeLike"] = {spellEyeLike, {0}, 1};
  forms[":HannWindow"] = {spellHann, {0}, 1};
  forms[":HammingWindow"] = {spellHamming, {0}, 1};
  forms[":BlackmanWindow"] = {spellBlackman, {0}, 1};
  forms[":Col2Im"] = {spellCol2Im, {0, 1, 2}, 3};
}

} // namespace moe
