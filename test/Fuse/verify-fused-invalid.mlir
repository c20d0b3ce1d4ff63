// RUN: moe-opt %s --moe-verify-fused --verify-diagnostics

// DOC: --moe-verify-fused
func.func @layer(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %q: tensor<8x4xi8>, %s: tensor<8xf32>) -> (tensor<?x64xf32>, tensor<8x4xf32>) {
  // expected-error @below {{op 'moe.dequant' is left after the fuse stage; its lowering is not supported yet}}
  %w = moe.dequant %q scales(%s : tensor<8xf32>) <format = int8_channel> : tensor<8x4xi8> -> tensor<8x4xf32>
  // expected-error @below {{op 'moe.experts' of layer 'block.3' is left after the fuse stage; its lowering is not supported yet}}
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"block.3", "mlir">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %0, %w : tensor<?x64xf32>, tensor<8x4xf32>
}
