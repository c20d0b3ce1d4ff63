// A string of the codebook is up to 14 pairs of 2-bit digits, seven in the upper 28 bits of each of its two words, so a column is decoded by
// shifting words into place: no digit is touched by itself.
#include "DictionaryDecoder.h"

#include "moe/IR/Quantization.h"

using namespace mlir;
namespace moe {

namespace {

/// Digits of one column that are not stored yet: `bits` below 32, and the line that they go to.
struct Column {
  Value digits, bits, line;
};

class DictionaryDecoder {
public:
  DictionaryDecoder(KernelBuilder &b, BlocksAttr blocks, int64_t panels) : b(b), blocks(blocks), panels(panels) {}

  func::FuncOp emit(ModuleOp module, StringRef name);

private:
  void copyNumbers(Value from);
  void decodeColumn(Value codes, Value first, Value last, Value out);
  Column append(Column column, Value digits, Value bits, Value out);
  void storeLine(Value digits, Value line, Value out);
  Value load(Type element, Value base, Value index) { return b.load(element, b.at(base, element, index)); }
  Value bitAnd(Value value, Value mask) { return arith::AndIOp::create(b, value, mask); }
  Value shiftRight(Value value, Value bits) { return arith::ShRUIOp::create(b, value, bits); }
  Value shiftLeft(Value value, Value bits) { return arith::ShLIOp::create(b, value, bits); }

  KernelBuilder &b;
  const BlocksAttr blocks;
  const int64_t panels;
  Value codebook, to;
};

} // namespace

func::FuncOp DictionaryDecoder::emit(ModuleOp module, StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  const Type ptr = b.ptrType(), i8 = b.getI8Type(), i32 = b.getI32Type();
  func::FuncOp function = b.beginFunction(module, name, {ptr, ptr, b.getI64Type(), ptr});
  Value starts = function.getArgument(0), panel = function.getArgument(2);
  codebook = function.getArgument(1);
  to = function.getArgument(3);
  copyNumbers(b.at(b.at(starts, i8, blocks.dictionaryNumbers(panels)), i8, b.mul(panel, b.i64(blocks.scaleBytes()))));
  Value codes = b.at(starts, i8, blocks.dictionaryCodes(panels)), out = b.at(to, i8, blocks.scaleBytes());
  b.forLoop(b.i64(0), b.i64(panelColumns), [&](Value column) {
    Value place = b.add(b.mul(panel, b.i64(panelColumns)), column);
    decodeColumn(codes, b.toI64(load(i32, starts, place)), b.toI64(load(i32, starts, b.add(place, b.i64(1)))), b.at(out, i32, column));
  });
  func::ReturnOp::create(b);
  return function;
}

void DictionaryDecoder::copyNumbers(Value from) {
  const Type i64 = b.getI64Type();
  b.forLoop(b.i64(0), b.i64(blocks.scaleBytes() / 8), [&](Value i) { b.store(load(i64, from, i), b.at(to, i64, i)); });
}

void DictionaryDecoder::decodeColumn(Value codes, Value first, Value last, Value out) {
  const Type i16 = b.getI16Type(), i64 = b.getI64Type();
  Value zero = b.i64(0), one = b.i64(1), four = b.i64(4);
  const SmallVector<Value> end = b.forLoop(first, last, one, {zero, zero, zero}, [&](Value place, ValueRange carried) -> SmallVector<Value> {
    Value words = load(i64, codebook, arith::ExtUIOp::create(b, i64, load(i16, codes, place)));
    Value bits = b.mul(bitAnd(words, b.i64(15)), four);
    Value first = bitAnd(shiftRight(words, four), b.i64((1 << 28) - 1));
    Value digits = arith::OrIOp::create(b, first, shiftLeft(shiftRight(words, b.i64(36)), b.i64(28)));
    // What lies above the last pair means nothing.
    digits = bitAnd(digits, b.sub(shiftLeft(one, bits), one));
    const Column column = append({carried[0], carried[1], carried[2]}, digits, bits, out);
    return {column.digits, column.bits, column.line};
  });
  storeLine(end[0], end[2], out);
}

// Stores the lines that are being filled every time: a branch would be missed too often.
Column DictionaryDecoder::append(Column column, Value digits, Value bits, Value out) {
  Value low = arith::OrIOp::create(b, column.digits, shiftLeft(digits, column.bits));
  Value high = shiftRight(shiftRight(digits, b.i64(1)), b.sub(b.i64(63), column.bits));
  storeLine(low, column.line, out);
  storeLine(shiftRight(low, b.i64(32)), b.add(column.line, b.i64(1)), out);
  Value filled = b.add(column.bits, bits), lines = shiftRight(filled, b.i64(5));
  Value isHigh = b.compare(arith::CmpIPredicate::eq, lines, b.i64(2));
  Value rest = b.select(isHigh, high, shiftRight(low, bitAnd(filled, b.i64(32))));
  // A broken artifact must not write past its panel.
  const int64_t last = llvm::divideCeil(blocks.getGroup(), BlocksAttr::digitsPerLane);
  return {rest, bitAnd(filled, b.i64(31)), b.min(b.add(column.line, lines), b.i64(last))};
}

void DictionaryDecoder::storeLine(Value digits, Value line, Value out) {
  b.store(arith::TruncIOp::create(b, b.getI32Type(), digits), b.at(out, b.getI32Type(), b.mul(line, b.i64(panelColumns))));
}

func::FuncOp emitDictionaryDecoder(KernelBuilder &b, BlocksAttr blocks, int64_t panels, ModuleOp module, StringRef name) {
  return DictionaryDecoder(b, blocks, panels).emit(module, name);
}

} // namespace moe
