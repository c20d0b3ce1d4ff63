// The loads of experts become outputs of the model, for profiles that later plans are made from. Routing has counted them for itself: they are copied, not
// counted again. Before: routing in its final form, moe.route_permute or moe.slots.
#include "moe/Fuse/Passes.h"
#include "moe/IR/Layers.h"
#include "moe/Machine/ModelInfo.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/ADT/SmallPtrSet.h"

#include <deque>

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_FUSERECORDLOADS
#include "moe/Fuse/Passes.h.inc"

namespace {

/// The experts that read what `routing` says: of all that follow, the first. Exchanges between ranks may lie between.
Operation *expertsBehind(Operation *routing) {
  llvm::SmallPtrSet<Operation *, 16> seen;
  std::deque<Operation *> next = {routing};
  while (!next.empty()) {
    Operation *op = next.front();
    next.pop_front();
    if (isa<GroupedMatmulOp, ExpertsOp>(op))
      return op;
    for (Operation *user : op->getUsers())
      if (seen.insert(user).second)
        next.push_back(user);
  }
  return nullptr;
}

/// offsets[e + 1] - offsets[e], i32[E].
Value countsOf(RoutePermuteOp route) {
  OpBuilder builder(route->getContext());
  builder.setInsertionPointAfter(route);
  const Location loc = route.getLoc();
  const int64_t experts = route.getExperts();
  const Value offsets = route.getResults()[2];
  const auto type = RankedTensorType::get({experts}, builder.getI32Type());
  auto part = [&](int64_t from) -> Value {
    return tensor::ExtractSliceOp::create(builder, loc, type, offsets, ArrayRef<OpFoldResult>{builder.getIndexAttr(from)},
                                          ArrayRef<OpFoldResult>{builder.getIndexAttr(experts)}, ArrayRef<OpFoldResult>{builder.getIndexAttr(1)});
  };
  const SmallVector<Value> inputs = {part(1), part(0)};
  const Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  const SmallVector<AffineMap> maps(3, builder.getMultiDimIdentityMap(1));
  return linalg::GenericOp::create(builder, loc, TypeRange{type}, inputs, ValueRange{empty}, maps, SmallVector<utils::IteratorType>{utils::IteratorType::parallel},
                                   [](OpBuilder &body, Location at, ValueRange values) {
                                     linalg::YieldOp::create(body, at, Value(arith::SubIOp::create(body, at, values[0], values[1])));
                                   })
      .getResult(0);
}

struct FuseRecordLoads : impl::FuseRecordLoadsBase<FuseRecordLoads> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function->hasAttr("moe.entry"))
      return;
    SmallVector<Operation *> routings;
    function.walk([&](Operation *op) {
      if (isa<RoutePermuteOp, SlotsOp>(op))
        routings.push_back(op);
    });
    for (Operation *routing : routings)
      if (failed(record(function, routing)))
        return signalPassFailure();
  }

private:
  LogicalResult record(func::FuncOp function, Operation *routing) {
    Operation *experts = expertsBehind(routing);
    const std::string name = experts ? layerName(experts) : std::string();
    if (name.empty())
      return routing->emitRemark("the loads of these experts are not recorded: their layer has no name"), success();
    if (routing->getBlock() != &function.getBody().front())
      return routing->emitRemark() << "the loads of layer '" << name << "' are not recorded: not every run computes it, or computes it once", success();
    const std::string output = loadOutputPrefix + name;
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (auto other = function.getResultAttrOfType<StringAttr>(i, "moe.name"); other && other.getValue() == output)
        return routing->emitError() << "expected one layer of the name '" << name << "' to record loads of, found a second";
    auto slots = dyn_cast<SlotsOp>(routing);
    const Value counts = slots ? Value(slots.getCount()) : countsOf(cast<RoutePermuteOp>(routing));
    addOutput(function, counts, output);
    return success();
  }

  void addOutput(func::FuncOp function, Value counts, StringRef name) {
    Builder builder(&getContext());
    const auto dim = builder.getStringAttr(Twine(cast<ShapedType>(counts.getType()).getDimSize(0)));
    const DictionaryAttr attributes = builder.getDictionaryAttr({builder.getNamedAttr("moe.name", builder.getStringAttr(name)),
                                                                 builder.getNamedAttr("moe.dims", builder.getArrayAttr({dim}))});
    Operation *end = function.getBody().front().getTerminator();
    end->insertOperands(end->getNumOperands(), counts);
    (void)function.insertResult(function.getNumResults(), counts.getType(), attributes);
  }
};

} // namespace
} // namespace moe
