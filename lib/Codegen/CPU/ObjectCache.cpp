// See ObjectCache.h.
#include "ObjectCache.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"

using namespace llvm;

namespace moe {

namespace {

/// Hashes what is written to it.
class HashStream : public raw_ostream {
public:
  HashStream() : raw_ostream(/*unbuffered=*/false) { SetBufferSize(1 << 16); }
  ~HashStream() override { flush(); }
  std::string finish() {
    flush();
    return toHex(hash.final(), /*LowerCase=*/true);
  }

private:
  void write_impl(const char *data, size_t size) override {
    hash.update(StringRef(data, size));
    written += size;
  }
  uint64_t current_pos() const override { return written; }

  SHA256 hash;
  uint64_t written = 0;
};

} // namespace

std::string findInObjectCache(mlir::ModuleOp module, StringRef kind) {
  const std::optional<std::string> folder = sys::Process::GetEnv("MOE_OBJECT_CACHE");
  if (!folder || folder->empty())
    return "";
  HashStream stream;
  stream << "moe-opt " MOE_VERSION " LLVM " LLVM_VERSION_STRING " " << kind << "\n";
  // All of it, whatever the command line leaves out of dumps.
  mlir::OpPrintingFlags flags;
  flags.elideLargeElementsAttrs(INT64_MAX).elideLargeResourceString(INT64_MAX).skipRegions(false).enableDebugInfo(false).assumeVerified();
  module.print(stream, flags);
  SmallString<256> path(*folder);
  sys::path::append(path, stream.finish());
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
