// The only file that names the symbols of the generated object. Its references are hidden, so the linker exports none of them.
#pragma GCC visibility push(hidden)
#include "moe/Machine/ModelInfo.h"
#pragma GCC visibility pop
#include "moe/Runtime/Model.h"

namespace moe::runtime {

Program linkedProgram() { return {moe_model_info, moe_model_info_size, moe_entries, moe_shapes, linkedKernels()}; }

} // namespace moe::runtime
