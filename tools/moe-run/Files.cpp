// Whole files in and out.
#include "Files.h"
#include "Failure.h"
#include "moe/Import/Wire/MappedFile.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace moe::run {

std::vector<unsigned char> readFile(const std::string &path) {
  std::string error;
  std::optional<wire::MappedFile> file = wire::MappedFile::open(path, error);
  if (!file)
    throw Failure(path + ": " + error);
  const wire::Bytes bytes = file->bytes();
  return {bytes.data, bytes.data + bytes.size};
}

void writeFile(const std::string &path, const std::string &header, const std::vector<unsigned char> &bytes) {
  // Not mkstemp, whose files only their owner may read: the umask decides.
  std::string aside;
  int descriptor = -1;
  for (int attempt = 0; descriptor < 0 && attempt < 100; ++attempt) {
    aside = path + "." + std::to_string(getpid()) + "-" + std::to_string(attempt);
    descriptor = open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno != EEXIST)
      break;
  }
  auto fail = [&](const char *what) -> Failure { return Failure(path + ": " + what + ": " + std::strerror(errno)); };
  if (descriptor < 0)
    throw fail("cannot create");
  FILE *file = fdopen(descriptor, "wb");
  bool written = file != nullptr;
  written = written && std::fwrite(header.data(), 1, header.size(), file) == header.size();
  written = written && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if (file)
    written = (std::fclose(file) == 0) && written;
  else
    close(descriptor);
  if (written && std::rename(aside.c_str(), path.c_str()) == 0)
    return;
  Failure failure = fail("cannot write");
  unlink(aside.c_str());
  throw failure;
}

std::string fileNameFor(const std::string &name) {
  std::string file;
  for (char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    file += plain ? c : '_';
  }
  if (file.empty() || file[0] == '.')
    file.insert(file.begin(), '_');
  return file.substr(0, 200);
}

} // namespace moe::run
