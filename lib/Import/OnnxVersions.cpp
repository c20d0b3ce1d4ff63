// Lookup in the generated tables of versions and attributes.
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
using AttributeTable = llvm::StringMap<llvm::StringMap<llvm::SmallVector<wire::AttributeType, 2>>>;
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

static const AttributeTable &attributeTable() {
  static const AttributeTable table = [] {
    AttributeTable attributes;
#define MOE_ONNX_ATTRIBUTE(domain, op, name, type) attributes[tableKey(domain, op)][name].push_back(wire::AttributeType::type);
#include "OnnxSchema.inc"
    return attributes;
  }();
  return table;
}

std::optional<llvm::ArrayRef<wire::AttributeType>> attributeTypes(llvm::StringRef domain, llvm::StringRef opType, llvm::StringRef attribute) {
  if (sinceVersions(domain, opType).empty())
    return std::nullopt;
  auto op = attributeTable().find(tableKey(domain, opType));
  if (op == attributeTable().end())
    return llvm::ArrayRef<wire::AttributeType>();
  auto place = op->second.find(attribute);
  return place == op->second.end() ? llvm::ArrayRef<wire::AttributeType>() : llvm::ArrayRef<wire::AttributeType>(place->second);
}

llvm::StringRef attributeTypeName(wire::AttributeType type) {
  static constexpr llvm::StringLiteral names[] = {"undefined", "float",   "int",    "string",        "tensor",         "graph",      "floats",     "ints",
                                                  "strings",   "tensors", "graphs", "sparse_tensor", "sparse_tensors", "type_proto", "type_protos"};
  const auto number = static_cast<size_t>(type);
  return number < std::size(names) ? names[number] : names[0];
}

} // namespace moe
