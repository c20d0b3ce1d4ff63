// What a source model wants of devices (moe.device_hints, from ONNX's sharding specs), as far as a plan can follow it: experts over devices, experts in parts, columns of products.
#ifndef MOE_LIB_PLAN_HINTS_H
#define MOE_LIB_PLAN_HINTS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinOps.h"
#include "moe/IR/MoeDialect.h"

#include <string>
#include <vector>

namespace moe::plan {

/// How a tensor is to be sharded.
struct WeightHint {
  std::string tensor, node;
  /// An axis, negative ones from the back, and its shards; more than one of each.
  std::vector<std::pair<int64_t, int64_t>> axes;
  /// The devices of each shard, ascending; shards in row-major order of the axes.
  std::vector<std::vector<int64_t>> holders;
};

/// What the module says for a mesh of `devices` devices. `ignored` gets a clause for each thing that no plan can follow.
std::vector<WeightHint> weightHints(mlir::ModuleOp module, int64_t devices, std::vector<std::string> &ignored);

/// The name of the stored weight that `weight` is, dequantised or not; empty where it is none.
llvm::StringRef storedName(mlir::Value weight);

/// Does `hint` ask for the experts of `op`, which reads its tensor, over `ep` devices, each in `etp` parts, and every shard where a plan has it? Otherwise the reason in `why`.
bool asksForExperts(const WeightHint &hint, ExpertsOp op, int64_t devices, int64_t &ep, int64_t &etp, std::string &why);

/// Does `hint` ask for the columns of `op`, whose stored weight it names, over all devices? Otherwise the reason in `why`.
bool asksForColumns(const WeightHint &hint, mlir::linalg::MatmulOp op, int64_t devices, std::string &why);

} // namespace moe::plan

#endif // MOE_LIB_PLAN_HINTS_H
