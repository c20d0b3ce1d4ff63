// The folder of an artifact: made beside its place, then renamed, so that a failed or interrupted run never leaves half of one.
#include "moe/Package/Package.h"

#include "moe/IR/MoeDialect.h"
#include "moe/Support/TemporaryFolder.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>

using namespace mlir;
namespace fs = llvm::sys::fs;

namespace moe {

namespace {

std::string within(StringRef folder, StringRef file) {
  llvm::SmallString<256> path(folder);
  llvm::sys::path::append(path, file);
  return path.str().str();
}

/// Writes the new artifact into a folder beside `target`, which goes unless it was put in place.
class StagingFolder {
public:
  StagingFolder(Location loc, StringRef target) : loc(loc), target(target) {
    while (this->target.size() > 1 && llvm::sys::path::is_separator(this->target.back()))
      this->target.pop_back();
  }

  LogicalResult create() {
    if (target.empty())
      return emitError(loc) << "the output folder has no name";
    if (failed(checkTarget()))
      return failure();
    llvm::SmallString<256> parent(llvm::sys::path::parent_path(target));
    if (std::error_code error = parent.empty() ? std::error_code() : fs::create_directories(parent, /*IgnoreExisting=*/true, fs::all_all))
      return emitError(loc) << "cannot create " << parent << ": " << error.message();
    // Open to whom the umask says: it becomes the artifact.
    std::string error;
    if (!folder.create(target + ".new", 0777, error))
      return emitError(loc) << error;
    return success();
  }

  /// The new folder takes the place of the old one, which then goes. At every moment one of the two is there: a signal may come between.
  LogicalResult putInPlace() {
    auto fail = [&]() -> LogicalResult { return emitError(loc) << "cannot create " << target << ": " << std::strerror(errno); };
    if (!fs::exists(target)) {
      if (::rename(folder.path().c_str(), target.c_str()) != 0)
        return fail();
      folder.release();
      return success();
    }
    if (renameat2(AT_FDCWD, folder.path().c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0)
      return success(); // What is the temporary folder now is the old artifact.
    if (errno != EINVAL && errno != ENOSYS)
      return fail();
    // A file system that cannot exchange: the old folder steps aside under a name that no signal removes.
    const std::string aside = folder.path() + ".old";
    if (::rename(target.c_str(), aside.c_str()) != 0)
      return fail();
    if (::rename(folder.path().c_str(), target.c_str()) != 0) {
      LogicalResult result = fail();
      (void)::rename(aside.c_str(), target.c_str());
      return result;
    }
    folder.release();
    fs::remove_directories(aside);
    return success();
  }

  std::string file(StringRef name) const { return folder.file(name); }

private:
  /// Nothing of a user's may be lost: only an artifact or an empty folder is replaced.
  LogicalResult checkTarget() {
    if (!fs::exists(target))
      return success();
    if (!fs::is_directory(target))
      return emitError(loc) << target << " exists and is no folder";
    std::error_code error;
    bool empty = fs::directory_iterator(target, error) == fs::directory_iterator();
    if (error)
      return emitError(loc) << "cannot read " << target << ": " << error.message();
    if (!empty && !fs::exists(within(target, "manifest.json")))
      return emitError(loc) << target << " exists and is not an artifact (it has no manifest.json); it was left as it is";
    return success();
  }

  Location loc;
  std::string target;
  TemporaryFolder folder;
};

LogicalResult writeText(Location loc, StringRef path, StringRef text) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error) {
    stream << text;
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    return emitError(loc) << "cannot write " << path << ": " << error.message();
  return success();
}

/// Ids of the sections that the module's weight_refs read. All ISA versions come from one lowered module, so they read the same.
std::vector<uint32_t> readSections(ModuleOp lowered) {
  llvm::SmallDenseSet<uint32_t> seen;
  SymbolTable symbols(lowered);
  lowered.walk([&](WeightRefOp op) {
    auto weight = symbols.lookup<WeightOp>(op.getWeightAttr().getAttr());
    if (weight && weight.getSection())
      seen.insert(static_cast<uint32_t>(*weight.getSection()));
  });
  std::vector<uint32_t> sections(seen.begin(), seen.end());
  llvm::sort(sections);
  return sections;
}

} // namespace

LogicalResult writeArtifact(ModuleOp lowered, const ArtifactOptions &options) {
  Location loc = lowered.getLoc();
  if (options.isaVersions.empty())
    return emitError(loc) << "an artifact needs at least one ISA version";
  FailureOr<ModelDescription> model = describeModel(lowered);
  if (failed(model))
    return failure();
  model->layers = options.layers;
  const std::vector<uint32_t> sections = readSections(lowered);
  for (const IsaCode &isa : options.isaVersions)
    model->isaVersions.push_back({isa.name, isa.features, sections});

  StagingFolder folder(loc, options.path);
  if (failed(folder.create()))
    return failure();
  auto weights = writeWeights(lowered, folder.file("model.weights"), [&](uint64_t done, uint64_t total) {
    if (options.progress)
      options.progress(done, total);
  });
  if (failed(weights))
    return failure();
  model->weights = std::move(*weights);

  std::vector<uint8_t> info;
  std::string error;
  if (!writeModelInfo(*model, info, error))
    return emitError(loc) << error;
  auto tables = buildRuntimeTables(lowered.getContext(), info, options.isaVersions.size());
  if (failed(options.link(*tables, folder.file("model.so"))) ||
      failed(writeText(loc, folder.file("model.h"), modelHeaderText(*model))) ||
      failed(writeText(loc, folder.file("manifest.json"), manifestText(*model, options))))
    return failure();
  return folder.putInPlace();
}

} // namespace moe
