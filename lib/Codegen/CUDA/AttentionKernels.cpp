// moe.attention on a GPU: which kernel, and the plain one, correct for everything that the op may say, with no tensor cores and no reuse of keys among queries.
#include "AttentionKernels.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <limits>

using namespace mlir;
namespace moe {

static constexpr int64_t warpsOfBlock = 4;
// Fewer queries of a sequence would leave most of a tile empty.
static constexpr int64_t leastFlashQueries = 16;
static constexpr double infinity = std::numeric_limits<double>::infinity();

LogicalResult AttentionKernels::replace(AttentionOp op) {
  OpBuilder host(op);
  const Location loc = op.getLoc();
  SmallVector<Value> operands = {op.getQ(), op.getK(), op.getV()};
  for (Value optional : {op.getMask(), op.getCounts(), op.getSink()})
    if (optional)
      operands.push_back(optional);
  operands.push_back(op.getOuts()[0]);
  if (op.getBefore())
    operands.push_back(op.getBefore());
  for (Value operand : operands)
    if (!isa<MemRefType, IndexType>(operand.getType()))
      return op.emitOpError() << "the CUDA kernel expects memrefs, found " << operand.getType();
  std::string key;
  llvm::raw_string_ostream stream(key);
  stream << "attention " << op->getAttrDictionary() << bool(op.getMask()) << bool(op.getCounts()) << bool(op.getSink());
  for (Value operand : operands)
    stream << ' ' << operand.getType();
  SmallVector<Value> arguments;
  for (Value operand : operands)
    appendArgument(host, loc, operand, arguments);
  Value tokens = sizeOf(host, loc, op.getQ(), 2);
  Value heads = arith::MulIOp::create(host, loc, sizeOf(host, loc, op.getQ(), 0), sizeOf(host, loc, op.getQ(), 1));
  auto launch = [&](OpBuilder &at, const KernelEntry &entry, Value work, int64_t ofBlock) {
    Value size = arith::ConstantIndexOp::create(at, loc, ofBlock), one = arith::ConstantIndexOp::create(at, loc, 1);
    table.launch(at, loc, entry, arith::CeilDivUIOp::create(at, loc, work, size), one, arguments);
  };
  const int64_t staticTokens = cast<MemRefType>(op.getQ().getType()).getDimSize(2);
  const bool mayBeMany = fitsTensorCores(op) && (ShapedType::isDynamic(staticTokens) || staticTokens >= leastFlashQueries);
  if (mayBeMany) {
    const KernelEntry flash = table.get("flash " + key, "moe_attention_mma", flashQueries / 16 * warpSize, 0,
                                        [&](StringRef name) { emitFlash(op, name, ValueRange(operands).getTypes()); });
    auto launchFlash = [&](OpBuilder &at) {
      Value tiles = arith::CeilDivUIOp::create(at, loc, tokens, Value(arith::ConstantIndexOp::create(at, loc, flashQueries)));
      launch(at, flash, arith::MulIOp::create(at, loc, heads, tiles), 1);
    };
    if (!ShapedType::isDynamic(staticTokens)) {
      launchFlash(host);
      op.erase();
      return success();
    }
    Value isMany = arith::CmpIOp::create(host, loc, arith::CmpIPredicate::uge, tokens, Value(arith::ConstantIndexOp::create(host, loc, leastFlashQueries)));
    auto branch = scf::IfOp::create(host, loc, isMany, /*withElseRegion=*/true);
    OpBuilder inside = branch.getThenBodyBuilder();
    launchFlash(inside);
    host.setInsertionPoint(branch.elseBlock()->getTerminator());
  }
  const KernelEntry entry =
      table.get(key, "moe_attention", warpsOfBlock * warpSize, 0, [&](StringRef name) { emit(op, name, ValueRange(operands).getTypes()); });
  launch(host, entry, arith::MulIOp::create(host, loc, heads, tokens), warpsOfBlock);
  op.erase();
  return success();
}

AttentionKernels::Operands AttentionKernels::begin(AttentionOp op, StringRef name, TypeRange types) {
  func::FuncOp function = b.beginKernel(table.device, name, types);
  unsigned next = 3;
  auto take = [&](bool isThere) { return isThere ? function.getArgument(next++) : Value(); };
  const Value q = function.getArgument(0), k = function.getArgument(1), v = function.getArgument(2);
  const Value mask = take(bool(op.getMask())), counts = take(bool(op.getCounts())), sink = take(bool(op.getSink()));
  const Value out = take(true), before = take(bool(op.getBefore()));
  return {q, k, v, mask, counts, sink, out, before};
}

void AttentionKernels::emit(AttentionOp op, StringRef name, TypeRange types) {
  OpBuilder::InsertionGuard guard(b);
  const Operands o = begin(op, name, types);
  Value thread = b.threadX(), lane = arith::IndexCastOp::create(b, b.getIndexType(), b.rem(thread, warpSize));
  Value warp = b.add(b.mul(b.blockX(), warpsOfBlock), b.div(thread, warpSize));
  Value number = arith::IndexCastOp::create(b, b.getIndexType(), warp);
  Value queries = sizeOf(b, b.getLoc(), o.q, 0);
  for (int64_t dim : {1, 2})
    queries = b.mul(queries, sizeOf(b, b.getLoc(), o.q, dim));
  b.ifTrue(b.less(number, queries), [&] { emitQuery(op, o, number, lane); });
  func::ReturnOp::create(b);
}

/// The lane's columns of a row as f32, zero behind the last.
SmallVector<Value> AttentionKernels::loadRow(Value memref, Value batch, Value head, Value row, Value lane) {
  const int64_t columns = cast<MemRefType>(memref.getType()).getDimSize(3);
  SmallVector<Value> values;
  for (int64_t first = 0; first < columns; first += warpSize) {
    Value column = b.add(lane, first);
    auto load = [&]() -> SmallVector<Value> { return {b.widen(memref::LoadOp::create(b, memref, ValueRange{batch, head, row, column}))}; };
    if (first + warpSize <= columns)
      values.push_back(load()[0]);
    else
      values.push_back(b.ifElse(b.less(column, index(columns)), {b.getF32Type()}, load, [&]() -> SmallVector<Value> { return {b.f32(0.0)}; })[0]);
  }
  return values;
}

void AttentionKernels::findKeys(AttentionOp op, const Operands &o, Query &query) {
  Value keys = sizeOf(b, b.getLoc(), o.k, 2), tokens = sizeOf(b, b.getLoc(), o.q, 2), place = query.token;
  if (o.counts) {
    Value count = arith::IndexCastOp::create(b, b.getIndexType(), memref::LoadOp::create(b, o.counts, ValueRange{query.batch}).getResult());
    place = b.add(place, b.sub(count, tokens));
    keys = b.min(keys, count);
  } else if (o.before) {
    place = b.add(place, o.before);
  }
  // The attributes are signed; their accessors are not.
  const auto left = static_cast<int64_t>(op.getLeft()), right = static_cast<int64_t>(op.getRight());
  if (op.getCausal())
    keys = b.min(keys, b.add(place, 1));
  if (right >= 0)
    keys = b.min(keys, b.add(place, right + 1));
  if (o.mask && cast<MemRefType>(o.mask.getType()).getDimSize(3) != 1)
    keys = b.min(keys, sizeOf(b, b.getLoc(), o.mask, 3));
  query.end = keys;
  query.first = index(0);
  if (left >= 0)
    query.first = arith::MaxSIOp::create(b, query.first, b.sub(place, left));
}

/// The mask's value for a key; a dim of size 1 is read for every index.
Value AttentionKernels::maskAt(const Operands &o, const Query &query, Value key) {
  SmallVector<Value> places = {query.batch, query.head, query.token, key};
  const auto type = cast<MemRefType>(o.mask.getType());
  for (int64_t dim = 0; dim < 4; ++dim) {
    if (type.getDimSize(dim) == 1)
      places[dim] = index(0);
    else if (type.isDynamicDim(dim))
      places[dim] = b.select(b.equal(sizeOf(b, b.getLoc(), o.mask, dim), index(1)), index(0), places[dim]);
  }
  return memref::LoadOp::create(b, o.mask, places);
}

Value AttentionKernels::score(AttentionOp op, const Operands &o, const Query &query, ArrayRef<Value> q, Value key, Value lane) {
  Value sum = b.f32(0.0);
  for (auto [left, right] : llvm::zip(q, loadRow(o.k, query.batch, query.keyHead, key, lane)))
    sum = b.fma(left, right, sum);
  return scoreOf(op, o, query, b.reduceWarp(sum, [&](Value x, Value y) { return b.addf(x, y); }), key);
}

Value AttentionKernels::scoreOf(AttentionOp op, const Operands &o, const Query &query, Value product, Value key) {
  Value score = b.mulf(product, b.f32(op.getScale().convertToDouble()));
  if (const double cap = op.getSoftcap().convertToDouble(); cap > 0)
    score = b.mulf(math.tanh(b.divf(score, b.f32(cap))), b.f32(cap));
  if (!o.mask)
    return score;
  Value mask = maskAt(o, query, key);
  return mask.getType().isInteger() ? b.select(mask, score, b.f32(-infinity)) : b.addf(score, b.widen(mask));
}

/// The head of keys and values that a head of queries reads.
Value AttentionKernels::keyHeadOf(const Operands &o, Value head) {
  const auto q = cast<MemRefType>(o.q.getType()), v = cast<MemRefType>(o.v.getType());
  if (!q.isDynamicDim(1) && !v.isDynamicDim(1))
    return b.div(head, q.getDimSize(1) / v.getDimSize(1));
  return b.div(head, b.div(sizeOf(b, b.getLoc(), o.q, 1), sizeOf(b, b.getLoc(), o.v, 1)));
}

void AttentionKernels::emitQuery(AttentionOp op, const Operands &o, Value number, Value lane) {
  Value tokens = sizeOf(b, b.getLoc(), o.q, 2), heads = sizeOf(b, b.getLoc(), o.q, 1);
  Query query;
  query.token = b.rem(number, tokens);
  query.head = b.rem(b.div(number, tokens), heads);
  query.batch = b.div(number, b.mul(tokens, heads));
  query.keyHead = keyHeadOf(o, query.head);
  findKeys(op, o, query);
  const SmallVector<Value> q = loadRow(o.q, query.batch, query.head, query.token, lane);
  // The greatest score so far, the sum of powers, and the sums of values.
  SmallVector<Value> carried = {b.f32(-infinity), b.f32(0.0)};
  if (o.sink)
    carried = {b.widen(memref::LoadOp::create(b, o.sink, ValueRange{query.head})), b.f32(1.0)};
  const int64_t columns = cast<MemRefType>(o.v.getType()).getDimSize(3);
  carried.append(llvm::divideCeil(columns, warpSize), b.f32(0.0));
  SmallVector<Value> sums = b.forLoop(query.first, query.end, index(1), carried, [&](Value key, ValueRange now) -> SmallVector<Value> {
    Value s = score(op, o, query, q, key, lane);
    Value most = arith::MaximumFOp::create(b, now[0], s);
    // Where no key was seen yet there is nothing to scale, and -inf less -inf is no number.
    Value isNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, most, b.f32(-infinity));
    Value base = b.select(isNone, b.f32(0.0), most);
    Value keep = math.exp(b.subf(now[0], base)), power = math.exp(b.subf(s, base));
    SmallVector<Value> next = {most, b.fma(now[1], keep, power)};
    for (auto [sum, value] : llvm::zip(now.drop_front(2), loadRow(o.v, query.batch, query.keyHead, key, lane)))
      next.push_back(b.fma(power, value, b.mulf(sum, keep)));
    return next;
  });
  Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sums[1], b.f32(0.0));
  const Type out = cast<MemRefType>(o.out.getType()).getElementType();
  for (auto [part, sum] : llvm::enumerate(ArrayRef(sums).drop_front(2))) {
    Value column = b.add(lane, int64_t(part) * warpSize);
    Value value = b.narrow(b.select(isEmpty, b.f32(0.0), b.divf(sum, sums[1])), out);
    b.ifTrue(b.less(column, index(columns)),
             [&] { memref::StoreOp::create(b, value, o.out, ValueRange{query.batch, query.head, query.token, column}); });
  }
}

} // namespace moe
