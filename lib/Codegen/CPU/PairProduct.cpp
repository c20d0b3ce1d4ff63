// Products of pairs of bf16 in i32 lanes.
#include "PairProduct.h"

using namespace mlir;
namespace moe {

bool hasPairProduct(const IsaVersion &isa) {
  return isa.has("avx512bf16") && (isa.f32Lanes == 16 || (isa.f32Lanes == 8 && isa.has("avx512vl")));
}

Value loadPair(KernelBuilder &b, Value pointer, bool isHalf) {
  const Type i16 = b.getI16Type(), i32 = b.getI32Type();
  // Rows begin at any bf16.
  Value pair = LLVM::LoadOp::create(b, isHalf ? i16 : i32, pointer, /*alignment=*/2);
  return b.broadcast(isHalf ? Value(arith::ExtUIOp::create(b, i32, pair)) : pair);
}

// bf16 is the upper half of f32: the first value of a pair has to move there, the second is there.
static Value widen(KernelBuilder &b, Value pairs, bool second) {
  Value bits = second ? Value(arith::AndIOp::create(b, pairs, b.splatInt(static_cast<int32_t>(0xffff0000))))
                      : Value(arith::ShLIOp::create(b, pairs, b.splatInt(16)));
  return arith::BitcastOp::create(b, b.f32Vector(), bits);
}

static SmallVector<Value> addInOneInstruction(KernelBuilder &b, ValueRange sums, ArrayRef<Value> x, ArrayRef<Value> weights) {
  const Type halves = VectorType::get({2 * b.lanes()}, b.getBF16Type());
  const auto asHalves = [&](Value pairs) { return Value(vector::BitCastOp::create(b, cast<VectorType>(halves), pairs)); };
  const StringRef name = b.lanes() == 16 ? "llvm.x86.avx512bf16.dpbf16ps.512" : "llvm.x86.avx512bf16.dpbf16ps.256";
  SmallVector<Value> next;
  for (Value pair : x)
    for (Value weight : weights)
      next.push_back(LLVM::CallIntrinsicOp::create(b, b.f32Vector(), b.getStringAttr(name),
                                                   ValueRange{sums[next.size()], asHalves(pair), asHalves(weight)})
                         .getResult(0));
  return next;
}

// The chain of the first values, or of the second ones.
static void addWidened(KernelBuilder &b, MutableArrayRef<Value> sums, ArrayRef<Value> x, ArrayRef<Value> weights, bool second) {
  SmallVector<Value> wide;
  for (Value weight : weights)
    wide.push_back(widen(b, weight, second));
  for (const auto &[row, pair] : llvm::enumerate(x)) {
    Value value = widen(b, pair, second);
    for (const auto &[number, weight] : llvm::enumerate(wide)) {
      Value &sum = sums[row * wide.size() + number];
      sum = b.fma(value, weight, sum);
    }
  }
}

SmallVector<Value> addPairProducts(KernelBuilder &b, ValueRange sums, ArrayRef<Value> x, ArrayRef<Value> weights) {
  if (hasPairProduct(b.isa))
    return addInOneInstruction(b, sums, x, weights);
  SmallVector<Value> next(sums);
  for (const bool second : {false, true})
    addWidened(b, next, x, weights, second);
  return next;
}

SmallVector<Value> addPairChains(KernelBuilder &b, ValueRange sums, ArrayRef<Value> x, ArrayRef<Value> weights) {
  SmallVector<Value> next(sums);
  const size_t count = sums.size() / 2;
  for (const bool second : {false, true})
    addWidened(b, MutableArrayRef(next).slice(second * count, count), x, weights, second);
  return next;
}

int64_t widenedTilesFor(const IsaVersion &isa, int64_t rows) {
  const int64_t most = isa.vectorRegisters <= 16 ? 1 : 2;
  return rows == 1 ? 2 * most : most;
}

// LLVM widens the whole pair at once, for every vector of weights, so a tile takes twice its registers for weights.
int64_t widenedPassRows(const IsaVersion &isa) {
  return std::min<int64_t>(isa.f32Tile.rows, isa.vectorRegisters <= 16 ? 3 : 9);
}

} // namespace moe
