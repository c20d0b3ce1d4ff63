// A builder for GPU kernels: i32 arithmetic, pointers, warps. It exists so that the emitters read like the loops they write. Kernels are
// func.func of the nested module @moe_kernels; pointers are generic, those of shared memory have address space 3.
#ifndef MOE_CODEGEN_CUDA_GPUBUILDER_H
#define MOE_CODEGEN_CUDA_GPUBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moe {

/// Lanes of a warp.
constexpr int64_t warpSize = 32;

class GpuBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;
  using Type = mlir::Type;

  GpuBuilder(mlir::Location loc, mlir::MLIRContext *context) : ImplicitLocOpBuilder(loc, context) {}

  Type pointer(unsigned space = 0) { return mlir::LLVM::LLVMPointerType::get(getContext(), space); }

  Value i64(int64_t value) { return mlir::arith::ConstantOp::create(*this, getI64IntegerAttr(value)); }
  Value i32(int64_t value) { return mlir::arith::ConstantOp::create(*this, getI32IntegerAttr(static_cast<int32_t>(value))); }
  Value f32(double value) { return mlir::arith::ConstantOp::create(*this, getF32FloatAttr(static_cast<float>(value))); }
  Value yes() { return mlir::arith::ConstantOp::create(*this, getBoolAttr(true)); }

  Value add(Value a, Value b) { return mlir::arith::AddIOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return mlir::arith::SubIOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return mlir::arith::MulIOp::create(*this, a, b); }
  Value div(Value a, Value b) { return mlir::arith::DivUIOp::create(*this, a, b); }
  Value rem(Value a, Value b) { return mlir::arith::RemUIOp::create(*this, a, b); }
  Value add(Value a, int64_t b) { return b ? add(a, constant(a, b)) : a; }
  Value sub(Value a, int64_t b) { return b ? sub(a, constant(a, b)) : a; }
  Value mul(Value a, int64_t b) { return b == 1 ? a : mul(a, constant(a, b)); }
  Value div(Value a, int64_t b) { return b == 1 ? a : div(a, constant(a, b)); }
  Value rem(Value a, int64_t b) { return rem(a, constant(a, b)); }
  Value bitAnd(Value a, Value b) { return mlir::arith::AndIOp::create(*this, a, b); }
  Value bitOr(Value a, Value b) { return mlir::arith::OrIOp::create(*this, a, b); }
  Value bitXor(Value a, Value b) { return mlir::arith::XOrIOp::create(*this, a, b); }
  Value shiftLeft(Value a, Value b) { return mlir::arith::ShLIOp::create(*this, a, b); }
  Value shiftRight(Value a, Value b) { return mlir::arith::ShRUIOp::create(*this, a, b); }
  Value min(Value a, Value b) { return mlir::arith::MinSIOp::create(*this, a, b); }
  Value compare(mlir::arith::CmpIPredicate predicate, Value a, Value b) { return mlir::arith::CmpIOp::create(*this, predicate, a, b); }
  Value less(Value a, Value b) { return compare(mlir::arith::CmpIPredicate::slt, a, b); }
  Value equal(Value a, Value b) { return compare(mlir::arith::CmpIPredicate::eq, a, b); }
  Value select(Value condition, Value a, Value b) { return mlir::arith::SelectOp::create(*this, condition, a, b); }
  /// Ones among the bits.
  Value popCount(Value value);
  /// An integer or index as i64, sign-extended.
  Value toI64(Value value);
  Value toI32(Value value);
  /// i8 to i32, and i32 to f32.
  Value extend(Value byte, bool isSigned);
  Value toFloat(Value value) { return mlir::arith::SIToFPOp::create(*this, getF32Type(), value); }

  Value addf(Value a, Value b) { return mlir::arith::AddFOp::create(*this, a, b); }
  Value subf(Value a, Value b) { return mlir::arith::SubFOp::create(*this, a, b); }
  Value mulf(Value a, Value b) { return mlir::arith::MulFOp::create(*this, a, b); }
  Value divf(Value a, Value b) { return mlir::arith::DivFOp::create(*this, a, b); }
  Value fma(Value a, Value b, Value c);
  /// max(x, low) and min(x, high); NaN stays NaN.
  Value atLeast(Value x, Value low);
  Value atMost(Value x, Value high);
  /// What ActivationMath asks for; a vector is one number here.
  Value splat(double value) { return f32(value); }
  Value splatInt(int64_t value) { return i32(value); }
  Type f32Vector() { return getF32Type(); }
  Type i32Vector() { return getI32Type(); }
  static constexpr bool roundsAndScales = false;
  /// f16 or bf16 to f32, and back with one rounding; f32 as it is.
  Value widen(Value value);
  Value narrow(Value value, Type element);

  /// `base` plus `offset` (i32 or i64) elements of `element`.
  Value at(Value base, Type element, Value offset);
  Value at(Value base, Type element, int64_t offset);
  /// `alignment` 0: that of one element.
  Value load(Type type, Value pointer, unsigned alignment = 0);
  void store(Value value, Value pointer, unsigned alignment = 0);
  Value toGlobal(Value generic);

  Value threadX() { return mlir::NVVM::ThreadIdXOp::create(*this, getI32Type()); }
  Value blockX() { return mlir::NVVM::BlockIdXOp::create(*this, getI32Type()); }
  Value blockY() { return mlir::NVVM::BlockIdYOp::create(*this, getI32Type()); }
  /// All threads of the block meet.
  void sync() { mlir::NVVM::Barrier0Op::create(*this); }
  /// All lanes of the warp meet; memory written before is seen after.
  void syncWarp() { mlir::NVVM::SyncWarpOp::create(*this, i32(-1)); }
  /// The value of lane `lane ^ distance`, of lane `lane - distance` (own value below), of lane `source`. All lanes take part.
  Value shuffleXor(Value value, int64_t distance) { return shuffle(value, i32(distance), 31, mlir::NVVM::ShflKind::bfly); }
  Value shuffleUp(Value value, int64_t distance) { return shuffle(value, i32(distance), 0, mlir::NVVM::ShflKind::up); }
  Value shuffleFrom(Value value, Value source) { return shuffle(value, source, 31, mlir::NVVM::ShflKind::idx); }
  /// Bit l is set where lane l has `condition`.
  Value ballot(Value condition);
  /// Lanes that have the same `value`.
  Value sameLanes(Value value);
  /// Combined over all lanes, the result in each; the order of the operations is the same for all.
  Value reduceWarp(Value value, llvm::function_ref<Value(Value, Value)> combine);
  /// Sum over this lane and those below.
  Value scanWarp(Value value, Value lane);

  /// scf.for over i32; `body` gets the counter and the carried values and returns the next ones.
  llvm::SmallVector<Value> forLoop(Value from, Value to, Value step, ValueRange carried,
                                   llvm::function_ref<llvm::SmallVector<Value>(Value, ValueRange)> body);
  void forLoop(Value from, Value to, Value step, llvm::function_ref<void(Value)> body);
  void ifTrue(Value condition, llvm::function_ref<void()> then);
  llvm::SmallVector<Value> ifElse(Value condition, mlir::TypeRange types, llvm::function_ref<llvm::SmallVector<Value>()> then,
                                  llvm::function_ref<llvm::SmallVector<Value>()> otherwise);

  /// A kernel at the end of `module`; the insertion point moves into it.
  mlir::func::FuncOp beginKernel(mlir::ModuleOp module, llvm::StringRef name, mlir::TypeRange arguments);
  /// Static shared memory of the kernel that is being built; `alignment` in bytes.
  Value shared(Type element, int64_t count, unsigned alignment);
  /// The dynamic shared memory of the launch, aligned to 128 bytes.
  Value dynamicShared();

private:
  Value constant(Value like, int64_t value) { return mlir::arith::ConstantOp::create(*this, getIntegerAttr(like.getType(), value)); }
  Value shuffle(Value value, Value offset, int64_t clamp, mlir::NVVM::ShflKind kind);
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_GPUBUILDER_H
