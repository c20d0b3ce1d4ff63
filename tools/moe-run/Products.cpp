// Products for calibration. Elements go in words of 4 bytes: one f32, two bf16 or four int8, which the instructions multiply and add up; so one loop serves
// all types and only the step differs. Compiled for the CPU at hand by function attributes: moe-run itself asks for no more than x86-64.
#include "Products.h"

#include <algorithm>
#include <chrono>
#include <immintrin.h>

namespace moe::run {
namespace {

/// One tile: some rows of `words` words times a panel of two vectors, whose words lie one behind the other.
using Tile = void (*)(const int32_t *rows, const int32_t *panel, float *out, int64_t words, int64_t outStride);

// A template cannot choose the instructions that its instances may use, so the loop is text.
#define MOE_TILE(NAME, TARGET, VECTOR, ZERO, LOAD, STORE, BROADCAST, STEP, LANES)                                                                              \
  template <int rowsOfTile>                                                                                                                                    \
  __attribute__((target(TARGET))) void NAME(const int32_t *rows, const int32_t *panel, float *out, int64_t words, int64_t outStride) {                         \
    VECTOR sums[rowsOfTile][2];                                                                                                                                \
    _Pragma("unroll") for (int i = 0; i < rowsOfTile; ++i) sums[i][0] = sums[i][1] = ZERO;                                                                     \
    for (int64_t k = 0; k < words; ++k) {                                                                                                                      \
      const VECTOR left = LOAD(panel + k * 2 * LANES), right = LOAD(panel + k * 2 * LANES + LANES);                                                            \
      _Pragma("unroll") for (int i = 0; i < rowsOfTile; ++i) {                                                                                                 \
        const VECTOR element = BROADCAST(rows[i * words + k]);                                                                                                 \
        sums[i][0] = STEP(sums[i][0], element, left);                                                                                                          \
        sums[i][1] = STEP(sums[i][1], element, right);                                                                                                         \
      }                                                                                                                                                        \
    }                                                                                                                                                          \
    _Pragma("unroll") for (int i = 0; i < rowsOfTile; ++i) {                                                                                                   \
      STORE(out + i * outStride, sums[i][0]);                                                                                                                  \
      STORE(out + i * outStride + LANES, sums[i][1]);                                                                                                          \
    }                                                                                                                                                          \
  }

#define LOAD_512(address) ((__m512)_mm512_loadu_si512(address))
#define BROADCAST_512(word) ((__m512)_mm512_set1_epi32(word))
#define STEP_F32_512(sum, a, b) _mm512_fmadd_ps(a, b, sum)
#define STEP_BF16_512(sum, a, b) _mm512_dpbf16_ps(sum, (__m512bh)(a), (__m512bh)(b))
#define STEP_INT8_512(sum, a, b) ((__m512)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(a), (__m512i)(b)))
#define LOAD_256(address) ((__m256)_mm256_loadu_si256(reinterpret_cast<const __m256i *>(address)))
#define BROADCAST_256(word) ((__m256)_mm256_set1_epi32(word))
#define STEP_F32_256(sum, a, b) _mm256_fmadd_ps(a, b, sum)

MOE_TILE(tileF32Wide, "avx512f", __m512, _mm512_setzero_ps(), LOAD_512, _mm512_storeu_ps, BROADCAST_512, STEP_F32_512, 16)
MOE_TILE(tileBf16Wide, "avx512f,avx512bf16", __m512, _mm512_setzero_ps(), LOAD_512, _mm512_storeu_ps, BROADCAST_512, STEP_BF16_512, 16)
MOE_TILE(tileInt8Wide, "avx512f,avx512vnni", __m512, _mm512_setzero_ps(), LOAD_512, _mm512_storeu_ps, BROADCAST_512, STEP_INT8_512, 16)
MOE_TILE(tileF32, "avx2,fma", __m256, _mm256_setzero_ps(), LOAD_256, _mm256_storeu_ps, BROADCAST_256, STEP_F32_256, 8)

/// Tiles of 1 to 12 rows; fewer where registers end before.
#define MOE_TILES_6(NAME) NAME<1>, NAME<2>, NAME<3>, NAME<4>, NAME<5>, NAME<6>
#define MOE_TILES_12(NAME) MOE_TILES_6(NAME), NAME<7>, NAME<8>, NAME<9>, NAME<10>, NAME<11>, NAME<12>

/// How a type is multiplied here.
struct Kernel {
  /// tiles[i] is for i + 1 rows; empty: not at all.
  std::vector<Tile> tiles;
  int64_t elementsPerWord = 1, panelColumns = 32;
};

Kernel kernelOf(const std::string &type) {
  const bool isWide = __builtin_cpu_supports("avx512f");
  if (type == "f32" && isWide)
    return {{MOE_TILES_12(tileF32Wide)}, 1, 32};
  if (type == "f32" && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {{MOE_TILES_6(tileF32)}, 1, 16};
  if (type == "bf16" && isWide && __builtin_cpu_supports("avx512bf16"))
    return {{MOE_TILES_12(tileBf16Wide)}, 2, 32};
  if (type == "int8" && isWide && __builtin_cpu_supports("avx512vnni"))
    return {{MOE_TILES_12(tileInt8Wide)}, 4, 32};
  return {};
}

void multiply(const Kernel &kernel, const ProductSize &size, const int32_t *rows, const int32_t *weights, float *out) {
  const int64_t words = size.depth / kernel.elementsPerWord, height = int64_t(kernel.tiles.size());
  for (int64_t column = 0; column < size.columns; column += kernel.panelColumns)
    for (int64_t row = 0; row < size.rows; row += height)
      kernel.tiles[size_t(std::min(height, size.rows - row) - 1)](rows + row * words, weights + column * words, out + row * size.columns + column, words,
                                                                  size.columns);
}

double timeOne(const Kernel &kernel, const ProductSize &size, const std::vector<int32_t> &rows, const std::vector<int32_t> &weights, std::vector<float> &out) {
  using Clock = std::chrono::steady_clock;
  double best = 0, spent = 0;
  // So many at once that the clock's step does not count, so often that one undisturbed time is among them.
  const int64_t repeats = std::max<int64_t>(1, int64_t(4e6 / size.operations()));
  for (int pass = 0; pass < 40 && (pass < 8 || spent < 20e3); ++pass) {
    const Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < repeats; ++i)
      multiply(kernel, size, rows.data(), weights.data(), out.data());
    const double time = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    spent += time;
    best = pass == 0 ? time : std::min(best, time);
  }
  return best / double(repeats);
}

} // namespace

std::vector<std::string> productTypes() {
  std::vector<std::string> types;
  for (const char *type : {"f32", "bf16", "int8"})
    if (!kernelOf(type).tiles.empty())
      types.push_back(type);
  return types;
}

const std::vector<ProductSize> &productSizes() {
  static const std::vector<ProductSize> sizes = [] {
    std::vector<ProductSize> all;
    // Multiples of both tiles' heights and some that are not; weights of 64 KiB to 1 MiB in f32.
    for (const auto &[depth, columns] : {std::pair<int64_t, int64_t>{128, 128}, {256, 256}, {512, 512}})
      for (int64_t rows : {1, 2, 4, 8, 12, 24, 36, 64, 96, 192})
        all.push_back({rows, depth, columns});
    return all;
  }();
  return sizes;
}

std::vector<double> timeProducts(const std::string &type) {
  const Kernel kernel = kernelOf(type);
  std::vector<double> times;
  for (const ProductSize &size : productSizes()) {
    const size_t words = size_t(size.depth / kernel.elementsPerWord);
    // Zeros: no product is denormal or infinite, whatever the type.
    const std::vector<int32_t> rows(size_t(size.rows) * words), weights(words * size_t(size.columns));
    std::vector<float> out(size_t(size.rows * size.columns));
    times.push_back(timeOne(kernel, size, rows, weights, out));
  }
  return times;
}

} // namespace moe::run
