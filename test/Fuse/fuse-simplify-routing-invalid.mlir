// What is not the same, or is read elsewhere, stays. So does what only MLIR's canonicaliser would change.
// RUN: moe-opt %s --moe-fuse-simplify-routing | FileCheck %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
!logits = tensor<?x8xf32>

// CHECK-LABEL: func.func @scores_are_read
// CHECK: moe.score softmax
// CHECK: moe.weigh gather {{.*}}l1
func.func @scores_are_read(%z: !logits) -> (!logits, tensor<?xf32>) {
  %s, %c = moe.score softmax %z : !logits -> !logits, !logits
  %t, %e, %r, %v, %kth = moe.select top_k %c : !logits {k = 2 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm l1>} : !logits, !list, !list, !list, !mask -> tensor<?xf32>
  return %s, %w : !logits, tensor<?xf32>
}

// An epsilon in the divisor is a number of its own.
// CHECK-LABEL: func.func @epsilon
// CHECK: moe.score softmax
// CHECK: moe.weigh gather {{.*}}epsilon
func.func @epsilon(%z: !logits) -> tensor<?xf32> {
  %s, %c = moe.score softmax %z : !logits -> !logits, !logits
  %t, %e, %r, %v, %kth = moe.select top_k %c : !logits {k = 2 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm l1>, epsilon = 1.0e-9 : f64, epsilon_mode = #moe<epsilon_mode add>}
      : !logits, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// A norm of power 1 of weights that may be negative is not their sum.
// CHECK-LABEL: func.func @negative_weights
// CHECK: moe.weigh gather {{.*}}lp
func.func @negative_weights(%z: !logits) -> tensor<?xf32> {
  %t, %e, %r, %v, %kth = moe.select top_k %z : !logits {k = 2 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %z, %t, %e, %r, %v {norm = #moe<weight_norm lp>} : !logits, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// A filter of the second choice drops some.
// CHECK-LABEL: func.func @filter
// CHECK: %[[V:.*]] = moe.filter
// CHECK: return %[[V]]
func.func @filter(%z: !logits, %value: tensor<?xf32>) -> !mask {
  %t, %e, %r, %v, %kth = moe.select top_k %z : !logits {k = 2 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %kept = moe.filter greater_than %t, %e, %r, %v value(%value) {theta = 0.2 : f64, from_rank = 1 : i64}
      : !list, !list, !list, !mask, tensor<?xf32> -> !mask
  return %kept : !mask
}

// CHECK-LABEL: func.func @others
// CHECK: arith.addi
// CHECK: tensor.cast
func.func @others(%n: index, %x: tensor<4xf32>) -> (index, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %same = arith.addi %n, %c0 : index
  %cast = tensor.cast %x : tensor<4xf32> to tensor<?xf32>
  return %same, %cast : index, tensor<?xf32>
}
