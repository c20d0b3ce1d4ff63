// One case per rule of stored weights and ONNX nodes.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

// weight-c1
// expected-error @below {{expected either a source or a packing, got neither}}
moe.weight @w : tensor<64x96xf32>

// -----

// weight-c1
// expected-error @below {{expected either a source or a packing, got both}}
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>) packed(panel32)

// -----

// weight-c2
// expected-error @below {{expected static sizes}}
moe.weight @w : tensor<?x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)

// -----

// weight-c3
// expected-error @below {{expected a source of #moe.file or elements, got "m.onnx"}}
moe.weight @w : tensor<64x96xf32> source("m.onnx")

// -----

// weight-c3
// expected-error @below {{expected a source of type 'tensor<64x96xf32>', got 'tensor<2xf32>'}}
moe.weight @w : tensor<64x96xf32> source(dense<1.0> : tensor<2xf32>)

// -----

// weight-c3
// expected-error @below {{expected one source for each index of the first dim of 'tensor<3x2xf32>', got 2}}
moe.weight @w : tensor<3x2xf32> source([dense<1.0> : tensor<2xf32>, dense<2.0> : tensor<2xf32>])

// -----

// weight-c3
// expected-error @below {{expected a source of type 'tensor<2xf32>', got 'tensor<1x2xf32>'}}
moe.weight @w : tensor<2x2xf32> source([dense<1.0> : tensor<2xf32>, dense<2.0> : tensor<1x2xf32>])

// -----

// weight-c3: a list in a list
// expected-error @below {{expected a source of #moe.file or elements}}
moe.weight @w : tensor<1x1x2xf32> source([[dense<1.0> : tensor<2xf32>]])

// -----

// weight-c4
// expected-error @below {{expected a length of 24576 bytes}}
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24575>)

// -----

// weight-c4
// expected-error @below {{expected a length of 2 bytes}}
moe.weight @w : tensor<3xi4> source(#moe.file<"m.onnx", offset = 0, length = 1>)

// -----

// weight-c4
// expected-error @below {{expected a length of 3 bytes}}
moe.weight @w : tensor<3xi1> source(#moe.file<"m.onnx", offset = 0, length = 1>)

// -----

// weight-c4
// expected-error @below {{expected a path and an offset >= 0}}
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = -1, length = 24576>)

// -----

// weight-c4
// expected-error @below {{expected a path and an offset >= 0}}
moe.weight @w : tensor<64x96xf32> source(#moe.file<"", offset = 0, length = 24576>)

// -----

// weight-c4
// expected-error @below {{expected a type of integers or floats below 2^63 bits}}
moe.weight @w : tensor<4611686018427387904x4xf32> source(#moe.file<"m.onnx", offset = 0, length = 0>)

// -----

// weight-c5
// expected-error @below {{expected order exactly where it is packed in panels, got one elsewhere}}
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>) order(out_in)

// -----

// weight-c5
// expected-error @below {{expected gate exactly where it is packed in panels, got none}}
moe.weight @w : tensor<1x2x96x32xf32> packed(panel32) from([@v]) order(out_in)

// -----

// weight-c6
// expected-error @below {{expected packing panel32 with gate none or gate_up16 with another, got panel32 and halves}}
moe.weight @w : tensor<1x2x96x32xf32> packed(panel32) from([@v]) order(out_in) gate(halves)

// -----

// weight-c6
// expected-error @below {{expected 2 weights in from (gate separate), got 1}}
moe.weight @w : tensor<1x2x96x32xf32> packed(gate_up16) from([@v]) order(out_in) gate(separate)

// -----

// weight-c6
// expected-error @below {{expected 1 weight in from (plain), got 2}}
moe.weight @w : tensor<64x96xf32> packed(plain) from([@v, @v])

// -----

// weight-c9
// expected-note @below {{the weight @v is here}}
moe.weight @v : tensor<64x96xf16> source(#moe.file<"m.onnx", offset = 0, length = 12288>)
// expected-error @below {{expected @v with the sizes of 'tensor<96x64xf32>', got 'tensor<64x96xf16>'}}
moe.weight @w : tensor<96x64xf32> packed(plain) from([@v])

// -----

// weight-c7
// expected-error @below {{expected a packed type of E x P x K x 32 f32}}
moe.weight @w : tensor<1x2x96x16xf32> packed(panel32) from([@v]) order(out_in) gate(none)

// -----

// weight-c7
// expected-error @below {{or of E x P x K/2 x 32 x 2 bf16, got 'tensor<1x2x48x32x2xf16>'}}
moe.weight @w : tensor<1x2x48x32x2xf16> packed(panel32) from([@v]) order(out_in) gate(none)

// -----

// weight-c9
// expected-note @below {{the weight @v is here}}
moe.weight @v : tensor<64x95xf32> source(#moe.file<"m.onnx", offset = 0, length = 24320>)
// expected-error @below {{expected type 'tensor<1x2x48x32x2xbf16>' for @v of 'tensor<64x95xf32>', got 'tensor<1x2x47x32x2xbf16>'}}
moe.weight @w : tensor<1x2x47x32x2xbf16> packed(panel32) from([@v]) order(out_in) gate(none)

// -----

// weight-c8
// expected-error @below {{expected section and offset or neither, got only section}}
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>) section 0

// -----

// weight-c8
// expected-error @below {{expected a section >= 0 and an offset that is a multiple of 64, got 0 and 65}}
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>) section 0 at 65

// -----

// weight-c9
// expected-error @below {{expected from to name a moe.weight with a source, got @v}}
moe.weight @w : tensor<1x2x96x32xf32> packed(panel32) from([@v]) order(out_in) gate(none)

// -----

// weight-c9
// expected-note @below {{the weight @v is here}}
moe.weight @v : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
// expected-error @below {{expected type 'tensor<1x2x96x32xf32>' for @v of 'tensor<64x96xf32>', got 'tensor<1x3x96x32xf32>'}}
moe.weight @w : tensor<1x3x96x32xf32> packed(panel32) from([@v]) order(out_in) gate(none)

// -----

// weight-c9: 40 columns of gate and up each are three panels of 16 pairs
// expected-note @below {{the weight @v is here}}
moe.weight @v : tensor<8x40x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 81920>)
// expected-error @below {{expected type 'tensor<8x3x64x32xf32>' for @v of 'tensor<8x40x64xf32>', got 'tensor<8x2x64x32xf32>'}}
moe.weight @w : tensor<8x2x64x32xf32> packed(gate_up16) from([@v, @v]) order(out_in) gate(separate)

// -----

moe.weight @q : tensor<64x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 3072>)
// weight-c6
// expected-error @below {{expected 2 or 3 weights in from (gate none, dequantised), got 1}}
moe.weight @w : tensor<1x2x96x32xf32> packed(panel32) from([@q]) order(out_in) gate(none) dequant(<format = int4_group, group_size = 32>, tensor<64x96xf32>)

// -----

moe.weight @q : tensor<64xui16> source(#moe.file<"m.onnx", offset = 0, length = 128>)
// weight-c6
// expected-error @below {{expected 4 weights in from (gate none, dequantised), got 3}}
moe.weight @w : tensor<1x2x96x32xf32> packed(panel32) from([@q, @q, @q]) order(out_in) gate(none) dequant(<format = ternary_dict>, tensor<64x96xf32>)

// -----

// weight-c10
// expected-error @below {{expected dequant, with a type, only where it is packed}}
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>) dequant(<format = int8_channel>, tensor<64x96xf32>)

// -----

moe.weight @q : tensor<64x96xi8> source(#moe.file<"m.onnx", offset = 0, length = 6144>)
// weight-c10
// expected-error @below {{expected a type of f32 (plain, dequantised), got 'tensor<64x96xf16>'}}
moe.weight @w : tensor<64x96xf16> packed(plain) from([@q, @q]) dequant(<format = int8_channel>, tensor<64x96xf16>)

// -----

moe.weight @q : tensor<64x96xi8> source(#moe.file<"m.onnx", offset = 0, length = 6144>)
// weight-c6
// expected-error @below {{expected 2 or 3 weights in from (gate none, dequantised), got 1}}
moe.weight @w : tensor<64x96xf32> packed(plain) from([@q]) dequant(<format = int8_channel>, tensor<64x96xf32>)

// -----

// weight-c10
// expected-note @below {{the weight @q is here}}
moe.weight @q : tensor<64x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 3072>)
moe.weight @s : tensor<64x2xf32> source(#moe.file<"m.onnx", offset = 0, length = 512>)
// expected-error @below {{expected scales of type 'tensor<64x3xf32>' (int4_group), got 'tensor<64x2xf32>'}}
moe.weight @w : tensor<1x2x96x32xf32> packed(panel32) from([@q, @s]) order(out_in) gate(none) dequant(<format = int4_group, group_size = 32>, tensor<64x96xf32>)

// -----

moe.weight @v : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
// weight-c11
// expected-error @below {{expected blocks only with dequant, where it is packed in panels}}
moe.weight @w : tensor<1x2x96xi8> packed(panel32) from([@v]) order(out_in) gate(none) blocks(<code = int4, group = 32, scale = f32>)

// -----

// weight-c9: two panels of three blocks of 128 + 512 bytes
// expected-note @below {{the weight @q is here}}
moe.weight @q : tensor<64x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 3072>)
moe.weight @s : tensor<64x3xf32> source(#moe.file<"m.onnx", offset = 0, length = 768>)
// expected-error @below {{expected type 'tensor<1x2x1920xi8>' for @q of 'tensor<64x96xf32>', got 'tensor<1x2x1919xi8>'}}
moe.weight @w : tensor<1x2x1919xi8> packed(panel32) from([@q, @s]) order(out_in) gate(none) dequant(<format = int4_group, group_size = 32>, tensor<64x96xf32>) blocks(<code = int4, group = 32, scale = f32>)

// -----

func.func @weight_ref_c1() {
  // expected-error @below {{expected to name a moe.weight, got @nothing}}
  %w = moe.weight_ref @nothing : tensor<64x96xf32>
  return
}

// -----

func.func private @function()
func.func @weight_ref_c1_function() {
  // expected-error @below {{expected to name a moe.weight, got @function}}
  %w = moe.weight_ref @function : tensor<64x96xf32>
  return
}

// -----

// expected-note @below {{the weight is here}}
moe.weight @v : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
func.func @weight_ref_c2() {
  // expected-error @below {{expected the type of @v, 'tensor<64x96xf32>', got 'tensor<96x64xf32>'}}
  %w = moe.weight_ref @v : tensor<96x64xf32>
  return
}

// -----

func.func @onnx_c1(%x: tensor<*xf32>) {
  // expected-error @below {{expected operands and results to be ranked tensors or none, got 'tensor<*xf32>'}}
  %a = moe.onnx "Relu"(%x) version 14 {} : (tensor<*xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @onnx_c2(%x: tensor<2xf32>) {
  // expected-error @below {{expected an op_type, got an empty string}}
  %a = moe.onnx ""(%x) version 14 {} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @onnx_c2_version(%x: tensor<2xf32>) {
  // expected-error @below {{expected version >= 1, got 0}}
  %a = moe.onnx "Relu"(%x) version 0 {} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @require_range_of_floats(%x: tensor<2xf32>, %n: index) {
  // expected-error @below {{operand #0 must be ranked tensor of}}
  moe.require_range %x, %n, %n, "a value" : tensor<2xf32>
  return
}

// -----

moe.weight @w : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 196608>)
// weight-c12
// expected-error @below {{expected column_parts or depth_parts only where it is packed in panels, not both, and depth_parts without dequant}}
moe.weight @w.panels : tensor<32x1x48x32xf32> packed(panel32) from([@w]) order(out_in) gate(none) column_parts 2 depth_parts 2

// -----

// expected-note @below {{the weight @w is here}}
moe.weight @w : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 196608>)
// weight-c9, of parts
// expected-error @below {{expected type 'tensor<16x2x48x32xf32>' for @w of 'tensor<8x64x96xf32>', got 'tensor<8x2x96x32xf32>'}}
moe.weight @w.panels : tensor<8x2x96x32xf32> packed(panel32) from([@w]) order(out_in) gate(none) depth_parts 2

// -----

func.func @part_experts_c1(%w: tensor<8x96x64xf32>) {
  // part_experts-c1
  // expected-error @below {{expected a weight of rank 2 or 3 with static sizes and dim 1 or 2, got 'tensor<8x96x64xf32>' and 0}}
  %p = moe.part_experts %w {dim = 0 : i64, parts = 2 : i64} : tensor<8x96x64xf32> -> tensor<16x48x64xf32>
  return
}

// -----

func.func @part_experts_c1_rank(%w: tensor<8xf32>) {
  // part_experts-c1
  // expected-error @below {{expected a weight of rank 2 or 3 with static sizes and dim 1 or 2, got 'tensor<8xf32>' and 1}}
  %p = moe.part_experts %w {dim = 1 : i64, parts = 2 : i64} : tensor<8xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @part_experts_c2(%w: tensor<8x98x64xf32>) {
  // part_experts-c2
  // expected-error @below {{expected parts that divide the 49 features, got 2}}
  %p = moe.part_experts %w {dim = 1 : i64, halves, parts = 2 : i64} : tensor<8x98x64xf32> -> tensor<16x49x64xf32>
  return
}

// -----

func.func @part_experts_c3(%w: tensor<8x96x64xf32>) {
  // part_experts-c3
  // expected-error @below {{expected a result of type 'tensor<16x96x32xf32>', got 'tensor<16x48x64xf32>'}}
  %p = moe.part_experts %w {dim = 2 : i64, parts = 2 : i64} : tensor<8x96x64xf32> -> tensor<16x48x64xf32>
  return
}
