// What the schemas say of an op, from the generated tables (OnnxSchema.inc): versions and attributes.
#ifndef MOE_LIB_IMPORT_ONNXVERSIONS_H
#define MOE_LIB_IMPORT_ONNXVERSIONS_H

#include "moe/Import/Wire/Model.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace moe {

/// The newest opset of ONNX's own domain that the table knows.
int64_t newestOnnxOpset();

/// The since-versions of an op, ascending; empty for an op that is not in the table. ONNX's own domain is "".
llvm::ArrayRef<int64_t> sinceVersions(llvm::StringRef domain, llvm::StringRef opType);

/// The since-version of the schema that a node means under the declared opset. Exporters write ops that are newer than the opset they declare: for such
/// a node it is the op's first version. An op that is not in the table has the declared one.
struct ResolvedVersion {
  int64_t version = 1;
  bool isNewerThanDeclared = false;
};
ResolvedVersion resolveVersion(llvm::StringRef domain, llvm::StringRef opType, int64_t declared);

/// The types that an attribute of an op may have (more than one where its type changed between versions); empty for one that the op has in no
/// version. Absent for an op that is not in the table.
std::optional<llvm::ArrayRef<wire::AttributeType>> attributeTypes(llvm::StringRef domain, llvm::StringRef opType, llvm::StringRef attribute);

/// ONNX's name of an attribute type in lower case: "int", "floats".
llvm::StringRef attributeTypeName(wire::AttributeType type);

} // namespace moe

#endif // MOE_LIB_IMPORT_ONNXVERSIONS_H
