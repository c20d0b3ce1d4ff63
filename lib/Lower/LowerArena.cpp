// Every memref.alloc becomes a view of one argument, the arena, at an offset that is a function of the input dims. Two buffers share bytes
// only where a barrier separates the last use of one from the first use of the other. @moe_shapes learns the size of the whole. Expects
// barriers placed, and sizes that are functions of the input dims.
#include "EntryPoint.h"
#include "MemoryRoots.h"
#include "SizeBounds.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "moe/IR/Loops.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Lower/Passes.h"

namespace moe {
#define GEN_PASS_DEF_LOWERARENA
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;

namespace moe {
namespace {

constexpr int64_t alignment = 64;
/// Stands for a dynamic dim where buffers are compared at compile time; any size gives correct code.
constexpr double typicalDim = 128;

/// Bytes of a buffer: a constant times values that are only known at run time, in a fixed order.
struct SymbolicBytes {
  int64_t factor = 1;
  SmallVector<Value> dims;

  double estimate() const {
    double bytes = factor;
    for (size_t i = 0; i < dims.size(); ++i)
      bytes *= typicalDim;
    return bytes;
  }
};

struct Buffer {
  memref::AllocOp alloc;
  SymbolicBytes bytes;
  unsigned firstEpoch, lastEpoch; // both inclusive; a barrier starts an epoch

  bool overlaps(const Buffer &other) const { return firstEpoch <= other.lastEpoch && other.firstEpoch <= lastEpoch; }
};

/// Buffers that take turns in one range of the arena. Its size is the greatest of `sizes`.
struct Slot {
  SmallVector<unsigned> buffers;
  SmallVector<SymbolicBytes> sizes; // one per distinct list of dims
};

struct LowerArena : impl::LowerArenaBase<LowerArena> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation()), shapes = entry ? findShapes(getOperation()) : func::FuncOp();
    if (!shapes || failed(checkArguments(entry)) || failed(hoistSizes(entry)) || failed(collectBuffers(entry)))
      return signalPassFailure();
    assignSlots();
    BlockArgument arena = addArena(entry);
    if (failed(returnBytes(entry, shapes, placeBuffers(entry, arena))))
      signalPassFailure();
  }

private:
  LogicalResult checkArguments(func::FuncOp entry);
  LogicalResult hoistSizes(func::FuncOp entry);
  LogicalResult collectBuffers(func::FuncOp entry);
  void assignSlots();
  BlockArgument addArena(func::FuncOp entry);
  Value placeBuffers(func::FuncOp entry, BlockArgument arena);
  Value slotBytes(OpBuilder &builder, Location loc, const Slot &slot);
  LogicalResult returnBytes(func::FuncOp entry, func::FuncOp shapes, Value bytes);

  SmallVector<Buffer> buffers;
  SmallVector<Slot> slots;
  bool usesElements = false; ///< Do elements of inputs decide sizes?
};

/// Marks the arith.minsi of a size that depends on data and its bound.
constexpr StringLiteral boundAttribute = "moe.bound";

/// The size that depends on data, kept below its bound; null where it has none.
Value boundedSize(SizeBounds &bounds, memref::AllocOp alloc, Value size) {
  Value bound = bounds.upper(size);
  if (!bound)
    return {};
  OpBuilder builder(alloc);
  auto kept = arith::MinSIOp::create(builder, alloc.getLoc(), size, bound);
  kept->setAttr(boundAttribute, builder.getUnitAttr());
  return kept;
}

/// What memory is planned for: the bound of a size that depends on data.
Value plannedSize(Value size) {
  auto kept = size.getDefiningOp<arith::MinSIOp>();
  return kept && kept->hasAttr(boundAttribute) ? kept.getRhs() : size;
}

FailureOr<SymbolicBytes> bytesOf(memref::AllocOp alloc) {
  SymbolicBytes bytes;
  MemRefType type = alloc.getType();
  if (!type.getLayout().isIdentity() || !type.getElementType().isIntOrIndexOrFloat()) {
    alloc.emitOpError() << "has type " << type << ", expected scalars in identity layout";
    return failure();
  }
  Type element = type.getElementType();
  bytes.factor = element.isIndex() ? 8 : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  for (int64_t size : type.getShape())
    if (!ShapedType::isDynamic(size) && llvm::MulOverflow(bytes.factor, size, bytes.factor)) {
      emitError(alloc.getLoc()) << "expected values of at most 2^63 - 1 bytes, found one of " << type.getElementType() << " with the sizes ["
                                << type.getShape() << "], which has more bytes than fit in 64 bits";
      return failure();
    }
  for (Value size : alloc.getDynamicSizes())
    bytes.dims.push_back(plannedSize(size));
  return bytes;
}

LogicalResult LowerArena::checkArguments(func::FuncOp entry) {
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes()))
    if (!isa<MemRefType>(type))
      return entry.emitError() << "argument " << index << " of the entry has type " << type << ", expected a memref";
  return success();
}

/// Computes the sizes of all buffers first, from the dims of the arguments: equal sizes become one value.
LogicalResult LowerArena::hoistSizes(func::FuncOp entry) {
  Block &body = entry.getBody().front();
  OpBuilder builder(&body, body.begin());
  ShapeResolver resolver(
      builder, [&](BlockArgument argument, int64_t dim) -> Value { return memref::DimOp::create(builder, argument.getLoc(), argument, dim); },
      [&](BlockArgument argument, int64_t element) -> Value {
        usesElements = true;
        return memref::LoadOp::create(builder, argument.getLoc(), argument, elementIndices(builder, argument, element));
      });
  SizeBounds bounds(builder, resolver);
  SmallVector<memref::AllocOp> allocs(body.getOps<memref::AllocOp>());
  for (memref::AllocOp alloc : allocs)
    for (OpOperand &operand : alloc.getDynamicSizesMutable()) {
      Value size = resolver.scalar(operand.get());
      if (!size)
        size = boundedSize(bounds, alloc, operand.get());
      if (!size) {
        InFlightDiagnostic error = alloc.emitOpError("has a size that depends on data and has no bound, expected a function of the input dims");
        if (resolver.failedAt)
          error.attachNote(resolver.failedAt->getLoc()) << "decided here, by '" << resolver.failedAt->getName() << "'";
        return error;
      }
      operand.set(size);
    }
  IRRewriter rewriter(&getContext());
  DominanceInfo dominance(entry);
  eliminateCommonSubExpressions(rewriter, dominance, entry);
  return success();
}

LogicalResult LowerArena::collectBuffers(func::FuncOp entry) {
  Block &body = entry.getBody().front();
  llvm::DenseMap<Operation *, unsigned> epochs, order;
  unsigned epoch = 0;
  for (Operation &op : body) {
    epoch += isa<BarrierOp>(op);
    epochs[&op] = epoch;
    order[&op] = order.size();
  }
  const auto loops = loopsOf(body);
  WalkResult nested = entry.walk([&](memref::AllocOp alloc) {
    if (alloc->getBlock() == &body)
      return WalkResult::advance();
    alloc.emitOpError("is nested, expected allocations at the top level of the entry only");
    return WalkResult::interrupt();
  });
  if (nested.wasInterrupted())
    return failure();
  for (auto alloc : body.getOps<memref::AllocOp>()) {
    FailureOr<SymbolicBytes> bytes = bytesOf(alloc);
    if (failed(bytes))
      return failure();
    llvm::sort(bytes->dims, [&](Value a, Value b) {
      auto key = [&](Value v) {
        Operation *op = v.getDefiningOp();
        return std::pair<unsigned, unsigned>(op ? order.lookup(op) + 1 : 0, op ? 0 : cast<BlockArgument>(v).getArgNumber());
      };
      return key(a) < key(b);
    });
    std::optional<unsigned> first, last;
    SmallVector<unsigned> places;
    SmallVector<Value> views = {alloc.getResult()};
    while (!views.empty())
      for (Operation *user : views.pop_back_val().getUsers()) {
        if (isa<ViewLikeOpInterface>(user)) {
          views.append(user->result_begin(), user->result_end());
          continue;
        }
        if (isa<memref::DimOp>(user))
          continue;
        Operation *place = body.findAncestorOpInBlock(*user);
        places.push_back(order.lookup(place));
        unsigned at = epochs.lookup(place);
        first = std::min(first.value_or(at), at);
        last = std::max(last.value_or(at), at);
      }
    // What is there before a loop and used in it is used again by the next run.
    for (auto [begin, end] : loops) {
      const unsigned from = order.lookup(begin), to = order.lookup(end);
      if (!places.empty() && *llvm::min_element(places) < from && llvm::any_of(places, [&](unsigned place) { return place > from && place < to; }))
        last = std::max(*last, epochs.lookup(end));
    }
    buffers.push_back({alloc, *bytes, first.value_or(0), last.value_or(0)});
  }
  return success();
}

/// Greatest first, each in the first slot where its turn is free: a slot is as big as its first buffer in most cases.
void LowerArena::assignSlots() {
  SmallVector<unsigned> bySize = llvm::to_vector(llvm::seq<unsigned>(0, buffers.size()));
  llvm::sort(bySize, [&](unsigned a, unsigned b) {
    double left = buffers[a].bytes.estimate(), right = buffers[b].bytes.estimate();
    return left != right ? left > right : a < b;
  });
  for (unsigned index : bySize) {
    const Buffer &buffer = buffers[index];
    auto isFree = [&](const Slot &slot) {
      return llvm::none_of(slot.buffers, [&](unsigned other) { return buffers[other].overlaps(buffer); });
    };
    auto knowsSize = [&](const Slot &slot) {
      return llvm::any_of(slot.sizes, [&](const SymbolicBytes &size) { return size.dims == buffer.bytes.dims; });
    };
    // A slot that already has this size costs nothing more; any other free slot costs at most what a new one would.
    Slot *chosen = llvm::find_if(slots, [&](const Slot &slot) { return knowsSize(slot) && isFree(slot); });
    if (chosen == slots.end())
      chosen = llvm::find_if(slots, isFree);
    if (chosen == slots.end())
      chosen = &slots.emplace_back();
    chosen->buffers.push_back(index);
    auto *same = llvm::find_if(chosen->sizes, [&](const SymbolicBytes &size) { return size.dims == buffer.bytes.dims; });
    if (same == chosen->sizes.end())
      chosen->sizes.push_back(buffer.bytes);
    else
      same->factor = std::max(same->factor, buffer.bytes.factor);
  }
}

BlockArgument LowerArena::addArena(func::FuncOp entry) {
  auto type = MemRefType::get({ShapedType::kDynamic}, IntegerType::get(&getContext(), 8));
  unsigned number = entry.getNumArguments();
  (void)entry.insertArgument(
      number, type,
      DictionaryAttr::get(&getContext(), NamedAttribute(StringAttr::get(&getContext(), "moe.arena"), UnitAttr::get(&getContext()))),
      entry.getLoc());
  return entry.getArgument(number);
}

/// lhs * rhs, or a number of bytes that no machine has where that does not fit: sizes that inputs give as elements may be anything.
Value saturatedProduct(OpBuilder &builder, Location loc, Value lhs, Value rhs) {
  constexpr int64_t tooMany = int64_t(1) << 56;
  auto wide = [&](Value value) -> Value { return arith::IndexCastOp::create(builder, loc, builder.getI64Type(), value); };
  auto product = arith::MulSIExtendedOp::create(builder, loc, wide(lhs), wide(rhs));
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 64), limit = arith::ConstantIntOp::create(builder, loc, tooMany, 64);
  Value isLow = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, product.getHigh(), zero);
  Value isSmall = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, product.getLow(), limit);
  Value fits = arith::AndIOp::create(builder, loc, isLow, isSmall);
  Value bytes = arith::SelectOp::create(builder, loc, fits, product.getLow(), limit);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), bytes);
}

Value LowerArena::slotBytes(OpBuilder &builder, Location loc, const Slot &slot) {
  Value greatest;
  for (const SymbolicBytes &size : slot.sizes) {
    Value bytes = arith::ConstantIndexOp::create(builder, loc, size.factor);
    for (Value dim : size.dims)
      bytes = usesElements ? saturatedProduct(builder, loc, bytes, dim) : arith::MulIOp::create(builder, loc, bytes, dim).getResult();
    greatest = greatest ? arith::MaxSIOp::create(builder, loc, greatest, bytes) : bytes;
  }
  Value slack = arith::ConstantIndexOp::create(builder, loc, alignment - 1);
  Value mask = arith::ConstantIndexOp::create(builder, loc, -alignment);
  Value padded = arith::AddIOp::create(builder, loc, greatest, slack);
  return arith::AndIOp::create(builder, loc, padded, mask);
}

/// Replaces the allocations and returns the bytes of the arena.
Value LowerArena::placeBuffers(func::FuncOp entry, BlockArgument arena) {
  // hoistSizes has put all sizes before the first buffer: offsets follow the last of them.
  Block &body = entry.getBody().front();
  OpBuilder builder(&body, body.begin());
  Location loc = entry.getLoc();
  Operation *last = nullptr;
  for (const Buffer &buffer : buffers)
    for (Value dim : buffer.bytes.dims)
      if (Operation *op = dim.getDefiningOp(); op && (!last || last->isBeforeInBlock(op)))
        last = op;
  if (last)
    builder.setInsertionPointAfter(last);
  Value offset = arith::ConstantIndexOp::create(builder, loc, 0);
  for (const Slot &slot : slots) {
    for (unsigned index : slot.buffers) {
      memref::AllocOp alloc = buffers[index].alloc;
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(alloc);
      auto view = memref::ViewOp::create(builder, alloc.getLoc(), alloc.getType(), arena, offset, alloc.getDynamicSizes());
      alloc.replaceAllUsesWith(view.getResult());
    }
    offset = arith::AddIOp::create(builder, loc, offset, slotBytes(builder, loc, slot));
  }
  for (Buffer &buffer : buffers)
    buffer.alloc.erase();
  return offset;
}

LogicalResult LowerArena::returnBytes(func::FuncOp entry, func::FuncOp shapes, Value bytes) {
  Operation *ret = shapes.getBody().front().getTerminator();
  OpBuilder builder(ret);
  Location loc = ret->getLoc();
  // Arguments of the entry are inputs, then outputs: the dims of both are in the arrays that @moe_shapes has.
  SmallVector<std::pair<bool, int64_t>> places;
  int64_t counts[2] = {0, 0};
  for (BlockArgument argument : entry.getArguments()) {
    const bool isOutput = entry.getArgAttr(argument.getArgNumber(), "moe.output") != nullptr;
    if (!isOutput && !entry.getArgAttr(argument.getArgNumber(), "moe.input")) { // the arena, and the dims that a run finds out
      places.emplace_back(false, 0);
      continue;
    }
    places.emplace_back(isOutput, counts[isOutput]);
    counts[isOutput] += cast<MemRefType>(argument.getType()).getRank();
  }
  ShapeResolver resolver(builder, [&](BlockArgument argument, int64_t dim) -> Value {
    auto [isOutput, first] = places[argument.getArgNumber()];
    Value position = arith::ConstantIndexOp::create(builder, loc, first + dim);
    Value size = memref::LoadOp::create(builder, loc, shapes.getArgument(isOutput), position);
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), size);
  }, [&](BlockArgument argument, int64_t element) {
    return loadInputElement(builder, entry, argument.getArgNumber(), element, shapes.getArgument(0), counts[0]);
  });
  Value total = resolver.scalar(bytes);
  if (!total) {
    InFlightDiagnostic error = entry.emitError("the size of a buffer depends on data, expected a function of the input dims");
    if (resolver.failedAt)
      error.attachNote(resolver.failedAt->getLoc()) << "decided here, by '" << resolver.failedAt->getName() << "'";
    return error;
  }
  Value size = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), total);
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 64);
  Value answer = ret->getOperand(0);
  Value isFailure = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, answer, zero);
  ret->setOperand(0, arith::SelectOp::create(builder, loc, isFailure, answer, size));
  return success();
}

} // namespace
} // namespace moe
