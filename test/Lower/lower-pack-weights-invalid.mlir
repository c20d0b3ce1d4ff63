// RUN: moe-opt %s --split-input-file --moe-lower-pack-weights --verify-diagnostics

func.func @computed(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>, %w: tensor<64x96xf32>) -> tensor<?x64xf32> {
  // expected-error @below {{packing a weight that is computed is not supported yet; expected a moe.weight_ref}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

moe.weight @w : tensor<64x96xf64> source(#moe.file<"m.onnx", offset = 0, length = 49152>)
func.func @double(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf64>
  // expected-error @below {{op 'moe.grouped_matmul' of layer 'block.3': weights of type 'f64' are not supported yet; expected f32, f16 or bf16}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf64>) outs(%y : tensor<?x64xf32>)
    {origin = #moe.origin<"block.3", "mlir">, plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
func.func @not_gated(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  // expected-error @below {{packing gate_up16 does not fit the gate layout none}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

moe.weight @w : tensor<64x96xf16> source(#moe.file<"m.onnx", offset = 0, length = 12288>)
func.func @half_rows(%x: tensor<?x96xf16>, %y: tensor<?x64xf16>) -> tensor<?x64xf16> {
  %w = moe.weight_ref @w : tensor<64x96xf16>
  // expected-error @below {{rows of type 'f16' are not supported yet; expected f32}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf16>) outs(%y : tensor<?x64xf16>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf16> -> tensor<?x64xf16>
  return %0 : tensor<?x64xf16>
}

// -----

// expected-error @below {{weight @huge of type 'tensor<4611686018427387904x4xf32>' has no place in model.weights}}
moe.weight @huge : tensor<4611686018427387904x4xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
func.func @reads_huge() -> tensor<4611686018427387904x4xf32> {
  %w = moe.weight_ref @huge : tensor<4611686018427387904x4xf32>
  return %w : tensor<4611686018427387904x4xf32>
}
