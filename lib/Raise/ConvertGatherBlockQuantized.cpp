// com.microsoft.GatherBlockQuantized: rows of a table of codes, dequantised as they are read. The table stays in the file as it is; an index that is
// no row gives zeros.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::convertScalar;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

struct Table {
  SizedTensor codes, scales, zeros; // zeros is empty where absent
  int64_t bits, block, gatherAxis, quantizeAxis;
};

FailureOr<Table> readTable(NodeConverter &node) {
  Table table;
  table.codes = node.input(0);
  table.scales = node.input(2);
  if (node.has(3))
    table.zeros = node.input(3);
  if (node.failed())
    return failure();
  if (!node.inputElement(0).isUnsignedInteger(8))
    return node.error() << "has data of type " << node.inputElement(0) << ", expected ui8";
  FailureOr<int64_t> gather = node.axis(node.getInt("gather_axis", 0), table.codes.rank());
  FailureOr<int64_t> quantize = node.axis(node.getInt("quantize_axis", 1), table.codes.rank());
  if (failed(gather) || failed(quantize))
    return failure();
  table.gatherAxis = *gather;
  table.quantizeAxis = *quantize;
  table.bits = node.getInt("bits", 4);
  table.block = node.getInt("block_size", 128);
  if (table.block < 16 || (table.block & (table.block - 1)) != 0)
    return node.error() << "has 'block_size' = " << table.block << ", expected a power of 2 that is 16 or more";
  if (table.gatherAxis != 0 || table.quantizeAxis == 0)
    return node.error() << "has 'gather_axis' = " << table.gatherAxis << " and 'quantize_axis' = " << table.quantizeAxis
                        << ", expected to gather on axis 0 and quantize on another";
  if (!isa<FloatType>(table.scales.elementType()) || table.scales.rank() != table.codes.rank() ||
      (table.zeros && table.zeros.rank() != table.codes.rank()))
    return node.error() << "needs scales of floats and zero_points with as many dims as the data, " << table.codes.rank();
  return table;
}

/// The code at `at`, where `perByte` of them share a byte of the last dim, lowest bits first; as i32.
Value readCode(OpBuilder &b, Location loc, const SizedTensor &codes, ArrayRef<Value> at, int64_t bits) {
  SmallVector<Value> place(at);
  const Type i32 = b.getI32Type();
  Value perByte = arith::ConstantIndexOp::create(b, loc, 8 / bits);
  place.back() = arith::DivUIOp::create(b, loc, at.back(), perByte);
  Value byte = arith::ExtUIOp::create(b, loc, i32, tensor::ExtractOp::create(b, loc, codes.value, place));
  Value inByte = arith::IndexCastOp::create(b, loc, i32, arith::RemUIOp::create(b, loc, at.back(), perByte));
  Value shift = arith::MulIOp::create(b, loc, inByte, arith::ConstantIntOp::create(b, loc, i32, bits));
  return arith::AndIOp::create(b, loc, arith::ShRUIOp::create(b, loc, byte, shift), arith::ConstantIntOp::create(b, loc, i32, (1 << bits) - 1));
}

LogicalResult convertGatherBlockQuantized(NodeConverter &node) {
  FailureOr<Table> read = readTable(node);
  SizedTensor indices = node.input(1);
  if (failed(read) || !indices)
    return failure();
  const Table &table = *read;
  TensorBuilder &t = node.t;
  SmallVector<AffineExpr> dims = node.resultDims(), indexReads;
  for (int64_t i = 0; i < indices.rank(); ++i)
    indexReads.push_back(getAffineDimExpr(i, t.context()));
  t.requireIndexable(table.codes.dims[0], indices.dims);
  Value rows = t.indexOf(table.codes.dims[0]), zero = t.indexConstant(0), one = t.indexConstant(1), block = t.indexConstant(table.block);
  const Type type = table.scales.elementType(), f32 = t.builder.getF32Type();
  const AffineMap map = AffineMap::get(dims.size(), 0, indexReads, t.context());
  return node.finish(t.points(indices, map, dims, type, [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    Value index = arith::IndexCastOp::create(b, loc, b.getIndexType(), in[0]);
    Value isBehind = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, zero);
    Value row = arith::SelectOp::create(b, loc, isBehind, arith::AddIOp::create(b, loc, index, rows), index);
    Value exists = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, row, rows);
    Value last = arith::SubIOp::create(b, loc, rows, one);
    SmallVector<Value> place = {arith::MaxSIOp::create(b, loc, arith::MinSIOp::create(b, loc, row, last), zero)};
    llvm::append_range(place, at.drop_front(indices.rank()));
    Value code = readCode(b, loc, table.codes, place, table.bits);
    SmallVector<Value> group = place;
    group[table.quantizeAxis] = arith::DivUIOp::create(b, loc, group[table.quantizeAxis], block);
    Value scale = tensor::ExtractOp::create(b, loc, table.scales.value, group);
    Value shift = table.zeros ? readCode(b, loc, table.zeros, group, table.bits)
                              : arith::ConstantIntOp::create(b, loc, b.getI32Type(), 1 << (table.bits - 1)).getResult();
    Value number = arith::SIToFPOp::create(b, loc, f32, arith::SubIOp::create(b, loc, code, shift));
    Value value = convertScalar(b, loc, arith::MulFOp::create(b, loc, number, convertScalar(b, loc, scale, f32)), type);
    return arith::SelectOp::create(b, loc, exists, value, arith::ConstantOp::create(b, loc, b.getFloatAttr(type, 0)));
  }));
}

} // namespace

void moe::addGatherBlockQuantizedConversions(ConversionTable &table) {
  table.add("GatherBlockQuantized", convertGatherBlockQuantized, "com.microsoft");
}
