// Small pieces of GPU kernel code: constants, pointers, loads, warps, loops.
#include "GpuBuilder.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
namespace moe {

Value GpuBuilder::popCount(Value value) { return math::CtPopOp::create(*this, value); }

Value GpuBuilder::toI32(Value value) {
  if (value.getType().isInteger(32))
    return value;
  if (value.getType().isIndex())
    return arith::IndexCastOp::create(*this, getI32Type(), value);
  return arith::TruncIOp::create(*this, getI32Type(), value);
}

Value GpuBuilder::extend(Value byte, bool isSigned) {
  return isSigned ? Value(arith::ExtSIOp::create(*this, getI32Type(), byte)) : Value(arith::ExtUIOp::create(*this, getI32Type(), byte));
}

Value GpuBuilder::fma(Value a, Value b, Value c) { return math::FmaOp::create(*this, a, b, c); }
Value GpuBuilder::widen(Value value) {
  return value.getType().isF32() ? value : Value(arith::ExtFOp::create(*this, getF32Type(), value));
}
Value GpuBuilder::narrow(Value value, Type element) {
  return element.isF32() ? value : Value(arith::TruncFOp::create(*this, element, value));
}

Value GpuBuilder::at(Value base, Type element, Value offset) {
  return LLVM::GEPOp::create(*this, base.getType(), element, base, ValueRange{offset});
}
Value GpuBuilder::at(Value base, Type element, int64_t offset) {
  return offset ? Value(LLVM::GEPOp::create(*this, base.getType(), element, base, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)})) : base;
}

static unsigned alignmentOf(Type type, unsigned alignment) {
  return alignment ? alignment : getElementTypeOrSelf(type).getIntOrFloatBitWidth() / 8;
}
Value GpuBuilder::load(Type type, Value pointer, unsigned alignment) {
  return LLVM::LoadOp::create(*this, type, pointer, alignmentOf(type, alignment));
}
void GpuBuilder::store(Value value, Value pointer, unsigned alignment) {
  LLVM::StoreOp::create(*this, value, pointer, alignmentOf(value.getType(), alignment));
}
Value GpuBuilder::toGlobal(Value generic) { return LLVM::AddrSpaceCastOp::create(*this, pointer(1), generic); }

Value GpuBuilder::shuffle(Value value, Value offset, int64_t clamp, NVVM::ShflKind kind) {
  return NVVM::ShflOp::create(*this, value.getType(), i32(-1), value, offset, i32(clamp), kind, UnitAttr());
}
Value GpuBuilder::ballot(Value condition) {
  return NVVM::VoteSyncOp::create(*this, getI32Type(), i32(-1), condition, NVVM::VoteSyncKind::ballot);
}
Value GpuBuilder::sameLanes(Value value) {
  return NVVM::MatchSyncOp::create(*this, getI32Type(), i32(-1), value, NVVM::MatchSyncKind::any);
}

Value GpuBuilder::reduceWarp(Value value, llvm::function_ref<Value(Value, Value)> combine) {
  for (int64_t distance = warpSize / 2; distance; distance /= 2)
    value = combine(value, shuffleXor(value, distance));
  return value;
}

Value GpuBuilder::scanWarp(Value value, Value lane) {
  for (int64_t distance = 1; distance < warpSize; distance *= 2) {
    Value below = shuffleUp(value, distance);
    value = select(less(lane, i32(distance)), value, add(value, below));
  }
  return value;
}

static SmallVector<Value> unpacked(GpuBuilder &b, Value structure) {
  SmallVector<Value> parts;
  for (int64_t i = 0; i < 4; ++i)
    parts.push_back(LLVM::ExtractValueOp::create(b, structure, i));
  return parts;
}

SmallVector<Value> GpuBuilder::loadMatrices(Value address, bool turned) {
  const Type i32 = getI32Type();
  auto type = LLVM::LLVMStructType::getLiteral(getContext(), {i32, i32, i32, i32});
  return unpacked(*this, NVVM::LdMatrixOp::create(*this, type, address, 4, turned ? NVVM::MMALayout::col : NVVM::MMALayout::row,
                                                  NVVM::LdStMatrixShapeAttr::get(getContext(), 8, 8), NVVM::LdStMatrixEltType::B16));
}

SmallVector<Value> GpuBuilder::multiplyMatrices(Type element, ArrayRef<Value> rows, ArrayRef<Value> columns, ValueRange sums) {
  const Type f32 = getF32Type();
  auto type = LLVM::LLVMStructType::getLiteral(getContext(), {f32, f32, f32, f32});
  auto operands = [&](ArrayRef<Value> values) {
    return llvm::map_to_vector(values, [&](Value value) -> Value {
      return element.isF16() ? Value(LLVM::BitcastOp::create(*this, VectorType::get({2}, element), value)) : value;
    });
  };
  const auto kind = element.isF16() ? NVVM::MMATypes::f16 : NVVM::MMATypes::bf16;
  return unpacked(*this, NVVM::MmaOp::create(*this, type, operands(rows), operands(columns), sums, ArrayRef<int64_t>{16, 8, 16}, std::nullopt, std::nullopt,
                                             std::array<NVVM::MMATypes, 2>{kind, kind},
                                             std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col}));
}

SmallVector<Value> GpuBuilder::ifElse(Value condition, TypeRange types, llvm::function_ref<SmallVector<Value>()> then,
                                      llvm::function_ref<SmallVector<Value>()> otherwise) {
  auto branch = scf::IfOp::create(*this, types, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(*this, then());
  setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(*this, otherwise());
  return branch.getResults();
}

func::FuncOp GpuBuilder::beginKernel(ModuleOp module, StringRef name, TypeRange arguments) {
  setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(*this, name, getFunctionType(arguments, {}));
  setInsertionPointToStart(function.addEntryBlock());
  return function;
}

Value GpuBuilder::shared(Type element, int64_t count, unsigned alignment) {
  auto function = getInsertionBlock()->getParent()->getParentOfType<func::FuncOp>();
  auto module = function->getParentOfType<ModuleOp>();
  std::string name;
  for (unsigned number = 0; name.empty() || module.lookupSymbol(name); ++number)
    name = (function.getSymName() + "_shared" + Twine(number)).str();
  auto type = LLVM::LLVMArrayType::get(element, count);
  {
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPoint(function);
    auto global = LLVM::GlobalOp::create(*this, type, /*isConstant=*/false, LLVM::Linkage::Internal, name, Attribute(), alignment, /*addrSpace=*/3);
    Block *block = createBlock(&global.getInitializerRegion());
    setInsertionPointToStart(block);
    LLVM::ReturnOp::create(*this, LLVM::UndefOp::create(*this, type));
  }
  return LLVM::AddressOfOp::create(*this, pointer(3), name);
}

Value GpuBuilder::dynamicShared() {
  const StringRef name = "moe_dynamic_shared";
  auto function = getInsertionBlock()->getParent()->getParentOfType<func::FuncOp>();
  auto module = function->getParentOfType<ModuleOp>();
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(module.getBody());
    LLVM::GlobalOp::create(*this, LLVM::LLVMArrayType::get(getI8Type(), 0), /*isConstant=*/false, LLVM::Linkage::External, name, Attribute(),
                           /*alignment=*/1024, /*addrSpace=*/3);
  }
  return LLVM::AddressOfOp::create(*this, pointer(3), name);
}

} // namespace moe
