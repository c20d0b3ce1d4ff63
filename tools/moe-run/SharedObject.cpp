// A check of model.so before it is loaded: is it an ELF file, and all there?
#include "SharedObject.h"
#include "Failure.h"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <vector>

namespace moe::run {

void checkSharedObject(const std::string &path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file)
    throw Failure("cannot load " + path + ": " + std::strerror(errno));
  const auto size = static_cast<uint64_t>(file.tellg());
  Elf64_Ehdr header = {};
  auto read = [&](void *to, uint64_t offset, uint64_t bytes) {
    if (offset > size || bytes > size - offset)
      return false;
    file.seekg(static_cast<std::streamoff>(offset));
    return static_cast<bool>(file.read(static_cast<char *>(to), static_cast<std::streamsize>(bytes)));
  };
  if (!read(&header, 0, sizeof(header)) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr))
    throw Failure("cannot load " + path + ": expected a 64-bit ELF file, found other bytes");
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  bool whole = read(segments.data(), header.e_phoff, segments.size() * sizeof(Elf64_Phdr));
  for (const Elf64_Phdr &segment : segments)
    whole = whole && (segment.p_type != PT_LOAD || (segment.p_offset <= size && segment.p_filesz <= size - segment.p_offset));
  if (!whole)
    throw Failure("cannot load " + path + ": the file is shorter than its segments (" + std::to_string(size) + " bytes)");
}

} // namespace moe::run
