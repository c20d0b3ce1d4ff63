// RUN: moe-opt %s --moe-fuse-expand-dequant | FileCheck %s
// The example of the pass, and codes below a byte with packed zero points and scales that are powers of two. Strings of a dictionary are decoded by
// package, into a weight of their numbers.

// CHECK: moe.weight @q.flat : tensor<32xi8> source(#moe.file<"model.onnx", offset = 0, length = 32>)
// CHECK: moe.weight @s.flat : tensor<4xf32> source(#moe.file<"model.onnx", offset = 32, length = 16>)
// CHECK: moe.weight @mx.flat : tensor<64xi8> source(#moe.file<"model.onnx", offset = 48, length = 64>)
// The attribute has one code per byte, the file two.
// CHECK: moe.weight @z.flat : tensor<2xi8> source(dense<[33, 67]> : tensor<2xi8>)
// DOC: --moe-fuse-expand-dequant
// CHECK-LABEL: func.func @main
moe.weight @q : tensor<4x8xi8> source(#moe.file<"model.onnx", offset = 0, length = 32>)
moe.weight @s : tensor<4xf32> source(#moe.file<"model.onnx", offset = 32, length = 16>)
moe.weight @mx : tensor<2x32xui8> source(#moe.file<"model.onnx", offset = 48, length = 64>)
moe.weight @e : tensor<2x2xi8> source(#moe.file<"model.onnx", offset = 112, length = 4>)
moe.weight @z : tensor<4xui4> source(dense<[1, 2, 3, 4]> : tensor<4xui4>)
moe.weight @i4 : tensor<4x8xui4> source(#moe.file<"model.onnx", offset = 0, length = 16>)
func.func @main() -> (tensor<4x8xf32>, tensor<2x64xf32>, tensor<4x8xf16>) {
  %q = moe.weight_ref @q : tensor<4x8xi8>
  %s = moe.weight_ref @s : tensor<4xf32>
  // CHECK: %[[C:.*]] = moe.weight_ref @q.flat : tensor<32xi8>
  // CHECK: %[[F:.*]] = moe.weight_ref @s.flat : tensor<4xf32>
  // CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]} outs(%{{.*}} : tensor<4x8xf32>)
  // CHECK: %[[CODE:.*]] = tensor.extract %[[C]]
  // CHECK: %[[SCALE:.*]] = tensor.extract %[[F]]
  // CHECK: arith.mulf %[[SCALE]], %{{.*}} : f32
  %w = moe.dequant %q scales(%s : tensor<4xf32>) <format = int8_channel> : tensor<4x8xi8> -> tensor<4x8xf32>
  %mx = moe.weight_ref @mx : tensor<2x32xui8>
  %e = moe.weight_ref @e : tensor<2x2xi8>
  // CHECK-DAG: %[[CODES:.*]] = arith.constant dense<[0.000000e+00, 5.000000e-01, 1.000000e+00, 1.500000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 6.000000e+00, -0.000000e+00
  // CHECK-DAG: %[[SCALES:.*]] = arith.constant dense<"0x{{.*}}"> : tensor<256xf32>
  // CHECK: linalg.generic
  // CHECK: arith.shrui
  // CHECK: tensor.extract %[[CODES]]
  // CHECK: tensor.extract %[[SCALES]]
  %v = moe.dequant %mx scales(%e : tensor<2x2xi8>) <format = mxfp4> : tensor<2x32xui8> -> tensor<2x64xf32>
  %i4 = moe.weight_ref @i4 : tensor<4x8xui4>
  %z = moe.weight_ref @z : tensor<4xui4>
  // CHECK: linalg.generic
  // CHECK: arith.subf
  // CHECK: arith.truncf %{{.*}} : f32 to f16
  // CHECK-NOT: moe.dequant
  %u = moe.dequant %i4 scales(%s : tensor<4xf32>) zeros(%z : tensor<4xui4>) <format = int4_group> : tensor<4x8xui4> -> tensor<4x8xf16>
  return %w, %v, %u : tensor<4x8xf32>, tensor<2x64xf32>, tensor<4x8xf16>
}

// CHECK: moe.weight @c.numbers : tensor<3x8xf32> packed(plain) from([@c, @r, @f, @d]) dequant(<format = ternary_dict>, tensor<3x8xf32>)
// CHECK-LABEL: func.func @strings
// CHECK: %[[N:.*]] = moe.weight_ref @c.numbers : tensor<3x8xf32>
// CHECK: return %[[N]]
moe.weight @c : tensor<5xui16> source(#moe.file<"model.onnx", offset = 0, length = 10>)
moe.weight @r : tensor<3x2xbf16> source(#moe.file<"model.onnx", offset = 10, length = 12>)
moe.weight @f : tensor<4xi32> source(#moe.file<"model.onnx", offset = 64, length = 16>)
moe.weight @d : tensor<18xui32> source(#moe.file<"model.onnx", offset = 128, length = 72>)
func.func @strings() -> tensor<3x8xf32> {
  %c = moe.weight_ref @c : tensor<5xui16>
  %r = moe.weight_ref @r : tensor<3x2xbf16>
  %f = moe.weight_ref @f : tensor<4xi32>
  %d = moe.weight_ref @d : tensor<18xui32>
  %w = moe.dequant %c scales(%r : tensor<3x2xbf16>) zeros(%f : tensor<4xi32>) codebook(%d : tensor<18xui32>) <format = ternary_dict>
      : tensor<5xui16> -> tensor<3x8xf32>
  return %w : tensor<3x8xf32>
}
