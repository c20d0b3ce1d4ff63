// RUN: moe-opt %s --split-input-file --moe-lower-pack-weights --verify-diagnostics | FileCheck %s

// Planned in int8: quads, and one routine for the two products that read the same rows in the same groups; it works on rows times blocks. A row is
// three blocks of a scale and a sum of 4 bytes each and 32 codes.
// CHECK: moe.weight @q.panels : tensor<1x2x1824xi8> packed(panel32) {{.*}} blocks(<code = int4, group = 32, scale = f16, zero = i8, quads = true>)
// CHECK-LABEL: func.func @shared
// CHECK: %[[ITEMS:.*]] = arith.muli %{{.*}}, %c3
// CHECK: %[[ROWS:.*]] = moe.routine "quantize_rows" items(%[[ITEMS]]) ins(%arg0 : tensor<?x96xf32>) outs(%{{.*}} : tensor<?x120xi8>)
// CHECK-NOT: moe.routine
// CHECK: moe.grouped_matmul %[[ROWS]] weight(%{{.*}} : tensor<1x2x1824xi8>)
// CHECK-SAME: blocks = #moe.blocks<code = int4, group = 32, scale = f16, zero = i8, quads = true>
// CHECK: moe.grouped_matmul %[[ROWS]] weight(%{{.*}} : tensor<1x2x1824xi8>)
moe.weight @q : tensor<64x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 3072>)
moe.weight @r : tensor<64x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 3072>)
moe.weight @s : tensor<64x3xf16> source(#moe.file<"m.onnx", offset = 0, length = 384>)
moe.weight @z : tensor<64x2xui8> source(#moe.file<"m.onnx", offset = 0, length = 128>)
func.func @shared(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %q = moe.weight_ref @q : tensor<64x48xui8>
  %r = moe.weight_ref @r : tensor<64x48xui8>
  %s = moe.weight_ref @s : tensor<64x3xf16>
  %z = moe.weight_ref @z : tensor<64x2xui8>
  %w = moe.dequant %q scales(%s : tensor<64x3xf16>) zeros(%z : tensor<64x2xui8>) <format = int4_group, group_size = 32> : tensor<64x48xui8> -> tensor<64x96xf32>
  %v = moe.dequant %r scales(%s : tensor<64x3xf16>) zeros(%z : tensor<64x2xui8>) <format = int4_group, group_size = 32> : tensor<64x48xui8> -> tensor<64x96xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>) {plan = #moe.plan<packing = panel32, activations = "int8">}
    : tensor<?x96xf32> -> tensor<?x64xf32>
  %1 = moe.grouped_matmul %x weight(%v : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>) {plan = #moe.plan<packing = panel32, activations = "int8">}
    : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0, %1 : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

// Groups of four have no blocks; floats no codes.
// CHECK-LABEL: func.func @stays
// CHECK-NOT: moe.routine
moe.weight @q : tensor<64x96xi8> source(#moe.file<"m.onnx", offset = 0, length = 6144>)
moe.weight @s : tensor<64x24xf32> source(#moe.file<"m.onnx", offset = 0, length = 6144>)
moe.weight @f : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
func.func @stays(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %q = moe.weight_ref @q : tensor<64x96xi8>
  %s = moe.weight_ref @s : tensor<64x24xf32>
  %f = moe.weight_ref @f : tensor<64x96xf32>
  %w = moe.dequant %q scales(%s : tensor<64x24xf32>) <format = int8_group, group_size = 4> : tensor<64x96xi8> -> tensor<64x96xf32>
  // expected-remark @below {{the rows stay f32, not int8: the weight's groups of k are too short or its signed codes have zero points that are floats}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>) {plan = #moe.plan<packing = panel32, activations = "int8">}
    : tensor<?x96xf32> -> tensor<?x64xf32>
  // expected-remark @below {{the rows stay f32, not int8: the weight is not quantised to integers}}
  %1 = moe.grouped_matmul %x weight(%f : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>) {plan = #moe.plan<packing = panel32, activations = "int8">}
    : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0, %1 : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

// A product of integers makes its result int8 for the one product that reads it: 64 columns are two parts, in blocks of 32 and 8 bytes. With two
// readers, or columns that are no whole parts, the rows stay f32 and a routine makes them int8.
// CHECK-LABEL: func.func @chain
// CHECK: moe.routine "quantize_rows" {{.*}} ins(%arg0 : tensor<?x96xf32>)
// CHECK: %[[HIDDEN:.*]] = moe.grouped_matmul {{.*}} outs(%{{.*}} : tensor<?x80xi8>)
// CHECK-SAME: out_blocks = #moe.blocks<code = int4, group = 32, scale = f32, quads = true>
// CHECK-NOT: moe.routine
// CHECK: moe.grouped_matmul %[[HIDDEN]] weight(
// CHECK-LABEL: func.func @twice
// CHECK: moe.routine
// CHECK-NOT: out_blocks
// CHECK: moe.routine "quantize_rows" {{.*}} ins(%{{.*}} : tensor<?x64xf32>)
moe.weight @q : tensor<64x48xui8> source(#moe.file<"m.onnx", offset = 0, length = 3072>)
moe.weight @s : tensor<64x3xf16> source(#moe.file<"m.onnx", offset = 0, length = 384>)
moe.weight @p : tensor<96x32xui8> source(#moe.file<"m.onnx", offset = 0, length = 3072>)
moe.weight @t : tensor<96x2xf16> source(#moe.file<"m.onnx", offset = 0, length = 384>)
func.func @chain(%x: tensor<?x96xf32>, %n: index) -> tensor<?x96xf32> {
  %q = moe.weight_ref @q : tensor<64x48xui8>
  %s = moe.weight_ref @s : tensor<64x3xf16>
  %p = moe.weight_ref @p : tensor<96x32xui8>
  %t = moe.weight_ref @t : tensor<96x2xf16>
  %w = moe.dequant %q scales(%s : tensor<64x3xf16>) <format = int4_group, group_size = 32> : tensor<64x48xui8> -> tensor<64x96xf32>
  %v = moe.dequant %p scales(%t : tensor<96x2xf16>) <format = int4_group, group_size = 32> : tensor<96x32xui8> -> tensor<96x64xf32>
  %y = tensor.empty(%n) : tensor<?x64xf32>
  %z = tensor.empty(%n) : tensor<?x96xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>) {plan = #moe.plan<packing = panel32, activations = "int8">}
    : tensor<?x96xf32> -> tensor<?x64xf32>
  %1 = moe.grouped_matmul %0 weight(%v : tensor<96x64xf32>) outs(%z : tensor<?x96xf32>) {plan = #moe.plan<packing = panel32, activations = "int8">}
    : tensor<?x64xf32> -> tensor<?x96xf32>
  return %1 : tensor<?x96xf32>
}
func.func @twice(%x: tensor<?x96xf32>, %n: index) -> (tensor<?x64xf32>, tensor<?x96xf32>) {
  %q = moe.weight_ref @q : tensor<64x48xui8>
  %s = moe.weight_ref @s : tensor<64x3xf16>
  %p = moe.weight_ref @p : tensor<96x32xui8>
  %t = moe.weight_ref @t : tensor<96x2xf16>
  %w = moe.dequant %q scales(%s : tensor<64x3xf16>) <format = int4_group, group_size = 32> : tensor<64x48xui8> -> tensor<64x96xf32>
  %v = moe.dequant %p scales(%t : tensor<96x2xf16>) <format = int4_group, group_size = 32> : tensor<96x32xui8> -> tensor<96x64xf32>
  %y = tensor.empty(%n) : tensor<?x64xf32>
  %z = tensor.empty(%n) : tensor<?x96xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>) {plan = #moe.plan<packing = panel32, activations = "int8">}
    : tensor<?x96xf32> -> tensor<?x64xf32>
  %1 = moe.grouped_matmul %0 weight(%v : tensor<96x64xf32>) outs(%z : tensor<?x96xf32>) {plan = #moe.plan<packing = panel32, activations = "int8">}
    : tensor<?x64xf32> -> tensor<?x96xf32>
  return %0, %1 : tensor<?x64xf32>, tensor<?x96xf32>
}
