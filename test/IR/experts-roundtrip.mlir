// Every op and attribute of experts, dequant and layer is printed as it is read, in the short and in the generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// CHECK-LABEL: func.func @experts(
func.func @experts(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %h: tensor<8x64x48xf32>, %b: tensor<8x96xf32>, %c: tensor<8x64xf32>, %y: tensor<8x?x64xf32>) {
  // CHECK: moe.experts %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) down(%{{[^ ,:)]+}} : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %a0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.experts %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) down(%{{[^ ,:)]+}} : tensor<8x64x48xf32>) {ffn = #moe.ffn<activation = silu, gate = halves, alpha = 1.702000e+00 : f64, up_offset = 1.000000e+00 : f64, limit = 7.000000e+00 : f64>, origin = #moe.origin<"layer 0", "batched">, plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %a1 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%h : tensor<8x64x48xf32>) {ffn = #moe.ffn<activation = silu, gate = halves, alpha = 1.702000e+00 : f64, up_offset = 1.000000e+00 : f64, limit = 7.000000e+00 : f64>, origin = #moe.origin<"layer 0", "batched">, plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.experts %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) down(%{{[^ ,:)]+}} : tensor<8x64x48xf32>) {ffn = #moe.ffn<activation = gelu_tanh, gate = interleaved>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %a2 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%h : tensor<8x64x48xf32>) {ffn = #moe.ffn<activation = gelu_tanh, gate = interleaved>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.experts %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) gate_bias(%{{[^ ,:)]+}} : tensor<8x96xf32>) up(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) up_bias(%{{[^ ,:)]+}} : tensor<8x96xf32>) down(%{{[^ ,:)]+}} : tensor<8x64x96xf32>) down_bias(%{{[^ ,:)]+}} : tensor<8x64xf32>) {ffn = #moe.ffn<activation = gelu_erf, gate = separate>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %a3 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) gate_bias(%b : tensor<8x96xf32>) up(%g : tensor<8x96x64xf32>) up_bias(%b : tensor<8x96xf32>) down(%d : tensor<8x64x96xf32>) down_bias(%c : tensor<8x64xf32>) {ffn = #moe.ffn<activation = gelu_erf, gate = separate>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.experts %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x64x96xf32>) down(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) {ffn = #moe.ffn<activation = relu2>, order = #moe<weight_order in_out>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %a4 = moe.experts %x, %off gate(%d : tensor<8x64x96xf32>) down(%g : tensor<8x96x64xf32>) {ffn = #moe.ffn<activation = relu2>, order = #moe<weight_order in_out>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.experts %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) down(%{{[^ ,:)]+}} : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = identity>} : tensor<8x?x64xf32>, tensor<9xi32> -> tensor<8x?x64xf32>
  %a5 = moe.experts %y, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = identity>} : tensor<8x?x64xf32>, tensor<9xi32> -> tensor<8x?x64xf32>
  // CHECK: moe.experts %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) down(%{{[^ ,:)]+}} : tensor<8x64x96xf32>)
  // CHECK-SAME: steps = [#moe.steps<at = input, lower = 0, upper = 255>, #moe.steps<at = hidden, lower = -128, upper = 127, scales = [0.0357999913, 3.000000e-02, 1.000000e+00, 1.000000e+00, 1.000000e+00, 1.000000e+00, 1.000000e+00, 1.000000e+00], zeros = [-128, 0, 1, 2, 3, 4, 5, 127]>]
  %a7 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>, steps = [#moe.steps<at = input, lower = 0, upper = 255>, #moe.steps<at = hidden, lower = -128, upper = 127, scales = [0.03579999, 0.03, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], zeros = [-128, 0, 1, 2, 3, 4, 5, 127]>]} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.experts %{{[^ ,:)]+}}, %{{[^ ,:)]+}} parameters(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
  %a6 = moe.experts %x, %off parameters(%g : tensor<8x96x64xf32>) : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
  ^bb0(%rows: tensor<?x64xf32>, %w: tensor<96x64xf32>):
    // CHECK: moe.yield %{{.*}} : tensor<?x64xf32>
    moe.yield %rows : tensor<?x64xf32>
  }
  return
}

// CHECK-LABEL: func.func @dequant(
func.func @dequant(%p: tensor<64x96xi8>, %q: tensor<64x48xui8>, %s: tensor<64xf32>, %g: tensor<64x3xf16>, %f: tensor<64x96xf8E4M3FN>, %k: tensor<1x2xf32>,
                   %n: tensor<64x2xf32>, %e: tensor<64x3xi8>, %n16: tensor<64x6xf8E4M3FN>, %i4: tensor<64x96xi4>, %r: tensor<2x96xf32>,
                   %q2: tensor<64x24xui8>, %z2: tensor<64x1xui8>, %t: tensor<?xi16>, %u: tensor<65xi32>, %l: tensor<131072xi32>) {
  // CHECK: moe.dequant %{{[^ ,:)]+}} scales(%{{[^ ,:)]+}} : tensor<64xf32>) zeros(%{{[^ ,:)]+}} : tensor<64xf32>) <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  %a0 = moe.dequant %p scales(%s : tensor<64xf32>) zeros(%s : tensor<64xf32>) <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  // CHECK: moe.dequant %{{[^ ,:)]+}} scales(%{{[^ ,:)]+}} : tensor<64x3xf16>) <format = int4_group, group_size = 32, bits = 4> : tensor<64x48xui8> -> tensor<64x96xf32>
  %a1 = moe.dequant %q scales(%g : tensor<64x3xf16>) <format = int4_group, group_size = 32, bits = 4> : tensor<64x48xui8> -> tensor<64x96xf32>
  // CHECK: moe.dequant %{{[^ ,:)]+}} scales(%{{[^ ,:)]+}} : tensor<1x2xf32>) <format = fp8_block, group_size = 64> : tensor<64x96xf8E4M3FN> -> tensor<64x96xf32>
  %a2 = moe.dequant %f scales(%k : tensor<1x2xf32>) <format = fp8_block, group_size = 64> : tensor<64x96xf8E4M3FN> -> tensor<64x96xf32>
  // CHECK: moe.dequant %{{[^ ,:)]+}} scales(%{{[^ ,:)]+}} : tensor<64x3xi8>) <format = mxfp4> : tensor<64x48xui8> -> tensor<64x96xf32>
  %a3 = moe.dequant %q scales(%e : tensor<64x3xi8>) <format = mxfp4> : tensor<64x48xui8> -> tensor<64x96xf32>
  // CHECK: moe.dequant %{{[^ ,:)]+}} scales(%{{[^ ,:)]+}} : tensor<64x2xf32>) <format = nf4, group_size = 64> : tensor<64x48xui8> -> tensor<64x96xf32>
  %a4 = moe.dequant %q scales(%n : tensor<64x2xf32>) <format = nf4, group_size = 64> : tensor<64x48xui8> -> tensor<64x96xf32>
  // CHECK: moe.dequant %{{[^ ,:)]+}} scales(%{{[^ ,:)]+}} : tensor<64x2xf32>) zeros(%{{[^ ,:)]+}} : tensor<65xi32>) codebook(%{{[^ ,:)]+}} : tensor<131072xi32>) <format = ternary_dict> : tensor<?xi16> -> tensor<64x96xf32>
  %a5 = moe.dequant %t scales(%n : tensor<64x2xf32>) zeros(%u : tensor<65xi32>) codebook(%l : tensor<131072xi32>) <format = ternary_dict> : tensor<?xi16> -> tensor<64x96xf32>
  // CHECK: moe.dequant %{{[^ ,:)]+}} scales(%{{[^ ,:)]+}} : tensor<64x6xf8E4M3FN>) <format = nvfp4> : tensor<64x48xui8> -> tensor<64x96xf32>
  %a6 = moe.dequant %q scales(%n16 : tensor<64x6xf8E4M3FN>) <format = nvfp4> : tensor<64x48xui8> -> tensor<64x96xf32>
  // CHECK: moe.dequant %{{[^ ,:)]+}} scales(%{{[^ ,:)]+}} : tensor<2x96xf32>) <format = int4_group, group_size = 32, axis = -2> : tensor<64x96xi4> -> tensor<64x96xf32>
  %a7 = moe.dequant %i4 scales(%r : tensor<2x96xf32>) <format = int4_group, group_size = 32, axis = -2> : tensor<64x96xi4> -> tensor<64x96xf32>
  // CHECK: moe.dequant %{{[^ ,:)]+}} scales(%{{[^ ,:)]+}} : tensor<64x3xf16>) zeros(%{{[^ ,:)]+}} : tensor<64x1xui8>) <format = int2_group, group_size = 32> : tensor<64x24xui8> -> tensor<64x96xf32>
  %a8 = moe.dequant %q2 scales(%g : tensor<64x3xf16>) zeros(%z2 : tensor<64x1xui8>) <format = int2_group, group_size = 32> : tensor<64x24xui8> -> tensor<64x96xf32>
  return
}

// CHECK-LABEL: func.func @layer(
func.func @layer(%x: tensor<?x64xf32>, %z: tensor<?x8xf32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) {
  // CHECK: moe.layer %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) down(%{{[^ ,:)]+}} : tensor<8x64x96xf32>) router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  %a0 = moe.layer %x, %z gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  // CHECK: moe.layer %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) down(%{{[^ ,:)]+}} : tensor<8x64x96xf32>) router(<function = identity, k = 8, source = softmax_selected, norm = none, scale = 2.500000e+00 : f64>) ffn(<activation = relu>) {origin = #moe.origin<"layer 0", "mlir">} : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  %a1 = moe.layer %x, %z gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = identity, k = 8, source = softmax_selected, norm = none, scale = 2.500000e+00 : f64>) ffn(<activation = relu>) {origin = #moe.origin<"layer 0", "mlir">} : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  // CHECK: moe.layer %{{[^ ,:)]+}}, %{{[^ ,:)]+}} gate(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) down(%{{[^ ,:)]+}} : tensor<8x64x96xf32>) router(<function = sigmoid, k = 1, source = one, norm = none>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  %a2 = moe.layer %x, %z gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) router(<function = sigmoid, k = 1, source = one, norm = none>) ffn(<activation = relu>) : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  return
}
