// RUN: moe-opt %s --split-input-file --moe-lower-pack-weights | FileCheck %s

// Two products of one weight share a packed weight; the plain bias has a place too; what is unread and no source is erased.

// CHECK: moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
// CHECK-NOT: section
// CHECK: moe.weight @w.panels : tensor<1x2x96x32xf32> packed(panel32) from([@w]) order(out_in) gate(none) section 1 at 0
// CHECK-NEXT: moe.weight @b1 : tensor<3xf32> {{.*}} section 0 at 0
// CHECK-NEXT: moe.weight @b2 : tensor<64xf32> {{.*}} section 0 at 64
// CHECK-NEXT: moe.weight @half : tensor<96x40xf16> source
// CHECK-NEXT: moe.weight @half.panels : tensor<1x2x96x32xf16> packed(panel32) from([@half]) order(in_out) gate(none) section 1 at 24576
// CHECK-NOT: @unread
// CHECK-LABEL: func.func @dense
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
moe.weight @b1 : tensor<3xf32> source(#moe.file<"m.onnx", offset = 24576, length = 12>)
moe.weight @unread : tensor<3xf32> source(#moe.file<"m.onnx", offset = 24576, length = 12>)
moe.weight @b2 : tensor<64xf32> source(#moe.file<"m.onnx", offset = 24588, length = 256>)
moe.weight @half : tensor<96x40xf16> source(#moe.file<"m.onnx", offset = 30000, length = 7680>)
func.func @dense(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>, %z: tensor<?x40xf32>)
    -> (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x40xf32>, tensor<3xf32>) {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %b1 = moe.weight_ref @b1 : tensor<3xf32>
  %b2 = moe.weight_ref @b2 : tensor<64xf32>
  %half = moe.weight_ref @half : tensor<96x40xf16>
  %unread = moe.weight_ref @unread : tensor<3xf32>
  // CHECK: moe.grouped_matmul %{{.*}} weight(%{{.*}} : tensor<1x2x96x32xf32>) bias(%{{.*}} : tensor<64xf32>)
  // CHECK-SAME: {columns = 64 : i64, packing = #moe<packing_family panel32>} :
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) bias(%b2 : tensor<64xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf32> -> tensor<?x64xf32>
  // CHECK: moe.grouped_matmul %{{.*}} weight(%{{.*}} : tensor<1x2x96x32xf32>) outs
  %1 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf32> -> tensor<?x64xf32>
  // The order in which the source lies moves to the packed weight.
  // CHECK: moe.grouped_matmul
  // CHECK-SAME: {columns = 40 : i64, packing = #moe<packing_family panel32>} :
  %2 = moe.grouped_matmul %x weight(%half : tensor<96x40xf16>) outs(%z : tensor<?x40xf32>)
    {order = #moe<weight_order in_out>, plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf32> -> tensor<?x40xf32>
  return %0, %1, %2, %b1 : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x40xf32>, tensor<3xf32>
}

// -----

// Gate and up: from one tensor (halves) and from two (separate). 40 columns of each need three panels of 16 pairs.

// CHECK: moe.weight @gate_up.panels : tensor<8x3x64x32xf32> packed(gate_up16) from([@gate_up]) order(out_in) gate(halves) section 2 at 0
// CHECK: moe.weight @gate.panels : tensor<8x3x64x32xf32> packed(gate_up16) from([@gate, @up]) order(in_out) gate(separate) section 2 at 196608
// CHECK-LABEL: func.func @gated
// DOC: --moe-lower-pack-weights
moe.weight @gate_up : tensor<8x80x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 163840>)
moe.weight @gate : tensor<8x64x40xf32> source(#moe.file<"m.onnx", offset = 163840, length = 81920>)
moe.weight @up : tensor<8x64x40xf32> source(#moe.file<"m.onnx", offset = 245760, length = 81920>)
func.func @gated(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %y: tensor<?x40xf32>, %b: tensor<8x40xf32>) -> (tensor<?x40xf32>, tensor<?x40xf32>) {
  %gate_up = moe.weight_ref @gate_up : tensor<8x80x64xf32>
  %gate = moe.weight_ref @gate : tensor<8x64x40xf32>
  %up = moe.weight_ref @up : tensor<8x64x40xf32>
  // CHECK: moe.grouped_matmul {{.*}} weight(%{{.*}} : tensor<8x3x64x32xf32>) outs
  // CHECK-SAME: columns = 80 : i64
  // CHECK-SAME: packing = #moe<packing_family gate_up16>
  %0 = moe.grouped_matmul %x offsets(%off : tensor<9xi32>) weight(%gate_up : tensor<8x80x64xf32>) outs(%y : tensor<?x40xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x64xf32> -> tensor<?x40xf32>
  // CHECK: moe.grouped_matmul {{.*}} weight(%{{.*}} : tensor<8x3x64x32xf32>) bias(%{{[^)]*}}) up_bias(%{{[^)]*}}) outs
  // CHECK-SAME: columns = 80 : i64
  // CHECK-NOT: order
  %1 = moe.grouped_matmul %x offsets(%off : tensor<9xi32>) weight(%gate : tensor<8x64x40xf32>) bias(%b : tensor<8x40xf32>) up(%up : tensor<8x64x40xf32>)
    up_bias(%b : tensor<8x40xf32>) outs(%y : tensor<?x40xf32>)
    {order = #moe<weight_order in_out>, ffn = #moe.ffn<activation = silu, gate = separate>, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32> -> tensor<?x40xf32>
  return %0, %1 : tensor<?x40xf32>, tensor<?x40xf32>
}

// -----

// A plan of plain keeps the weight; it is read, so it has a place.

// CHECK: moe.weight @w : tensor<64x96xf32> source({{.*}}) section 0 at 0
// CHECK-NOT: panels
// CHECK: moe.grouped_matmul %{{.*}} weight(%{{.*}} : tensor<64x96xf32>)
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
func.func @plain(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = plain, activations = "f32">} : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// A quantised weight stays quantised: blocks with its group, its zero points and its scales; f16 stays f16. The bias of f16 is widened.

// CHECK: moe.weight @q : tensor<8x64x48xui8> source
// CHECK-NEXT: moe.weight @q.panels : tensor<8x2x1824xi8> packed(panel32) from([@q, @s, @z]) order(out_in) gate(none) dequant(<format = int4_group, group_size = 32>, tensor<8x64x96xf32>) blocks(<code = int4, group = 32, scale = f16, zero = i8>) section 1 at 0
// CHECK: moe.weight @b : tensor<8x64xf16> source
// CHECK-NEXT: moe.weight @b.f32 : tensor<8x64xf32> packed(plain) from([@b]) section 0 at 0
// CHECK-LABEL: func.func @quantized
// CHECK-NOT: moe.dequant
// CHECK: moe.grouped_matmul {{.*}} weight(%{{.*}} : tensor<8x2x1824xi8>) bias(%{{.*}} : tensor<8x64xf32>)
// CHECK-SAME: blocks = #moe.blocks<code = int4, group = 32, scale = f16, zero = i8>
moe.weight @q : tensor<8x64x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
moe.weight @s : tensor<8x64x3xf16> source(#moe.file<"m.onnx", offset = 0, length = 3072>)
moe.weight @z : tensor<8x64x2xui8> source(#moe.file<"m.onnx", offset = 0, length = 1024>)
moe.weight @b : tensor<8x64xf16> source(#moe.file<"m.onnx", offset = 0, length = 1024>)
func.func @quantized(%x: tensor<?x96xf32>, %off: tensor<9xi32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %q = moe.weight_ref @q : tensor<8x64x48xui8>
  %s = moe.weight_ref @s : tensor<8x64x3xf16>
  %z = moe.weight_ref @z : tensor<8x64x2xui8>
  %b = moe.weight_ref @b : tensor<8x64xf16>
  %w = moe.dequant %q scales(%s : tensor<8x64x3xf16>) zeros(%z : tensor<8x64x2xui8>) <format = int4_group, group_size = 32> : tensor<8x64x48xui8> -> tensor<8x64x96xf32>
  %0 = moe.grouped_matmul %x offsets(%off : tensor<9xi32>) weight(%w : tensor<8x64x96xf32>) bias(%b : tensor<8x64xf16>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// Gate and up apart: all parts of the one, then all of the other. One scale per column makes one block; scales of e8m0 become bf16.

// CHECK: moe.weight @g.panels : tensor<2x2x1664xi8> packed(gate_up16) from([@g, @s, @u, @s]) order(out_in) gate(separate) dequant(<format = int8_group>, tensor<2x20x48xf32>) blocks(<code = int8, group = 48, scale = f32>)
// CHECK: moe.weight @m.panels : tensor<1x1x1152xi8> packed(panel32) from([@m, @e]) order(out_in) gate(none) dequant(<format = mxfp4>, tensor<20x64xf32>) blocks(<code = e2m1, group = 32, scale = bf16>)
moe.weight @g : tensor<2x20x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 1920>)
moe.weight @u : tensor<2x20x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 1920>)
moe.weight @s : tensor<2x20xf32> source(#moe.file<"m.onnx", offset = 0, length = 160>)
moe.weight @m : tensor<20x32xui8> source(#moe.file<"m.onnx", offset = 0, length = 640>)
moe.weight @e : tensor<20x2xui8> source(#moe.file<"m.onnx", offset = 0, length = 40>)
func.func @separate(%x: tensor<?x48xf32>, %v: tensor<?x64xf32>, %off: tensor<3xi32>, %y: tensor<?x20xf32>) -> (tensor<?x20xf32>, tensor<?x20xf32>) {
  %g = moe.weight_ref @g : tensor<2x20x48xui8>
  %u = moe.weight_ref @u : tensor<2x20x48xui8>
  %s = moe.weight_ref @s : tensor<2x20xf32>
  %gate = moe.dequant %g scales(%s : tensor<2x20xf32>) <format = int8_group> : tensor<2x20x48xui8> -> tensor<2x20x48xf32>
  %up = moe.dequant %u scales(%s : tensor<2x20xf32>) <format = int8_group> : tensor<2x20x48xui8> -> tensor<2x20x48xf32>
  %0 = moe.grouped_matmul %x offsets(%off : tensor<3xi32>) weight(%gate : tensor<2x20x48xf32>) up(%up : tensor<2x20x48xf32>) outs(%y : tensor<?x20xf32>)
    {ffn = #moe.ffn<activation = silu, gate = separate>, plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x48xf32> -> tensor<?x20xf32>
  %m = moe.weight_ref @m : tensor<20x32xui8>
  %e = moe.weight_ref @e : tensor<20x2xui8>
  %w = moe.dequant %m scales(%e : tensor<20x2xui8>) <format = mxfp4> : tensor<20x32xui8> -> tensor<20x64xf32>
  %1 = moe.grouped_matmul %v weight(%w : tensor<20x64xf32>) outs(%y : tensor<?x20xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x64xf32> -> tensor<?x20xf32>
  return %0, %1 : tensor<?x20xf32>, tensor<?x20xf32>
}

// -----

// Scales that change with k would be as many as codes: such a weight is widened.

// CHECK: moe.weight @q.panels : tensor<1x1x64x32xf32> packed(panel32) from([@q, @s]) order(in_out) gate(none) dequant(<format = int8_group>, tensor<64x20xf32>) section
moe.weight @q : tensor<64x20xi8> source(#moe.file<"m.onnx", offset = 0, length = 1280>)
moe.weight @s : tensor<64xf32> source(#moe.file<"m.onnx", offset = 0, length = 256>)
func.func @by_row(%x: tensor<?x64xf32>, %y: tensor<?x20xf32>) -> tensor<?x20xf32> {
  %q = moe.weight_ref @q : tensor<64x20xi8>
  %s = moe.weight_ref @s : tensor<64xf32>
  %w = moe.dequant %q scales(%s : tensor<64xf32>) <format = int8_group> : tensor<64x20xi8> -> tensor<64x20xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x20xf32>) outs(%y : tensor<?x20xf32>)
    {order = #moe<weight_order in_out>, plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x64xf32> -> tensor<?x20xf32>
  return %0 : tensor<?x20xf32>
}

// -----

// Where strings of a dictionary take no less, package takes them apart: kernels read digits, five in a byte, and the two values of a column. Where
// the rows of digits do not go along k, package decodes, two values that are bf16 into bf16.

// CHECK-DAG: moe.weight @c.panels : tensor<1x1x192xi8> packed(panel32) from([@c, @r, @f, @d]) order(out_in) gate(none) dequant(<format = ternary_dict>, tensor<3x8xf32>) blocks(<code = ternary, group = 8, scale = bf16>) section
// CHECK-DAG: moe.weight @c.panels_0 : tensor<1x1x320xi8> packed(panel32) from([@c, @w, @f, @d]) order(out_in) gate(none) dequant(<format = ternary_dict>, tensor<3x8xf32>) blocks(<code = ternary, group = 8, scale = f32>) section
// CHECK-DAG: moe.weight @c.panels_{{[1-9]}} : tensor<1x1x3x32xbf16> packed(panel32) from([@c, @r, @f, @d]) order(in_out) gate(none) dequant(<format = ternary_dict>, tensor<3x8xf32>) section
moe.weight @c : tensor<5xui16> source(#moe.file<"m.onnx", offset = 0, length = 10>)
moe.weight @r : tensor<3x2xbf16> source(#moe.file<"m.onnx", offset = 10, length = 12>)
moe.weight @w : tensor<3x2xf32> source(#moe.file<"m.onnx", offset = 10, length = 24>)
moe.weight @f : tensor<4xi32> source(#moe.file<"m.onnx", offset = 64, length = 16>)
moe.weight @d : tensor<18xui32> source(#moe.file<"m.onnx", offset = 128, length = 72>)
func.func @strings(%x: tensor<?x8xf32>, %y: tensor<?x3xf32>, %z: tensor<?x8xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x8xf32>) {
  %c = moe.weight_ref @c : tensor<5xui16>
  %r = moe.weight_ref @r : tensor<3x2xbf16>
  %w = moe.weight_ref @w : tensor<3x2xf32>
  %f = moe.weight_ref @f : tensor<4xi32>
  %d = moe.weight_ref @d : tensor<18xui32>
  %a = moe.dequant %c scales(%r : tensor<3x2xbf16>) zeros(%f : tensor<4xi32>) codebook(%d : tensor<18xui32>) <format = ternary_dict>
      : tensor<5xui16> -> tensor<3x8xf32>
  %b = moe.dequant %c scales(%w : tensor<3x2xf32>) zeros(%f : tensor<4xi32>) codebook(%d : tensor<18xui32>) <format = ternary_dict>
      : tensor<5xui16> -> tensor<3x8xf32>
  %0 = moe.grouped_matmul %x weight(%a : tensor<3x8xf32>) outs(%y : tensor<?x3xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x8xf32> -> tensor<?x3xf32>
  %1 = moe.grouped_matmul %x weight(%b : tensor<3x8xf32>) outs(%y : tensor<?x3xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x8xf32> -> tensor<?x3xf32>
  %2 = moe.grouped_matmul %y weight(%a : tensor<3x8xf32>) outs(%z : tensor<?x8xf32>)
    {order = #moe<weight_order in_out>, plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x3xf32> -> tensor<?x8xf32>
  return %0, %1, %2 : tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x8xf32>
}

// -----

// Products on rows of bf16 read pairs of k, rounded from f32 and f16; an odd K fills up the last pair. A product in f32 of the same weight
// has its own copy.

// CHECK-DAG: moe.weight @w.panels : tensor<1x2x48x32x2xbf16> packed(panel32) from([@w]) order(out_in) gate(none) section 1 at
// CHECK-DAG: moe.weight @w.panels_{{[0-9]+}} : tensor<1x2x95x32xf32> packed(panel32) from([@w]) order(out_in) gate(none) section 1 at
// CHECK-DAG: moe.weight @gate_up.panels : tensor<8x3x32x32x2xbf16> packed(gate_up16) from([@gate_up]) order(out_in) gate(halves) section 2 at 0
// CHECK-LABEL: func.func @pairs
moe.weight @w : tensor<64x95xf32> source(#moe.file<"m.onnx", offset = 0, length = 24320>)
moe.weight @gate_up : tensor<8x80x64xf16> source(#moe.file<"m.onnx", offset = 24320, length = 81920>)
func.func @pairs(%x: tensor<?x95xbf16>, %x32: tensor<?x95xf32>, %h: tensor<?x64xbf16>, %off: tensor<9xi32>, %y: tensor<?x64xf32>, %z: tensor<?x40xbf16>)
    -> (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x40xbf16>) {
  %w = moe.weight_ref @w : tensor<64x95xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<8x80x64xf16>
  // CHECK: moe.grouped_matmul %{{.*}} weight(%{{.*}} : tensor<1x2x48x32x2xbf16>) outs
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x95xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "bf16">} : tensor<?x95xbf16> -> tensor<?x64xf32>
  // CHECK: moe.grouped_matmul %{{.*}} weight(%{{.*}} : tensor<1x2x95x32xf32>) outs
  %1 = moe.grouped_matmul %x32 weight(%w : tensor<64x95xf32>) outs(%y : tensor<?x64xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x95xf32> -> tensor<?x64xf32>
  // CHECK: moe.grouped_matmul {{.*}} weight(%{{.*}} : tensor<8x3x32x32x2xbf16>) outs
  %2 = moe.grouped_matmul %h offsets(%off : tensor<9xi32>) weight(%gate_up : tensor<8x80x64xf16>) outs(%z : tensor<?x40xbf16>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, plan = #moe.plan<packing = gate_up16, activations = "bf16">} : tensor<?x64xbf16> -> tensor<?x40xbf16>
  return %0, %1, %2 : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x40xbf16>
}

// -----

// Strings that take less than digits stay: 4·(32·5 + 1) bytes of starts, 5·128 of numbers and 2·2400 of codes in 5 panels. All read one codebook. A
// separate up weight comes with its own codes; of another codebook, both are taken apart.

// CHECK-DAG: moe.weight @d : tensor<18xui32> {{.*}} section
// CHECK-DAG: moe.weight @g.panels : tensor<1x5x1217xi8> packed(gate_up16) from([@g, @r, @f, @d, @u, @r, @f, @d]) {{.*}} blocks(<code = ternary, group = 512, scale = bf16, dictionary = 1217>) section
// CHECK-DAG: moe.weight @g.panels_0 : tensor<1x5x3424xi8> packed(gate_up16) from([@g, @r, @f, @d, @u, @r, @f, @e]) {{.*}} blocks(<code = ternary, group = 512, scale = bf16>) section
moe.weight @g : tensor<1000xui16> source(#moe.file<"m.onnx", offset = 0, length = 2000>)
moe.weight @u : tensor<1400xui16> source(#moe.file<"m.onnx", offset = 2000, length = 2800>)
moe.weight @r : tensor<80x2xbf16> source(#moe.file<"m.onnx", offset = 4800, length = 320>)
moe.weight @f : tensor<81xi32> source(#moe.file<"m.onnx", offset = 5120, length = 324>)
moe.weight @d : tensor<18xui32> source(#moe.file<"m.onnx", offset = 5444, length = 72>)
moe.weight @e : tensor<18xui32> source(#moe.file<"m.onnx", offset = 5516, length = 72>)
// CHECK-LABEL: func.func @dictionary
func.func @dictionary(%x: tensor<?x512xf32>, %y: tensor<?x80xf32>) -> (tensor<?x80xf32>, tensor<?x80xf32>) {
  %g = moe.weight_ref @g : tensor<1000xui16>
  %u = moe.weight_ref @u : tensor<1400xui16>
  %r = moe.weight_ref @r : tensor<80x2xbf16>
  %f = moe.weight_ref @f : tensor<81xi32>
  %d = moe.weight_ref @d : tensor<18xui32>
  %e = moe.weight_ref @e : tensor<18xui32>
  %a = moe.dequant %g scales(%r : tensor<80x2xbf16>) zeros(%f : tensor<81xi32>) codebook(%d : tensor<18xui32>) <format = ternary_dict>
      : tensor<1000xui16> -> tensor<80x512xf32>
  %b = moe.dequant %u scales(%r : tensor<80x2xbf16>) zeros(%f : tensor<81xi32>) codebook(%d : tensor<18xui32>) <format = ternary_dict>
      : tensor<1400xui16> -> tensor<80x512xf32>
  %c = moe.dequant %u scales(%r : tensor<80x2xbf16>) zeros(%f : tensor<81xi32>) codebook(%e : tensor<18xui32>) <format = ternary_dict>
      : tensor<1400xui16> -> tensor<80x512xf32>
  // CHECK: codebook(%{{.*}} : tensor<18xui32>)
  %0 = moe.grouped_matmul %x weight(%a : tensor<80x512xf32>) up(%b : tensor<80x512xf32>) outs(%y : tensor<?x80xf32>)
    {ffn = #moe.ffn<activation = silu, gate = separate>, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x512xf32> -> tensor<?x80xf32>
  // CHECK-NOT: codebook
  %1 = moe.grouped_matmul %x weight(%a : tensor<80x512xf32>) up(%c : tensor<80x512xf32>) outs(%y : tensor<?x80xf32>)
    {ffn = #moe.ffn<activation = silu, gate = separate>, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x512xf32> -> tensor<?x80xf32>
  return %0, %1 : tensor<?x80xf32>, tensor<?x80xf32>
}

// -----

// A quantised matrix whose columns four devices share: each has a part of them, with the scales of these.
// CHECK: moe.weight @q.panels : tensor<4x1x1280xi8> packed(panel32) from([@q, @s]) order(out_in) gate(none) dequant(<format = int4_group, group_size = 32>, tensor<64x64xf32>) blocks(<code = int4, group = 32, scale = f32>) column_parts 4 section 1 at 0
// CHECK-NOT: moe.dequant
// CHECK: moe.grouped_matmul {{.*}} weight(%{{.*}} : tensor<4x1x1280xi8>)
moe.weight @q : tensor<64x32xui8> source(#moe.file<"m.onnx", offset = 0, length = 2048>)
moe.weight @s : tensor<64x2xf32> source(#moe.file<"m.onnx", offset = 2048, length = 512>)
func.func @cut_columns(%x: tensor<?x64xf32>, %y: tensor<?x16xf32>, %rows: tensor<?xi32>, %offsets: tensor<5xi32>) -> tensor<?x16xf32> {
  %q = moe.weight_ref @q : tensor<64x32xui8>
  %s = moe.weight_ref @s : tensor<64x2xf32>
  %w = moe.dequant %q scales(%s : tensor<64x2xf32>) <format = int4_group, group_size = 32> : tensor<64x32xui8> -> tensor<64x64xf32>
  %p = moe.part_experts %w {dim = 1 : i64, parts = 4 : i64} : tensor<64x64xf32> -> tensor<4x16x64xf32>
  %0 = moe.grouped_matmul %x rows(%rows : tensor<?xi32>) offsets(%offsets : tensor<5xi32>) weight(%p : tensor<4x16x64xf32>) outs(%y : tensor<?x16xf32>)
    {plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x64xf32> -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}
