// Fatbins, PTX and machine code as far as the driver's choice among them goes. Sizes and places in a fatbin are as fatbinary (13.0) writes them and cuobjdump reads them.
#include "Images.h"

#include <cstdlib>
#include <cstring>
#include <vector>

namespace moe::simt {

namespace {

/// What comes first in a fatbin, and what is before each code in it.
struct FatbinHeader {
  unsigned magic;
  unsigned short version, headerBytes;
  uint64_t bytes; ///< Behind the header.
};
struct FatbinEntry {
  unsigned short kind, version; ///< 1: PTX, 2: ELF.
  unsigned headerBytes;
  uint64_t bytes; ///< Behind this header, filled up to the next one.
  unsigned unused[3], arch;
};
constexpr unsigned fatbinMagic = 0xBA55ED50;
constexpr unsigned short ptxKind = 1, elfKind = 2;
/// Of the flags at byte 40 of an entry whose header has them: for this architecture alone.
constexpr size_t flagsPlace = 40;
constexpr uint64_t specificFlag = uint64_t(1) << 20;

struct Entry {
  unsigned short kind;
  unsigned arch;
  bool isSpecific;
  const char *bytes;
  size_t size;

  bool runsOn(unsigned device) const {
    if (isSpecific)
      return arch == device;
    return arch <= device && (kind == ptxKind || arch / 10 == device / 10);
  }
};

/// False where `image` is damaged.
bool readEntries(const char *image, std::vector<Entry> &entries) {
  FatbinHeader header;
  std::memcpy(&header, image, sizeof(header));
  if (header.headerBytes < sizeof(header))
    return false;
  const char *at = image + header.headerBytes, *end = at + header.bytes;
  for (FatbinEntry entry; at + sizeof(entry) <= end; at += entry.headerBytes + entry.bytes) {
    std::memcpy(&entry, at, sizeof(entry));
    if (entry.headerBytes < sizeof(entry) || entry.headerBytes + entry.bytes > static_cast<uint64_t>(end - at))
      return false;
    uint64_t flags = 0;
    if (entry.headerBytes >= flagsPlace + sizeof(flags))
      std::memcpy(&flags, at + flagsPlace, sizeof(flags));
    entries.push_back({entry.kind, entry.arch, (flags & specificFlag) != 0, at + entry.headerBytes, static_cast<size_t>(entry.bytes)});
  }
  return true;
}

CUresult chooseEntry(const char *image, unsigned arch, ImageCode &code) {
  std::vector<Entry> entries;
  if (!readEntries(image, entries))
    return cudaErrorInvalidImage;
  const Entry *best = nullptr;
  for (const Entry &entry : entries)
    if (entry.runsOn(arch) && (!best || entry.kind > best->kind || (entry.kind == best->kind && entry.arch > best->arch)))
      best = &entry;
  if (!best)
    return cudaErrorNoBinaryForGpu;
  // PTX is compressed there; machine code of the same architecture was made of the same text.
  const Entry *readable = best->kind == elfKind ? best : nullptr;
  for (const Entry &entry : entries)
    if (!readable && entry.kind == elfKind && entry.arch == best->arch)
      readable = &entry;
  code.isMachineCode = true;
  code.bytes = readable ? std::string(readable->bytes, readable->size) : "";
  return cudaSuccess;
}

/// Whether PTX that begins with `text` is for `arch`; text that names no target is.
bool isPtxFor(const char *text, unsigned arch) {
  const char *target = std::strstr(text, "\n.target sm_");
  if (!target)
    return true;
  char *end = nullptr;
  const unsigned long wanted = std::strtoul(target + std::strlen("\n.target sm_"), &end, 10);
  return *end == 'a' ? wanted == arch : wanted <= arch;
}

} // namespace

bool ImageCode::hasKernel(const std::string &name) const {
  if (bytes.empty())
    return true;
  if (isMachineCode)
    return bytes.find((".text." + name).c_str(), 0, std::strlen(".text.") + name.size() + 1) != std::string::npos;
  return bytes.find(".entry " + name + "(") != std::string::npos;
}

CUresult chooseCode(const void *image, unsigned arch, ImageCode &code) {
  const auto *bytes = static_cast<const char *>(image);
  unsigned magic;
  std::memcpy(&magic, bytes, sizeof(magic));
  if (magic == fatbinMagic)
    return chooseEntry(bytes, arch, code);
  if (std::memcmp(bytes, "\x7F" "ELF", 4) == 0)
    return cudaSuccess;
  // PTX is text that begins with comments and `.version`.
  if (std::memcmp(bytes, "//", 2) != 0 && std::memcmp(bytes, ".ver", 4) != 0 && bytes[0] != '\n')
    return cudaErrorInvalidImage;
  if (!isPtxFor(bytes, arch))
    return cudaErrorNoBinaryForGpu;
  code.bytes = bytes;
  return cudaSuccess;
}

} // namespace moe::simt
