// Folders for files on their way, and the list of them that a signal handler walks. The handler may run at any instruction of any thread: it
// takes entries with an atomic exchange, and lists and removes files with system calls alone, since opendir allocates.
#include "moe/Support/TemporaryFolder.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace moe {

namespace {

/// A compilation has two at once. Folders beyond these are removed by their destructors only.
constexpr int slots = 16;
std::atomic<char *> registered[slots];

/// Whoever exchanges the path for null owns it.
int registerFolder(const std::string &path) {
  // The handler may come in another working directory.
  llvm::SmallString<256> absolute(path);
  if (llvm::sys::fs::make_absolute(absolute))
    return -1;
  char *copy = strdup(absolute.c_str());
  for (int slot = 0; copy && slot < slots; ++slot) {
    char *none = nullptr;
    if (registered[slot].compare_exchange_strong(none, copy))
      return slot;
  }
  free(copy);
  return -1;
}

/// An entry as the kernel gives it: the name begins at byte 19.
struct DirectoryEntry {
  uint64_t inode;
  int64_t next;
  uint16_t length;
  uint8_t type;
  char name[1];
};

/// Unlinks the files of a folder; async-signal-safe.
void removeFiles(int folder) {
  alignas(DirectoryEntry) char buffer[4096];
  for (;;) {
    const long bytes = syscall(SYS_getdents64, folder, buffer, sizeof(buffer));
    if (bytes <= 0)
      return;
    for (long at = 0; at < bytes;) {
      const auto *entry = reinterpret_cast<const DirectoryEntry *>(buffer + at);
      unlinkat(folder, entry->name, 0); // "." and ".." are refused.
      at += entry->length;
    }
  }
}

} // namespace

TemporaryFolder::~TemporaryFolder() {
  if (folder.empty())
    return;
  llvm::sys::fs::remove_directories(folder);
  release();
}

bool TemporaryFolder::create(llvm::StringRef prefix, unsigned permissions, std::string &error) {
  for (int attempt = 0; attempt < 16; ++attempt) {
    // Only the random part is a pattern: a '%' in the user's path stays.
    llvm::SmallString<32> random;
    llvm::sys::fs::createUniquePath("%%%%%%%%", random, /*MakeAbsolute=*/false);
    std::string candidate = (prefix + "-" + random).str();
    if (mkdir(candidate.c_str(), permissions) == 0) {
      folder = std::move(candidate);
      slot = registerFolder(folder);
      return true;
    }
    if (errno != EEXIST) {
      error = "cannot create " + candidate + ": " + std::strerror(errno);
      return false;
    }
  }
  error = ("cannot create a folder named " + prefix + "-…: all names that were tried are taken").str();
  return false;
}

bool TemporaryFolder::createPrivate(llvm::StringRef name, std::string &error) {
  llvm::SmallString<128> path;
  llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, path);
  if (!llvm::sys::fs::is_directory(path)) {
    error = ("the folder for temporary files, " + path + ", is not there; set TMPDIR to one that is").str();
    return false;
  }
  llvm::sys::path::append(path, name);
  return create(path, 0700, error);
}

std::string TemporaryFolder::file(const llvm::Twine &name) const {
  llvm::SmallString<256> path(folder);
  llvm::sys::path::append(path, name);
  return path.str().str();
}

void TemporaryFolder::release() {
  if (slot >= 0)
    free(registered[slot].exchange(nullptr));
  slot = -1;
  folder.clear();
}

void removeTemporaryFolders() {
  const int before = errno;
  for (std::atomic<char *> &entry : registered) {
    const char *path = entry.exchange(nullptr);
    if (!path)
      continue;
    // A worker may still be writing: what it adds while this runs is seen by another round.
    for (int round = 0; round < 64; ++round) {
      const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (folder < 0)
        break;
      removeFiles(folder);
      close(folder);
      if (rmdir(path) == 0 || errno != ENOTEMPTY)
        break;
    }
  }
  errno = before;
}

} // namespace moe
