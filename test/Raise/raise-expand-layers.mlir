// RUN: moe-opt %s -split-input-file --moe-raise-expand-layers | FileCheck %s
// The example of the pass.

// CHECK-LABEL: func.func @layer
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[Z:.*]]: tensor<?x4xf32>
// CHECK: %[[W1:.*]] = moe.weight_ref @layers.0.w1
// CHECK: %[[W2:.*]] = moe.weight_ref @layers.0.w2
// CHECK: %[[S:.*]], %[[C:.*]] = moe.score softmax %[[Z]] : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
// CHECK: %[[T:.*]], %[[E:.*]], %[[R:.*]], %[[V:.*]], %{{.*}} = moe.select top_k %[[C]] : tensor<?x4xf32> {k = 2 : i64}
// CHECK: %[[W:.*]] = moe.weigh gather %[[S]], %[[T]], %[[E]], %[[R]], %[[V]] {norm = #moe<weight_norm l1>}
// CHECK: %[[SLOT:.*]], %[[KEEP:.*]], %[[COUNT:.*]], %[[OFF:.*]] = moe.slots %[[T]], %[[E]], %[[R]], %[[V]] {experts = 4 : i64}
// CHECK: %[[ROWS:.*]] = moe.dispatch ragged %[[X]], %[[T]], %[[E]], %[[SLOT]], %[[KEEP]], %[[OFF]]
// CHECK: %[[Y:.*]] = moe.experts %[[ROWS]], %[[OFF]] gate(%[[W1]] : tensor<4x16x8xf32>) down(%[[W2]] : tensor<4x8x16xf32>)
// CHECK-SAME: {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layers.0", "mlir">}
// CHECK: %[[N:.*]] = tensor.dim %[[X]]
// CHECK: %[[OUT:.*]] = moe.combine %[[Y]], %[[T]], %[[E]], %[[SLOT]], %[[KEEP]], %[[W]] tokens(%[[N]])
// CHECK: return %[[OUT]]
// DOC: --moe-raise-expand-layers
moe.weight @layers.0.w1 : tensor<4x16x8xf32> source(dense<0.5> : tensor<4x16x8xf32>)
moe.weight @layers.0.w2 : tensor<4x8x16xf32> source(dense<0.5> : tensor<4x8x16xf32>)
func.func @layer(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %w1 = moe.weight_ref @layers.0.w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @layers.0.w2 : tensor<4x8x16xf32>
  %y = moe.layer %x, %logits gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>)
      : tensor<?x8xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Static sizes stay static, rows of f16 are widened, a given origin is kept, and weights that are plain constants become stored ones.

// CHECK: moe.weight @"my layer.down" : tensor<4x16x8xf16> source(
// CHECK: moe.weight @"my layer.gate" : tensor<4x8x32xf16> source(
// CHECK-LABEL: func.func @static
// CHECK: moe.score sigmoid %{{.*}} : tensor<6x4xf32>
// CHECK: moe.select top_k {{.*}} -> tensor<18xi32>, tensor<18xi32>, tensor<18xi32>, tensor<18xi1>, tensor<6x2xf32>
// CHECK: moe.weigh gather {{.*}} {scale = 2.500000e+00 : f64} {{.*}} -> tensor<18xf32>
// CHECK: moe.dispatch ragged {{.*}} -> tensor<18x8xf32>
// CHECK: moe.experts {{.*}} {ffn = #moe.ffn<activation = silu, gate = halves>, order = #moe<weight_order in_out>, origin = #moe.origin<"my layer", "mlir">}
// CHECK: %[[SIX:.*]] = arith.constant 6 : index
// CHECK: moe.combine {{.*}} tokens(%[[SIX]]) {{.*}} -> tensor<6x8xf32>
func.func @static(%x: tensor<6x8xf16>, %logits: tensor<6x4xf32>) -> tensor<6x8xf16> {
  %w1 = arith.constant dense<0.5> : tensor<4x8x32xf16>
  %w2 = arith.constant dense<0.5> : tensor<4x16x8xf16>
  %y = moe.layer %x, %logits gate(%w1 : tensor<4x8x32xf16>) down(%w2 : tensor<4x16x8xf16>)
      router(<function = sigmoid, k = 3, source = gather, norm = none, scale = 2.5 : f64>) ffn(<activation = silu, gate = halves>)
      {order = #moe<weight_order in_out>, origin = #moe.origin<"my layer", "mlir">}
      : tensor<6x8xf16>, tensor<6x4xf32> -> tensor<6x8xf16>
  return %y : tensor<6x8xf16>
}
