//===- Products.h - how fast this CPU multiplies matrices -------*- C++ -*-===//
#ifndef MOE_RUN_PRODUCTS_H
#define MOE_RUN_PRODUCTS_H

#include <cstdint>
#include <string>
#include <vector>

namespace moe::run {

/// A product that is timed: rows of `depth` elements with `columns` columns of weights that stay in a cache.
struct ProductSize {
  int64_t rows = 1, depth = 1, columns = 1;

  double operations() const { return 2.0 * double(rows) * double(depth) * double(columns); }
};

/// Element types that this CPU has multiply-add instructions for: "f32", and where they exist "bf16" and "int8". Empty without AVX2 and FMA.
std::vector<std::string> productTypes();

/// The sizes that are timed: few rows and many, three sizes of weights.
const std::vector<ProductSize> &productSizes();

/// Microseconds of one product of each of `productSizes` on this thread, the shortest of several. Register tiles are those of the emitted kernels: 32 columns
/// on AVX-512, 16 on AVX2, weights in panels, rows in the order that they lie in.
std::vector<double> timeProducts(const std::string &type);

} // namespace moe::run

#endif // MOE_RUN_PRODUCTS_H
