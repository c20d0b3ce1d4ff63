// Rows of f32 become rows of int8: what #moe.blocks says of them, as loops. Codes are rounded by adding 1.5·2^23, which leaves the integer,
// ties to even, in the low bits of the sum: exact, and the same on every CPU.
#include "QuantizedRows.h"

#include "LoopWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace moe {
namespace {

constexpr double roundingNumber = 0x1.8p23;
/// Bits of infinity and of 2^-100: parts with a greater magnitude than the one, or none of the other, have no scale of their own.
constexpr int64_t infinityBits = 0x7f800000, leastBits = int64_t(127 - 100) << 23;

/// Writes the loops for one block of one row.
class RowBlockWriter {
public:
  RowBlockWriter(LoopWriter &w, BlocksAttr blocks, int64_t depth, Value x, Value out, Value row, Value block)
      : w(w), blocks(blocks), depth(depth), x(x), out(out), row(row), start(w.mul(block, w.index(blocks.getGroup()))),
        place(w.mul(block, w.index(blocks.rowBlockBytes()))) {}

  void write() {
    for (int64_t part = 0; part < blocks.partCount(); ++part)
      writePart(part);
  }

private:
  /// The scale of a part and what its numbers are multiplied with.
  struct Factors {
    Value scale, inverse;
  };

  void writePart(int64_t part);
  void writeWhole(int64_t part, int64_t length, int64_t lanes);
  void writeSome(int64_t part, Value count, int64_t filled);
  Factors factors(Value magnitude);
  void finish(int64_t part, Value scale, Value sum);

  Value constant(Type type, int64_t value) {
    auto vector = dyn_cast<VectorType>(type);
    const IntegerAttr number = w.builder.getI32IntegerAttr(static_cast<int32_t>(value));
    return vector ? arith::ConstantOp::create(w.builder, w.loc, DenseElementsAttr::get(vector, number.getValue()))
                  : arith::ConstantOp::create(w.builder, w.loc, number);
  }
  /// A number of f32 (or a vector) as its bits and back.
  Value asBits(Value value) { return arith::BitcastOp::create(w.builder, w.loc, integers(value.getType()), value); }
  Type integers(Type type) {
    auto vector = dyn_cast<VectorType>(type);
    return vector ? Type(vector.clone(w.builder.getI32Type())) : w.builder.getI32Type();
  }
  Value magnitude(Value value) {
    Value all = asBits(value);
    return arith::AndIOp::create(w.builder, w.loc, all, constant(all.getType(), 0x7fffffff));
  }
  Value spread(Value scalar, int64_t lanes) {
    return lanes == 1 ? scalar : vector::BroadcastOp::create(w.builder, w.loc, VectorType::get({lanes}, scalar.getType()), scalar).getResult();
  }
  /// The codes of some numbers, in the low bytes of i32, and as numbers.
  Value codeBits(Value value, Value inverse, int64_t lanes) {
    return asBits(w.add(w.mul(value, spread(inverse, lanes)), spread(w.f32(roundingNumber), lanes)));
  }
  Value codeNumbers(Value bits) {
    Value above = constant(bits.getType(), 24);
    return arith::ShRSIOp::create(w.builder, w.loc, arith::ShLIOp::create(w.builder, w.loc, bits, above), above);
  }
  Value columnOf(int64_t part) { return w.add(start, w.index(part * BlocksAttr::partDepth)); }
  Value byteOf(int64_t offset) { return w.add(place, w.index(offset)); }
  Value codesOf(int64_t part) { return byteOf(8 * blocks.partCount() + part * BlocksAttr::partDepth); }

  LoopWriter &w;
  const BlocksAttr blocks;
  const int64_t depth;
  const Value x, out, row;
  /// The block's first value of k, and its first byte.
  const Value start, place;
};

} // namespace

void RowBlockWriter::writePart(int64_t part) {
  const int64_t before = part * BlocksAttr::partDepth, length = std::min(BlocksAttr::partDepth, blocks.getGroup() - before);
  const bool isLast = part + 1 == blocks.partCount();
  const int64_t filled = isLast ? blocks.filledGroup() - before : length;
  const int64_t lanes = length % 16 == 0 ? 16 : length % 8 == 0 ? 8 : length % 4 == 0 ? 4 : 1;
  const bool fits = lanes > 1 && filled == length;
  if (fits && depth % blocks.getGroup() == 0)
    return writeWhole(part, length, lanes);
  Value left = w.max(w.sub(w.index(depth), columnOf(part)), w.index(0)), count = w.min(left, w.index(length));
  if (!fits)
    return writeSome(part, count, filled);
  Value isWhole = w.eq(count, w.index(length));
  w.when(isWhole, [&]() { writeWhole(part, length, lanes); });
  w.when(w.negate(isWhole), [&]() { writeSome(part, count, filled); });
}

void RowBlockWriter::writeWhole(int64_t part, int64_t length, int64_t lanes) {
  const auto type = VectorType::get({lanes}, w.builder.getF32Type());
  const auto bytes = VectorType::get({lanes}, w.builder.getI8Type());
  SmallVector<Value> numbers;
  Value greatest, sum;
  for (int64_t k = 0; k < length; k += lanes) {
    numbers.push_back(vector::LoadOp::create(w.builder, w.loc, type, x, ValueRange{row, w.add(columnOf(part), w.index(k))}));
    Value here = magnitude(numbers.back());
    greatest = greatest ? w.max(greatest, here) : here;
  }
  greatest = vector::ReductionOp::create(w.builder, w.loc, vector::CombiningKind::MAXSI, greatest);
  const Factors f = factors(greatest);
  for (const auto &[index, value] : llvm::enumerate(numbers)) {
    Value bits = codeBits(value, f.inverse, lanes), codes = codeNumbers(bits);
    Value narrow = arith::TruncIOp::create(w.builder, w.loc, bytes, bits);
    vector::StoreOp::create(w.builder, w.loc, narrow, out, ValueRange{row, w.add(codesOf(part), w.index(index * lanes))});
    sum = sum ? w.add(sum, codes) : codes;
  }
  finish(part, f.scale, vector::ReductionOp::create(w.builder, w.loc, vector::CombiningKind::ADD, sum));
}

// Number by number: the first `count` of a part, the rest of its `filled` codes are 0.
void RowBlockWriter::writeSome(int64_t part, Value count, int64_t filled) {
  const Value column = columnOf(part), codes = codesOf(part), zero = w.index(0);
  Value greatest = w.loop(zero, count, ValueRange{w.i32(0)}, [&](Value k, ValueRange carried) {
    return LoopWriter::Values{w.max(carried[0], magnitude(w.load(x, {row, w.add(column, k)})))};
  })[0];
  const Factors f = factors(greatest);
  Value sum = w.loop(zero, count, ValueRange{w.i32(0)}, [&](Value k, ValueRange carried) {
    Value bits = codeBits(w.load(x, {row, w.add(column, k)}), f.inverse, 1);
    w.store(arith::TruncIOp::create(w.builder, w.loc, w.builder.getI8Type(), bits), out, {row, w.add(codes, k)});
    return LoopWriter::Values{w.add(carried[0], codeNumbers(bits))};
  })[0];
  Value none = arith::ConstantIntOp::create(w.builder, w.loc, 0, 8);
  w.loop(count, w.index(filled), [&](Value k) { w.store(none, out, {row, w.add(codes, k)}); });
  finish(part, f.scale, sum);
}

// The bits of magnitudes order numbers, infinity above them and NaN above that.
RowBlockWriter::Factors RowBlockWriter::factors(Value magnitude) {
  Value number = arith::BitcastOp::create(w.builder, w.loc, w.builder.getF32Type(), magnitude);
  Value isSpecial = w.ge(magnitude, w.i32(infinityBits)), isNothing = w.lt(magnitude, w.i32(leastBits));
  Value scale = w.select(isNothing, w.f32(0.0), w.div(number, w.f32(127.0)));
  scale = w.select(isSpecial, w.f32(std::numeric_limits<float>::quiet_NaN()), scale);
  return {scale, w.select(w.either(isSpecial, isNothing), w.f32(0.0), w.div(w.f32(127.0), number))};
}

void RowBlockWriter::finish(int64_t part, Value scale, Value sum) {
  if (!blocks.getZero())
    sum = w.mul(sum, w.i32(-(int64_t(1) << (blocks.bits() - 1))));
  const auto bytes = VectorType::get({4}, w.builder.getI8Type());
  for (auto [value, offset] : {std::pair(scale, 4 * part), std::pair(sum, 4 * (blocks.partCount() + part))}) {
    Value one = vector::BroadcastOp::create(w.builder, w.loc, VectorType::get({1}, value.getType()), value);
    vector::StoreOp::create(w.builder, w.loc, Value(vector::BitCastOp::create(w.builder, w.loc, bytes, one)), out, ValueRange{row, byteOf(offset)});
  }
}

// A product of integers that nobody else reads makes rows of int8 itself, unless a part of them has columns of two of its units.
Value QuantizedRows::byProducer(Value x, int64_t depth, BlocksAttr kind) {
  auto producer = x.getDefiningOp<GroupedMatmulOp>();
  if (!producer || !x.hasOneUse() || producer.getCombineRows() || !producer.getBlocks() || !producer.getBlocks()->getQuads())
    return {};
  auto empty = producer.getOuts()[0].getDefiningOp<tensor::EmptyOp>();
  if (!empty || !empty.getType().getElementType().isF32() || kind.getGroup() % BlocksAttr::partDepth != 0 || depth % kind.getGroup() != 0)
    return {};
  OpBuilder builder(producer);
  const OpFoldResult bytes = builder.getIndexAttr(kind.rowBytes(depth));
  Value out = tensor::EmptyOp::create(builder, producer.getLoc(), ArrayRef<OpFoldResult>{empty.getMixedSizes()[0], bytes}, builder.getI8Type());
  producer.getOutsMutable().assign(out);
  producer.setOutBlocksAttr(kind);
  x.setType(out.getType());
  if (empty->use_empty())
    empty->erase();
  return x;
}

Value QuantizedRows::quantized(GroupedMatmulOp op, int64_t depth, BlocksAttr blocks) {
  OpBuilder builder(op);
  const Location loc = op.getLoc();
  // Rows do not depend on how the weight's own scales and zero points are stored.
  const auto kind = BlocksAttr::get(op.getContext(), blocks.getCode(), blocks.getGroup(), builder.getF32Type(),
                                    blocks.getZero() ? Type(builder.getI8Type()) : Type(), /*quads=*/true,
                                    /*dictionary=*/0);
  const Value x = op.getX();
  if (Value own = byProducer(x, depth, kind))
    return own;
  Value &rows = made[{x, kind, op->getBlock()}];
  if (rows)
    return rows;
  const int64_t bytes = blocks.rowBytes(depth), count = blocks.blockCount(depth);
  const OpFoldResult size = tensor::getMixedSize(builder, loc, x, 0);
  Value empty = tensor::EmptyOp::create(builder, loc, ArrayRef<OpFoldResult>{size, builder.getIndexAttr(bytes)}, builder.getI8Type());
  Value items = arith::ConstantIndexOp::create(builder, loc, count);
  items = builder.createOrFold<arith::MulIOp>(loc, getValueOrCreateConstantIndexOp(builder, loc, size), items);
  auto routine = RoutineOp::create(builder, loc, empty.getType(), "quantize_rows", items, ValueRange{x}, ValueRange{empty});
  Block &body = routine.getBody().emplaceBlock();
  OpBuilder inner = OpBuilder::atBlockBegin(&body);
  Value begin = body.addArgument(inner.getIndexType(), loc), end = body.addArgument(inner.getIndexType(), loc);
  auto argument = [&](Value tensor) {
    auto type = cast<RankedTensorType>(tensor.getType());
    return body.addArgument(MemRefType::get(type.getShape(), type.getElementType()), loc);
  };
  Value in = argument(x), out = argument(empty);
  LoopWriter w(inner, loc);
  w.loop(begin, end, [&](Value item) {
    Value row = w.div(item, w.index(count)), block = w.rem(item, w.index(count));
    RowBlockWriter(w, kind, depth, in, out, row, block).write();
  });
  return rows = routine.getResults()[0];
}

} // namespace moe
