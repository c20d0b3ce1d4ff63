// See Parts.h.
#include "Parts.h"
#include "Session.h"
#include "Team.h"

#include <cstring>

namespace moe::run {

/// Calls `copy(byte of the whole, byte of the part, bytes)` for each run of bytes that both have in a row.
template <typename Copy> static void forRows(const std::vector<int64_t> &whole, size_t axis, int64_t first, int64_t count, int64_t elementSize, Copy copy) {
  size_t outer = 1, inner = size_t(elementSize);
  for (size_t d = 0; d < whole.size(); ++d)
    if (d != axis)
      (d < axis ? outer : inner) *= size_t(whole[d]);
  for (size_t row = 0; row < outer; ++row)
    copy((row * size_t(whole[axis]) + size_t(first)) * inner, row * size_t(count) * inner, size_t(count) * inner);
}

void takePart(Array &array, const moe_part &part, int64_t count) {
  const size_t axis = size_t(part.axis);
  if (part.axis < 0 || axis >= array.shape.size() || array.shape[axis] != part.whole || count == part.whole)
    return;
  Array own;
  own.dtype = array.dtype;
  own.shape = array.shape;
  own.shape[axis] = count;
  own.bytes.resize(array.bytes.size() / size_t(part.whole) * size_t(count));
  forRows(array.shape, axis, part.first, count, elementBytes(array.dtype),
          [&](size_t from, size_t to, size_t bytes) { std::memcpy(own.bytes.data() + to, array.bytes.data() + from, bytes); });
  array = std::move(own);
}

std::optional<Array> wholeOutput(const Session &session, size_t output) {
  const moe_part &part = session.outputParts()[output];
  const Array &own = session.outputArrays()[output];
  if (part.axis < 0 || own.shape[size_t(part.axis)] == part.whole)
    return std::nullopt;
  Team team;
  const std::vector<int64_t> firsts = team.gather(part.first);
  const std::vector<unsigned char> all = team.gatherBytes(own.bytes);
  std::vector<int64_t> shape = own.shape;
  const int64_t count = shape[size_t(part.axis)];
  shape[size_t(part.axis)] = part.whole;
  Array whole = Array::zeros(own.dtype, shape, "output '" + std::string(session.outputs()[output].name) + "'");
  for (size_t rank = 0; rank < firsts.size(); ++rank)
    forRows(shape, size_t(part.axis), firsts[rank], count, elementBytes(own.dtype), [&](size_t to, size_t from, size_t bytes) {
      std::memcpy(whole.bytes.data() + to, all.data() + rank * own.bytes.size() + from, bytes);
    });
  return whole;
}

} // namespace moe::run
