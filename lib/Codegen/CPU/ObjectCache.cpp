// See ObjectCache.h.
#include "ObjectCache.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"

using namespace llvm;

namespace moe {

std::string findInObjectCache(StringRef input, StringRef kind) {
  const std::optional<std::string> folder = sys::Process::GetEnv("MOE_OBJECT_CACHE");
  if (!folder || folder->empty())
    return "";
  ErrorOr<std::unique_ptr<MemoryBuffer>> bytes = MemoryBuffer::getFile(input, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!bytes)
    return "";
  SHA256 hash;
  hash.update("moe-opt " MOE_VERSION " LLVM " LLVM_VERSION_STRING " ");
  hash.update(kind);
  hash.update((*bytes)->getBuffer());
  SmallString<256> path(*folder);
  sys::path::append(path, toHex(hash.final(), /*LowerCase=*/true));
  return path.str().str();
}

bool takeFromObjectCache(StringRef kept, StringRef output) {
  return !kept.empty() && sys::fs::exists(kept) && !sys::fs::copy_file(kept, output);
}

void putIntoObjectCache(StringRef kept, StringRef output) {
  if (kept.empty() || sys::fs::create_directories(sys::path::parent_path(kept)))
    return;
  // Under a name of its own until it is whole: others may look for it at any time.
  SmallString<256> part;
  if (sys::fs::createUniqueFile(kept + ".%%%%%%%%", part))
    return;
  if (sys::fs::copy_file(output, part) || sys::fs::rename(part, kept))
    sys::fs::remove(part);
}

} // namespace moe
