// Vector math of the epilogues and the router. By hand, because a libm call per lane costs 15 to 46 times as much and because one
// arithmetic on every path keeps results independent of rows and threads. Needs f32 vectors of the ISA's width.
#ifndef MOE_CODEGEN_CPU_MATHEMITTER_H
#define MOE_CODEGEN_CPU_MATHEMITTER_H

#include "KernelBuilder.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

class MathEmitter {
public:
  explicit MathEmitter(KernelBuilder &builder) : b(builder) {}

  /// e^x: relative error below 1e-7 where the result is normal; 0 for -inf, +inf for +inf and above 88.73, NaN for NaN.
  mlir::Value exp(mlir::Value x);
  /// 1 / (1 + e^-x).
  mlir::Value sigmoid(mlir::Value x);
  /// An activation; `alpha` is the factor inside silu's sigmoid. gelu_erf has an absolute error below 1e-6.
  mlir::Value activation(Activation kind, double alpha, mlir::Value x);

private:
  mlir::Value horner(mlir::Value x, llvm::ArrayRef<double> coefficients);
  mlir::Value timesPowerOfTwo(mlir::Value x, mlir::Value whole);
  mlir::Value geluErf(mlir::Value x);
  mlir::Value geluTanh(mlir::Value x);

  KernelBuilder &b;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_MATHEMITTER_H
