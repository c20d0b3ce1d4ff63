// The order of a graph's nodes: what defines each name, and an order in which every value is defined before it is used.
#ifndef MOE_LIB_IMPORT_NODEORDER_H
#define MOE_LIB_IMPORT_NODEORDER_H

#include "moe/Import/Wire/Model.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace moe {

/// Positions of a graph's or function's nodes in an order that defines before it uses; the file's own order where that does. Some tools write nodes in any
/// order. Empty with an error: a value that two nodes define, or a cycle. `report` gets the node's position and what is wrong.
std::optional<llvm::SmallVector<size_t>> orderNodes(llvm::ArrayRef<wire::Node> nodes, llvm::function_ref<void(size_t, const std::string &)> report);

} // namespace moe

#endif // MOE_LIB_IMPORT_NODEORDER_H
