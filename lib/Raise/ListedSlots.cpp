// Experts one by one on parts of slots: expert e must take part e of one tensor, and the Concat must join all results in that order.
#include "ListedSlots.h"

#include <algorithm>
#include <vector>

using namespace mlir;

namespace moe::raise {

namespace {
/// The indices [first, first + size) of dim `dim` of `slots`. Null `slots`: something else.
struct SlotPart {
  Value slots;
  int64_t dim = 0, first = 0, size = 0;
};
} // namespace

/// A Slice along one dim by known numbers.
static SlotPart partOfSlice(OnnxOp slice, Value slots, const SizeProof &proof) {
  if (slice.getInputs().size() < 3)
    return {};
  auto number = [&](unsigned index, int64_t otherwise) -> std::optional<int64_t> {
    if (!inputOrNull(slice, index))
      return otherwise;
    auto values = proof.numbers(slice.getInputs()[index]);
    return values && values->size() == 1 ? std::optional<int64_t>(values->front()) : std::nullopt;
  };
  auto start = number(1, 0), end = number(2, 0), axis = number(3, 0), step = number(4, 1);
  if (!start || !end || !axis || !step || *step != 1)
    return {};
  const int64_t rank = tensorType(slots).getRank(), dim = fromFront(*axis, rank), all = dim >= 0 && dim < rank ? staticDim(slots, dim) : -1;
  if (all <= 0)
    return {};
  auto place = [&](int64_t index) { return std::clamp<int64_t>(index < 0 ? index + all : index, 0, all); };
  return {slots, dim, place(*start), place(*end) - place(*start)};
}

/// The part of a dim of static size that `rows` are, views on top skipped.
static SlotPart partOf(Value rows, const SizeProof &proof) {
  Value value = peel(rows, Views);
  auto op = value.getDefiningOp<OnnxOp>();
  if (!op || op.getInputs().empty() || !tensorType(op.getInputs()[0]))
    return {};
  Value slots = op.getInputs()[0];
  if (isNode(op, "Slice"))
    return partOfSlice(op, slots, proof);
  if (!isNode(op, "Gather") && !isNode(op, "Split"))
    return {};
  const int64_t rank = tensorType(slots).getRank(), dim = fromFront(intAttribute(op, "axis", 0), rank);
  const int64_t all = dim >= 0 && dim < rank ? staticDim(slots, dim) : -1;
  if (all <= 0)
    return {};
  if (isNode(op, "Gather")) {
    auto index = proof.numbers(op.getInputs()[1]);
    if (!index || index->size() != 1 || index->front() < -all || index->front() >= all)
      return {};
    return {slots, dim, fromFront(index->front(), all), 1};
  }
  const int64_t size = staticDim(op->getResult(0), dim);
  if (size <= 0 || llvm::any_of(op->getResults(), [&](Value part) { return staticDim(part, dim) != size; }))
    return {};
  return {slots, dim, size * static_cast<int64_t>(cast<OpResult>(value).getResultNumber()), size};
}

static bool samePart(const SlotPart &a, const SlotPart &b) { return a.slots == b.slots && a.dim == b.dim && a.first == b.first && a.size == b.size; }

std::optional<SlotLayer> ListedSlotsMatcher::match(OnnxOp op) {
  const auto experts = static_cast<int64_t>(op.getInputs().size());
  RankedTensorType type = tensorType(op->getResult(0));
  if (!isNode(op, "Concat") || experts < 2 || !type || type.getRank() < 2)
    return std::nullopt;
  std::vector<RoutedFfn> ffns;
  SlotPart first;
  for (auto [expert, result] : llvm::enumerate(op.getInputs())) {
    auto ffn = matchFfn(result);
    if (!ffn)
      return std::nullopt;
    SlotPart part = partOf(ffn->gate.rows, proof);
    if (!part.slots)
      return miss(ffn->gate.rows.getDefiningOp(), "an expert does not read a known part of the slots");
    if (ffns.empty()) {
      first = part;
      if (dispatchForm(part.slots).empty())
        return miss(part.slots.getDefiningOp(), notDispatched);
      sawExpert = true;
    }
    if (ffn->up && !samePart(partOf(ffn->up->rows, proof), part))
      return miss(ffn->up->rows.getDefiningOp(), "gate and up read different rows");
    if (part.slots != first.slots || part.dim != first.dim || part.size != first.size || part.first != static_cast<int64_t>(expert) * first.size)
      return miss(ffn->gate.rows.getDefiningOp(), "the experts do not read the parts of one tensor of slots in the order of their results");
    const int64_t out = ffn->down.out, in = ffn->gate.in, rank = tensorType(part.slots).getRank();
    if (staticDim(part.slots, -1) != in || part.dim + 1 >= rank || staticDim(result, -1) != out || !proof.sameRows(ffn->gate.rows, result))
      return miss(op, "the results of an expert do not have the rows of its slots");
    ffns.push_back(*ffn);
  }
  if (staticDim(first.slots, first.dim) != experts * first.size)
    return miss(first.slots.getDefiningOp(), "there are slots that none of the experts reads");
  ExpertPieces pieces;
  std::string why;
  auto ffn = mergeExperts(ffns, pieces, why);
  if (!ffn)
    return miss(op, why);
  auto layer = place(op, *ffn, first.slots, first.dim);
  if (layer)
    layer->pieces = std::move(pieces);
  return layer;
}

/// Finds out how to join the results, and whether all have one element type.
std::optional<SlotLayer> ListedSlotsMatcher::place(OnnxOp op, RoutedFfn ffn, Value slots, int64_t dim) {
  RankedTensorType type = tensorType(op->getResult(0)), slotsType = tensorType(slots), piece = tensorType(op.getInputs()[0]);
  const int64_t rank = type.getRank(), axis = fromFront(intAttribute(op, "axis", 0), rank), experts = ffn.gate.experts;
  if (axis < 0 || axis + 1 >= rank || piece.getRank() != rank || llvm::any_of(op.getInputs(), [&](Value result) { return result.getType() != piece; }))
    return miss(op, "the results of the experts are not joined along their rows");
  if (slotsType.hasStaticShape() && slotsType.getNumElements() / slotsType.getShape().back() > INT32_MAX)
    return miss(op, "there are more slots than can be numbered");
  auto fits = [&](Value value) { return !value || tensorType(value).getElementType() == type.getElementType(); };
  if (!fits(slots) || !fits(ffn.gate.weight) || !fits(ffn.gate.bias) || !fits(ffn.down.weight) || !fits(ffn.down.bias) ||
      (ffn.up && (!fits(ffn.up->weight) || !fits(ffn.up->bias))))
    return miss(op, "rows and weights have different element types");
  SlotLayer layer{op, ffn, {}, dispatchForm(slots), slots, dim};
  if (axis == dim && proof.sameLeading(slots, op->getResult(0)))
    return layer;
  // Other dims must follow from the type: at most one depends on the input.
  auto known = [](RankedTensorType shape) { return shape.getNumDynamicDims() <= 1; };
  if (staticDim(slots, dim) != experts || !known(piece) || !known(type))
    return miss(op, "the results of the experts do not have the dims of their slots");
  layer.piece.assign(piece.getShape().begin(), piece.getShape().end());
  layer.join = axis;
  return layer;
}

} // namespace moe::raise
