// External data: a model may name files only in its own folder, by a relative path without `..`, and only bytes that are in the file.
#include "ExternalData.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <sys/stat.h>

using llvm::StringRef;

namespace moe {

namespace {
struct ExternalEntries {
  StringRef location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
};
} // namespace

static std::optional<ExternalEntries> readEntries(const wire::TensorProto &tensor, std::string &error) {
  ExternalEntries entries;
  for (auto [key, value] : tensor.externalData) {
    StringRef text(value);
    uint64_t number = 0;
    if (key == "location")
      entries.location = text;
    if (key != "offset" && key != "length")
      continue;
    if (text.getAsInteger(10, number) || number > static_cast<uint64_t>(INT64_MAX)) {
      error = "expected the external " + std::string(key) + " in decimal digits, found '" + text.str() + "'";
      return std::nullopt;
    }
    if (key == "offset")
      entries.offset = number;
    else
      entries.length = number;
  }
  if (entries.location.empty()) {
    error = "expected the location of the external data, found none";
    return std::nullopt;
  }
  return entries;
}

/// The path below `folder`, every part of it checked; empty on an error.
static std::string checkedPath(StringRef folder, StringRef location, bool allowLinks, std::string &error) {
  if (location.contains('\0') || llvm::sys::path::is_absolute(location)) {
    error = "external data must be named by a path relative to the model's folder, found '" + location.str() + "'";
    return {};
  }
  llvm::SmallString<256> path(folder.empty() ? "." : folder);
  for (StringRef part : llvm::make_range(llvm::sys::path::begin(location), llvm::sys::path::end(location))) {
    if (part == "..") {
      error = "external data must stay inside the model's folder, found '" + location.str() + "'";
      return {};
    }
    if (part == ".")
      continue;
    llvm::sys::path::append(path, part);
    struct stat status;
    if (::lstat(path.c_str(), &status) != 0) {
      error = "cannot find the external data '" + path.str().str() + "': " + std::strerror(errno);
      return {};
    }
    if (S_ISLNK(status.st_mode) && !allowLinks) {
      error = "the external data '" + path.str().str() + "' is a symbolic link, which is read only with --allow-links";
      return {};
    }
  }
  return path.str().str();
}

std::optional<FileRange> resolveExternalData(StringRef folder, const wire::TensorProto &tensor, uint64_t expected, bool allowLinks, std::string &error) {
  std::optional<ExternalEntries> entries = readEntries(tensor, error);
  if (!entries)
    return std::nullopt;
  FileRange range;
  range.path = checkedPath(folder, entries->location, allowLinks, error);
  if (range.path.empty())
    return std::nullopt;
  struct stat status;
  if (::stat(range.path.c_str(), &status) != 0) {
    error = "cannot open the external data '" + range.path + "': " + std::strerror(errno);
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) {
    error = "the external data '" + range.path + "' is no regular file";
    return std::nullopt;
  }
  if (entries->length && *entries->length != expected) {
    error = "expected " + std::to_string(expected) + " bytes of external data, found the length " + std::to_string(*entries->length);
    return std::nullopt;
  }
  uint64_t size = static_cast<uint64_t>(status.st_size);
  if (entries->offset > size || expected > size - entries->offset) {
    error = "expected " + std::to_string(expected) + " bytes from offset " + std::to_string(entries->offset) + " in '" + range.path +
            "', found a file of " + std::to_string(size) + " bytes";
    return std::nullopt;
  }
  range.offset = entries->offset;
  range.length = expected;
  return range;
}

} // namespace moe
