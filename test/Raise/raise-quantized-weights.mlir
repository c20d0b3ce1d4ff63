// RUN: moe-opt %s -split-input-file --moe-raise-quantized-weights | FileCheck %s
// The example of the pass, with a bias and zero points as vectors of bytes; views of the parts have the sizes that moe.dequant wants.

// CHECK-LABEL: func.func @product
// CHECK-SAME: %[[X:.*]]: tensor<?x?x64xf32>, %[[B:.*]]: tensor<32xf32>
// CHECK: %[[W:.*]] = moe.dequant %{{.*}} scales(%{{.*}} : tensor<32x2xf32>) zeros(%{{.*}} : tensor<32x1xui8>) <format = int4_group, group_size = 32> : tensor<32x32xui8> -> tensor<32x64xf32>
// CHECK: %[[T:.*]] = moe.onnx "Transpose"(%[[W]]) version 13 {perm = array<i64: 1, 0>} : (tensor<32x64xf32>) -> tensor<64x32xf32>
// CHECK: %[[Y:.*]] = moe.onnx "MatMul"(%[[X]], %[[T]])
// CHECK: moe.onnx "Add"(%[[Y]], %[[B]])
// CHECK-NOT: onnx "MatMulNBits"
// DOC: --moe-raise-quantized-weights
moe.weight @q : tensor<32x2x16xui8> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @s : tensor<64xf32> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @product(%x: tensor<?x?x64xf32>, %b: tensor<32xf32>) -> tensor<?x?x32xf32> {
  %q = moe.weight_ref @q : tensor<32x2x16xui8>
  %s = moe.weight_ref @s : tensor<64xf32>
  %z = arith.constant dense<7> : tensor<32xui8>
  %none = moe.absent : none
  %y = moe.onnx "MatMulNBits"(%x, %q, %s, %z, %none, %b) domain "com.microsoft" version 1 {K = 64 : i64, N = 32 : i64, bits = 4 : i64, block_size = 32 : i64}
      : (tensor<?x?x64xf32>, tensor<32x2x16xui8>, tensor<64xf32>, tensor<32xui8>, none, tensor<32xf32>) -> tensor<?x?x32xf32>
  return %y : tensor<?x?x32xf32>
}

// -----

// The last block of a row is filled up, and zero points may be numbers. What the model says of int8 rows stays with the weight.

// CHECK-LABEL: func.func @partial
// CHECK: moe.dequant %{{.*}} scales(%{{.*}} : tensor<32x3xf16>) zeros(%{{.*}} : tensor<32x3xf16>) <format = int8_group, group_size = 32> {accuracy_level = 4 : i64} : tensor<32x96xui8> -> tensor<32x70xf16>
moe.weight @q : tensor<32x3x32xui8> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
func.func @partial(%x: tensor<?x70xf16>) -> tensor<?x32xf16> {
  %q = moe.weight_ref @q : tensor<32x3x32xui8>
  %s = arith.constant dense<0.5> : tensor<32x3xf16>
  %z = arith.constant dense<7.5> : tensor<32x3xf16>
  %y = moe.onnx "MatMulNBits"(%x, %q, %s, %z) domain "com.microsoft" version 1 {K = 70 : i64, N = 32 : i64, bits = 8 : i64, block_size = 32 : i64, accuracy_level = 4 : i64}
      : (tensor<?x70xf16>, tensor<32x3x32xui8>, tensor<32x3xf16>, tensor<32x3xf16>) -> tensor<?x32xf16>
  return %y : tensor<?x32xf16>
}

// -----

// DequantizeLinear: in blocks along the rows, and per column. ONNX subtracts nothing from codes without zero points.

// CHECK-LABEL: func.func @linear
// CHECK: %[[A:.*]] = moe.dequant %{{.*}} scales(%{{.*}} : tensor<2x32xf32>) <format = int4_group, group_size = 32, axis = -2> : tensor<64x32xi4> -> tensor<64x32xf32>
// CHECK: %[[B:.*]] = moe.dequant %{{.*}} scales(%{{.*}} : tensor<16xf32>) zeros(%{{.*}} : tensor<16xui8>) <format = int8_group, axis = -2> : tensor<32x16xui8> -> tensor<32x16xf32>
// CHECK: moe.onnx "MatMul"(%{{.*}}, %[[A]])
// CHECK: moe.onnx "MatMul"(%{{.*}}, %[[B]])
// CHECK-NOT: onnx "DequantizeLinear"
moe.weight @q : tensor<64x32xi4> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @p : tensor<32x16xui8> source(#moe.file<"model.onnx", offset = 0, length = 512>)
func.func @linear(%x: tensor<?x64xf32>) -> tensor<?x16xf32> {
  %q = moe.weight_ref @q : tensor<64x32xi4>
  %p = moe.weight_ref @p : tensor<32x16xui8>
  %s = arith.constant dense<0.5> : tensor<2x32xf32>
  %t = arith.constant dense<0.5> : tensor<16xf32>
  %w = moe.onnx "DequantizeLinear"(%q, %s) version 21 {axis = 0 : i64, block_size = 32 : i64} : (tensor<64x32xi4>, tensor<2x32xf32>) -> tensor<64x32xf32>
  %v = moe.onnx "DequantizeLinear"(%p, %t) version 21 {axis = 1 : i64} : (tensor<32x16xui8>, tensor<16xf32>) -> tensor<32x16xf32>
  %h = moe.onnx "MatMul"(%x, %w) version 13 {} : (tensor<?x64xf32>, tensor<64x32xf32>) -> tensor<?x32xf32>
  %y = moe.onnx "MatMul"(%h, %v) version 13 {} : (tensor<?x32xf32>, tensor<32x16xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

// One scale for all experts, whose matrices are taken out and turned round as codes: one weight, taken out and turned round as floats. What is on the
// steps already is not rounded to them again.

// CHECK-LABEL: func.func @whole
// CHECK: %[[W:.*]] = moe.dequant %{{.*}} scales(%{{.*}} : tensor<2x16xf32>) zeros(%{{.*}} : tensor<2x16xui8>) <format = int8_group> : tensor<2x16x8xui8> -> tensor<2x16x8xf32>
// CHECK: %[[E0:.*]] = moe.onnx "Gather"(%[[W]]
// CHECK: %[[T0:.*]] = moe.onnx "Transpose"(%[[E0]]) version 13 {} : (tensor<16x8xf32>) -> tensor<8x16xf32>
// CHECK: moe.onnx "MatMul"(%{{.*}}, %[[T0]])
// CHECK: moe.onnx "Gather"(%[[W]]
// CHECK: %[[Q:.*]] = moe.onnx "QuantizeLinear"
// CHECK: %[[D:.*]] = moe.onnx "DequantizeLinear"(%[[Q]]
// CHECK: %[[V:.*]] = moe.onnx "Reshape"(%[[D]]
// CHECK-NOT: QuantizeLinear
// CHECK: return %{{.*}}, %{{.*}}, %[[V]]
moe.weight @w : tensor<2x16x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @whole(%x: tensor<4x8xf32>) -> (tensor<4x16xf32>, tensor<4x16xf32>, tensor<32xf32>) {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<128> : tensor<ui8>
  %n0 = arith.constant dense<0> : tensor<i64>
  %n1 = arith.constant dense<1> : tensor<i64>
  %flat = arith.constant dense<-1> : tensor<1xi64>
  %w = moe.weight_ref @w : tensor<2x16x8xui8>
  %c0 = moe.onnx "Gather"(%w, %n0) version 13 {axis = 0 : i64} : (tensor<2x16x8xui8>, tensor<i64>) -> tensor<16x8xui8>
  %t0 = moe.onnx "Transpose"(%c0) version 13 {} : (tensor<16x8xui8>) -> tensor<8x16xui8>
  %w0 = moe.onnx "DequantizeLinear"(%t0, %s, %z) version 13 {} : (tensor<8x16xui8>, tensor<f32>, tensor<ui8>) -> tensor<8x16xf32>
  %y0 = moe.onnx "MatMul"(%x, %w0) version 13 {} : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %c1 = moe.onnx "Gather"(%w, %n1) version 13 {axis = 0 : i64} : (tensor<2x16x8xui8>, tensor<i64>) -> tensor<16x8xui8>
  %t1 = moe.onnx "Transpose"(%c1) version 13 {} : (tensor<16x8xui8>) -> tensor<8x16xui8>
  %w1 = moe.onnx "DequantizeLinear"(%t1, %s, %z) version 13 {} : (tensor<8x16xui8>, tensor<f32>, tensor<ui8>) -> tensor<8x16xf32>
  %y1 = moe.onnx "MatMul"(%x, %w1) version 13 {} : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %q = moe.onnx "QuantizeLinear"(%x, %s, %z) version 13 {} : (tensor<4x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<4x8xui8>
  %d = moe.onnx "DequantizeLinear"(%q, %s, %z) version 13 {} : (tensor<4x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x8xf32>
  %v = moe.onnx "Reshape"(%d, %flat) version 14 {} : (tensor<4x8xf32>, tensor<1xi64>) -> tensor<32xf32>
  %q2 = moe.onnx "QuantizeLinear"(%v, %s, %z) version 13 {} : (tensor<32xf32>, tensor<f32>, tensor<ui8>) -> tensor<32xui8>
  %d2 = moe.onnx "DequantizeLinear"(%q2, %s, %z) version 13 {} : (tensor<32xui8>, tensor<f32>, tensor<ui8>) -> tensor<32xf32>
  return %y0, %y1, %d2 : tensor<4x16xf32>, tensor<4x16xf32>, tensor<32xf32>
}

// -----

// A product of codes is that of what they stand for; who reads its sums otherwise keeps them.

// CHECK-LABEL: func.func @integers
// CHECK: %[[Q:.*]]:3 = moe.onnx "DynamicQuantizeLinear"
// CHECK: %[[X:.*]] = moe.onnx "DequantizeLinear"(%[[Q]]#0, %[[Q]]#1, %[[Q]]#2)
// CHECK: %[[W:.*]] = moe.dequant %{{.*}} scales(%{{.*}} : tensor<16xf32>) zeros(%{{.*}} : tensor<16xi8>) <format = int8_group, axis = -2> : tensor<32x16xi8> -> tensor<32x16xf32>
// CHECK: %[[Y:.*]] = moe.onnx "MatMul"(%[[X]], %[[W]])
// CHECK: %[[SUMS:.*]] = moe.onnx "MatMulInteger"
// CHECK: return %[[Y]], %[[SUMS]]
moe.weight @p : tensor<32x16xi8> source(#moe.file<"model.onnx", offset = 0, length = 512>)
func.func @integers(%x: tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xi32>) {
  %p = moe.weight_ref @p : tensor<32x16xi8>
  %s = arith.constant dense<0.5> : tensor<16xf32>
  %z = arith.constant dense<3> : tensor<16xi8>
  %q:3 = moe.onnx "DynamicQuantizeLinear"(%x) version 11 {} : (tensor<?x32xf32>) -> (tensor<?x32xui8>, tensor<f32>, tensor<ui8>)
  %scales = moe.onnx "Mul"(%q#1, %s) version 14 {} : (tensor<f32>, tensor<16xf32>) -> tensor<16xf32>
  %sums = moe.onnx "MatMulInteger"(%q#0, %p, %q#2, %z) version 10 {} : (tensor<?x32xui8>, tensor<32x16xi8>, tensor<ui8>, tensor<16xi8>) -> tensor<?x16xi32>
  %cast = moe.onnx "Cast"(%sums) version 13 {to = 1 : i64} : (tensor<?x16xi32>) -> tensor<?x16xf32>
  %y = moe.onnx "Mul"(%cast, %scales) version 14 {} : (tensor<?x16xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %others = moe.onnx "MatMulInteger"(%q#0, %p, %q#2, %z) version 10 {} : (tensor<?x32xui8>, tensor<32x16xi8>, tensor<ui8>, tensor<16xi8>) -> tensor<?x16xi32>
  return %y, %others : tensor<?x16xf32>, tensor<?x16xi32>
}

// -----

// A bias is stored as i32.

// CHECK-LABEL: func.func @bias
// CHECK: arith.constant dense<[5.000000e-01, -1.000000e+00]> : tensor<2xf32>
// CHECK-NOT: DequantizeLinear
func.func @bias() -> tensor<2xf32> {
  %codes = arith.constant dense<[2, -4]> : tensor<2xi32>
  %s = arith.constant dense<0.25> : tensor<1xf32>
  %z = arith.constant dense<0> : tensor<1xi32>
  %b = moe.onnx "DequantizeLinear"(%codes, %s, %z) version 13 {} : (tensor<2xi32>, tensor<1xf32>, tensor<1xi32>) -> tensor<2xf32>
  return %b : tensor<2xf32>
}

// -----

// Rows that are picked by numbers of the run keep their own pair, though its steps are those of the tensor they are picked from.

// CHECK-LABEL: func.func @picked
// CHECK: moe.onnx "Gather"
// CHECK: moe.onnx "QuantizeLinear"
// CHECK: moe.onnx "DequantizeLinear"
// CHECK: return
func.func @picked(%codes: tensor<?x8xui8>, %token: tensor<?xi64>) -> tensor<?x8xf32> {
  %s = arith.constant dense<0.25> : tensor<f32>
  %z = arith.constant dense<7> : tensor<ui8>
  %x = moe.onnx "DequantizeLinear"(%codes, %s, %z) version 13 {} : (tensor<?x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<?x8xf32>
  %rows = moe.onnx "Gather"(%x, %token) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %q = moe.onnx "QuantizeLinear"(%rows, %s, %z) version 13 {} : (tensor<?x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<?x8xui8>
  %y = moe.onnx "DequantizeLinear"(%q, %s, %z) version 13 {} : (tensor<?x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
