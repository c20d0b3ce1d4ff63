// What of a moe.attention its code depends on: read once from the op, checked, then the key under which kernels are shared. Needs the op on
// memrefs, as lower leaves it.
#ifndef MOE_CODEGEN_CPU_ATTENTIONSPEC_H
#define MOE_CODEGEN_CPU_ATTENTIONSPEC_H

#include "moe/IR/MoeDialect.h"

#include <string>

namespace moe {

struct AttentionSpec {
  /// Key heads, and query heads of each. Dynamic: the run says how many (both are arguments then).
  int64_t keyHeads = 1, group = 1;
  /// Columns of q and k, and of v.
  int64_t depth = 1, columns = 1;
  mlir::Type query, key, value, out;
  /// Null: not given. Bytes that are 0 or not where the mask is of i1.
  mlir::Type mask, sink;
  /// The mask has a column for each key, not one for all.
  bool maskHasKeys = false;
  bool hasCounts = false, isCausal = false;
  int64_t left = -1, right = -1;
  double scale = 1, softcap = 0;

  /// May a query see less than all S keys?
  bool hasEnd() const { return hasCounts || isCausal || right >= 0 || maskHasKeys; }
  /// Columns of the sums in memory, a multiple of every vector.
  int64_t paddedColumns() const { return AttentionOp::paddedColumns(columns); }
  /// Equal for ops that may share all their code.
  std::string text() const;

  /// Reads and checks `op`; an error names the operand, what was expected and what was found.
  static llvm::FailureOr<AttentionSpec> read(AttentionOp op);
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_ATTENTIONSPEC_H
