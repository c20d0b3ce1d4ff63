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
func.func @gated(%x: tensor<?x96xf32>, %y: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  // expected-error @below {{packing panel32 does not fit the gate layout halves}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x32xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf32> -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
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

// expected-error @below {{weight @names of type 'tensor<2xcomplex<f32>>' has no place in model.weights}}
moe.weight @names : tensor<2xcomplex<f32>> source(dense<(1.0, 2.0)> : tensor<2xcomplex<f32>>)
func.func @reads_names() -> tensor<2xcomplex<f32>> {
  %w = moe.weight_ref @names : tensor<2xcomplex<f32>>
  return %w : tensor<2xcomplex<f32>>
}

// -----

moe.weight @s : tensor<64xf32> source(#moe.file<"m.onnx", offset = 0, length = 256>)
func.func @computed_codes(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>, %q: tensor<64x96xi8>) -> tensor<?x64xf32> {
  %s = moe.weight_ref @s : tensor<64xf32>
  %w = moe.dequant %q scales(%s : tensor<64xf32>) <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  // expected-error @below {{packing a weight that is computed is not supported yet; expected a moe.weight_ref or a moe.dequant of some}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

moe.weight @w : tensor<64x96xf16> source(#moe.file<"m.onnx", offset = 0, length = 12288>)
func.func @half_bias(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>, %b: tensor<64xf16>) -> tensor<?x64xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf16>
  // expected-error @below {{a bias of type 'f16' that is computed is not supported yet; expected f32 or a moe.weight_ref}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf16>) bias(%b : tensor<64xf16>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

moe.weight @g : tensor<2x20x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 1920>)
moe.weight @s : tensor<2x20xf32> source(#moe.file<"m.onnx", offset = 0, length = 160>)
moe.weight @u : tensor<2x20x48xf32> source(#moe.file<"m.onnx", offset = 0, length = 7680>)
func.func @mixed(%x: tensor<?x48xf32>, %off: tensor<3xi32>, %y: tensor<?x20xf32>) -> tensor<?x20xf32> {
  %g = moe.weight_ref @g : tensor<2x20x48xui8>
  %s = moe.weight_ref @s : tensor<2x20xf32>
  %gate = moe.dequant %g scales(%s : tensor<2x20xf32>) <format = int8_group> : tensor<2x20x48xui8> -> tensor<2x20x48xf32>
  %up = moe.weight_ref @u : tensor<2x20x48xf32>
  // expected-error @below {{gate and up weights that are quantised differently are not supported yet}}
  %0 = moe.grouped_matmul %x offsets(%off : tensor<3xi32>) weight(%gate : tensor<2x20x48xf32>) up(%up : tensor<2x20x48xf32>) outs(%y : tensor<?x20xf32>)
    {ffn = #moe.ffn<activation = silu, gate = separate>, plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x48xf32> -> tensor<?x20xf32>
  return %0 : tensor<?x20xf32>
}

// -----

moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
func.func @wide_rows(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  // expected-error @below {{rows of type 'f32' are not supported yet; expected bf16}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "bf16">} : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

moe.weight @q : tensor<64x96xi8> source(#moe.file<"m.onnx", offset = 0, length = 6144>)
moe.weight @s : tensor<64xf32> source(#moe.file<"m.onnx", offset = 6144, length = 256>)
func.func @quantised_pairs(%x: tensor<?x96xbf16>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %q = moe.weight_ref @q : tensor<64x96xi8>
  %s = moe.weight_ref @s : tensor<64xf32>
  %w = moe.dequant %q scales(%s : tensor<64xf32>) <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  // expected-error @below {{quantised weights are not supported yet with rows of bf16}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "bf16">} : tensor<?x96xbf16> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// Depth cannot be cut where groups lie along it.
moe.weight @q : tensor<64x32xui8> source(#moe.file<"m.onnx", offset = 0, length = 2048>)
moe.weight @s : tensor<64x2xf32> source(#moe.file<"m.onnx", offset = 2048, length = 512>)
func.func @cut_depth(%x: tensor<?x32xf32>, %y: tensor<?x64xf32>, %rows: tensor<?xi32>, %offsets: tensor<3xi32>) -> tensor<?x64xf32> {
  %q = moe.weight_ref @q : tensor<64x32xui8>
  %s = moe.weight_ref @s : tensor<64x2xf32>
  %w = moe.dequant %q scales(%s : tensor<64x2xf32>) <format = int4_group, group_size = 32> : tensor<64x32xui8> -> tensor<64x64xf32>
  %p = moe.part_experts %w {dim = 2 : i64, parts = 2 : i64} : tensor<64x64xf32> -> tensor<2x64x32xf32>
  // expected-error @below {{expected experts that are cut to be of floats or cut by columns, and in halves where gate and up are, found 'tensor<64x64xf32>'}}
  %0 = moe.grouped_matmul %x rows(%rows : tensor<?xi32>) offsets(%offsets : tensor<3xi32>) weight(%p : tensor<2x64x32xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x32xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
