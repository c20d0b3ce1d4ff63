// moe.dispatch and moe.combine. Both first turn the lists around: which assignment has a slot, which assignments has a token. Then every row of
// the result belongs to one thread. Where tokens have K choices each, threads do all of it; lists of experts that choose, and slots that
// moe.slots has not given (two assignments may have one), are turned around by thread 0.
#include "Routing.h"

#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
namespace {

/// Loads one element or a vector of a row as f32.
Value loadRow(LoopWriter &w, Value memref, ValueRange indices, int64_t lanes) {
  Type element = cast<MemRefType>(memref.getType()).getElementType(), f32 = w.builder.getF32Type();
  if (lanes == 1)
    return w.toFloat(w.load(memref, indices), f32);
  Value value = vector::LoadOp::create(w.builder, w.loc, VectorType::get({lanes}, element), memref, indices);
  return w.toFloat(value, VectorType::get({lanes}, f32));
}

/// Stores f32 values, rounded to the element type.
void storeRow(LoopWriter &w, Value value, Value memref, ValueRange indices, int64_t lanes) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (lanes == 1)
    return w.store(w.toFloat(value, element), memref, indices);
  vector::StoreOp::create(w.builder, w.loc, w.toFloat(value, VectorType::get({lanes}, element)), memref, indices);
}

/// A scalar as f32 in all lanes.
Value spread(LoopWriter &w, Value scalar, int64_t lanes) {
  if (lanes == 1)
    return scalar;
  return vector::BroadcastOp::create(w.builder, w.loc, VectorType::get({lanes}, scalar.getType()), scalar);
}

/// Choices per token that a thread sorts by insertion.
constexpr int64_t mostSortedChoices = 32;

/// owner[slot] = the assignment of begin … end that has it. Slots and tokens that do not exist are skipped.
void findOwners(LoopWriter &w, Value token, Value slot, Value keep, Value owner, Value tokens, Value begin, Value end) {
  const Value slots = w.dim(owner, 0);
  w.loop(begin, end, [&](Value n) {
    Value place = w.toIndex(w.load(slot, {n})), t = w.toIndex(w.load(token, {n}));
    Value counts = w.both(w.both(w.inRange(place, slots), w.inRange(t, tokens)), w.load(keep, {n}));
    w.when(counts, [&]() { w.store(w.toI32(n), owner, {place}); });
  });
}

/// Each thread has slots: the row of the owner's token, or zero.
void copyRows(LoopWriter &w, Value x, Value token, Value weights, Value owner, Value rows, Value begin, Value end) {
  const Value width = w.dim(x, 1);
  w.loop(begin, end, [&](Value place) {
    Value n = w.load(owner, {place}), isOwned = w.ge(n, w.i32(0));
    w.when(isOwned, [&]() {
      Value number = w.toIndex(n), t = w.toIndex(w.load(token, {number}));
      Value weight = weights ? w.load(weights, {number}) : Value();
      forColumns(w, width, [&](Value column, int64_t lanes) {
        Value value = loadRow(w, x, {t, column}, lanes);
        if (weight)
          value = w.mul(value, spread(w, weight, lanes));
        storeRow(w, value, rows, {place, column}, lanes);
      });
    });
    w.when(w.negate(isOwned), [&]() {
      forColumns(w, width, [&](Value column, int64_t lanes) { storeRow(w, spread(w, w.f32(0.0), lanes), rows, {place, column}, lanes); });
    });
  });
}

/// What moe.combine reads once its lists are turned around.
struct Combiner {
  LoopWriter &w;
  Value rows, weights, slot, start, entries, x, result;
  Value keep, choices; ///< Where tokens have K choices each; `start` is null then and `entries` this routine's scratch.

  /// One column block of token t: the sum, added in f32 in the order of the entries.
  void column(Value t, Value begin, Value end, Value column, int64_t lanes) {
    Value sum = w.loop(begin, end, ValueRange{spread(w, w.f32(0.0), lanes)}, [&](Value entry, ValueRange carried) {
      Value n = w.toIndex(w.load(entries, {entry})), place = w.toIndex(w.load(slot, {n}));
      Value term = w.mul(loadRow(w, rows, {place, column}, lanes), spread(w, w.load(weights, {n}), lanes));
      return LoopWriter::Values{w.add(carried[0], term)};
    })[0];
    storeRow(w, sum, result, {t, column}, lanes);
  }

  /// Sorts the kept ones of a token's K choices by their slots, into `entries`.
  std::pair<Value, Value> sortChoices(Value t) {
    const Value zero = w.index(0), one = w.index(1), places = w.dim(rows, 0), length = w.dim(slot, 0);
    const Value begin = w.min(w.mul(t, choices), length);
    Value end = w.loop(begin, w.min(w.add(begin, choices), length), ValueRange{begin}, [&](Value n, ValueRange carried) {
      Value place = w.load(slot, {n}), counts = w.both(w.inRange(w.toIndex(place), places), w.load(keep, {n}));
      w.when(counts, [&]() {
        // From behind: what has a greater slot goes one further.
        auto before = [&](Value at) { return w.load(entries, {w.sub(at, one)}); };
        auto isGreater = [&](Value at) { return LoopWriter::Values{w.gt(w.load(slot, {w.toIndex(before(at))}), place)}; };
        Value at = w.loopWhile(
            ValueRange{carried[0]},
            [&](ValueRange at) {
              return w.choose(w.gt(at[0], begin), [&]() { return isGreater(at[0]); }, [&]() { return LoopWriter::Values{w.flag(false)}; })[0];
            },
            [&](ValueRange at) {
              w.store(before(at[0]), entries, {at[0]});
              return LoopWriter::Values{w.sub(at[0], one)};
            })[0];
        w.store(w.toI32(n), entries, {at});
      });
      return LoopWriter::Values{w.add(carried[0], w.select(counts, one, zero))};
    })[0];
    return {begin, end};
  }

  std::pair<Value, Value> entriesOf(Value t) {
    if (!start)
      return sortChoices(t);
    return {w.toIndex(w.load(start, {t})), w.toIndex(w.load(start, {w.add(t, w.index(1))}))};
  }

  void run(Value first, Value last) {
    const Value width = w.dim(rows, 1);
    w.loop(first, last, [&](Value t) {
      auto [begin, end] = entriesOf(t);
      auto add = [&, begin = begin, end = end]() { forColumns(w, width, [&](Value c, int64_t lanes) { column(t, begin, end, c, lanes); }); };
      if (!x)
        return add();
      Value isServed = w.lt(begin, end);
      w.when(isServed, add);
      w.when(w.negate(isServed), [&]() {
        forColumns(w, width, [&](Value c, int64_t lanes) { storeRow(w, loadRow(w, x, {t, c}, lanes), result, {t, c}, lanes); });
      });
    });
  }
};

} // namespace

void listByToken(LoopWriter &w, Value owner, Value start, Value entries, Value tokens, llvm::function_ref<Value(Value)> tokenOf) {
  const Value zero = w.index(0), one = w.index(1);
  auto forEachOwned = [&](llvm::function_ref<void(Value n, Value t)> body) {
    w.loop(zero, w.dim(owner, 0), [&](Value place) {
      Value n = w.load(owner, {place});
      w.when(w.ge(n, w.i32(0)), [&]() { body(n, tokenOf(w.toIndex(n))); });
    });
  };
  w.loop(zero, w.add(tokens, one), [&](Value t) { w.store(w.i32(0), start, {t}); });
  forEachOwned([&](Value, Value t) { w.store(w.add(w.load(start, {w.add(t, one)}), w.i32(1)), start, {w.add(t, one)}); });
  w.loop(zero, tokens, ValueRange{w.i32(0)}, [&](Value t, ValueRange sum) {
    // For now the end of t's entries holds their begin, which the next loop moves to their end.
    Value here = w.load(start, {w.add(t, one)});
    w.store(sum[0], start, {w.add(t, one)});
    return LoopWriter::Values{w.add(sum[0], here)};
  });
  forEachOwned([&](Value n, Value t) {
    Value place = w.load(start, {w.add(t, one)});
    w.store(n, entries, {w.toIndex(place)});
    w.store(w.add(place, w.i32(1)), start, {w.add(t, one)});
  });
}

Value Routing::ownersOfSlots(Operation *op, Value token, Value slot, Value keep, Value tokens, Value count) {
  const Type i32 = builder.getI32Type();
  Value owner = routine(op, count, {}, {{{count}, i32}}, [&](Body &body) {
    body.w.loop(body.begin, body.end, [&](Value place) { body.w.store(body.w.i32(-1), body.outs[0], {place}); });
  })[0];
  const bool distinct = slots.contains(slot);
  return routine(op, distinct ? size(slot, 0) : Value(), {token, slot, keep, tokens}, {{{count}, i32, owner}}, [&](Body &body) {
    const Value begin = distinct ? body.begin : body.w.index(0), end = distinct ? body.end : body.w.dim(body.ins[1], 0);
    findOwners(body.w, body.ins[0], body.ins[1], body.ins[2], body.outs[0], body.ins[3], begin, end);
  })[0];
}

LogicalResult Routing::lower(DispatchOp op) {
  builder.setInsertionPoint(op);
  if (failed(requireLengths(op, {op.getToken(), op.getExpert(), op.getSlot(), op.getKeep(), op.getWeights()})))
    return failure();
  auto type = cast<RankedTensorType>(op.getRows().getType());
  const bool padded = op.getLayout() == SlotLayout::Padded;
  const SlotFacts facts = slots.lookup(op.getSlot());
  const Value tokens = size(op.getX(), 0), width = size(op.getX(), 1);
  Value experts, perExpert, count;
  if (padded) {
    // The experts of `offset` are those of the slots; without moe.slots in sight the types must say the sizes.
    experts = size(op.getOffset(), 0);
    experts = builder.createOrFold<arith::SubIOp>(op.getLoc(), experts, constant(1));
    perExpert = facts.capacity ? facts.capacity : type.isDynamicDim(1) ? Value() : constant(type.getDimSize(1));
    count = perExpert ? multiply(experts, perExpert) : Value();
  } else {
    count = facts.rows ? facts.rows : type.isDynamicDim(0) ? Value() : constant(type.getDimSize(0));
  }
  if (!count)
    return op.emitError() << describeOp(op) << ": expected slots of a moe.slots with " << (padded ? "padded" : "ragged")
                          << " layout, or a static number of rows";
  const Value owner = ownersOfSlots(op, op.getToken(), op.getSlot(), op.getKeep(), tokens, count);
  Value rows = routine(op, count, {op.getX(), op.getToken(), op.getWeights(), owner}, {{{count, width}, type.getElementType()}}, [&](Body &body) {
    copyRows(body.w, body.ins[0], body.ins[1], body.ins[2], body.ins[3], body.outs[0], body.begin, body.end);
  })[0];
  if (padded) {
    const SmallVector<OpFoldResult> sizes = getAsOpFoldResult(Values{experts, perExpert, width});
    SmallVector<int64_t> shape;
    SmallVector<Value> dynamic;
    dispatchIndexOpFoldResults(sizes, dynamic, shape);
    const SmallVector<ReassociationIndices> groups = {{0, 1}, {2}};
    rows = tensor::ExpandShapeOp::create(builder, op.getLoc(), RankedTensorType::get(shape, type.getElementType()), rows, groups, sizes);
  }
  if (failed(replace(cast<OpResult>(op.getRows()), rows)))
    return failure();
  op.erase();
  return success();
}

LogicalResult Routing::lower(CombineOp op) {
  builder.setInsertionPoint(op);
  if (failed(requireLengths(op, {op.getToken(), op.getExpert(), op.getSlot(), op.getKeep(), op.getWeights()})))
    return failure();
  Value rows = op.getRows();
  auto type = cast<RankedTensorType>(rows.getType());
  if (type.getRank() == 3)
    rows = tensor::CollapseShapeOp::create(builder, op.getLoc(), rows, SmallVector<ReassociationIndices>{{0, 1}, {2}});
  const Value count = type.getRank() == 3 ? multiply(size(op.getRows(), 0), size(op.getRows(), 1)) : size(rows, 0);
  const Value width = size(rows, 1), length = size(op.getToken(), 0), tokens = op.getTokens();
  if (op.getX() && (failed(requireEqual(op, tokens, size(op.getX(), 0), "tokens and the rows of the dropped_to input")) ||
                    failed(requireEqual(op, width, size(op.getX(), 1), "the columns of rows and of the dropped_to input"))))
    return failure();
  const Type i32 = builder.getI32Type(), element = op.getResult().getType().getElementType();
  const Value choices = lists.lookup(op.getToken()).choices;
  const std::optional<int64_t> known = choices ? getConstantIntValue(choices) : std::nullopt;
  Value result;
  if (known && *known <= mostSortedChoices) {
    result = routine(op, tokens, {rows, op.getWeights(), op.getSlot(), op.getKeep(), choices, op.getX()}, {{{tokens, width}, element}, {{length}, i32}},
                     [&](Body &body) {
      Combiner combiner{body.w, body.ins[0], body.ins[1], body.ins[2], {}, body.outs[1], body.ins[5], body.outs[0], body.ins[3], body.ins[4]};
      combiner.run(body.begin, body.end);
    })[0];
  } else {
    const Value owner = ownersOfSlots(op, op.getToken(), op.getSlot(), op.getKeep(), tokens, count);
    const Values index = routine(op, Value(), {op.getToken(), owner, tokens}, {{{addTo(tokens, constant(1))}, i32}, {{length}, i32}}, [&](Body &body) {
      // By ascending slot, which is by ascending expert.
      listByToken(body.w, body.ins[1], body.outs[0], body.outs[1], body.ins[2], [&](Value n) { return body.w.toIndex(body.w.load(body.ins[0], {n})); });
    });
    result = routine(op, tokens, {rows, op.getWeights(), op.getSlot(), index[0], index[1], op.getX()}, {{{tokens, width}, element}}, [&](Body &body) {
      Combiner combiner{body.w, body.ins[0], body.ins[1], body.ins[2], body.ins[3], body.ins[4], body.ins[5], body.outs[0], {}, {}};
      combiner.run(body.begin, body.end);
    })[0];
  }
  if (failed(replace(cast<OpResult>(op.getResult()), result)))
    return failure();
  op.erase();
  return success();
}

/// Thread 0 goes through the flags: what comes of it is a size, which all threads wait for anyway.
LogicalResult Routing::lower(CompactOp op) {
  builder.setInsertionPoint(op);
  const Type i64 = builder.getI64Type();
  Values results = routine(op, Value(), {op.getFlags()}, {{{size(op.getFlags(), 0)}, i64}, {{}, i64}}, [&](Body &body) {
    LoopWriter &w = body.w;
    const Value flags = body.ins[0], position = body.outs[0], zero = w.index(0), count = w.dim(flags, 0);
    const Value found = w.loop(zero, count, {zero}, [&](Value at, ValueRange carried) -> Values {
      // Written even where the flag is false: the place is taken by the next that is true.
      w.store(arith::IndexCastOp::create(w.builder, w.loc, i64, at), position, {carried[0]});
      return {w.add(carried[0], w.select(w.load(flags, {at}), w.index(1), zero))};
    })[0];
    w.loop(found, count, [&](Value at) { w.store(w.i64(0), position, {at}); });
    w.store(arith::IndexCastOp::create(w.builder, w.loc, i64, found), body.outs[1], {});
  });
  for (auto [result, value] : llvm::zip_first(op.getResults(), results))
    if (failed(replace(result, value)))
      return failure();
  op.erase();
  return success();
}

} // namespace moe
