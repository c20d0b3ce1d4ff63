// Reads one element of a packed weight on a GPU: panels of 32 columns, of floats or of quantised blocks (#moe.blocks), as lower has packed them. Codes are unpacked in
// registers; the number is the one that moe.dequant defines, to the bit. The 32 columns of a line of k lie side by side, so lanes that read
// neighbouring columns read neighbouring bytes.
#ifndef MOE_CODEGEN_CUDA_PANELREADER_H
#define MOE_CODEGEN_CUDA_PANELREADER_H

#include "GpuBuilder.h"
#include "ProductSpec.h"

namespace moe {

class PanelReader {
public:
  using Value = mlir::Value;

  /// Keeps both; `spec` is packed.
  PanelReader(GpuBuilder &b, const ProductSpec &spec) : b(b), spec(spec) {}

  /// The weight (f32) of line `k` (i32) for a column of the result, part 0 (gate, or all) or 1 (up), of the expert. All are inside.
  Value element(Value weight, Value expert, Value column, Value part, Value k);

private:
  Value fromBlock(Value panel, Value column, Value k);
  Value code(Value codes, Value column, Value k);
  Value number(Value code);
  Value table(Value code, mlir::ArrayRef<float> values);
  Value smallFloat(Value code, int64_t bits, int64_t mantissa, int64_t bias);

  GpuBuilder &b;
  const ProductSpec &spec;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_PANELREADER_H
