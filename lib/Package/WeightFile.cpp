// model.weights: the sections one after the other, each weight at its offset. Bytes are written once, in order, and hashed on the way, the
// digests of the file and of the section at the same time as the next bytes are made.
#include "moe/Package/Weights.h"
#include "moe/Machine/Sha256.h"

#include "WeightPacking.h"
#include "WeightReader.h"
#include "mlir/IR/SymbolTable.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <future>

using namespace mlir;

namespace moe {

namespace {

constexpr int64_t maxSections = 1024;
// What is written at once begins and ends at a multiple of this: file systems that keep large folios then keep huge pages, which a mapping of the file has,
// too. On 4 KiB pages kernels that ask memory ahead read a third slower.
constexpr size_t bufferBytes = 4 << 20;

/// A file that is written and hashed in the background.
class HashedFile {
public:
  HashedFile(StringRef path, std::error_code &error) : stream(path, error) { filling.reserve(bufferBytes); }
  ~HashedFile() {
    wait();
    stream.clear_error();
  }

  /// False once writing has failed.
  bool write(ArrayRef<uint8_t> bytes) {
    while (!bytes.empty()) {
      ArrayRef<uint8_t> piece = bytes.take_front(bufferBytes - position() % bufferBytes);
      filling.insert(filling.end(), piece.begin(), piece.end());
      bytes = bytes.drop_front(piece.size());
      if (position() % bufferBytes == 0 && !flush())
        return false;
    }
    return true;
  }

  /// Zeros up to `position` of the file.
  bool pad(uint64_t position) {
    static const std::array<uint8_t, 4096> zeros = {};
    while (this->position() < position)
      if (!write(ArrayRef(zeros).take_front(std::min<uint64_t>(zeros.size(), position - this->position()))))
        return false;
    return true;
  }

  uint64_t position() const { return flushed + filling.size(); }

  /// Bytes from here on belong to a new section, until endSection.
  bool beginSection() {
    bool fine = flush();
    wait();
    sectionHash.emplace();
    inSection = true;
    return fine;
  }

  bool endSection(std::array<uint8_t, sha256Bytes> &digest) {
    bool fine = flush();
    wait();
    sectionHash->finish(digest.data());
    inSection = false;
    return fine;
  }

  bool finish(std::array<uint8_t, sha256Bytes> &digest) {
    bool fine = flush();
    wait();
    stream.close();
    fileHash.finish(digest.data());
    return fine && !stream.has_error();
  }

  std::error_code error() const { return stream.error(); }

private:
  bool flush() {
    wait();
    std::swap(filling, hashing);
    filling.clear();
    filling.reserve(bufferBytes);
    flushed += hashing.size();
    if (hashing.empty())
      return !stream.has_error();
    pending[0] = std::async(std::launch::async, [this] { fileHash.update(hashing.data(), hashing.size()); });
    if (inSection)
      pending[1] = std::async(std::launch::async, [this] { sectionHash->update(hashing.data(), hashing.size()); });
    stream.write(reinterpret_cast<const char *>(hashing.data()), hashing.size());
    return !stream.has_error();
  }

  void wait() {
    for (std::future<void> &task : pending)
      if (task.valid())
        task.get();
  }

  llvm::raw_fd_ostream stream;
  Sha256 fileHash;
  std::optional<Sha256> sectionHash;
  std::vector<uint8_t> filling, hashing;
  std::future<void> pending[2];
  uint64_t flushed = 0;
  bool inSection = false;
};

/// A weight and its place.
struct PlacedWeight {
  WeightOp op;
  int64_t section, offset, bytes;
};

/// All weights with a place, in the order of the file, checked not to overlap.
FailureOr<std::vector<PlacedWeight>> placeWeights(ModuleOp lowered) {
  std::vector<PlacedWeight> placed;
  for (auto op : lowered.getOps<WeightOp>()) {
    if (!op.getSection() && !op.getOffset())
      continue;
    auto fail = [&]() { return op.emitError() << "weight @" << op.getSymName() << ": "; };
    // The attributes are signed; their accessors are not.
    const auto section = static_cast<int64_t>(op.getSection().value_or(-1)), offset = static_cast<int64_t>(op.getOffset().value_or(-1));
    if (section < 0 || section >= maxSections || offset < 0)
      return fail() << "expected a section from 0 to " << maxSections - 1 << " and an offset that is not negative", failure();
    int64_t bytes = denseBytes(cast<RankedTensorType>(op.getType()));
    if (bytes < 0 || offset > (int64_t(1) << 62) - bytes)
      return fail() << "expected static sizes, elements of whole bytes and less than 2^62 bytes, found " << op.getType(), failure();
    placed.push_back({op, section, offset, bytes});
  }
  llvm::sort(placed, [](const PlacedWeight &a, const PlacedWeight &b) {
    return std::tie(a.section, a.offset, a.bytes) < std::tie(b.section, b.offset, b.bytes);
  });
  for (size_t i = 1; i < placed.size(); ++i) {
    const PlacedWeight &before = placed[i - 1], &weight = placed[i];
    if (before.section != weight.section || before.offset + before.bytes <= weight.offset)
      continue;
    auto diagnostic = placed[i].op.emitError() << "weight @" << placed[i].op.getSymName() << " at section " << weight.section
                                                             << ", offset " << weight.offset << " overlaps another";
    diagnostic.attachNote(placed[i - 1].op.getLoc()) << "weight @" << placed[i - 1].op.getSymName() << " ends at "
                                                     << before.offset + before.bytes;
    diagnostic.report();
    return failure();
  }
  return placed;
}

/// Offsets and lengths of the sections; ids without a weight are empty.
std::vector<SectionDescription> layOutSections(MutableArrayRef<PlacedWeight> placed) {
  std::vector<SectionDescription> sections(placed.empty() ? 0 : placed.back().section + 1);
  for (PlacedWeight &weight : placed) {
    SectionDescription &section = sections[weight.section];
    section.bytes = std::max<uint64_t>(section.bytes, weight.offset + weight.bytes);
    StringRef packing = stringifyPackingFamily(weight.op.getPacking().value_or(PackingFamily::Plain));
    section.packing = section.packing.empty() || section.packing == packing ? packing.str() : "mixed";
  }
  uint64_t end = 0;
  for (SectionDescription &section : sections) {
    section.offset = llvm::alignTo(end, weightSectionAlignment);
    if (section.bytes == 0) {
      Sha256().finish(section.sha256.data());
      section.offset = 0;
      continue;
    }
    end = section.offset + section.bytes;
  }
  return sections;
}

/// Writes one weight. The sink's failure leaves no diagnostic; the caller reports the file.
LogicalResult writeWeight(WeightOp op, const SymbolTable &symbols, WeightReader &sources, ByteSink sink) {
  SmallVector<WeightData> opened;
  SmallVector<WeightOp> made = {op};
  if (auto from = op.getFromAttr()) {
    made.clear();
    for (auto reference : from.getAsRange<FlatSymbolRefAttr>()) {
      auto source = symbols.lookup<WeightOp>(reference.getAttr());
      if (!source)
        return op.emitError() << "weight @" << op.getSymName() << " is made from " << reference << ", which names no moe.weight";
      made.push_back(source);
    }
  }
  for (WeightOp source : made) {
    FailureOr<WeightData> one = sources.open(source);
    if (failed(one))
      return failure();
    opened.push_back(*one);
  }
  LogicalResult result = packWeight(op, opened, sink);
  sources.release();
  return result;
}

} // namespace

FailureOr<WeightsDescription> writeWeights(ModuleOp lowered, StringRef path, PackingProgress progress) {
  auto placed = placeWeights(lowered);
  if (failed(placed))
    return failure();
  WeightsDescription weights;
  weights.sections = layOutSections(*placed);
  for (const SectionDescription &section : weights.sections)
    weights.bytes = std::max(weights.bytes, section.offset + section.bytes);

  std::error_code openError;
  HashedFile file(path, openError);
  auto fail = [&](std::error_code error) { return emitError(lowered.getLoc()) << "cannot write " << path << ": " << error.message(), failure(); };
  if (openError)
    return fail(openError);
  SymbolTable symbols(lowered);
  WeightReader sources;
  uint64_t reported = 0;
  auto sink = [&](ArrayRef<uint8_t> bytes) {
    bool fine = file.write(bytes);
    if (file.position() - reported >= (1 << 20)) {
      reported = file.position();
      progress(reported, weights.bytes);
    }
    return fine;
  };
  auto writeOne = [&](PlacedWeight &weight) -> LogicalResult {
    if (!file.pad(weights.sections[weight.section].offset + weight.offset))
      return fail(file.error());
    if (succeeded(writeWeight(weight.op, symbols, sources, sink)))
      return success();
    return file.error() ? LogicalResult(fail(file.error())) : failure();
  };
  for (size_t i = 0; i < placed->size();) {
    const int64_t id = (*placed)[i].section;
    SectionDescription &section = weights.sections[id];
    if (!file.pad(section.offset) || !file.beginSection())
      return fail(file.error());
    for (; i < placed->size() && (*placed)[i].section == id; ++i)
      if (failed(writeOne((*placed)[i])))
        return failure();
    if (!file.endSection(section.sha256))
      return fail(file.error());
  }
  if (!file.finish(weights.sha256))
    return fail(file.error());
  progress(weights.bytes, weights.bytes);
  return weights;
}

} // namespace moe
