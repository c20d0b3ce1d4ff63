// The cost model of tiles; see ProductCost.h.
#include "ProductCost.h"

#include <cmath>
#include <limits>

using namespace mlir;
namespace moe {

// Of a copy from memory to shared memory under load, and of what a block does before its first and after its last product, in cycles.
static constexpr double copyLatency = 900, blockCycles = 1500;
// Bytes a cycle that a multiprocessor gets from the second level of cache.
static constexpr double cacheBytes = 64;
// And those that its shared memory takes or gives.
static constexpr double sharedBytesOfCycle = 128;
// A tile that takes over must save this part.
static constexpr double clearly = 0.05;
// Registers besides the sums.
static constexpr int64_t otherRegisters = 56;
static constexpr int64_t bytesOfNumber = 2, stageDepthOfTile = 64;

double productCycles(const GpuDescription &gpu, const ProductSpec &spec, const MmaTile &tile, int64_t sharedBytes, int64_t slots) {
  // Experts that have rows, of independent even choices; one of a dense product.
  const double experts = static_cast<double>(spec.experts), rows = static_cast<double>(slots);
  const double active = spec.hasOffsets ? experts * (1 - std::pow(1 - 1 / experts, rows)) : 1;
  const double tilesOfExpert = std::ceil(rows / active / tile.rows), gates = spec.isGated() ? 2 : 1;
  const double across = std::ceil(spec.columns * gates / tile.columns), blocks = std::ceil(active * tilesOfExpert * across);
  const int64_t sums = tile.rows * tile.columns / tile.workers();
  const double held = static_cast<double>(std::max<int64_t>(1, residentBlocks(gpu, tile.threads(), otherRegisters + sums, sharedBytes)));
  const double ofOne = std::ceil(blocks / gpu.multiprocessors), together = std::min(ofOne, held), waves = std::ceil(ofOne / held);
  const double rounds = std::ceil(double(spec.depth) / stageDepthOfTile);
  // A row that is not there is not copied, but its products are made.
  const double copied = (tile.columns + std::min<double>(tile.rows, rows / active)) * stageDepthOfTile * bytesOfNumber;
  const double inFlight = together * (tile.stages - 1) * copied;
  const double feeding = ofOne * rounds * copied / std::min(cacheBytes, inFlight / copyLatency);
  const double products = static_cast<double>(tile.isGroup() ? gpu.groupProductsPerCycle : gpu.productsPerCycle);
  const double multiplying = ofOne * rounds * tile.rows * tile.columns * stageDepthOfTile / products;
  // A warp reads its rows of both kinds, or four together do.
  const double readers = static_cast<double>(tile.warpsDown * tile.warpsAcross) / (tile.isGroup() ? 4 : 1), rowsOfReader = tile.isGroup() ? 64 : tile.warpRows();
  const double shared = ofOne * rounds * (copied + readers * (rowsOfReader + tile.warpColumns()) * stageDepthOfTile * bytesOfNumber) / sharedBytesOfCycle;
  const double weights = active * spec.columns * gates * spec.depth * bytesOfNumber;
  const double reading = weights / (1e3 * gpu.gigabytesPerSecond / gpu.megahertz);
  return std::max({feeding, shared, multiplying, reading}) + waves * (copyLatency + blockCycles);
}

SmallVector<TileRange> chooseTiles(const GpuDescription &gpu, const ProductSpec &spec, ArrayRef<MmaTile> tiles, llvm::function_ref<int64_t(const MmaTile &)> sharedBytes) {
  int64_t most = 1;
  for (const MmaTile &tile : tiles)
    most = std::max(most, 4 * tile.rows * spec.experts);
  SmallVector<TileRange> ranges;
  // Steps of a sixteenth: more than the model knows.
  for (int64_t slots = 1; slots <= most; slots += std::max<int64_t>(1, slots / 16)) {
    SmallVector<double> cycles = llvm::map_to_vector(tiles, [&](const MmaTile &tile) { return productCycles(gpu, spec, tile, sharedBytes(tile), slots); });
    // What full and half full waves of blocks take turns in is no reason to go back to a lower tile.
    const size_t now = ranges.empty() ? 0 : ranges.back().tile - tiles.data();
    const size_t best = std::min_element(cycles.begin() + now, cycles.end()) - cycles.begin();
    if (!ranges.empty() && (best == now || cycles[best] >= (1 - clearly) * cycles[now]))
      continue;
    if (!ranges.empty())
      ranges.back().mostSlots = slots - 1;
    ranges.push_back({&tiles[best], 0});
  }
  ranges.back().mostSlots = std::numeric_limits<int64_t>::max();
  return ranges;
}

} // namespace moe
