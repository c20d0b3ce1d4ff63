//===- MappedFile.h - a file's bytes, read-only ------------------*- C++ -*-===//
// Maps a whole regular file, so that reading a model of many gigabytes touches only the pages that are looked at. No LLVM here.
#ifndef MOE_IMPORT_WIRE_MAPPEDFILE_H
#define MOE_IMPORT_WIRE_MAPPEDFILE_H

#include "moe/Import/Wire/Cursor.h"

namespace moe::wire {

/// A read-only mapping; unmapped when it goes.
class MappedFile {
public:
  MappedFile() = default;
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  /// Nothing where the file cannot be opened or is no regular file; `error` then says why, without the path.
  static std::optional<MappedFile> open(const std::string &path, std::string &error);

  Bytes bytes() const { return view; }

private:
  Bytes view;
};

} // namespace moe::wire

#endif // MOE_IMPORT_WIRE_MAPPEDFILE_H
