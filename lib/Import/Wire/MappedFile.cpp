// Files by POSIX mmap. An empty file is an empty view, since mmap refuses a length of zero.
#include "moe/Import/Wire/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace moe::wire {

MappedFile::MappedFile(MappedFile &&other) noexcept : view(std::exchange(other.view, {})) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(view, other.view);
  return *this;
}

MappedFile::~MappedFile() {
  if (view.size)
    ::munmap(const_cast<uint8_t *>(view.data), view.size);
}

std::optional<MappedFile> MappedFile::open(const std::string &path, std::string &error) {
  // Without O_NONBLOCK the open of a pipe would wait for a writer.
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    error = std::strerror(errno);
    return std::nullopt;
  }
  error.clear();
  MappedFile mapped;
  struct stat status;
  if (::fstat(file, &status) != 0) {
    error = std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    error = "not a regular file";
  } else if (status.st_size > 0) {
    void *address = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
    if (address == MAP_FAILED)
      error = std::strerror(errno);
    else
      mapped.view = {static_cast<const uint8_t *>(address), static_cast<size_t>(status.st_size)};
  }
  ::close(file);
  if (!error.empty())
    return std::nullopt;
  return mapped;
}

} // namespace moe::wire
