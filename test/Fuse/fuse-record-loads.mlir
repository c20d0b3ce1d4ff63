// RUN: moe-opt %s --split-input-file --moe-fuse-route-permute --moe-fuse-record-loads | FileCheck %s

// Differences of the kernel's offsets; the name is the layer's.

// CHECK: #[[$MAP:.*]] = affine_map<(d0) -> (d0)>
// CHECK-LABEL: func.func @dropless(
// CHECK-SAME: -> (tensor<?x64xf32>, tensor<8xi32> {moe.dims = ["8"], moe.name = "moe.load.layer0"}) attributes {moe.entry}
// CHECK: %[[R:.*]]:5 = moe.route_permute
// CHECK-DAG: %[[END:.*]] = tensor.extract_slice %[[R]]#2[1] [8] [1] : tensor<9xi32> to tensor<8xi32>
// CHECK-DAG: %[[BEGIN:.*]] = tensor.extract_slice %[[R]]#2[0] [8] [1] : tensor<9xi32> to tensor<8xi32>
// CHECK: %[[COUNTS:.*]] = linalg.generic {{.*}} ins(%[[END]], %[[BEGIN]] : tensor<8xi32>, tensor<8xi32>)
// CHECK-NEXT: ^bb0(%[[A:.*]]: i32, %[[B:.*]]: i32, %{{.*}}: i32):
// CHECK-NEXT: %[[D:.*]] = arith.subi %[[A]], %[[B]] : i32
// CHECK-NEXT: linalg.yield %[[D]]
// CHECK: return %{{.*}}, %[[COUNTS]] : tensor<?x64xf32>, tensor<8xi32>
moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
func.func @dropless(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<8x64x96xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v {norm = #moe<weight_norm l1>}
    : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 8 : i64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<8x192x64xf32>) down(%w2 : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// -----

// With a capacity the counts are those of moe.slots, before any assignment is dropped.

// CHECK-LABEL: func.func @capacity(
// CHECK-SAME: tensor<4xi32> {moe.dims = ["4"], moe.name = "moe.load.layer1"}
// CHECK: %{{.*}}, %{{.*}}, %[[COUNT:.*]], %{{.*}} = moe.slots
// CHECK: return %{{.*}}, %[[COUNT]] :
// DOC: --moe-fuse-record-loads
moe.weight @w1 : tensor<4x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 196608>)
moe.weight @w2 : tensor<4x64x96xf32> source(#moe.file<"m.onnx", offset = 196608, length = 98304>)
func.func @capacity(%x: tensor<?x64xf32>, %choice: tensor<?x4xf32>, %w: tensor<?xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x64x96xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 1 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v
    {experts = 4 : i64, capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 4, rounding = ceil>}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x192x64xf32>) down(%w2 : tensor<4x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer1", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<5xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}
