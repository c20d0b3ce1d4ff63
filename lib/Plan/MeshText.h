// A mesh as a user gives it and as the IR keeps it.
#ifndef MOE_LIB_PLAN_MESHTEXT_H
#define MOE_LIB_PLAN_MESHTEXT_H

#include "moe/IR/MoeDialect.h"
#include "moe/Plan/Sharding/Mesh.h"

#include <optional>
#include <string>

namespace moe::plan {

/// The mesh of an option: "node=2,rank=4", with numbers that are assumed (`source` says so), or the path of a JSON file. Nothing and `error` where it
/// is neither.
std::optional<Mesh> meshOfText(llvm::StringRef text, std::string &source, std::string &error);

/// The text of a file, or nothing and `error`.
std::optional<std::string> textOfFile(llvm::StringRef path, std::string &error);

/// From and to the op. The mesh of an op is not validated.
Mesh meshOfOp(MeshOp op);
MeshOp createMeshOp(mlir::OpBuilder &builder, mlir::Location loc, llvm::StringRef name, const Mesh &mesh, llvm::StringRef source);

/// The axes that groups of `count` neighbours span, innermost last: "rank", or "rank:(1)2" for 2 of its positions.
llvm::SmallVector<std::string> axesOfGroup(const Mesh &mesh, int64_t count);

} // namespace moe::plan

#endif // MOE_LIB_PLAN_MESHTEXT_H
