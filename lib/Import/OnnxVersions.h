// Which version of an op's schema applies under which opset, from the generated table (OnnxSchema.inc).
#ifndef MOE_LIB_IMPORT_ONNXVERSIONS_H
#define MOE_LIB_IMPORT_ONNXVERSIONS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

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

} // namespace moe

#endif // MOE_LIB_IMPORT_ONNXVERSIONS_H
