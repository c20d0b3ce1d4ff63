//===- ListedSlots.h - experts that stand one by one, on slots --*- C++ -*-===//
// A list of modules, each called with its part of the slots: a Gather, Split or Slice takes the slots apart, a Concat (or a stack) puts results together.
#ifndef MOE_LIB_RAISE_LISTEDSLOTS_H
#define MOE_LIB_RAISE_LISTEDSLOTS_H

#include "SlotLayer.h"

namespace moe::raise {

class ListedSlotsMatcher : public ExpertMatcher {
public:
  using ExpertMatcher::ExpertMatcher;

  /// The experts whose results the Concat `op` joins.
  std::optional<SlotLayer> match(OnnxOp op);
  /// Did the match get as far as an expert on a part of slots that a dispatch filled?
  bool sawExperts() const { return sawExpert; }

private:
  std::optional<SlotLayer> place(OnnxOp op, RoutedFfn ffn, mlir::Value slots, int64_t dim);

  bool sawExpert = false;
};

} // namespace moe::raise

#endif // MOE_LIB_RAISE_LISTEDSLOTS_H
