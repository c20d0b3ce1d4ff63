// Attention whose heads the devices share: which may be, what that saves, and which products then need no gather.
#ifndef MOE_LIB_PLAN_HEADS_H
#define MOE_LIB_PLAN_HEADS_H

#include "Columns.h"

namespace moe::plan {

/// Attention whose heads can be shared out, with the microseconds that it takes on one device and with its heads on all, gathered.
struct HeadAttention {
  AttentionOp op;
  double wholeUs = 0, sharedUs = 0;
};

/// What a step is planned for: tokens of all sequences together, sequences, and keys that a query sees.
struct StepSize {
  double tokens = 1, sequences = 1, keys = 1;
};

/// Those of `function`; `why` gets the reason of one that cannot be, a clause, or stays empty.
std::vector<HeadAttention> headAttentions(mlir::func::FuncOp function, const Mesh &machines, const StepSize &step, std::string &why);

/// Products and attention of a function that the devices share.
struct SharedWork {
  std::vector<ColumnProduct> products;
  std::vector<HeadAttention> attentions;

  /// Leaves what gains. Products that only attention reads whose heads are shared out need no gather, which is counted as gained by heads.
  void keepGains();
  /// Takes the gather off products that feed only `attentions`.
  void freeFedProducts();
  /// What the attention takes on one device, in all.
  double attentionUs() const;
  /// What sharing out saves in all.
  double savedUs() const;
};

/// Bytes of the KV caches among inputs and outputs of `function` on a device for `step`, past and present in one buffer: a device keeps its own heads of those that one
/// attention among `shared` reads alone, and others whole.
double cacheBytes(mlir::func::FuncOp function, const StepSize &step, mlir::ArrayRef<HeadAttention> shared, int64_t devices);

/// Gives `attention` its sharding: range d of the query heads on device d of `mesh`, which is `machines`.
void shareHeads(const HeadAttention &attention, MeshOp mesh, const Mesh &machines);

} // namespace moe::plan

#endif // MOE_LIB_PLAN_HEADS_H
