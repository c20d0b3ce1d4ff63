// A builder for GPU kernels: i32 arithmetic, pointers, warps. It exists so that the emitters read like the loops they write. Kernels are
// func.func of the nested module @moe_kernels; pointers are generic, those of shared memory have address space 3.
#ifndef MOE_CODEGEN_CUDA_GPUBUILDER_H
#define MOE_CODEGEN_CUDA_GPUBUILDER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "moe/IR/ArithBuilder.h"

namespace moe {

/// Lanes of a warp.
constexpr int64_t warpSize = 32;

class GpuBuilder : public ArithBuilder {
public:
  GpuBuilder(mlir::Location loc, mlir::MLIRContext *context) : ArithBuilder(loc, context) {}

  Type pointer(unsigned space = 0) { return mlir::LLVM::LLVMPointerType::get(getContext(), space); }

  Value yes() { return mlir::arith::ConstantOp::create(*this, getBoolAttr(true)); }

  Value i64(int64_t value) { return mlir::arith::ConstantOp::create(*this, getI64IntegerAttr(value)); }

  Value rem(Value a, Value b) { return mlir::arith::RemUIOp::create(*this, a, b); }
  using ArithBuilder::add, ArithBuilder::sub, ArithBuilder::mul, ArithBuilder::div;
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
  Value less(Value a, Value b) { return compare(mlir::arith::CmpIPredicate::slt, a, b); }
  Value equal(Value a, Value b) { return compare(mlir::arith::CmpIPredicate::eq, a, b); }
  /// Ones among the bits.
  Value popCount(Value value);
  Value toI32(Value value);
  /// i8 to i32, and i32 to f32.
  Value extend(Value byte, bool isSigned);
  Value toFloat(Value value) { return mlir::arith::SIToFPOp::create(*this, getF32Type(), value); }

  Value fma(Value a, Value b, Value c);
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

  /// ldmatrix: four 8x8 matrices of 16-bit numbers, i32 each; lane l gives the address (shared memory, 16 bytes) of row l mod 8 of matrix l / 8. Rows of memory are rows or, turned, columns.
  llvm::SmallVector<Value> loadMatrices(Value address, bool turned);
  /// mma.sync m16n8k16: `rows` (4 registers of `element`, f16 or bf16) times `columns` (2) plus `sums` (4 of f32).
  llvm::SmallVector<Value> multiplyMatrices(Type element, mlir::ArrayRef<Value> rows, mlir::ArrayRef<Value> columns, ValueRange sums);

  llvm::SmallVector<Value> ifElse(Value condition, mlir::TypeRange types, llvm::function_ref<llvm::SmallVector<Value>()> then,
                                  llvm::function_ref<llvm::SmallVector<Value>()> otherwise);

  /// A kernel at the end of `module`; the insertion point moves into it.
  mlir::func::FuncOp beginKernel(mlir::ModuleOp module, llvm::StringRef name, mlir::TypeRange arguments);
  /// Static shared memory of the kernel that is being built; `alignment` in bytes.
  Value shared(Type element, int64_t count, unsigned alignment);
  /// The dynamic shared memory of the launch, aligned to 1024 bytes, which swizzles of 128 bytes and eight rows need.
  Value dynamicShared();

private:
  Value constant(Value like, int64_t value) { return mlir::arith::ConstantOp::create(*this, getIntegerAttr(like.getType(), value)); }
  Value shuffle(Value value, Value offset, int64_t clamp, mlir::NVVM::ShflKind kind);
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_GPUBUILDER_H
