// RUN: moe-opt %s --moe-plan-single-machine --verify-diagnostics

func.func @half(%x: tensor<?x64xf16>, %off: tensor<9xi32>, %g: tensor<8x96x64xf16>, %d: tensor<8x64x96xf16>) -> tensor<?x64xf16> {
  // expected-error @below {{op 'moe.experts' of layer 'block.3': activations of type 'f16' are not supported yet; expected f32}}
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf16>) down(%d : tensor<8x64x96xf16>)
    {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"block.3", "mlir">} : tensor<?x64xf16>, tensor<9xi32> -> tensor<?x64xf16>
  return %0 : tensor<?x64xf16>
}
