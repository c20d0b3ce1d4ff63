// Lookup in the generated table of since-versions.
#include "OnnxVersions.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"

namespace moe {

int64_t newestOnnxOpset() {
#define MOE_ONNX_NEWEST_OPSET(version) return version;
#include "OnnxSchema.inc"
}

namespace {
using Versions = llvm::SmallVector<int64_t, 4>;
using VersionTable = llvm::StringMap<Versions>;
} // namespace

static std::string tableKey(llvm::StringRef domain, llvm::StringRef opType) { return (domain + "::" + opType).str(); }

static const VersionTable &versionTable() {
  static const VersionTable table = [] {
    VersionTable versions;
#define MOE_ONNX_OP(domain, name, ...) versions[tableKey(domain, name)] = Versions{__VA_ARGS__};
#include "OnnxSchema.inc"
    return versions;
  }();
  return table;
}

llvm::ArrayRef<int64_t> sinceVersions(llvm::StringRef domain, llvm::StringRef opType) {
  auto place = versionTable().find(tableKey(domain, opType));
  return place == versionTable().end() ? llvm::ArrayRef<int64_t>() : llvm::ArrayRef<int64_t>(place->second);
}

ResolvedVersion resolveVersion(llvm::StringRef domain, llvm::StringRef opType, int64_t declared) {
  llvm::ArrayRef<int64_t> versions = sinceVersions(domain, opType);
  if (versions.empty())
    return {declared, false};
  if (declared < versions.front())
    return {versions.front(), true};
  return {*std::prev(llvm::upper_bound(versions, declared)), false};
}

} // namespace moe
