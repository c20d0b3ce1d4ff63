// A builder for kernel code: i64 arithmetic, pointers, vectors of the ISA's width. Kernels work on !llvm.ptr and i64; memrefs are
// taken apart once, at the place of the op. It exists so that the emitters read like the loops they write.
#ifndef MOE_CODEGEN_CPU_KERNELBUILDER_H
#define MOE_CODEGEN_CPU_KERNELBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "moe/Machine/Isa.h"

namespace moe {

class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  KernelBuilder(mlir::Location loc, mlir::MLIRContext *context, const IsaVersion &isa)
      : ImplicitLocOpBuilder(loc, context), isa(isa) {}

  const IsaVersion &isa;

  /// f32 lanes of a vector.
  int64_t lanes() const { return isa.f32Lanes; }
  mlir::Type ptrType() { return mlir::LLVM::LLVMPointerType::get(getContext()); }
  mlir::VectorType f32Vector() { return mlir::VectorType::get({lanes()}, getF32Type()); }
  mlir::VectorType i32Vector() { return mlir::VectorType::get({lanes()}, getI32Type()); }
  mlir::VectorType maskVector() { return mlir::VectorType::get({lanes()}, getI1Type()); }

  Value i64(int64_t value);
  Value i32(int64_t value);
  Value f32(double value);
  Value splat(double value);
  Value splatInt(int64_t value);
  /// A scalar in all lanes.
  Value broadcast(Value scalar);

  Value add(Value a, Value b) { return mlir::arith::AddIOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return mlir::arith::SubIOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return mlir::arith::MulIOp::create(*this, a, b); }
  Value div(Value a, Value b) { return mlir::arith::DivUIOp::create(*this, a, b); }
  /// ceil(a / b) of numbers that are not negative; a + b must not overflow.
  Value ceilDiv(Value a, Value b) { return div(sub(add(a, b), i64(1)), b); }
  Value min(Value a, Value b) { return mlir::arith::MinSIOp::create(*this, a, b); }
  Value max(Value a, Value b) { return mlir::arith::MaxSIOp::create(*this, a, b); }
  Value compare(mlir::arith::CmpIPredicate predicate, Value a, Value b) {
    return mlir::arith::CmpIOp::create(*this, predicate, a, b);
  }
  Value select(Value condition, Value a, Value b) { return mlir::arith::SelectOp::create(*this, condition, a, b); }
  /// An integer of any width, sign-extended to i64.
  Value toI64(Value value);

  Value addf(Value a, Value b) { return mlir::arith::AddFOp::create(*this, a, b); }
  Value subf(Value a, Value b) { return mlir::arith::SubFOp::create(*this, a, b); }
  Value mulf(Value a, Value b) { return mlir::arith::MulFOp::create(*this, a, b); }
  Value divf(Value a, Value b) { return mlir::arith::DivFOp::create(*this, a, b); }
  /// a·b + c: one rounding where the ISA has the instruction, else two (a call of libm's fma would be 20 times slower).
  Value fma(Value a, Value b, Value c);
  /// max(x, low) and min(x, high); NaN stays NaN. One instruction on x86.
  Value atLeast(Value x, Value low);
  Value atMost(Value x, Value high);
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

  /// scf.for over i64 with step `step`; `body` gets the counter and the carried values and returns the next ones.
  llvm::SmallVector<Value> forLoop(Value from, Value to, Value step, ValueRange carried,
                                   llvm::function_ref<llvm::SmallVector<Value>(Value, ValueRange)> body);
  void forLoop(Value from, Value to, llvm::function_ref<void(Value)> body);
  void ifTrue(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = nullptr);
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
