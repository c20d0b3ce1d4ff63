// What a rank does of a layer whose experts are spread over devices. Who sends what to whom is worked out by thread 0, in few passes over the slots: every
// rank has them all, so no rank asks another. Rows are moved and added up by all threads; the exchanges themselves are thread 0's, since
// only one thread of a process may talk to the others.
#include "Routing.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
namespace {

/// Which device has a token, and which rank a device: tokens in shares of ⌈T/D⌉, or ⌈(T/U)/D⌉·U for sequences of `unit` U, devices in shares of D/n.
struct Shares {
  LoopWriter &w;
  Value share, perRank, rank;

  Shares(LoopWriter &w, Value tokens, Value unit, int64_t devices) : w(w) {
    if (unit) {
      unit = w.max(unit, w.index(1));
      tokens = w.div(tokens, unit);
    }
    share = w.max(w.divUp(tokens, w.index(devices)), w.index(1));
    if (unit)
      share = w.mul(share, unit);
    perRank = w.max(w.div(w.index(devices), NumRanksOp::create(w.builder, w.loc)), w.index(1));
    rank = RankOp::create(w.builder, w.loc);
  }

  Value deviceOf(Value token) { return w.div(token, share); }
  Value rankOf(Value device) { return w.div(device, perRank); }
  Value first() { return w.mul(w.mul(share, perRank), rank); }
  Value isOwn(Value token) { return w.eq(rankOf(deviceOf(token)), rank); }

  /// Is `token` one of the chunk, of `chunks`?
  Value isInChunk(Value token, int64_t chunk, int64_t chunks) {
    const Value part = w.max(w.divUp(share, w.index(chunks)), w.index(1));
    return w.eq(w.div(w.rem(token, share), part), w.index(chunk));
  }
};

/// The body of moe.shard_slots.
struct SlotSharder {
  LoopWriter &w;
  int64_t devices, ep, chunk, chunks;
  Value rows, offset, tokens, firstHolder, holder, unit;
  Value sendToken, sendSlot, send, receive, place, origin, localOffset, sendAt, receiveAt;

  void add(Value memref, Value at, Value amount) { w.store(w.add(w.load(memref, {at}), amount), memref, {at}); }
  void fill(Value memref, int64_t value) {
    w.loop(w.index(0), w.dim(memref, 0), [&](Value i) { w.store(w.i32(value), memref, {i}); });
  }

  /// The rank that computes a token's row of expert `e`: of the devices in the token's group that hold it, they take turns.
  Value rankOfExpert(Shares &shares, Value e, Value token) {
    const Value first = w.toIndex(w.load(firstHolder, {e})), count = w.sub(w.toIndex(w.load(firstHolder, {w.add(e, w.index(1))})), first);
    const Value held = w.toIndex(w.load(holder, {w.add(first, w.rem(token, count))}));
    const Value group = w.div(shares.deviceOf(token), w.index(ep));
    return shares.rankOf(w.add(w.mul(group, w.index(ep)), held));
  }

  /// Does a slot have a token, and one of this chunk?
  Value isWanted(Shares &shares, Value token) {
    const Value there = w.inRange(token, tokens);
    return chunks == 1 ? there : w.both(there, shares.isInChunk(token, chunk, chunks));
  }

  /// Calls `body` for the slots of expert `e` that a token has, with the ranks that its row comes from and goes to; `carried` i32 counts.
  Value forEachSlot(Shares &shares, Value e, Value carried, llvm::function_ref<Value(Value slot, Value token, Value from, Value to, Value count)> body) {
    const Value begin = w.toIndex(w.load(offset, {e})), end = w.min(w.toIndex(w.load(offset, {w.add(e, w.index(1))})), w.dim(rows, 0));
    return w.loop(begin, end, ValueRange{carried}, [&](Value slot, ValueRange count) {
      const Value token = w.toIndex(w.load(rows, {slot}));
      return w.choose(
          isWanted(shares, token),
          [&]() { return LoopWriter::Values{body(slot, token, shares.rankOf(shares.deviceOf(token)), rankOfExpert(shares, e, token), count[0])}; },
          [&]() { return LoopWriter::Values{count[0]}; });
    })[0];
  }

  void run() {
    for (Value list : {sendToken, sendSlot, place, origin})
      fill(list, -1);
    for (Value list : {send, receive})
      fill(list, 0);
    Shares shares(w, tokens, unit, devices);
    const Value zero = w.index(0), experts = w.sub(w.dim(offset, 0), w.index(1));
    w.loop(zero, experts, [&](Value e) {
      forEachSlot(shares, e, w.i32(0), [&](Value, Value, Value from, Value to, Value count) {
        w.when(w.eq(from, shares.rank), [&]() { add(send, to, w.i32(1)); });
        w.when(w.eq(to, shares.rank), [&]() { add(receive, from, w.i32(1)); });
        return count;
      });
    });
    for (auto [counts, at] : {std::pair(send, sendAt), std::pair(receive, receiveAt)})
      w.loop(zero, w.index(devices), ValueRange{w.i32(0)}, [&, counts = counts, at = at](Value rank, ValueRange sum) {
        w.store(sum[0], at, {rank});
        return LoopWriter::Values{w.add(sum[0], w.load(counts, {rank}))};
      });
    const Value held = w.loop(zero, experts, ValueRange{w.i32(0)}, [&](Value e, ValueRange before) {
      w.store(before[0], localOffset, {e});
      return LoopWriter::Values{forEachSlot(shares, e, before[0], [&](Value slot, Value token, Value from, Value to, Value count) {
        w.when(w.eq(from, shares.rank), [&]() {
          const Value at = w.toIndex(w.load(sendAt, {to}));
          w.store(w.toI32(token), sendToken, {at});
          w.store(w.toI32(slot), sendSlot, {at});
          add(sendAt, to, w.i32(1));
        });
        const Value isHere = w.eq(to, shares.rank);
        w.when(isHere, [&]() {
          const Value at = w.load(receiveAt, {from});
          w.store(at, place, {w.toIndex(count)});
          w.store(count, origin, {w.toIndex(at)});
          add(receiveAt, from, w.i32(1));
        });
        return w.add(count, w.select(isHere, w.i32(1), w.i32(0)));
      })};
    })[0];
    w.store(held, localOffset, {experts});
  }
};

/// Copies a row, column by column in vectors of its own type.
void copyRow(LoopWriter &w, Value from, Value fromRow, Value into, Value intoRow) {
  const Type element = cast<MemRefType>(from.getType()).getElementType();
  forColumns(w, w.dim(from, 1), [&](Value column, int64_t lanes) {
    if (lanes == 1)
      return w.store(w.load(from, {fromRow, column}), into, {intoRow, column});
    Value value = vector::LoadOp::create(w.builder, w.loc, VectorType::get({lanes}, element), from, ValueRange{fromRow, column});
    vector::StoreOp::create(w.builder, w.loc, value, into, ValueRange{intoRow, column});
  });
}

/// The body of moe.sum_rows for one token: the sum, in f32, in the order of its entries.
struct RowSummer {
  LoopWriter &w;
  bool fused;
  Value back, sendSlot, weights, start, entries, result;

  void row(Value token) {
    const Value begin = w.toIndex(w.load(start, {token})), end = w.toIndex(w.load(start, {w.add(token, w.index(1))}));
    const Type element = cast<MemRefType>(back.getType()).getElementType(), out = cast<MemRefType>(result.getType()).getElementType();
    forColumns(w, w.dim(back, 1), [&](Value column, int64_t lanes) {
      const Type f32 = w.builder.getF32Type(), wide = lanes == 1 ? f32 : Type(VectorType::get({lanes}, f32));
      auto spread = [&](Value scalar) -> Value {
        return lanes == 1 ? scalar : vector::BroadcastOp::create(w.builder, w.loc, wide, scalar).getResult();
      };
      const Value sum = w.loop(begin, end, ValueRange{spread(w.f32(0.0))}, [&](Value entry, ValueRange carried) {
        const Value i = w.toIndex(w.load(entries, {entry})), slot = w.toIndex(w.load(sendSlot, {i}));
        Value value = lanes == 1 ? w.load(back, {i, column})
                                 : vector::LoadOp::create(w.builder, w.loc, VectorType::get({lanes}, element), back, ValueRange{i, column}).getResult();
        value = w.toFloat(value, wide);
        const Value weight = spread(w.load(weights, {slot}));
        return LoopWriter::Values{fused ? math::FmaOp::create(w.builder, w.loc, weight, value, carried[0]).getResult()
                                        : w.add(carried[0], w.mul(value, weight))};
      })[0];
      if (lanes == 1)
        return w.store(w.toFloat(sum, out), result, {token, column});
      vector::StoreOp::create(w.builder, w.loc, w.toFloat(sum, VectorType::get({lanes}, out)), result, ValueRange{token, column});
    });
  }
};

} // namespace

LogicalResult Routing::lower(SlotRowsOp op) {
  builder.setInsertionPoint(op);
  if (failed(requireLengths(op, {op.getToken(), op.getSlot(), op.getKeep(), op.getWeights()})))
    return failure();
  const SlotFacts facts = slots.lookup(op.getSlot());
  const auto type = cast<RankedTensorType>(op.getRows().getType());
  const Value count = facts.rows ? facts.rows : type.isDynamicDim(0) ? Value() : constant(type.getDimSize(0));
  if (!count)
    return op.emitError() << describeOp(op) << ": expected slots of a moe.slots with ragged layout, or a static number of rows";
  const Value owner = ownersOfSlots(op, op.getToken(), op.getSlot(), op.getKeep(), op.getTokens(), count);
  const SmallVector<Out> outs = {{{count}, builder.getI32Type()}, {{count}, builder.getF32Type()}};
  const Values results = routine(op, count, {op.getToken(), op.getWeights(), owner}, outs, [&](Body &body) {
    LoopWriter &w = body.w;
    w.loop(body.begin, body.end, [&](Value slot) {
      const Value n = w.load(body.ins[2], {slot});
      const Values found = w.choose(
          w.ge(n, w.i32(0)), [&]() { return Values{w.load(body.ins[0], {w.toIndex(n)}), w.load(body.ins[1], {w.toIndex(n)})}; },
          [&]() { return Values{w.i32(-1), w.f32(0.0)}; });
      w.store(found[0], body.outs[0], {slot});
      w.store(found[1], body.outs[1], {slot});
    });
  });
  if (failed(replace(cast<OpResult>(op.getRows()), results[0])) || failed(replace(cast<OpResult>(op.getSlotWeights()), results[1])) ||
      failed(replace(cast<OpResult>(op.getOffsets()), op.getOffset())))
    return failure();
  op.erase();
  return success();
}

LogicalResult Routing::lower(ShardSlotsOp op) {
  builder.setInsertionPoint(op);
  const ShardingAttr sharding = op.getSharding();
  const int64_t experts = op.getOffset().getType().getDimSize(0) - 1;
  SmallVector<int32_t> first = {0}, holders;
  for (const SmallVector<int64_t> &devices : sharding.holders(experts)) {
    holders.append(devices.begin(), devices.end());
    first.push_back(static_cast<int32_t>(holders.size()));
  }
  auto table = [&](ArrayRef<int32_t> values) -> Value {
    const auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, builder.getI32Type());
    return arith::ConstantOp::create(builder, op.getLoc(), DenseElementsAttr::get(type, values));
  };
  const Value count = op.getMost() ? Value(op.getMost()) : size(op.getRows(), 0), devices = constant(sharding.devices());
  const Type i32 = builder.getI32Type();
  const Out list = {{count}, i32}, counts = {{devices}, i32};
  const SmallVector<Out> outs = {list, list, counts, counts, list, list, {{constant(experts + 1)}, i32}, counts, counts};
  const Values results =
      routine(op, Value(), {op.getRows(), op.getOffset(), op.getTokens(), table(first), table(holders), op.getUnit()}, outs, [&](Body &body) {
        SlotSharder{body.w,       sharding.devices(), sharding.getEp(), static_cast<int64_t>(op.getChunk()), sharding.getChunks(),
                    body.ins[0],  body.ins[1],        body.ins[2],      body.ins[3],                         body.ins[4],   body.ins[5],
                    body.outs[0], body.outs[1],       body.outs[2],     body.outs[3],                        body.outs[4],
                    body.outs[5], body.outs[6],       body.outs[7],     body.outs[8]}
            .run();
      });
  for (auto [result, value] : llvm::zip_first(op.getResults(), results))
    if (failed(replace(result, value)))
      return failure();
  op.erase();
  return success();
}

/// Block e·parts + p of the longer lists is block e of the others.
LogicalResult Routing::lower(PartSlotsOp op) {
  builder.setInsertionPoint(op);
  const auto parts = static_cast<int64_t>(op.getParts());
  const Value count = size(op.getRows(), 0), experts = addTo(size(op.getOffset(), 0), constant(-1));
  const Value slots = multiply(count, constant(parts));
  const SmallVector<Out> outs = {{{slots}, builder.getI32Type()}, {{slots}, builder.getF32Type()}, {{addTo(multiply(experts, constant(parts)), constant(1))}, builder.getI32Type()}};
  const Values results = routine(op, Value(), {op.getRows(), op.getSlotWeights(), op.getOffset()}, outs, [&](Body &body) {
    LoopWriter &w = body.w;
    const Value rows = body.ins[0], weights = body.ins[1], offset = body.ins[2], end = w.dim(rows, 0), zero = w.index(0);
    w.loop(zero, w.dim(body.outs[0], 0), [&](Value slot) {
      w.store(w.i32(-1), body.outs[0], {slot});
      w.store(w.f32(0.0), body.outs[1], {slot});
    });
    const Value written = w.loop(zero, w.dim(body.outs[2], 0), ValueRange{zero}, [&](Value virtualExpert, ValueRange at) {
      w.store(w.toI32(at[0]), body.outs[2], {virtualExpert});
      const Value expert = w.min(w.div(virtualExpert, w.index(parts)), w.sub(w.dim(offset, 0), w.index(2)));
      const Value begin = w.toIndex(w.load(offset, {expert})), stop = w.min(w.toIndex(w.load(offset, {w.add(expert, w.index(1))})), end);
      const Value isLast = w.eq(virtualExpert, w.sub(w.dim(body.outs[2], 0), w.index(1)));
      const Value length = w.select(isLast, zero, w.max(w.sub(stop, begin), zero));
      w.loop(zero, length, [&](Value i) {
        w.store(w.load(rows, {w.add(begin, i)}), body.outs[0], {w.add(at[0], i)});
        w.store(w.load(weights, {w.add(begin, i)}), body.outs[1], {w.add(at[0], i)});
      });
      return LoopWriter::Values{w.add(at[0], length)};
    })[0];
    (void)written;
  });
  for (auto [result, value] : llvm::zip_equal(op.getResults(), results))
    if (failed(replace(result, value)))
      return failure();
  op.erase();
  return success();
}

LogicalResult Routing::lower(TakeRowsOp op) {
  builder.setInsertionPoint(op);
  const Value count = size(op.getIndex(), 0), width = size(op.getX(), 1);
  const Value result = routine(op, count, {op.getX(), op.getIndex(), op.getFirst()}, {{{count, width}, op.getX().getType().getElementType()}}, [&](Body &body) {
    LoopWriter &w = body.w;
    const Value rows = w.dim(body.ins[0], 0);
    w.loop(body.begin, body.end, [&](Value i) {
      Value row = w.toIndex(w.load(body.ins[1], {i}));
      if (op.getFirst())
        row = w.sub(row, body.ins[2]);
      w.when(w.inRange(row, rows), [&]() { copyRow(w, body.ins[0], row, body.outs[0], i); });
    });
  })[0];
  if (failed(replace(cast<OpResult>(op.getResult()), result)))
    return failure();
  op.erase();
  return success();
}

LogicalResult Routing::lower(AllToAllOp op) {
  builder.setInsertionPoint(op);
  const auto type = cast<RankedTensorType>(op.getBuffer().getType());
  if (!op.getSend() || !op.getBounded() || type.getRank() != 2 || !isa<FloatType>(type.getElementType()))
    return op.emitError() << describeOp(op) << ": expected bounded rows of floats with counts, got " << type;
  const Value result = routine(op, Value(), {op.getBuffer(), op.getSend(), op.getReceive()},
                               {{{size(op.getBuffer(), 0), size(op.getBuffer(), 1)}, type.getElementType()}}, [&](Body &body) {
    ExchangeOp::create(body.w.builder, body.w.loc, body.ins[0], body.outs[0], body.ins[1], body.ins[2]);
  })[0];
  if (failed(replace(cast<OpResult>(op.getResult()), result)))
    return failure();
  op.erase();
  return success();
}

LogicalResult Routing::lower(AllToAllStartOp op) {
  builder.setInsertionPoint(op);
  const Value rows = op.getRows();
  const Out flight = {{size(rows, 0), size(rows, 1)}, getElementTypeOrSelf(rows)};
  const Value result = routine(op, Value(), {rows, op.getSend(), op.getReceive(), op.getToken()}, {flight}, [&](Body &body) {
    ExchangeStartOp::create(body.w.builder, body.w.loc, body.ins[0], body.outs[0], body.ins[1], body.ins[2], body.ins[3], op.getPerNode());
  })[0];
  if (failed(replace(cast<OpResult>(op.getFlight()), result)))
    return failure();
  op.erase();
  return success();
}

/// Goes on writing what the start began, and reads what it reads: the memory of both is taken until here.
LogicalResult Routing::lower(AllToAllWaitOp op) {
  builder.setInsertionPoint(op);
  const Value rows = op.getRows();
  const Out flight = {{size(rows, 0), size(rows, 1)}, getElementTypeOrSelf(rows), op.getFlight()};
  const Value result = routine(op, Value(), {rows}, {flight}, [&](Body &body) {
    ExchangeWaitOp::create(body.w.builder, body.w.loc, body.ins[0], body.outs[0]);
  })[0];
  if (failed(replace(cast<OpResult>(op.getResult()), result)))
    return failure();
  op.erase();
  return success();
}

LogicalResult Routing::lower(SumRowsOp op) {
  builder.setInsertionPoint(op);
  const auto devices = static_cast<int64_t>(op.getDevices());
  const Value tokens = op.getTokens(), slotCount = size(op.getRows(), 0), sent = size(op.getSendSlot(), 0);
  const Type i32 = builder.getI32Type();
  const SmallVector<Out> lists = {{{addTo(tokens, constant(1))}, i32}, {{sent}, i32}, {{slotCount}, i32}};
  const Values index = routine(op, Value(), {op.getSendSlot(), op.getRows(), tokens}, lists, [&](Body &body) {
    LoopWriter &w = body.w;
    const Value sendSlot = body.ins[0], entryOf = body.outs[2], zero = w.index(0);
    w.loop(zero, w.dim(entryOf, 0), [&](Value slot) { w.store(w.i32(-1), entryOf, {slot}); });
    w.loop(zero, w.dim(sendSlot, 0), [&](Value i) {
      const Value slot = w.toIndex(w.load(sendSlot, {i}));
      w.when(w.inRange(slot, w.dim(entryOf, 0)), [&]() { w.store(w.toI32(i), entryOf, {slot}); });
    });
    listByToken(w, entryOf, body.outs[0], body.outs[1], body.ins[2],
                [&](Value i) { return w.toIndex(w.load(body.ins[1], {w.toIndex(w.load(sendSlot, {i}))})); });
  });
  const Type element = op.getResult().getType().getElementType();
  const Value result = routine(op, tokens, {op.getBack(), op.getSendSlot(), op.getSlotWeights(), index[0], index[1], tokens, op.getUnit()},
                               {{{tokens, size(op.getBack(), 1)}, element, op.getInto()}}, [&](Body &body) {
    LoopWriter &w = body.w;
    Shares shares(w, body.ins[5], body.ins[6], devices);
    const auto chunk = static_cast<int64_t>(op.getChunk()), chunks = static_cast<int64_t>(op.getChunks());
    auto isWritten = [&](Value token) {
      return chunks == 1 ? shares.isOwn(token) : w.both(shares.isOwn(token), shares.isInChunk(token, chunk, chunks));
    };
    RowSummer summer{w, op.getFused(), body.ins[0], body.ins[1], body.ins[2], body.ins[3], body.ins[4], body.outs[0]};
    w.loop(body.begin, body.end, [&](Value token) { w.when(isWritten(token), [&]() { summer.row(token); }); });
  })[0];
  if (failed(replace(cast<OpResult>(op.getResult()), result)))
    return failure();
  op.erase();
  return success();
}

LogicalResult Routing::lower(AllGatherOp op) {
  builder.setInsertionPoint(op);
  const Type element = cast<RankedTensorType>(op.getRows().getType()).getElementType();
  const Value width = size(op.getRows(), 1), tokens = op.getTokens() ? Value(op.getTokens()) : size(op.getRows(), 0);
  const auto devices = static_cast<int64_t>(op.getDevices());
  Value shares = op.getRows();
  if (op.getTokens()) { // The rows of this rank go to their place among all.
    const Value count = size(op.getRows(), 0);
    shares = routine(op, count, {op.getRows(), tokens, op.getUnit()}, {{{tokens, width}, element}}, [&](Body &body) {
      LoopWriter &w = body.w;
      const Value first = Shares(w, body.ins[1], body.ins[2], devices).first(), end = w.dim(body.outs[0], 0);
      w.loop(body.begin, body.end, [&](Value i) {
        const Value row = w.add(first, i);
        w.when(w.inRange(row, end), [&]() { copyRow(w, body.ins[0], i, body.outs[0], row); });
      });
    })[0];
  }
  const Value unit = op.getUnit() ? Value(op.getUnit()) : constant(1);
  const Value result = routine(op, Value(), {unit}, {{{tokens, width}, element, shares}}, [&](Body &body) {
    GatherSharesOp::create(body.w.builder, body.w.loc, body.outs[0], body.ins[0], static_cast<uint64_t>(devices));
  })[0];
  if (failed(replace(cast<OpResult>(op.getResult()), result)))
    return failure();
  op.erase();
  return success();
}

} // namespace moe
