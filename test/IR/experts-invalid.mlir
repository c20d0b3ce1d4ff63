// One function per rule of experts, dequant and layer, and of the attributes they check, named by its label.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @experts_c1(%off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %y: tensor<64xf32>) {
  // expected-error @below {{expected rows of rank 2 or 3}}
  %a = moe.experts %y, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c1_rank(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected the result of rank 2}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<8x?x64xf32>
  return
}

// -----

func.func @experts_c1_rows(%off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %y: tensor<12x64xf32>) {
  // expected-error @below {{expected dim 0 of the result to be 12 (that of rows), got 10}}
  %a = moe.experts %y, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<12x64xf32>, tensor<9xi32> -> tensor<10x64xf32>
  return
}

// -----

func.func @experts_c2(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected gate and down, no parameters and no region where there is an ffn}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c2_region(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected a region of one block and no weights where there is no ffn}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c3(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected up exactly where the gate layout is separate, got none}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = silu, gate = separate>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c3_bias(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %b: tensor<8x96xf32>) {
  // expected-error @below {{expected up where there is up_bias, got none}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) up_bias(%b : tensor<8x96xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c4(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x32xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected dim 2 of gate to be 64 (columns of its rows), got 32}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x32xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c4_order(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected dim 1 of gate to be 64 (columns of its rows), got 96}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>, order = #moe<weight_order in_out>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c4_down(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x48xf32>) {
  // expected-error @below {{expected dim 2 of down to be 96 (columns of its rows), got 48}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x48xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c4_down_order(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected dim 2 of down to be 64 (columns of the product), got 96}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>, down_order = #moe<weight_order in_out>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c4_halves(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected dim 2 of down to be 48 (columns of its rows), got 96}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c4_experts(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<4x64x96xf32>) {
  // expected-error @below {{expected dim 0 of down to be 8 (experts), got 4}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<4x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c5(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x95x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected an even number of gate and up columns, got 95}}
  %a = moe.experts %x, %off gate(%g : tensor<8x95x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c6(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %b: tensor<8x64xf32>) {
  // expected-error @below {{expected dim 1 of gate_bias to be 96 (columns of gate), got 64}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) gate_bias(%b : tensor<8x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c7(%x: tensor<?x64xf32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %off: tensor<8xi32>) {
  // expected-error @below {{expected offset of length 9 (experts + 1), got 8}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<8xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c8(%x: tensor<?x64xf32>, %off: tensor<9xi32>) {
  // expected-error @below {{expected 1 region arguments (rows and parameters), got 0}}
  %a = moe.experts %x, %off : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
    moe.yield %x : tensor<?x64xf32>
  }
  return
}

// -----

func.func @experts_c8_slice(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected region argument 1 of type 'tensor<96x64xf32>', got 'tensor<8x96x64xf32>'}}
  %a = moe.experts %x, %off parameters(%g : tensor<8x96x64xf32>) : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
  ^bb0(%rows: tensor<?x64xf32>, %w: tensor<8x96x64xf32>):
    moe.yield %rows : tensor<?x64xf32>
  }
  return
}

// -----

func.func @experts_c8_yield(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %y: tensor<?x32xf32>) {
  // expected-error @below {{expected to yield 'tensor<?x64xf32>', got 'tensor<?x32xf32>'}}
  %a = moe.experts %x, %off : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
  ^bb0(%rows: tensor<?x64xf32>):
    moe.yield %y : tensor<?x32xf32>
  }
  return
}

// -----

func.func @experts_c9(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected packing gate_up16 only where the ffn is gated}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>, plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c9_activations(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected planned activations of f32, bf16 or int8, got 'f64'}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>, plan = #moe.plan<packing = panel32, activations = "f64">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c10(%x: tensor<?x64xf32>, %off: tensor<3xi32>, %g: tensor<2x96x64xf32>, %d: tensor<2x64x96xf32>) {
  // expected-error @below {{expected steps only where there is an ffn and rows are f32, and not an empty list}}
  %a = moe.experts %x, %off gate(%g : tensor<2x96x64xf32>) down(%d : tensor<2x64x96xf32>) {ffn = #moe.ffn<activation = relu>, steps = []} : tensor<?x64xf32>, tensor<3xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c10_halves(%x: tensor<?x64xf16>, %off: tensor<3xi32>, %g: tensor<2x96x64xf32>, %d: tensor<2x64x96xf32>) {
  // expected-error @below {{expected steps only where there is an ffn and rows are f32}}
  %a = moe.experts %x, %off gate(%g : tensor<2x96x64xf32>) down(%d : tensor<2x64x96xf32>) {ffn = #moe.ffn<activation = relu>, steps = [#moe.steps<at = input, lower = 0, upper = 255, scales = [0.5, 0.5], zeros = [0, 1]>]} : tensor<?x64xf16>, tensor<3xi32> -> tensor<?x64xf16>
  return
}

// -----

func.func @experts_c10_order(%x: tensor<?x64xf32>, %off: tensor<3xi32>, %g: tensor<2x96x64xf32>, %d: tensor<2x64x96xf32>) {
  // expected-error @below {{expected steps in the order input, gate, up, hidden, result, each at most once, got gate behind hidden}}
  %a = moe.experts %x, %off gate(%g : tensor<2x96x64xf32>) down(%d : tensor<2x64x96xf32>) {ffn = #moe.ffn<activation = relu>, steps = [#moe.steps<at = hidden, lower = 0, upper = 255, scales = [0.5, 0.5], zeros = [0, 1]>, #moe.steps<at = gate, lower = 0, upper = 255, scales = [0.5, 0.5], zeros = [0, 1]>]} : tensor<?x64xf32>, tensor<3xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c10_up(%x: tensor<?x64xf32>, %off: tensor<3xi32>, %g: tensor<2x96x64xf32>, %d: tensor<2x64x96xf32>) {
  // expected-error @below {{expected steps of up only where up is given}}
  %a = moe.experts %x, %off gate(%g : tensor<2x96x64xf32>) down(%d : tensor<2x64x96xf32>) {ffn = #moe.ffn<activation = relu>, steps = [#moe.steps<at = up, lower = 0, upper = 255, scales = [0.5, 0.5], zeros = [0, 1]>]} : tensor<?x64xf32>, tensor<3xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c10_scales(%x: tensor<?x64xf32>, %off: tensor<3xi32>, %g: tensor<2x96x64xf32>, %d: tensor<2x64x96xf32>) {
  // expected-error @below {{expected 2 scales (experts) of the steps of hidden, got 1}}
  %a = moe.experts %x, %off gate(%g : tensor<2x96x64xf32>) down(%d : tensor<2x64x96xf32>) {ffn = #moe.ffn<activation = relu>, steps = [#moe.steps<at = hidden, lower = 0, upper = 255, scales = [0.5], zeros = [0]>]} : tensor<?x64xf32>, tensor<3xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c10_padded(%x: tensor<2x?x64xf32>, %off: tensor<3xi32>, %g: tensor<2x96x64xf32>, %d: tensor<2x64x96xf32>) {
  // expected-error @below {{expected scales of the steps of padded rows, got none}}
  %a = moe.experts %x, %off gate(%g : tensor<2x96x64xf32>) down(%d : tensor<2x64x96xf32>) {ffn = #moe.ffn<activation = relu>, steps = [#moe.steps<at = hidden, lower = 0, upper = 255>]} : tensor<2x?x64xf32>, tensor<3xi32> -> tensor<2x?x64xf32>
  return
}

// -----

func.func @ffn_c1(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected alpha only with activation silu, got relu}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu, alpha = 1.702 : f64>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @ffn_c2(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected up_offset and limit only with a gate, got gate none}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = silu, limit = 7.0 : f64>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @ffn_c3(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x48xf32>) {
  // expected-error @below {{expected a limit that is not negative, got -7.000000e+00}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x48xf32>) {ffn = #moe.ffn<activation = silu, gate = halves, limit = -7.0 : f64>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @origin_c1(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected a form of fused, grouped, batched, unrolled, tiled, masked, gathered, padded, soft or mlir, got 'scattered'}}
  %a = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "scattered">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @dequant_c1(%p: tensor<64x96xi8>, %s: tensor<64xf32>) {
  // expected-error @below {{expected scales, got none}}
  %a = moe.dequant %p <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c2(%p: tensor<64x96xi8>, %s: tensor<64xf32>) {
  // expected-error @below {{expected zeros only for formats of integers and ternary_dict, got mxfp4}}
  %a = moe.dequant %p scales(%s : tensor<64xf32>) zeros(%s : tensor<64xf32>) <format = mxfp4> : tensor<64x96xi8> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c3(%p: tensor<?xi16>, %s: tensor<64xf32>) {
  // expected-error @below {{expected codebook exactly for ternary_dict, got none}}
  %a = moe.dequant %p scales(%s : tensor<64xf32>) <format = ternary_dict> : tensor<?xi16> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c4(%p: tensor<64x96xi8>, %s: tensor<64xf32>) {
  // expected-error @below {{expected a payload of 4-bit codes of the sizes of 'tensor<64x96xf32>', or rows of 48 bytes, got 'tensor<64x96xi8>'}}
  %a = moe.dequant %p scales(%s : tensor<64xf32>) <format = int4_group, group_size = 32> : tensor<64x96xi8> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c5(%p: tensor<64x96xi8>, %s: tensor<96xf32>) {
  // expected-error @below {{expected scales of type 'tensor<64xf32>' (int8_channel), got 'tensor<96xf32>'}}
  %a = moe.dequant %p scales(%s : tensor<96xf32>) <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c5_fp8(%p: tensor<64x96xf8E4M3FN>, %s: tensor<64xf32>) {
  // expected-error @below {{expected scales of type 'tensor<1x2xf32>' (fp8_block), got 'tensor<64xf32>'}}
  %a = moe.dequant %p scales(%s : tensor<64xf32>) <format = fp8_block, group_size = 64> : tensor<64x96xf8E4M3FN> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c4_integers(%p: tensor<64x96xf8E4M3FN>, %s: tensor<64xf32>) {
  // expected-error @below {{expected a payload of integers (int8_channel), got 'tensor<64x96xf8E4M3FN>'}}
  %a = moe.dequant %p scales(%s : tensor<64xf32>) <format = int8_channel> : tensor<64x96xf8E4M3FN> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c5_type(%p: tensor<64x96xi8>, %s: tensor<64xi32>) {
  // expected-error @below {{expected scales of f32, f16, bf16, f8E8M0FNU or f8E4M3FN, got 'tensor<64xi32>'}}
  %a = moe.dequant %p scales(%s : tensor<64xi32>) <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c5_axis(%p: tensor<64x96xi4>, %s: tensor<64x3xf32>) {
  // expected-error @below {{expected scales of type 'tensor<2x96xf32>' (int4_group), got 'tensor<64x3xf32>'}}
  %a = moe.dequant %p scales(%s : tensor<64x3xf32>) <format = int4_group, group_size = 32, axis = -2> : tensor<64x96xi4> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c6(%p: tensor<64x48xui8>, %s: tensor<64x3xf32>, %z: tensor<64x3xui8>) {
  // expected-error @below {{expected zeros of f32, f16, bf16 or 4-bit codes with the sizes of 'tensor<64x3xf32>', or lines of 2 bytes, got 'tensor<64x3xui8>'}}
  %a = moe.dequant %p scales(%s : tensor<64x3xf32>) zeros(%z : tensor<64x3xui8>) <format = int4_group, group_size = 32> : tensor<64x48xui8> -> tensor<64x96xf32>
  return
}

// -----

func.func @quant_c3(%p: tensor<64x96xi4>, %s: tensor<64x3xf32>) {
  // expected-error @below {{expected axis -1 or -2, got 0}}
  %a = moe.dequant %p scales(%s : tensor<64x3xf32>) <format = int4_group, group_size = 32, axis = 0> : tensor<64x96xi4> -> tensor<64x96xf32>
  return
}

// -----

func.func @quant_c1(%p: tensor<64x96xi8>, %s: tensor<64xf32>) {
  // expected-error @below {{expected bits of 0 or 8 (int8_channel), got 4}}
  %a = moe.dequant %p scales(%s : tensor<64xf32>) <format = int8_channel, bits = 4> : tensor<64x96xi8> -> tensor<64x96xf32>
  return
}

// -----

func.func @quant_c2(%p: tensor<64x96xi8>, %s: tensor<64xf32>) {
  // expected-error @below {{expected a positive group_size (nf4), got 0}}
  %a = moe.dequant %p scales(%s : tensor<64xf32>) <format = nf4> : tensor<64x96xi8> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c7_payload(%p: tensor<?xi32>, %s: tensor<64x2xf32>, %z: tensor<65xi32>, %b: tensor<131072xi32>) {
  // expected-error @below {{expected a payload that is a vector of 16-bit integers (ternary_dict), got 'tensor<?xi32>'}}
  %a = moe.dequant %p scales(%s : tensor<64x2xf32>) zeros(%z : tensor<65xi32>) codebook(%b : tensor<131072xi32>) <format = ternary_dict> : tensor<?xi32> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c7_zeros(%p: tensor<?xi16>, %s: tensor<64x2xf32>, %z: tensor<64xi32>, %b: tensor<131072xi32>) {
  // expected-error @below {{expected zeros that are a vector of 65 i32 (ternary_dict), got 'tensor<64xi32>'}}
  %a = moe.dequant %p scales(%s : tensor<64x2xf32>) zeros(%z : tensor<64xi32>) codebook(%b : tensor<131072xi32>) <format = ternary_dict> : tensor<?xi16> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c7_starts(%p: tensor<?xi16>, %s: tensor<64x2xf32>, %z: tensor<64xi32>, %b: tensor<131072xi32>) {
  // expected-error @below {{expected zeros that are a vector of 65 i32 (ternary_dict), got none}}
  %a = moe.dequant %p scales(%s : tensor<64x2xf32>) codebook(%b : tensor<131072xi32>) <format = ternary_dict> : tensor<?xi16> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c7_scales(%p: tensor<?xi16>, %s: tensor<64xf32>, %z: tensor<65xi32>, %b: tensor<131072xi32>) {
  // expected-error @below {{expected scales with the sizes of 'tensor<64x2xf32>' of f32, f16 or bf16 (ternary_dict), got 'tensor<64xf32>'}}
  %a = moe.dequant %p scales(%s : tensor<64xf32>) zeros(%z : tensor<65xi32>) codebook(%b : tensor<131072xi32>) <format = ternary_dict> : tensor<?xi16> -> tensor<64x96xf32>
  return
}

// -----

func.func @dequant_c7_codebook(%p: tensor<?xi16>, %s: tensor<64x2xf32>, %z: tensor<65xi32>, %b: tensor<131074xi32>) {
  // expected-error @below {{expected a codebook that is a vector of 2 to 131072 32-bit integers, two for each string (ternary_dict), got 'tensor<131074xi32>'}}
  %a = moe.dequant %p scales(%s : tensor<64x2xf32>) zeros(%z : tensor<65xi32>) codebook(%b : tensor<131074xi32>) <format = ternary_dict> : tensor<?xi16> -> tensor<64x96xf32>
  return
}

// -----

func.func @layer_c1(%g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %y: tensor<6x64xf32>, %l: tensor<5x8xf32>) {
  // expected-error @below {{expected dim 0 of logits to be 6 (tokens of x), got 5}}
  %a = moe.layer %y, %l gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>) : tensor<6x64xf32>, tensor<5x8xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @layer_c2(%x: tensor<?x64xf32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %l: tensor<?x4xf32>) {
  // expected-error @below {{expected dim 0 of gate to be 4 (experts), got 8}}
  %a = moe.layer %x, %l gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x4xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @router_c1(%x: tensor<?x64xf32>, %z: tensor<?x8xf32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected 1 <= k <= experts (8), got 9}}
  %a = moe.layer %x, %z gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = softmax, k = 9, source = gather, norm = l1>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @router_c2(%x: tensor<?x64xf32>, %z: tensor<?x8xf32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected a router function of identity, softmax, sigmoid or sqrt_softplus, got sinkhorn}}
  %a = moe.layer %x, %z gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = sinkhorn, k = 2, source = gather, norm = l1>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @router_c3(%x: tensor<?x64xf32>, %z: tensor<?x8xf32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected a router source of gather, softmax_selected or one, got sparse_mixer}}
  %a = moe.layer %x, %z gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = softmax, k = 2, source = sparse_mixer, norm = none>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @router_c4(%x: tensor<?x64xf32>, %z: tensor<?x8xf32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected a router norm of none or l1, got lp}}
  %a = moe.layer %x, %z gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = softmax, k = 2, source = gather, norm = lp>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @router_c5(%x: tensor<?x64xf32>, %z: tensor<?x8xf32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // expected-error @below {{expected a finite scale}}
  %a = moe.layer %x, %z gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = softmax, k = 2, source = gather, norm = l1, scale = 0x7FF8000000000000 : f64>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @experts_c8_empty(%x: tensor<?x64xf32>, %off: tensor<9xi32>) {
  // expected-error @below {{expected a region that ends in moe.yield, got no op}}
  %y = moe.experts %x, %off : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
  ^bb0(%rows: tensor<?x64xf32>):
  }
  return
}
