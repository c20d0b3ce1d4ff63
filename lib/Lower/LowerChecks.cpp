// Numbers the conditions on data (moe.require_range) in the order of the model, and drops those that an earlier one or a constant decides. The number is
// what a thread notes when the condition breaks; moe.faults holds the message. Expects equal sizes to be one value, as CSE leaves them:
// conditions are compared by their operands.
#include "EntryPoint.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Lower/Passes.h"

#include "mlir/IR/Matchers.h"

namespace moe {
#define GEN_PASS_DEF_LOWERCHECKS
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;

namespace moe {
namespace {

std::optional<int64_t> constantOf(Value value) {
  IntegerAttr attr;
  return matchPattern(value, m_Constant(&attr)) ? std::optional(attr.getInt()) : std::nullopt;
}

/// The tensor behind casts, which change no element.
Value peelCasts(Value value) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  return value;
}

struct LowerChecks : impl::LowerChecksBase<LowerChecks> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation());
    if (!entry)
      return signalPassFailure();
    SmallVector<RequireRangeOp> conditions;
    entry.walk([&](RequireRangeOp op) { conditions.push_back(op); });
    SmallVector<Attribute> messages;
    for (RequireRangeOp op : conditions) {
      FailureOr<bool> holds = isDecided(op);
      if (failed(holds))
        return signalPassFailure();
      if (*holds || isImplied(op)) {
        op.erase();
        continue;
      }
      op.setNumber(messages.size());
      messages.push_back(op.getMessageAttr());
      kept[{peelCasts(op.getValues()), op->getBlock()}].push_back(op);
    }
    if (!messages.empty())
      getOperation()->setAttr("moe.faults", ArrayAttr::get(&getContext(), messages));
  }

private:
  /// True where a constant is in range; an error where it is not.
  static FailureOr<bool> isDecided(RequireRangeOp op) {
    DenseIntElementsAttr elements;
    std::optional<int64_t> low = constantOf(op.getLow()), high = constantOf(op.getHigh());
    if (!matchPattern(op.getValues(), m_Constant(&elements)) || !low || !high)
      return false;
    for (auto [position, element] : llvm::enumerate(elements.getValues<APInt>()))
      if (element.getSExtValue() < *low || element.getSExtValue() >= *high)
        return op.emitError() << op.getMessage() << ": expected " << *low << " to " << *high - 1 << ", found " << element.getSExtValue()
                              << " (element " << position << ")";
    return true;
  }

  /// Is there an earlier condition in the same block, so that it runs whenever this one does, on the same values with a range inside of this one's?
  bool isImplied(RequireRangeOp op) const {
    auto earlier = kept.find({peelCasts(op.getValues()), op->getBlock()});
    if (earlier == kept.end())
      return false;
    auto isAtMost = [](Value a, Value b) {
      std::optional<int64_t> first = constantOf(a), second = constantOf(b);
      return a == b || (first && second && *first <= *second);
    };
    return llvm::any_of(earlier->second, [&](RequireRangeOp other) {
      return isAtMost(op.getLow(), other.getLow()) && isAtMost(other.getHigh(), op.getHigh());
    });
  }

  llvm::DenseMap<std::pair<Value, Block *>, SmallVector<RequireRangeOp>> kept;
};

} // namespace
} // namespace moe
