// Small pieces of kernel code: constants, pointers, loads, loops.
#include "KernelBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
namespace moe {

Value KernelBuilder::splat(double value) {
  return arith::ConstantOp::create(*this, DenseElementsAttr::get(f32Vector(), static_cast<float>(value)));
}
Value KernelBuilder::splatInt(int64_t value) {
  return arith::ConstantOp::create(*this, DenseElementsAttr::get(i32Vector(), static_cast<int32_t>(value)));
}
Value KernelBuilder::scale(Value x, Value n) {
  // Operands of the intrinsic: value, exponent, value of masked lanes, mask, rounding (8: nearest, no exceptions).
  Value allLanes = arith::ConstantOp::create(*this, getI16IntegerAttr(-1));
  Value nearest = i32(8);
  return LLVM::CallIntrinsicOp::create(*this, f32Vector(), getStringAttr("llvm.x86.avx512.mask.scalef.ps.512"),
                                       ValueRange{x, n, x, allLanes, nearest})
      .getResult(0);
}
Value KernelBuilder::broadcast(Value scalar) {
  return vector::BroadcastOp::create(*this, VectorType::get({lanes()}, scalar.getType()), scalar);
}

Value KernelBuilder::fma(Value a, Value b, Value c) {
  if (!isa.hasFma)
    return addf(mulf(a, b), c);
  return vector::FMAOp::create(*this, a, b, c);
}

Value KernelBuilder::at(Value base, Type element, Value offset) {
  return LLVM::GEPOp::create(*this, ptrType(), element, base, ValueRange{offset});
}
Value KernelBuilder::at(Value base, Type element, int64_t offset) {
  if (offset < INT32_MIN || offset > INT32_MAX) // constant GEP indices have 32 bits
    return at(base, element, i64(offset));
  return LLVM::GEPOp::create(*this, ptrType(), element, base, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
}

static unsigned elementBytes(Type type) { return getElementTypeOrSelf(type).getIntOrFloatBitWidth() / 8; }

Value KernelBuilder::load(Type type, Value pointer) {
  return LLVM::LoadOp::create(*this, type, pointer, elementBytes(type));
}
void KernelBuilder::store(Value value, Value pointer) {
  LLVM::StoreOp::create(*this, value, pointer, elementBytes(value.getType()));
}
Value KernelBuilder::maskedLoad(Value pointer, Value mask, Value passThrough) {
  return LLVM::MaskedLoadOp::create(*this, passThrough.getType(), pointer, mask, passThrough, elementBytes(passThrough.getType()));
}
void KernelBuilder::maskedStore(Value value, Value pointer, Value mask) {
  LLVM::MaskedStoreOp::create(*this, value, pointer, mask, elementBytes(value.getType()));
}

Value KernelBuilder::firstLanes(Value count) {
  SmallVector<int32_t> numbers;
  for (int32_t lane = 0; lane < lanes(); ++lane)
    numbers.push_back(lane);
  Value lane = arith::ConstantOp::create(*this, DenseElementsAttr::get(i32Vector(), ArrayRef<int32_t>(numbers)));
  Value limited = arith::TruncIOp::create(*this, getI32Type(), min(max(count, i64(0)), i64(lanes())));
  return compare(arith::CmpIPredicate::slt, lane, broadcast(limited));
}

Value KernelBuilder::stack(Type element, int64_t count, unsigned alignment) {
  // In the entry block: elsewhere it would be a dynamic allocation.
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(&getInsertionBlock()->getParent()->getParentOfType<func::FuncOp>().front());
  return LLVM::AllocaOp::create(*this, ptrType(), element, i64(count), alignment);
}

Value KernelBuilder::hidden(int64_t number) {
  Value place = stack(getI64Type(), 1, 8);
  store(i64(number), place);
  return LLVM::LoadOp::create(*this, getI64Type(), place, /*alignment=*/8, /*isVolatile=*/true);
}

void KernelBuilder::switchUpTo(Value value, int64_t last, llvm::function_ref<void(int64_t)> body) {
  SmallVector<int64_t> cases;
  for (int64_t number = 1; number < last; ++number)
    cases.push_back(number);
  Value index = arith::IndexCastOp::create(*this, getIndexType(), value);
  auto choice = scf::IndexSwitchOp::create(*this, TypeRange(), index, cases, cases.size());
  OpBuilder::InsertionGuard guard(*this);
  for (int64_t number = 1; number <= last; ++number) {
    Region &region = number == last ? choice.getDefaultRegion() : choice.getCaseRegions()[number - 1];
    createBlock(&region);
    body(number);
    scf::YieldOp::create(*this);
  }
}

Value KernelBuilder::memrefPointer(Value memref) {
  const auto type = cast<MemRefType>(memref.getType());
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(*this, memref);
  Value pointer = LLVM::IntToPtrOp::create(*this, ptrType(), toI64(address));
  int64_t offset = 0;
  SmallVector<int64_t> strides;
  if (succeeded(type.getStridesAndOffset(strides, offset)) && offset == 0)
    return pointer;
  auto metadata = memref::ExtractStridedMetadataOp::create(*this, memref);
  return at(pointer, type.getElementType(), toI64(metadata.getOffset()));
}

Value KernelBuilder::memrefSize(Value memref, int64_t dim) {
  const auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dim))
    return i64(type.getDimSize(dim));
  return toI64(memref::DimOp::create(*this, memref, dim));
}

Value KernelBuilder::memrefStride(Value memref, int64_t dim) {
  const auto type = cast<MemRefType>(memref.getType());
  int64_t offset = 0;
  SmallVector<int64_t> strides;
  if (succeeded(type.getStridesAndOffset(strides, offset)) && strides[dim] != ShapedType::kDynamic)
    return i64(strides[dim]);
  auto metadata = memref::ExtractStridedMetadataOp::create(*this, memref);
  return toI64(metadata.getStrides()[dim]);
}

func::FuncOp KernelBuilder::beginFunction(ModuleOp module, StringRef name, TypeRange arguments) {
  setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(*this, name, getFunctionType(arguments, TypeRange()));
  function.setPrivate();
  function->setAttr("llvm.linkage", LLVM::LinkageAttr::get(getContext(), LLVM::Linkage::Internal));
  function->setAttr("passthrough", getStrArrayAttr({"noinline"}));
  function->setAttr("no_inline", getUnitAttr());
  if (!isa.features.empty()) {
    SmallVector<std::string> signedNames;
    for (const std::string &feature : isa.features)
      signedNames.push_back("+" + feature);
    const SmallVector<StringRef> names(signedNames.begin(), signedNames.end());
    function->setAttr("target_features", LLVM::TargetFeaturesAttr::get(getContext(), names));
  }
  setInsertionPointToStart(function.addEntryBlock());
  return function;
}

} // namespace moe
