// Where the bytes of an external tensor are: checked against the rules for untrusted models before anything is opened.
#ifndef MOE_LIB_IMPORT_EXTERNALDATA_H
#define MOE_LIB_IMPORT_EXTERNALDATA_H

#include "moe/Import/Wire/TensorProto.h"

#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace moe {

/// A range of bytes in a file.
struct FileRange {
  std::string path;
  uint64_t offset = 0, length = 0;
};

/// The range that the external_data of `tensor` names, for a payload of `expected` bytes. The file lies in `folder` or below; no part of the way
/// there is a symbolic link unless `allowLinks`. Nothing on an error, which `error` receives.
std::optional<FileRange> resolveExternalData(llvm::StringRef folder, const wire::TensorProto &tensor, uint64_t expected, bool allowLinks,
                                             std::string &error);

} // namespace moe

#endif // MOE_LIB_IMPORT_EXTERNALDATA_H
