// What keeps its rows of f32: weights whose codes are no 16-bit floats or whose groups are no whole steps, sizes that are no whole chunks, rows that others read too,
// and products of routers.
// RUN: moe-opt %s --moe-cuda-narrow-rows=activations=bf16 | FileCheck %s

// CHECK-LABEL: func.func @tables(
// CHECK: : tensor<?x64xf32> -> tensor<?x96xf32>
func.func @tables(%x: tensor<?x64xf32>, %q: tensor<96x32xui8>, %s: tensor<96x4xf32>, %y: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %w = moe.dequant %q scales(%s : tensor<96x4xf32>) <format = nf4, group_size = 16> : tensor<96x32xui8> -> tensor<96x64xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return %0 : tensor<?x96xf32>
}

// CHECK-LABEL: func.func @floats(
// CHECK: : tensor<?x64xf32> -> tensor<?x96xf32>
func.func @floats(%x: tensor<?x64xf32>, %q: tensor<96x32xui8>, %s: tensor<96x4xf32>, %z: tensor<96x4xf32>, %y: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %w = moe.dequant %q scales(%s : tensor<96x4xf32>) zeros(%z : tensor<96x4xf32>) <format = int4_group, group_size = 16> : tensor<96x32xui8> -> tensor<96x64xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return %0 : tensor<?x96xf32>
}

// CHECK-LABEL: func.func @short(
// CHECK: : tensor<?x64xf32> -> tensor<?x96xf32>
func.func @short(%x: tensor<?x64xf32>, %q: tensor<96x32xui8>, %s: tensor<96x8xf32>, %y: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %w = moe.dequant %q scales(%s : tensor<96x8xf32>) <format = int4_group, group_size = 8> : tensor<96x32xui8> -> tensor<96x64xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return %0 : tensor<?x96xf32>
}

// CHECK-LABEL: func.func @sizes(
// CHECK: : tensor<?x64xf32> -> tensor<?x44xf32>
func.func @sizes(%x: tensor<?x64xf32>, %q: tensor<44x64xi8>, %s: tensor<44xf32>, %y: tensor<?x44xf32>) -> tensor<?x44xf32> {
  %w = moe.dequant %q scales(%s : tensor<44xf32>) <format = int8_channel> : tensor<44x64xi8> -> tensor<44x64xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<44x64xf32>) outs(%y : tensor<?x44xf32>) : tensor<?x64xf32> -> tensor<?x44xf32>
  return %0 : tensor<?x44xf32>
}

// The first product's rows are bf16; its result, which is returned too, stays f32 and is rounded for the second.
// CHECK-LABEL: func.func @read_twice(
// CHECK: %[[H:.*]] = moe.grouped_matmul %{{.*}} : tensor<?x64xbf16> -> tensor<?x64xf32>
// CHECK: arith.truncf
// CHECK: moe.grouped_matmul %{{.*}} : tensor<?x64xbf16> -> tensor<?x64xf32>
// CHECK: return %[[H]]
func.func @read_twice(%x: tensor<?x64xbf16>, %q: tensor<64x64xi8>, %s: tensor<64xf32>, %i: tensor<?x64xf32>, %y: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %w = moe.dequant %q scales(%s : tensor<64xf32>) <format = int8_channel> : tensor<64x64xi8> -> tensor<64x64xf32>
  %h = moe.grouped_matmul %x weight(%w : tensor<64x64xf32>) outs(%y : tensor<?x64xf32>) : tensor<?x64xbf16> -> tensor<?x64xf32>
  %0 = moe.grouped_matmul %h weight(%w : tensor<64x64xf32>) outs(%y : tensor<?x64xf32>) : tensor<?x64xf32> -> tensor<?x64xf32>
  return %h, %0 : tensor<?x64xf32>, tensor<?x64xf32>
}

// CHECK-LABEL: func.func @router(
// CHECK-NOT: bf16
// CHECK: : tensor<?x64xf32> -> tensor<?x8xf32>
func.func @router(%x: tensor<?x64xf32>, %q: tensor<8x64xi8>, %c: tensor<8xf32>, %y: tensor<?x8xf32>, %r: tensor<?xi32>, %s: tensor<?xf32>, %o: tensor<9xi32>)
    -> tensor<?xi32> {
  %w = moe.dequant %q scales(%c : tensor<8xf32>) <format = int8_channel> : tensor<8x64xi8> -> tensor<8x64xf32>
  %z = moe.grouped_matmul %x weight(%w : tensor<8x64xf32>) outs(%y : tensor<?x8xf32>) : tensor<?x64xf32> -> tensor<?x8xf32>
  %route:5 = moe.route_permute logits(%z : tensor<?x8xf32>) outs(%r, %s, %o, %r, %s : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>)
      {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>}
      -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
  return %route#0 : tensor<?xi32>
}
