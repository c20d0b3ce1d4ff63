// RUN: moe-opt %s --moe-verify-planned --verify-diagnostics

// DOC: --moe-verify-planned
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
func.func @product(%x: tensor<?x64xf32>, %y: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  // expected-error @below {{op 'linalg.matmul' has a stored weight and no 'moe.plan' after the plan stage}}
  %0 = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %0 : tensor<?x96xf32>
}
// DOC END

func.func @experts(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  // expected-error @below {{op 'moe.experts' of layer 'block.3' has no 'plan' after the plan stage}}
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"block.3", "mlir">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
