// RUN: moe-opt %s --split-input-file --moe-plan-single-machine=activations=int8 --verify-diagnostics
// RUN: not moe-opt %s --moe-plan-single-machine=activations=f64 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: unknown value 'f64' of option activations; expected auto, f32, bf16 or int8

func.func @precision(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  // expected-error @below {{op 'moe.experts' of layer 'block.3': activations in int8 are not supported yet; expected auto, f32 or bf16}}
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"block.3", "mlir">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
func.func @product(%x: tensor<?x64xf32>, %y: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  // expected-error @below {{op 'linalg.matmul': activations in int8 are not supported yet; expected auto, f32 or bf16}}
  %0 = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %0 : tensor<?x96xf32>
}
