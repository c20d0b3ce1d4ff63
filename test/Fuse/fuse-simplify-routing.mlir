// RUN: moe-opt %s --moe-fuse-simplify-routing --split-input-file | FileCheck %s
// RUN: moe-opt %s --moe-fuse-simplify-routing --moe-fuse-route-permute --split-input-file | FileCheck %s --check-prefix=FUSED
// RUN: moe-opt %s --moe-fuse-route-permute --split-input-file | FileCheck %s --check-prefix=ALONE

// Softmax, top-k, division by the sum: the kernel takes the exponentials of two logits instead of eight.
// CHECK-LABEL: func.func @renormalised
// DOC: --moe-fuse-simplify-routing
func.func @renormalised(%logits: tensor<?x8xf32>) -> (tensor<?xi32>, tensor<?xf32>) {
  // CHECK: moe.score identity
  // CHECK: moe.select top_k
  // CHECK: moe.weigh softmax_selected {{.*}} : tensor<?x8xf32>
  // CHECK-NOT: norm
  // CHECK: return
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
      -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid {norm = #moe<weight_norm l1>}
      : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  return %expert, %w : tensor<?xi32>, tensor<?xf32>
}

// -----

!list = tensor<?xi32>
!mask = tensor<?xi1>
!rows = tensor<?x64xf32>

// A whole layer: one kernel routes either way, but by another router.
// FUSED-LABEL: func.func @layer
// FUSED: moe.route_permute {{.*}}router = #moe.router<function = identity, k = 2, source = softmax_selected, norm = none>
// ALONE-LABEL: func.func @layer
// ALONE: moe.route_permute {{.*}}router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>
func.func @layer(%x: !rows, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> !rows {
  %s, %c = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %c : tensor<?x8xf32> {k = 2 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm l1>} : tensor<?x8xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : !list, !list, !list, !mask -> !list, !mask, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : !rows, !list, !list, !list, !mask, tensor<9xi32> -> !rows
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>}
      : !rows, tensor<9xi32> -> !rows
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows
  return %out : !rows
}

// -----

!list = tensor<?xi32>
!mask = tensor<?xi1>
!rows = tensor<?x64xf32>

// A norm of power 1 has no kernel, a sum has one: nothing of the router is left outside.
// FUSED-LABEL: func.func @power_one
// FUSED-NOT: moe.weigh
// FUSED: moe.route_permute {{.*}}router = #moe.router<function = sigmoid, k = 2, source = gather, norm = l1>
// ALONE-LABEL: func.func @power_one
// ALONE: moe.weigh {{.*}}lp
// ALONE: moe.route_permute indices(
func.func @power_one(%x: !rows, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> !rows {
  %s, %c = moe.score sigmoid %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %c : tensor<?x8xf32> {k = 2 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm lp>} : tensor<?x8xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : !list, !list, !list, !mask -> !list, !mask, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : !rows, !list, !list, !list, !mask, tensor<9xi32> -> !rows
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>}
      : !rows, tensor<9xi32> -> !rows
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows
  return %out : !rows
}

// -----

!list = tensor<?xi32>
!mask = tensor<?xi1>
!rows = tensor<?x64xf32>

// A filter from the third choice on of two: the layer is not one of a few ops any more, it is one kernel.
// FUSED-LABEL: func.func @filter
// FUSED-NOT: moe.slots
// FUSED: moe.route_permute {{.*}}router = #moe.router<function = identity, k = 2, source = softmax_selected, norm = none>
// ALONE-LABEL: func.func @filter
// ALONE-NOT: moe.route_permute
// ALONE: moe.combine
func.func @filter(%x: !rows, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> !rows {
  %s, %c = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %all, %kth = moe.select top_k %c : tensor<?x8xf32> {k = 2 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %s, %t, %e, %r, %all {norm = #moe<weight_norm l1>} : tensor<?x8xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %v = moe.filter greater_than %t, %e, %r, %all value(%w) {theta = 0.2 : f64, from_rank = 2 : i64}
      : !list, !list, !list, !mask, tensor<?xf32> -> !mask
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : !list, !list, !list, !mask -> !list, !mask, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : !rows, !list, !list, !list, !mask, tensor<9xi32> -> !rows
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>}
      : !rows, tensor<9xi32> -> !rows
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows
  return %out : !rows
}
