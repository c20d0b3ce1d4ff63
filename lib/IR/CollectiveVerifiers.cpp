// Verifiers of meshes, shardings and the ops that move rows between ranks. The labels are those of the constraints in CollectiveOps.td and, for
// attributes, MoeAttrs.td.
#include "VerifierUtils.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace moe {
using namespace verify;

//===-- Attributes ---------------------------------------------------------===//

LogicalResult AxisAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, StringRef name, int64_t size, FloatAttr, FloatAttr, FloatAttr,
                               int64_t) {
  // axis-c1
  if (name.empty() || size < 1)
    return error() << "expected an axis with a name and a size >= 1, got '" << name << "' of size " << size;
  return success();
}

LogicalResult BatchSplitAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, FlatSymbolRefAttr, int64_t devices, int64_t, FloatAttr, FloatAttr) {
  // batch_split-c1
  return devices < 1 ? error() << "expected at least 1 device, got " << devices : success();
}

LogicalResult ShardingAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, FlatSymbolRefAttr, ArrayAttr, int64_t ep, int64_t edp,
                                   DenseI64ArrayAttr slots, StringRef algorithm, StringRef equality, int64_t chunks, int64_t perNode,
                                   StringRef dedup, int64_t etp, bool, EstimateAttr) {
  // sharding-c1
  if (ep < 1 || edp < 1 || chunks < 1)
    return error() << "expected ep, edp and chunks >= 1, got " << ep << ", " << edp << " and " << chunks;
  if (etp < 1)
    return error() << "expected etp >= 1, got " << etp;
  // sharding-c2
  if (slots.empty() || slots.size() % ep != 0)
    return error() << "expected slots in a multiple of ep (" << ep << "), got " << slots.size();
  for (int64_t expert : slots.asArrayRef())
    if (expert < 0)
      return error() << "expected numbers of experts in slots, got " << expert;
  // sharding-c3
  if (algorithm != "direct" && algorithm != "two_level")
    return error() << "expected the algorithm direct or two_level, got '" << algorithm << "'";
  if (algorithm == "two_level" && (perNode < 1 || ep * etp * edp % perNode != 0))
    return error() << "expected per_node to divide the " << ep * etp * edp << " devices, got " << perNode;
  if (dedup != "none" && (dedup != "node" || algorithm != "two_level"))
    return error() << "expected dedup none, or node with the algorithm two_level, got '" << dedup << "' with " << algorithm;
  // sharding-c4
  if (equality != "bitwise" && equality != "tolerance")
    return error() << "expected equality bitwise or tolerance, got '" << equality << "'";
  return success();
}

SmallVector<SmallVector<int64_t>> ShardingAttr::holders(int64_t experts) const {
  SmallVector<SmallVector<int64_t>> devices(experts);
  for (auto [slot, expert] : llvm::enumerate(getSlots().asArrayRef()))
    if (expert < experts)
      devices[expert].push_back(static_cast<int64_t>(slot) / slotsPerDevice());
  return devices;
}

ShardingAttr ShardingAttr::ofParts() const {
  const int64_t parts = getEtp(), perDevice = slotsPerDevice();
  if (parts == 1)
    return *this;
  SmallVector<int64_t> slots;
  for (int64_t rank = 0; rank < getEp(); ++rank)
    for (int64_t part = 0; part < parts; ++part)
      for (int64_t slot = 0; slot < perDevice; ++slot)
        slots.push_back(getSlots()[rank * perDevice + slot] * parts + part);
  return get(getContext(), getMesh(), getAxes(), getEp() * parts, getEdp(), DenseI64ArrayAttr::get(getContext(), slots), getAlgorithm(), getEquality(),
             getChunks(), getPerNode(), getDedup(), /*etp=*/1, getPinned(), getEstimate());
}

//===-- Ops ----------------------------------------------------------------===//

int64_t MeshOp::devices() {
  int64_t count = 1;
  for (auto axis : getAxes().getAsRange<AxisAttr>())
    count = times(count, axis.getSize());
  return count;
}

LogicalResult MeshOp::verify() {
  // mesh-c1
  llvm::StringSet<> names;
  for (Attribute attribute : getAxes()) {
    auto axis = dyn_cast<AxisAttr>(attribute);
    if (!axis)
      return emitOpError("expected #moe.axis in axes, got ") << attribute;
    if (!names.insert(axis.getName()).second)
      return emitOpError("expected axes of different names, got '") << axis.getName() << "' twice";
  }
  if (names.empty())
    return emitOpError("expected at least one axis, got none");
  // mesh-c2
  constexpr int64_t mostDevices = 4096;
  const int64_t count = devices();
  if (ShapedType::isDynamic(count) || count > mostDevices)
    return emitOpError("expected at most ") << mostDevices << " devices, got " << (ShapedType::isDynamic(count) ? "more than 2^63" : std::to_string(count));
  return success();
}

LogicalResult AllToAllStartOp::verify() {
  // all_to_all_start-c1
  if (failed(oneLength(*this, {{"send", getSend().getType()}, {"receive", getReceive().getType()}})))
    return failure();
  // all_to_all_start-c2
  if (getGroup().empty())
    return emitOpError("expected the name of a group, got an empty one");
  // all_to_all_start-c3
  const auto perNode = static_cast<int64_t>(getPerNode());
  const int64_t devices = getSend().getType().getDimSize(0);
  if (perNode < 0 || (perNode > 0 && (ShapedType::isDynamic(devices) || devices % perNode != 0)))
    return emitOpError("expected per_node to divide the length of send, got ") << perNode;
  // all_to_all_start-c4
  if (getToken())
    return size(*this, "token", getToken().getType(), 0, getRows().getType().getDimSize(0), "rows");
  return success();
}

LogicalResult AllToAllWaitOp::verify() {
  // all_to_all_wait-c1
  auto start = getFlight().getDefiningOp<AllToAllStartOp>();
  if (!start || start.getRows() != getRows())
    return emitOpError("expected the result of a moe.all_to_all_start of the same rows");
  return success();
}

LogicalResult AllGatherOp::verify() {
  // all_gather-c1
  if (getGroup().empty() || static_cast<int64_t>(getDevices()) < 1)
    return emitOpError("expected the name of a group of at least 1 device, got '") << getGroup() << "' of " << static_cast<int64_t>(getDevices());
  // all_gather-c2
  const auto rows = getRows().getType(), result = getResult().getType();
  const bool fits = getTokens() ? rows.getElementType() == result.getElementType() && rows.getDimSize(1) == result.getDimSize(1) : rows == result;
  if (!fits)
    return emitOpError("expected a result of type ") << rows << " (that of rows), got " << result;
  return success();
}

LogicalResult SlotRowsOp::verify() {
  // slot_rows-c1
  if (failed(oneLength(*this, {{"token", getToken().getType()},
                               {"slot", getSlot().getType()},
                               {"keep", getKeep().getType()},
                               {"weights", getWeights().getType()}})))
    return failure();
  // slot_rows-c2
  if (failed(oneLength(*this, {{"rows", getRows().getType()}, {"slot_weights", getSlotWeights().getType()}})))
    return failure();
  return oneLength(*this, {{"offset", getOffset().getType()}, {"offsets", getOffsets().getType()}});
}

LogicalResult ShardSlotsOp::verify() {
  // shard_slots-c1
  if (failed(oneLength(*this, {{"send_token", getSendToken().getType()},
                               {"send_slot", getSendSlot().getType()},
                               {"place", getPlace().getType()},
                               {"origin", getOrigin().getType()}})) ||
      (!getMost() && failed(oneLength(*this, {{"rows", getRows().getType()}, {"send_token", getSendToken().getType()}}))) ||
      failed(oneLength(*this, {{"offset", getOffset().getType()}, {"local_offset", getLocalOffset().getType()}})))
    return failure();
  const ShardingAttr sharding = getSharding();
  for (Named list : {Named{"send", getSend().getType()}, Named{"receive", getReceive().getType()}})
    if (shaped(list.type).getDimSize(0) != sharding.devices())
      return emitOpError("expected ") << list.name << " of length " << sharding.devices() << " (devices), got " << shaped(list.type).getDimSize(0);
  // shard_slots-c2
  const int64_t offsets = getOffset().getType().getDimSize(0);
  if (ShapedType::isDynamic(offsets) || offsets < 2)
    return emitOpError("expected offset of known length >= 2 (experts + 1), got ") << offsets;
  for (int64_t expert : sharding.getSlots().asArrayRef())
    if (expert >= offsets - 1)
      return emitOpError("expected slots of ") << offsets - 1 << " experts, got expert " << expert;
  for (auto [expert, devices] : llvm::enumerate(sharding.holders(offsets - 1)))
    if (devices.empty())
      return emitOpError("expected a slot for every expert, got none for expert ") << expert;
  // shard_slots-c3
  const auto chunk = static_cast<int64_t>(getChunk());
  if (chunk < 0 || chunk >= sharding.getChunks())
    return emitOpError("expected a chunk below ") << sharding.getChunks() << ", got " << chunk;
  return success();
}

LogicalResult PartSlotsOp::verify() {
  // part_slots-c1
  const auto parts = static_cast<int64_t>(getParts());
  if (parts < 1)
    return emitOpError("expected parts >= 1, got ") << parts;
  if (failed(oneLength(*this, {{"rows", getRows().getType()}, {"slot_weights", getSlotWeights().getType()}})))
    return failure();
  // part_slots-c2
  const int64_t length = getRows().getType().getDimSize(0), offsets = getOffset().getType().getDimSize(0);
  const int64_t longer = ShapedType::isDynamic(length) ? length : length * parts;
  if (failed(size(*this, "part_rows", getPartRows().getType(), 0, longer, "parts times rows")) ||
      failed(size(*this, "part_weights", getPartWeights().getType(), 0, longer, "parts times slot_weights")))
    return failure();
  return size(*this, "part_offset", getPartOffset().getType(), 0, ShapedType::isDynamic(offsets) ? offsets : (offsets - 1) * parts + 1,
              "parts times experts, and 1");
}

LogicalResult TakeRowsOp::verify() {
  const auto x = getX().getType(), result = getResult().getType();
  // take_rows-c1
  if (result.getElementType() != x.getElementType())
    return emitOpError("expected a result of ") << x.getElementType() << " (that of x), got " << result.getElementType();
  if (failed(size(*this, "the result", result, 1, x.getDimSize(1), "columns of x")))
    return failure();
  return size(*this, "the result", result, 0, getIndex().getType().getDimSize(0), "indices");
}

LogicalResult SumRowsOp::verify() {
  const auto back = getBack().getType(), result = getResult().getType();
  // sum_rows-c1
  if (failed(size(*this, "back", back, 0, getSendSlot().getType().getDimSize(0), "length of send_slot")) ||
      failed(oneLength(*this, {{"rows", getRows().getType()}, {"slot_weights", getSlotWeights().getType()}})))
    return failure();
  // sum_rows-c2
  const Type element = result.getElementType();
  if (element != back.getElementType() && !element.isF32())
    return emitOpError("expected a result of ") << back.getElementType() << " (that of back) or f32, got " << element;
  // sum_rows-c3
  const auto chunk = static_cast<int64_t>(getChunk()), chunks = static_cast<int64_t>(getChunks());
  if (chunk < 0 || chunk >= chunks)
    return emitOpError("expected a chunk below ") << chunks << ", got " << chunk;
  // sum_rows-c4
  if (getInto() && getInto().getType() != result)
    return emitOpError("expected into of type ") << result << " (that of the result), got " << getInto().getType();
  return size(*this, "the result", result, 1, back.getDimSize(1), "columns of back");
}

LogicalResult ExchangeOp::verify() {
  const auto from = cast<MemRefType>(getFrom().getType()), into = cast<MemRefType>(getInto().getType());
  // exchange-c1
  if (!from.getLayout().isIdentity() || !into.getLayout().isIdentity() || from.getElementType() != into.getElementType())
    return emitOpError("expected contiguous buffers of one element type, got ") << from << " and " << into;
  return size(*this, "into", into, 1, from.getDimSize(1), "columns of from");
}

LogicalResult ExchangeStartOp::verify() {
  const auto from = cast<MemRefType>(getFrom().getType()), into = cast<MemRefType>(getInto().getType());
  // exchange_start-c1
  if (!from.getLayout().isIdentity() || !into.getLayout().isIdentity() || from.getElementType() != into.getElementType())
    return emitOpError("expected contiguous buffers of one element type, got ") << from << " and " << into;
  return size(*this, "into", into, 1, from.getDimSize(1), "columns of from");
}

LogicalResult GatherSharesOp::verify() {
  // gather_shares-c1
  if (!cast<MemRefType>(getRows().getType()).getLayout().isIdentity() || static_cast<int64_t>(getDevices()) < 1)
    return emitOpError("expected a contiguous buffer and at least 1 device, got ") << getRows().getType() << " and " << static_cast<int64_t>(getDevices());
  return success();
}

} // namespace moe
