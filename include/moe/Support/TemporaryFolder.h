//===- TemporaryFolder.h - a folder that goes, even when a signal comes ---*- C++ -*-===//
// Files that a compilation writes on its way lie in such folders: the destructor removes them, and a program whose signal handler calls
// removeTemporaryFolders leaves none behind when it is interrupted.
#ifndef MOE_SUPPORT_TEMPORARYFOLDER_H
#define MOE_SUPPORT_TEMPORARYFOLDER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"

#include <string>

namespace moe {

/// A folder of files, without folders in it.
class TemporaryFolder {
public:
  TemporaryFolder() = default;
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder();

  /// Makes the folder `prefix` + "-" + random letters, with `permissions` less the umask; `prefix` may hold a path, whose folders must exist.
  /// False, and a message that names the folder, where that fails.
  bool create(llvm::StringRef prefix, unsigned permissions, std::string &error);

  /// As above in the folder for temporary files ($TMPDIR, else /tmp), for this user alone.
  bool createPrivate(llvm::StringRef name, std::string &error);

  /// Its path; empty before create and after release.
  const std::string &path() const { return folder; }
  /// The path of a file in it.
  std::string file(const llvm::Twine &name) const;

  /// Gives up the folder: it stays, wherever it is by now.
  void release();

private:
  std::string folder;
  int slot = -1; ///< Its place in the list that signal handlers read; -1 if it is not there.
};

/// Removes all folders of this process that exist at this moment. For signal handlers: makes only system calls.
void removeTemporaryFolders();

} // namespace moe

#endif // MOE_SUPPORT_TEMPORARYFOLDER_H
