// What lies between the sharded layers of a function: its price where every device computes all of it, and where each computes its own sequences.
#ifndef MOE_LIB_PLAN_BETWEEN_H
#define MOE_LIB_PLAN_BETWEEN_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "moe/Plan/Sharding/Cost.h"

namespace moe::plan {

/// A product of all tokens with a stored weight.
struct BetweenProduct {
  double depth = 1, columns = 1;
  double weightBytes = 4;
  std::string computeType;
};

/// Attention's own products and what is not a product are not counted: how long sequences are is not known.
struct Between {
  std::vector<BetweenProduct> products;
  /// Bytes of a token among the results of the function.
  double resultBytes = 0;
};

/// Bytes of a stored element of a weight, with the scales of a quantised one left out; at least an eighth.
double bytesOfWeight(mlir::Value weight);

/// A product with a weight of rank 2 and static sizes.
BetweenProduct betweenProductOf(mlir::linalg::MatmulOp op, const Device &device);

/// Of `function`; speeds are looked up among the types of `device`.
Between betweenOf(mlir::func::FuncOp function, const Device &device);

/// Microseconds of one device for `tokens` tokens.
double betweenUs(const Device &device, const Between &between, double tokens);

/// Tokens of the fullest device where `sequences` whole sequences of `tokens` tokens together are shared out among `devices`.
double tokensOfShare(double tokens, int64_t sequences, int64_t devices);

} // namespace moe::plan

#endif // MOE_LIB_PLAN_BETWEEN_H
