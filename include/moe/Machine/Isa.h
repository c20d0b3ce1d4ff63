//===- Isa.h - versions of the x86 instruction set that kernels are made for -*- C++ -*-===//
// One description per ISA version: the LLVM features that its code may use and the register tile that its kernels have.
// An artifact may carry several versions; the loader picks one by CPUID. Free of LLVM, so the runtime side may use it too.
#ifndef MOE_MACHINE_ISA_H
#define MOE_MACHINE_ISA_H

#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// Columns of one packed weight panel (packings panel32 and gate_up16), the same for every ISA version.
constexpr int panelColumns = 32;

/// Rows and f32 columns that one micro-kernel keeps in vector registers.
struct RegisterTile {
  int rows;
  int columns;
};

/// Registers that hold a matrix of rows (AMX) and what multiplies them: a product of two tiles is added to a third.
struct MatrixTiles {
  /// Most rows of a tile and bytes of a row; 0 where the ISA has no tiles.
  int rows = 0;
  int rowBytes = 0;
  int registers = 0;
  /// Products of pairs of bf16 into f32 (tdpbf16ps), of four bytes into i32 (tdpbsud, tdpbssd).
  bool multipliesPairs = false;
  bool multipliesBytes = false;
  /// Tiles of rows side by side with two tiles of weights, and the rows that such a kernel takes at most: with the sums all registers are in use.
  static constexpr int tilesOfRows = 2;
  int kernelRows() const { return tilesOfRows * rows; }
  /// An expert with fewer rows stays with vectors: its weights come from memory, and tiles of few rows would be as empty as they are slow to set up.
  /// For bf16, whose vectors have kernels for up to one row less; for bytes and for codes of fewer bits, whose sums leave the tiles for each scale, as
  /// measured on an Emerald Rapids (docs/Rationale/Kernels.md).
  static constexpr int leastRows = 4, leastRowsOfBytes = 33, leastRowsOfCodes = 25;
};

/// One ISA version: what the code of one object may use and how its kernels are shaped.
struct IsaVersion {
  /// "x86-64", "avx2", …, or the feature list itself for a list given by hand.
  std::string name;
  /// LLVM feature names without '+', in the order given, implied ones not added.
  std::vector<std::string> features;
  /// f32 lanes of the widest vector that kernels use: 16, 8 or 4.
  int f32Lanes = 4;
  /// Vector registers of that width.
  int vectorRegisters = 16;
  /// True if a fused multiply-add on such vectors is one instruction.
  bool hasFma = false;
  /// True if 2^n scaling is one instruction (AVX-512 vscalefps).
  bool hasScale = false;
  /// The f32 tile; columns are always two vectors.
  RegisterTile f32Tile = {6, 8};
  /// Tiles, where it has them: tall experts are multiplied in them.
  MatrixTiles matrixTiles;
  /// Bytes that kernels for few rows ask of memory ahead of what they read; 0: the hardware's prefetcher does better alone.
  int fewRowsAhead = 0;

  /// The same features with vectors of at most `lanes` f32, for kernels of fewer columns.
  IsaVersion withLanes(int lanes) const;
  /// LLVM's spelling: "+avx2,+fma". Empty for base x86-64.
  std::string featureString() const;
  /// True if `feature` (without '+') is listed.
  bool has(std::string_view feature) const;
  /// Tiles side by side that a kernel of `rows` rows takes, so that it has enough independent sums to hide the latency of
  /// the multiply-add without splitting K: 1, 2 or 4 tiles.
  int tilesFor(int rows) const;
};

/// The versions that have a name, weakest first: x86-64, avx2, avx512, avx512bf16, amx.
const std::vector<IsaVersion> &namedIsaVersions();

/// Describes a version from LLVM feature names without '+'. `name` may be empty: then it is the feature string.
IsaVersion describeIsa(std::vector<std::string> features, std::string name = "");

/// Reads an LLVM feature string ("+avx2,+fma"; may be empty). False and `error` on a malformed item or one that starts with '-'.
bool parseFeatureString(std::string_view text, IsaVersion &version, std::string &error);

/// Reads `--cpu-features`: versions separated by ';', each a named version, features "+a,+b", or both joined by ','
/// ("avx512,+avx512bf16"). False and `error` on an unknown name, an empty version or a version given twice.
bool parseCpuFeatures(std::string_view text, std::vector<IsaVersion> &versions, std::string &error);

} // namespace moe

#endif // MOE_MACHINE_ISA_H
