// Tensors of which each rank has a part: whole ones in files, parts in runs.
#ifndef MOE_RUN_PARTS_H
#define MOE_RUN_PARTS_H

#include "Array.h"

#include <optional>

namespace moe::run {

class Session;

/// Where dim `part.axis` of `array` has the size of the whole, leaves the `count` places of `part` of it; any other array stays as it is, for the model to judge.
void takePart(Array &array, const moe_part &part, int64_t count);

/// The whole output `output` of the last run, where ranks have parts of it: all ranks call this together. Throws a Failure where MPI answers with an error.
std::optional<Array> wholeOutput(const Session &session, size_t output);

} // namespace moe::run

#endif // MOE_RUN_PARTS_H
