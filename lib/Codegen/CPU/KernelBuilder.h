// A builder for kernel code: i64 arithmetic, pointers, vectors of the ISA's width. Kernels work on !llvm.ptr and i64; memrefs are
// taken apart once, at the place of the op. It exists so that the emitters read like the loops they write.
#ifndef MOE_CODEGEN_CPU_KERNELBUILDER_H
#define MOE_CODEGEN_CPU_KERNELBUILDER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "moe/IR/ArithBuilder.h"
#include "moe/Machine/Isa.h"

namespace moe {

class KernelBuilder : public ArithBuilder {
public:
  KernelBuilder(mlir::Location loc, mlir::MLIRContext *context, const IsaVersion &isa)
      : ArithBuilder(loc, context), isa(isa) {}

  const IsaVersion &isa;

  /// f32 lanes of a vector.
  int64_t lanes() const { return isa.f32Lanes; }
  mlir::Type ptrType() { return mlir::LLVM::LLVMPointerType::get(getContext()); }
  mlir::VectorType f32Vector() { return mlir::VectorType::get({lanes()}, getF32Type()); }
  mlir::VectorType i32Vector() { return mlir::VectorType::get({lanes()}, getI32Type()); }
  mlir::VectorType maskVector() { return mlir::VectorType::get({lanes()}, getI1Type()); }

  Value splat(double value);
  Value splatInt(int64_t value);
  /// A scalar in all lanes.
  Value broadcast(Value scalar);

  /// ceil(a / b) of numbers that are not negative; a + b must not overflow.
  Value ceilDiv(Value a, Value b) { return div(sub(add(a, b), i64(1)), b); }
  /// a·b + c: one rounding where the ISA has the instruction, else two (a call of libm's fma would be 20 times slower).
  Value fma(Value a, Value b, Value c);
  /// Whether `scale` is an instruction; asked by ActivationMath.
  static constexpr bool roundsAndScales = true;
  bool hasScale() const { return isa.hasScale; }
  /// x·2^n for whole n, f32.
  Value scale(Value x, Value n);

  /// `base` plus `offset` elements of `element`; not "inbounds", so that prefetch addresses may lie outside.
  Value at(Value base, mlir::Type element, Value offset);
  Value at(Value base, mlir::Type element, int64_t offset);
  /// `base` plus `offset` f32.
  Value atF32(Value base, Value offset) { return at(base, getF32Type(), offset); }
  Value atF32(Value base, int64_t offset) { return offset ? at(base, getF32Type(), offset) : base; }
  /// A load with the alignment of one element: kernels promise no more.
  Value load(mlir::Type type, Value pointer);
  void store(Value value, Value pointer);
  /// Lanes where `mask` is set; the others are `passThrough` and their memory is not touched.
  Value maskedLoad(Value pointer, Value mask, Value passThrough);
  void maskedStore(Value value, Value pointer, Value mask);
  /// Mask of the lanes below `count` (i64, any sign).
  Value firstLanes(Value count);
  /// Room for `count` elements on the stack of the function that is being built.
  Value stack(mlir::Type element, int64_t count, unsigned alignment);
  /// A number that LLVM cannot see through: a loop of so many rounds is never unrolled.
  Value hidden(int64_t number);

  using ArithBuilder::forLoop;
  /// Over i64 with step 1.
  void forLoop(Value from, Value to, llvm::function_ref<void(Value)> body) { forLoop(from, to, i64(1), body); }
  /// scf.index_switch on `value` (i64) with the cases 1 to `last`; `body(last)` is the default case.
  void switchUpTo(Value value, int64_t last, llvm::function_ref<void(int64_t)> body);

  /// Start of thread `thread`'s share of `count` things split evenly over `threads`.
  Value shareStart(Value count, Value thread, Value threads) { return div(mul(count, thread), threads); }

  /// Address of the first element of a memref (its offset applied).
  Value memrefPointer(Value memref);
  /// Size and stride (in elements) of a dim as i64.
  Value memrefSize(Value memref, int64_t dim);
  Value memrefStride(Value memref, int64_t dim);

  /// A private function with a body, internal linkage and the ISA's features at the end of `module`; the insertion point moves
  /// into it. It is never inlined: its registers are planned for it alone. Only scalars and pointers cross its boundary, so that
  /// callers need not have the features.
  mlir::func::FuncOp beginFunction(mlir::ModuleOp module, llvm::StringRef name, mlir::TypeRange arguments);
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_KERNELBUILDER_H
