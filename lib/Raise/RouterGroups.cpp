// Choices limited to the best groups (DeepSeek V2 and V3): the groups' scores, their TopK, and the mask that it becomes.
#include "RouterMatcher.h"

using namespace mlir;

namespace moe::raise {
namespace {

/// A value [T, E] that has one number at the experts of groups that `groups` names and another elsewhere.
struct GroupMap {
  Value groups;
  int64_t count = 0;
  double kept = 0.0, dropped = 0.0;
};

} // namespace

/// Does an Expand or Tile repeat each element of the last but one dim, [.., G, 1] to [.., G, r]?
static bool repeatsEach(OnnxOp op, Value from, Value to) {
  RankedTensorType before = tensorType(from), after = tensorType(to);
  if (!before || !after || before.getRank() != after.getRank() || before.getRank() < 2 || staticDim(from, -1) != 1 || staticDim(to, -1) < 1 ||
      staticDim(from, -2) < 1 || staticDim(from, -2) != staticDim(to, -2))
    return false;
  if (!isNode(op, "Tile"))
    return true;
  auto repeats = constantInts(op.getInputs()[1]);
  return repeats && !repeats->empty() && llvm::all_of(ArrayRef<int64_t>(*repeats).drop_back(), [](int64_t count) { return count == 1; });
}

/// c of `value > c`.
static std::optional<double> boundOf(OnnxOp op) { return isNode(op, "Greater") ? scalarFor(op.getInputs()[1], op.getInputs()[0]) : std::nullopt; }

/// What casts, Not and a comparison with a number make of `number`, applied from the last of `ops` to the first.
static double applyAll(ArrayRef<OnnxOp> ops, double number) {
  for (OnnxOp op : llvm::reverse(ops)) {
    if (isNode(op, "Not"))
      number = number == 0.0 ? 1.0 : 0.0;
    else if (auto bound = boundOf(op))
      number = number > *bound ? 1.0 : 0.0;
    else if (tensorType(op->getResult(0)).getElementType().isInteger(1))
      number = number != 0.0 ? 1.0 : 0.0;
  }
  return number;
}

/// `op` makes [.., G] from the groups that it names: a ScatterElements into a constant, or the one-hot rows of the groups, summed or the greatest of each.
static bool readNamed(OnnxOp op, GroupMap &map) {
  RankedTensorType type = tensorType(op->getResult(0));
  const int64_t rank = type ? type.getRank() : 0;
  if (isNode(op, "ScatterElements")) {
    auto start = splatNumber(op.getInputs()[0]), set = splatNumber(op.getInputs()[2]);
    if (stringAttribute(op, "reduction", "none") != "none" || fromFront(intAttribute(op, "axis", 0), rank) != rank - 1 || !start || !set)
      return false;
    map.groups = op.getInputs()[1];
    map.kept = *set;
    map.dropped = *start;
    return true;
  }
  const bool isSum = isNode(op, "ReduceSum");
  OnnxOp hot = isSum || isNode(op, "ReduceMax") ? definedBy(peel(op.getInputs()[0], FloatCasts), "OneHot") : OnnxOp();
  auto axes = hot ? axesOf(op) : std::nullopt;
  RankedTensorType all = hot ? tensorType(hot->getResult(0)) : RankedTensorType();
  auto values = hot ? finiteFloats(hot.getInputs()[2]) : std::nullopt;
  if (!all || !axes || axes->size() != 1 || fromFront((*axes)[0], all.getRank()) != all.getRank() - 2 || !values || values->size() != 2 ||
      fromFront(intAttribute(hot, "axis", -1), all.getRank()) != all.getRank() - 1)
    return false;
  map.groups = hot.getInputs()[0];
  map.dropped = (*values)[0];
  map.kept = (*values)[1];
  // A group is named once at most: that the groups are those of a TopK is checked where they are read.
  return isSum ? map.dropped == 0.0 : map.dropped < map.kept;
}

static std::optional<GroupMap> matchGroupMap(Value value, int64_t experts) {
  if (staticDim(value, -1) != experts)
    return std::nullopt;
  GroupMap map;
  SmallVector<OnnxOp> changes;
  while (true) {
    value = peel(value, Views);
    auto op = value.getDefiningOp<OnnxOp>();
    if (!op)
      return std::nullopt;
    if (isNode(op, "Cast") || isNode(op, "Not") || boundOf(op)) {
      changes.push_back(op);
    } else if (isNode(op, "Expand") || isNode(op, "Tile")) {
      if (map.count || !repeatsEach(op, op.getInputs()[0], value))
        return std::nullopt;
      map.count = staticDim(value, -2);
      if (map.count * staticDim(value, -1) != experts)
        return std::nullopt;
    } else if (!map.count || staticDim(value, -1) != map.count || !readNamed(op, map)) {
      return std::nullopt;
    } else {
      break;
    }
    value = op.getInputs()[0];
  }
  map.kept = applyAll(changes, map.kept);
  map.dropped = applyAll(changes, map.dropped);
  return map;
}

/// How many of a group's best make its score, `scores` [T, G] being the groups' scores of `choice`; 0 where they are something else.
static int64_t matchGroupScores(Value scores, Value choice, int64_t count, int64_t experts) {
  auto op = peel(scores, Views | FloatCasts).getDefiningOp<OnnxOp>();
  if (!op || staticDim(scores, -1) != count)
    return 0;
  int64_t topR = 1;
  Value grouped;
  if (isNode(op, "ReduceMax") && reducesLast(op)) {
    grouped = op.getInputs()[0];
  } else {
    if (isNode(op, "ReduceSum")) {
      if (!reducesLast(op) || !(op = definedBy(peel(op.getInputs()[0], FloatCasts), "TopK")))
        return 0;
    }
    if (!isLastTopK(op))
      return 0;
    topR = staticDim(op->getResult(0), -1);
    // Without a sum each group must have one number.
    if (!definedBy(peel(scores, Views | FloatCasts), "ReduceSum") && topR != 1)
      return 0;
    grouped = op.getInputs()[0];
  }
  const bool fits = staticDim(grouped, -2) == count && staticDim(grouped, -1) * count == experts;
  return fits && peel(grouped, Views | FloatCasts) == peel(choice, Views | FloatCasts) ? topR : 0;
}

/// The groups that `map` keeps are the best of `choice`.
static bool fillGroups(GroupLimit &limit, GroupMap map, int64_t experts, StringRef &why) {
  Value named = peel(map.groups, IntCasts);
  OnnxOp best = definedBy(named, "TopK");
  if (!best || cast<OpResult>(named).getResultNumber() != 1 || !isLastTopK(best)) {
    why = "the groups that are kept are not those of a TopK";
    return false;
  }
  limit.count = map.count;
  limit.keep = staticDim(named, -1);
  limit.topR = matchGroupScores(best.getInputs()[0], limit.choice, map.count, experts);
  if (limit.keep < 1 || limit.topR < 1) {
    why = "a group's score is not the sum of the best choices in it";
    return false;
  }
  return true;
}

std::optional<GroupLimit> matchGroupLimit(Value masked, int64_t experts, StringRef &why) {
  auto op = peel(masked, Views | FloatCasts).getDefiningOp<OnnxOp>();
  if (!op || staticDim(op->getResult(0), -1) != experts)
    return std::nullopt;
  GroupLimit limit;
  if (isNode(op, "Where")) {
    auto map = matchGroupMap(op.getInputs()[0], experts);
    if (!map || map->kept == map->dropped)
      return std::nullopt;
    // The branch that dropped groups take is the fill.
    const unsigned dropped = map->dropped != 0.0 ? 1 : 2;
    auto fill = splatNumber(op.getInputs()[dropped]);
    limit.choice = op.getInputs()[3 - dropped];
    if (!fill || staticDim(limit.choice, -1) != experts) {
      why = "the experts of dropped groups do not all take one number";
      return std::nullopt;
    }
    limit.fill = *fill;
    return fillGroups(limit, *map, experts, why) ? std::optional(limit) : std::nullopt;
  }
  if (!isNode(op, "Mul"))
    return std::nullopt;
  for (unsigned side : {0u, 1u}) {
    auto map = matchGroupMap(op.getInputs()[side], experts);
    if (!map || map->kept != 1.0 || map->dropped != 0.0)
      continue;
    limit.choice = op.getInputs()[1 - side];
    return fillGroups(limit, *map, experts, why) ? std::optional(limit) : std::nullopt;
  }
  return std::nullopt;
}

} // namespace moe::raise
