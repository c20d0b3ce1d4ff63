// exp, sigmoid and the activations of experts on one f32: the formulas of the CPU's kernels, so that both round alike. They need no
// approximate instruction of the GPU and run as they are in the SIMT executor.
#ifndef MOE_CODEGEN_CUDA_GPUMATH_H
#define MOE_CODEGEN_CUDA_GPUMATH_H

#include "GpuBuilder.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

class GpuMath {
public:
  using Value = mlir::Value;

  explicit GpuMath(GpuBuilder &b) : b(b) {}

  /// e^x within 1 ulp; 0 below -104, infinite above 88.7, NaN for NaN.
  Value exp(Value x);
  Value sigmoid(Value x);
  Value tanh(Value x);
  /// `alpha` scales the argument of silu's sigmoid.
  Value activation(Activation kind, double alpha, Value x);
  /// act(g')·(u' + up_offset), see `#moe.ffn`.
  Value gated(FfnAttr ffn, Value gate, Value up);

private:
  Value horner(Value x, llvm::ArrayRef<double> coefficients);
  Value geluErf(Value x);
  Value geluTanh(Value x);

  GpuBuilder &b;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_GPUMATH_H
