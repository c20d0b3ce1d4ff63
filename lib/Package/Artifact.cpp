// The folder of an artifact: made beside its place, then renamed, so that a failed or interrupted run never leaves half of one.
#include "moe/Package/Package.h"

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
namespace fs = llvm::sys::fs;

namespace moe {

namespace {

std::string within(StringRef folder, StringRef file) {
  llvm::SmallString<256> path(folder);
  llvm::sys::path::append(path, file);
  return path.str().str();
}

/// Writes the new artifact into a folder beside `target`, and removes that folder unless it was put in place.
class StagingFolder {
public:
  StagingFolder(Location loc, StringRef target) : loc(loc), target(target) {
    while (this->target.size() > 1 && llvm::sys::path::is_separator(this->target.back()))
      this->target.pop_back();
  }
  ~StagingFolder() {
    if (!path.empty())
      fs::remove_directories(path);
  }

  LogicalResult create() {
    if (target.empty())
      return emitError(loc) << "the output folder has no name";
    if (failed(checkTarget()))
      return failure();
    llvm::SmallString<256> parent(llvm::sys::path::parent_path(target));
    if (std::error_code error = parent.empty() ? std::error_code() : fs::create_directories(parent))
      return emitError(loc) << "cannot create " << parent << ": " << error.message();
    return success(makeUnique(".new", path));
  }

  /// The old folder steps aside, the new one takes its place, the old one goes.
  LogicalResult putInPlace() {
    std::string old;
    if (fs::exists(target)) {
      if (!makeUnique(".old", old))
        return failure();
      // rename(2) replaces an empty folder.
      if (std::error_code error = fs::rename(target, old)) {
        fs::remove(old);
        return emitError(loc) << "cannot move " << target << " aside: " << error.message();
      }
    }
    if (std::error_code error = fs::rename(path, target)) {
      if (!old.empty())
        fs::rename(old, target);
      return emitError(loc) << "cannot create " << target << ": " << error.message();
    }
    path.clear();
    if (!old.empty())
      fs::remove_directories(old);
    return success();
  }

  std::string file(StringRef name) const { return within(path, name); }

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

  /// An empty folder beside the target.
  bool makeUnique(StringRef suffix, std::string &made) {
    for (int attempt = 0; attempt < 16; ++attempt) {
      // Only the random part is a pattern: a '%' in the user's path stays.
      llvm::SmallString<256> random;
      fs::createUniquePath("%%%%%%%%", random, /*MakeAbsolute=*/false);
      const std::string candidate = (target + suffix + "-" + random).str();
      std::error_code error = fs::create_directory(candidate, /*IgnoreExisting=*/false);
      if (error == std::errc::file_exists)
        continue;
      if (error) {
        emitError(loc) << "cannot create " << candidate << ": " << error.message();
        return false;
      }
      made = candidate;
      return true;
    }
    emitError(loc) << "cannot create a folder beside " << target;
    return false;
  }

  Location loc;
  std::string target, path;
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
