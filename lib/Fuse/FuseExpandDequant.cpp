// A dequantised weight that no kernel reads (a table that rows are gathered from, a product that no kernel can do) is computed in a loop like
// any elementwise op; one of ternary_dict is decoded by package. Before: products have become kernels. After: a moe.dequant is left only where grouped_matmuls read it.
#include "moe/Fuse/Passes.h"
#include "moe/IR/Layers.h"
#include "moe/IR/Quantization.h"

#include "mlir/IR/SymbolTable.h"

#include <cmath>

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_FUSEEXPANDDEQUANT
#include "moe/Fuse/Passes.h.inc"

namespace {

/// The bytes of a dense attribute as a file has them: elements below a byte are packed, lowest bits first.
SmallVector<char> packedBytes(DenseElementsAttr dense) {
  const unsigned width = dense.getElementType().getIntOrFloatBitWidth();
  const int64_t count = dense.getNumElements(), size = std::max<unsigned>(width / 8, 1);
  const ArrayRef<char> raw = dense.getRawData();
  SmallVector<char> bytes((count * width + 7) / 8);
  for (int64_t i = 0; i < count; ++i) {
    const ArrayRef<char> element = raw.slice(dense.isSplat() ? 0 : i * size, size);
    if (width >= 8)
      llvm::copy(element, bytes.begin() + i * size);
    else
      bytes[i * width / 8] |= static_cast<char>((element[0] & ((1 << width) - 1)) << (i * width % 8));
  }
  return bytes;
}

/// A weight of the numbers that the strings of a dictionary stand for: package decodes them, since where a number's code lies is data. An error
/// where a part is not stored.
FailureOr<Value> storedNumbers(DequantOp op, SymbolTable &symbols, OpBuilder &builder) {
  SmallVector<Attribute> from;
  WeightOp first;
  for (Value part : op->getOperands()) {
    auto reference = part.getDefiningOp<WeightRefOp>();
    auto weight = reference ? symbols.lookup<WeightOp>(reference.getWeight()) : WeightOp();
    if (!weight || !weight.getSource())
      return op.emitError() << describeOp(op) << ": dequantising a weight that is computed is not supported yet; expected a moe.weight_ref", failure();
    first = first ? first : weight;
    from.push_back(reference.getWeightAttr());
  }
  MLIRContext *context = op.getContext();
  auto wanted = cast<RankedTensorType>(op.getType());
  const RankedTensorType type = wanted.clone(builder.getF32Type());
  OpBuilder detached(context);
  auto numbers = WeightOp::create(detached, first.getLoc(), StringAttr::get(context, first.getSymName() + ".numbers"), StringAttr(), TypeAttr::get(type),
                                  Attribute(), PackingFamilyAttr::get(context, PackingFamily::Plain), builder.getArrayAttr(from), WeightOrderAttr(),
                                  GateLayoutAttr(), IntegerAttr(), IntegerAttr(), op.getFormatAttr(), TypeAttr::get(type), BlocksAttr());
  const StringAttr name = symbols.insert(numbers, std::next(first->getIterator()));
  Value value = WeightRefOp::create(builder, op.getLoc(), type, FlatSymbolRefAttr::get(name));
  if (type == wanted)
    return value;
  Value empty = tensor::EmptyOp::create(builder, op.getLoc(), wanted.getShape(), wanted.getElementType());
  const SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(wanted.getRank()));
  const SmallVector<utils::IteratorType> loops(wanted.getRank(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(builder, op.getLoc(), TypeRange{wanted}, ValueRange{value}, ValueRange{empty}, maps, loops,
                                   [&](OpBuilder &b, Location loc, ValueRange arguments) {
                                     Value narrow = arith::TruncFOp::create(b, loc, wanted.getElementType(), arguments[0]);
                                     linalg::YieldOp::create(b, loc, narrow);
                                   })
      ->getResult(0);
}

/// Writes the loop of one dequantisation.
class DequantExpander {
public:
  DequantExpander(DequantOp op, SymbolTable &symbols, OpBuilder &builder) : op(op), symbols(symbols), builder(builder), loc(op.getLoc()) {}

  /// The dequantised tensor; an error where a part is not stored.
  FailureOr<Value> expand();

private:
  FailureOr<Value> flat(Value part);
  Value number(OpBuilder &b, Value bytes, Value codeIndex);
  Value real(OpBuilder &b, Value part, Value index);
  Value value(OpBuilder &b);
  Value index(OpBuilder &b, int64_t number) { return arith::ConstantIndexOp::create(b, loc, number); }
  Value mul(OpBuilder &b, Value x, int64_t y) { return y == 1 ? x : arith::MulIOp::create(b, loc, x, index(b, y)).getResult(); }
  Value div(OpBuilder &b, Value x, int64_t y) { return y == 1 ? x : arith::DivUIOp::create(b, loc, x, index(b, y)).getResult(); }
  Value rem(OpBuilder &b, Value x, int64_t y) { return arith::RemUIOp::create(b, loc, x, index(b, y)); }
  Value add(OpBuilder &b, Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value table(ArrayRef<float> values) {
    auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, builder.getF32Type());
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, values));
  }

  DequantOp op;
  SymbolTable &symbols;
  OpBuilder &builder;
  Location loc;
  QuantLayout layout;
  /// Parts as vectors: of bytes, or of floats where kernels could read them too. Tables of what codes and scales of a byte stand for.
  Value payload, scales, zeros, codeTable, scaleTable;
};

} // namespace

/// Another symbol for the same bytes: floats of 16 or more bits one after the other, everything else as bytes.
FailureOr<Value> DequantExpander::flat(Value part) {
  auto reference = part.getDefiningOp<WeightRefOp>();
  auto weight = reference ? symbols.lookup<WeightOp>(reference.getWeight()) : WeightOp();
  if (!weight || !weight.getSource())
    return op.emitError() << describeOp(op) << ": dequantising a weight that is computed is not supported yet; expected a moe.weight_ref", failure();
  auto type = cast<RankedTensorType>(weight.getType());
  const unsigned width = type.getElementTypeBitWidth();
  const bool floats = width >= 16;
  const int64_t count = type.getNumElements();
  auto flatType = RankedTensorType::get({floats ? count : (count * width + 7) / 8}, floats ? type.getElementType() : builder.getI8Type());
  Attribute source = *weight.getSource();
  if (auto dense = dyn_cast<DenseElementsAttr>(source))
    source = floats ? Attribute(dense.reshape(flatType)) : Attribute(DenseElementsAttr::getFromRawBuffer(flatType, packedBytes(dense)));
  else if (!isa<FileAttr>(source))
    return op.emitError() << describeOp(op) << ": expected weight @" << weight.getSymName() << " in a file or as a dense attribute", failure();
  OpBuilder detached(op.getContext());
  auto view = WeightOp::create(detached, weight.getLoc(), StringAttr::get(op.getContext(), weight.getSymName() + ".flat"), StringAttr(),
                               TypeAttr::get(flatType), source, PackingFamilyAttr(), ArrayAttr(), WeightOrderAttr(), GateLayoutAttr(), IntegerAttr(),
                               IntegerAttr(), QuantAttr(), TypeAttr(), BlocksAttr());
  const StringAttr name = symbols.insert(view, std::next(weight->getIterator()));
  return WeightRefOp::create(builder, reference.getLoc(), flatType, FlatSymbolRefAttr::get(name)).getResult();
}

/// The number that the code at `codeIndex` of `bytes` stands for.
Value DequantExpander::number(OpBuilder &b, Value bytes, Value codeIndex) {
  const int64_t perByte = 8 / layout.bits;
  const Type i32 = b.getI32Type();
  auto constant = [&](int64_t value) { return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(static_cast<int32_t>(value))); };
  Value byte = tensor::ExtractOp::create(b, loc, bytes, div(b, codeIndex, perByte));
  Value code = arith::ExtUIOp::create(b, loc, i32, byte);
  if (perByte > 1) {
    Value shift = arith::IndexCastOp::create(b, loc, i32, mul(b, rem(b, codeIndex, perByte), layout.bits));
    code = arith::AndIOp::create(b, loc, arith::ShRUIOp::create(b, loc, code, shift), constant((1 << layout.bits) - 1));
  }
  if (!isIntegerFormat(layout.format))
    return tensor::ExtractOp::create(b, loc, codeTable, Value(arith::IndexCastUIOp::create(b, loc, b.getIndexType(), code)));
  if (layout.isSigned) {
    Value above = constant(32 - layout.bits);
    code = arith::ShRSIOp::create(b, loc, arith::ShLIOp::create(b, loc, code, above), above);
  }
  return arith::SIToFPOp::create(b, loc, b.getF32Type(), code);
}

/// Element `index` of scales or float zero points, in f32.
Value DequantExpander::real(OpBuilder &b, Value part, Value index) {
  Value value = tensor::ExtractOp::create(b, loc, part, index);
  if (value.getType().isInteger(8))
    return tensor::ExtractOp::create(b, loc, scaleTable, Value(arith::IndexCastUIOp::create(b, loc, b.getIndexType(), value)));
  return value.getType().isF32() ? value : arith::ExtFOp::create(b, loc, b.getF32Type(), value).getResult();
}

/// The element at the indices of the generic around `b`.
Value DequantExpander::value(OpBuilder &b) {
  const ArrayRef<int64_t> shape = cast<RankedTensorType>(op.getType()).getShape();
  const int64_t rank = shape.size();
  Value outer = index(b, 0), row = linalg::IndexOp::create(b, loc, rank - 2), column = linalg::IndexOp::create(b, loc, rank - 1);
  for (int64_t dim = 0; dim < rank - 2; ++dim)
    outer = add(b, mul(b, outer, shape[dim]), linalg::IndexOp::create(b, loc, dim));
  Value line = add(b, mul(b, outer, layout.rows), row);
  Value result = number(b, payload, add(b, mul(b, line, layout.rowCodes), column));
  Value group = add(b, mul(b, outer, layout.scaleRows), div(b, row, layout.groupRows));
  Value scale = add(b, mul(b, group, layout.scaleColumns), div(b, column, layout.groupColumns));
  Value zero;
  if (layout.zeros == QuantLayout::Zeros::Floats)
    zero = real(b, zeros, scale);
  else if (layout.zeros == QuantLayout::Zeros::Codes)
    zero = number(b, zeros, add(b, mul(b, div(b, scale, layout.scaleLine), layout.zeroLine), rem(b, scale, layout.scaleLine)));
  else if (isIntegerFormat(layout.format) && layout.impliedZero() != 0)
    zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(layout.impliedZero())));
  if (zero)
    result = arith::SubFOp::create(b, loc, result, zero);
  result = arith::MulFOp::create(b, loc, real(b, scales, scale), result);
  const Type element = cast<RankedTensorType>(op.getType()).getElementType();
  return element.isF32() ? result : arith::TruncFOp::create(b, loc, element, result).getResult();
}

FailureOr<Value> DequantExpander::expand() {
  if (op.getFormat().getFormat() == QuantFormat::TernaryDict)
    return storedNumbers(op, symbols, builder);
  auto typeOf = [](Value value) { return value ? cast<RankedTensorType>(value.getType()) : RankedTensorType(); };
  const FailureOr<QuantLayout> read = QuantLayout::get(
      {op.getFormat(), typeOf(op.getPayload()), typeOf(op.getScales()), typeOf(op.getZeros()), op.getType()}, [&]() { return op.emitOpError(); });
  if (failed(read))
    return failure();
  layout = *read;
  for (auto [part, place] : {std::pair(op.getPayload(), &payload), std::pair(op.getScales(), &scales), std::pair(op.getZeros(), &zeros)}) {
    FailureOr<Value> view = part ? flat(part) : FailureOr<Value>(Value());
    if (failed(view))
      return failure();
    *place = *view;
  }
  SmallVector<float> values;
  for (unsigned code = 0; !isIntegerFormat(layout.format) && code < 1u << layout.bits; ++code)
    values.push_back(codeValue(layout.format, code));
  codeTable = values.empty() ? Value() : table(values);
  const Type scaleType = typeOf(op.getScales()).getElementType();
  if (scaleType.getIntOrFloatBitWidth() == 8) {
    values.clear();
    for (int code = 0; code < 256; ++code)
      values.push_back(isa<Float8E4M3FNType>(scaleType) ? codeValue(QuantFormat::Fp8Block, code)
                       : code == 255                    ? std::nanf("")
                                                        : std::ldexp(1.0f, code - 127));
    scaleTable = table(values);
  }
  Value empty = tensor::EmptyOp::create(builder, loc, op.getType().getShape(), op.getType().getElementType());
  const int64_t rank = op.getType().getRank();
  const SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(builder, loc, TypeRange{op.getType()}, ValueRange{}, ValueRange{empty},
                                           ArrayRef<AffineMap>{builder.getMultiDimIdentityMap(rank)}, loops,
                                           [&](OpBuilder &b, Location, ValueRange) { linalg::YieldOp::create(b, loc, value(b)); });
  return generic->getResult(0);
}

namespace {
struct FuseExpandDequant : impl::FuseExpandDequantBase<FuseExpandDequant> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<DequantOp> ops;
    getOperation().walk([&](DequantOp op) {
      if (!llvm::all_of(op->getUsers(), llvm::IsaPred<GroupedMatmulOp, PartExpertsOp>))
        ops.push_back(op);
    });
    for (DequantOp op : ops) {
      OpBuilder builder(op);
      FailureOr<Value> value = DequantExpander(op, symbols, builder).expand();
      if (failed(value))
        return signalPassFailure();
      op.getResult().replaceUsesWithIf(*value, [](OpOperand &use) { return !isa<GroupedMatmulOp, PartExpertsOp>(use.getOwner()); });
      if (op->use_empty())
        op.erase();
    }
  }
};
} // namespace
} // namespace moe
