// Each canonicalisation of the routing ops and, below it, what looks alike and must stay.
// RUN: moe-opt %s --canonicalize | FileCheck %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
!scores = tensor<?x4xf32>
!rows = tensor<?x8xf32>
!kth = tensor<?x2xf32>

// CHECK-LABEL: func.func @renormalised_softmax
// CHECK: %[[S:.+]], %[[C:.+]] = moe.score identity %arg0
// CHECK: moe.select top_k %[[C]] : {{.*}} {k = 2 : i64}
// CHECK: moe.weigh softmax_selected %[[S]]
// CHECK-NOT: norm
// CHECK: return
func.func @renormalised_softmax(%z: !scores) -> (tensor<?xf32>, !list) {
  %s, %c = moe.score softmax %z : !scores -> !scores, !scores
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm l1>} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w, %e : tensor<?xf32>, !list
}

// The divisor is no longer the sum alone.
// CHECK-LABEL: func.func @epsilon_stays
// CHECK: moe.score softmax
// CHECK: moe.weigh gather
func.func @epsilon_stays(%z: !scores) -> tensor<?xf32> {
  %s, %c = moe.score softmax %z : !scores -> !scores, !scores
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode add>, epsilon = 1.0e-09 : f64}
      : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// A bias moves the choice, so the order of the scores is not that of the logits.
// CHECK-LABEL: func.func @bias_stays
// CHECK: moe.score softmax
// CHECK: moe.weigh gather
func.func @bias_stays(%z: !scores, %b: tensor<4xf32>) -> tensor<?xf32> {
  %s, %c = moe.score softmax %z bias(%b : tensor<4xf32>) : !scores -> !scores, !scores
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm l1>} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// The values chosen are read: they are probabilities, not logits.
// CHECK-LABEL: func.func @kth_stays
// CHECK: moe.score softmax
// CHECK: moe.weigh gather
func.func @kth_stays(%z: !scores) -> (tensor<?xf32>, !kth) {
  %s, %c = moe.score softmax %z : !scores -> !scores, !scores
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm l1>} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w, %k : tensor<?xf32>, !kth
}

// top_p adds probabilities up.
// CHECK-LABEL: func.func @top_p_stays
// CHECK: moe.score softmax
// CHECK: moe.weigh gather
func.func @top_p_stays(%z: !scores) -> tensor<?xf32> {
  %s, %c = moe.score softmax %z : !scores -> !scores, !scores
  %t, %e, %r, %v, %k = moe.select top_p %c : !scores {k = 2 : i64, threshold = 0.5 : f64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm l1>} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// CHECK-LABEL: func.func @normalised_twice
// CHECK: moe.weigh softmax_selected %{{.*}} {scale = 2.5{{.*}}}
func.func @normalised_twice(%z: !scores) -> tensor<?xf32> {
  %t, %e, %r, %v, %k = moe.select top_k %z : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh softmax_selected %z, %t, %e, %r, %v {norm = #moe<weight_norm l1>, scale = 2.5 : f64}
      : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// A norm of power 2 of the same is not one.
// CHECK-LABEL: func.func @power_two_stays
// CHECK: norm = #moe<weight_norm lp>
func.func @power_two_stays(%z: !scores) -> tensor<?xf32> {
  %t, %e, %r, %v, %k = moe.select top_k %z : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh softmax_selected %z, %t, %e, %r, %v {norm = #moe<weight_norm lp>, p = 2.0 : f64}
      : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// CHECK-LABEL: func.func @power_one
// CHECK: norm = #moe<weight_norm l1>
func.func @power_one(%z: !scores) -> tensor<?xf32> {
  %s, %c = moe.score sigmoid %z : !scores -> !scores, !scores
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %s, %t, %e, %r, %v {norm = #moe<weight_norm lp>} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// Logits may be negative: the norm is not their sum.
// CHECK-LABEL: func.func @negative_stays
// CHECK: norm = #moe<weight_norm lp>
func.func @negative_stays(%z: !scores) -> tensor<?xf32> {
  %t, %e, %r, %v, %k = moe.select top_k %z : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %z, %t, %e, %r, %v {norm = #moe<weight_norm lp>} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// CHECK-LABEL: func.func @ones_over_their_sum
// CHECK: moe.weigh one %{{.*}} {scale = 2.500000e-01 : f64}
func.func @ones_over_their_sum(%z: !scores) -> tensor<?xf32> {
  %t, %e, %r, %v, %k = moe.select all %z : !scores -> !list, !list, !list, !mask, !kth
  %w = moe.weigh one %z, %t, %e, %r, %v {norm = #moe<weight_norm l1>} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// How many are valid depends on data.
// CHECK-LABEL: func.func @some_ones_stay
// CHECK: moe.weigh one %{{.*}} {norm = #moe<weight_norm l1>}
func.func @some_ones_stay(%z: !scores, %valid: !mask) -> tensor<?xf32> {
  %t, %e, %r, %v, %k = moe.select all %z : !scores valid(%valid : !mask) -> !list, !list, !list, !mask, !kth
  %w = moe.weigh one %z, %t, %e, %r, %v {norm = #moe<weight_norm l1>} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// CHECK-LABEL: func.func @kept_ones_stay
// CHECK: moe.weigh one %{{.*}} keep(%{{.*}}) {norm = #moe<weight_norm l1>}
func.func @kept_ones_stay(%z: !scores, %keep: !mask) -> tensor<?xf32> {
  %t, %e, %r, %v, %k = moe.select all %z : !scores -> !list, !list, !list, !mask, !kth
  %w = moe.weigh one %z, %t, %e, %r, %v keep(%keep : !mask) {norm = #moe<weight_norm l1>} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// A scale of one is no scale.
// CHECK-LABEL: func.func @sole_softmax
// CHECK: moe.weigh one %{{[^{]*}} :
func.func @sole_softmax(%z: !scores) -> tensor<?xf32> {
  %t, %e, %r, %v, %k = moe.select top_k %z : !scores {k = 1 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh softmax_selected %z, %t, %e, %r, %v {scale = 1.0 : f64} : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  return %w : tensor<?xf32>
}

// CHECK-LABEL: func.func @all_of_all
// CHECK: moe.select all %arg1 : tensor<?x4xf32> ->
func.func @all_of_all(%x: !rows, %z: !scores, %T: index) -> !rows {
  %t, %e, %r, %v, %k = moe.select top_k %z : !scores {k = 4 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %z, %t, %e, %r, %v : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset : !rows, !list, !list, !list, !mask, tensor<5xi32> -> !rows
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows
  return %y : !rows
}

// First choices take the slots first.
// CHECK-LABEL: func.func @order_is_seen_by_a_capacity
// CHECK: moe.select top_k
func.func @order_is_seen_by_a_capacity(%x: !rows, %z: !scores, %T: index) -> !rows {
  %t, %e, %r, %v, %k = moe.select top_k %z : !scores {k = 4 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %z, %t, %e, %r, %v : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64, order = #moe<slot_order rank_major>,
      capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset : !rows, !list, !list, !list, !mask, tensor<5xi32> -> !rows
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows
  return %y : !rows
}

// CHECK-LABEL: func.func @order_is_returned
// CHECK: moe.select top_k
func.func @order_is_returned(%z: !scores) -> !list {
  %t, %e, %r, %v, %k = moe.select top_k %z : !scores {k = 4 : i64} -> !list, !list, !list, !mask, !kth
  return %e : !list
}

// CHECK-LABEL: func.func @there_and_back
// CHECK-NEXT: return %arg0
func.func @there_and_back(%x: tensor<6x8xf32>, %z: tensor<6x4xf32>) -> tensor<6x8xf32> {
  %T = arith.constant 6 : index
  %t, %e, %r, %v, %k = moe.select top_k %z : tensor<6x4xf32> {k = 1 : i64} -> !list, !list, !list, !mask, tensor<6x2xf32>
  %w = moe.weigh one %z, %t, %e, %r, %v : tensor<6x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset : tensor<6x8xf32>, !list, !list, !list, !mask, tensor<5xi32> -> !rows
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// The tokens are as many as those of x, since the scores are made for them.
// CHECK-LABEL: func.func @there_and_back_of_any_number
// CHECK: return %arg0
func.func @there_and_back_of_any_number(%x: !rows) -> !rows {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %T = tensor.dim %x, %c0 : !rows
  %empty = tensor.empty(%T) : !scores
  %z = linalg.fill ins(%zero : f32) outs(%empty : !scores) -> !scores
  %t, %e, %r, %v, %k = moe.select top_k %z : !scores {k = 1 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh softmax_selected %z, %t, %e, %r, %v : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset : !rows, !list, !list, !list, !mask, tensor<5xi32> -> !rows
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows
  return %y : !rows
}

// Nothing says that there are as many choices as rows of x.
// CHECK-LABEL: func.func @other_tokens_stay
// CHECK: moe.combine
func.func @other_tokens_stay(%x: !rows, %z: !scores) -> !rows {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : !rows
  %t, %e, %r, %v, %k = moe.select top_k %z : !scores {k = 1 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh one %z, %t, %e, %r, %v : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset : !rows, !list, !list, !list, !mask, tensor<5xi32> -> !rows
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows
  return %y : !rows
}

// A capacity drops rows; two choices count each row twice; a weight scales.
// CHECK-LABEL: func.func @dropped_rows_stay
// CHECK: moe.combine
func.func @dropped_rows_stay(%x: tensor<6x8xf32>, %z: tensor<6x4xf32>) -> tensor<6x8xf32> {
  %T = arith.constant 6 : index
  %t, %e, %r, %v, %k = moe.select top_k %z : tensor<6x4xf32> {k = 1 : i64} -> !list, !list, !list, !mask, tensor<6x2xf32>
  %w = moe.weigh one %z, %t, %e, %r, %v : tensor<6x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v
      {experts = 4 : i64, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset : tensor<6x8xf32>, !list, !list, !list, !mask, tensor<5xi32> -> !rows
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// CHECK-LABEL: func.func @two_choices_stay
// CHECK: moe.combine
func.func @two_choices_stay(%x: tensor<6x8xf32>, %z: tensor<6x4xf32>) -> tensor<6x8xf32> {
  %T = arith.constant 6 : index
  %t, %e, %r, %v, %k = moe.select top_k %z : tensor<6x4xf32> {k = 2 : i64} -> !list, !list, !list, !mask, tensor<6x2xf32>
  %w = moe.weigh one %z, %t, %e, %r, %v : tensor<6x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset : tensor<6x8xf32>, !list, !list, !list, !mask, tensor<5xi32> -> !rows
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// CHECK-LABEL: func.func @scaled_rows_stay
// CHECK: moe.combine
func.func @scaled_rows_stay(%x: tensor<6x8xf32>, %z: tensor<6x4xf32>) -> tensor<6x8xf32> {
  %T = arith.constant 6 : index
  %t, %e, %r, %v, %k = moe.select top_k %z : tensor<6x4xf32> {k = 1 : i64} -> !list, !list, !list, !mask, tensor<6x2xf32>
  %w = moe.weigh one %z, %t, %e, %r, %v {scale = 2.0 : f64} : tensor<6x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset : tensor<6x8xf32>, !list, !list, !list, !mask, tensor<5xi32> -> !rows
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// CHECK-LABEL: func.func @filter_behind_the_last_rank
// CHECK: moe.select
// CHECK-NEXT: return %valid_out
func.func @filter_behind_the_last_rank(%z: !scores, %value: tensor<?xf32>) -> !mask {
  %l:5 = moe.select top_k %z : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %kept = moe.filter greater_than %l#0, %l#1, %l#2, %l#3 value(%value) {theta = 2.0e-01 : f64, from_rank = 2 : i64}
      : !list, !list, !list, !mask, tensor<?xf32> -> !mask
  return %kept : !mask
}

// CHECK-LABEL: func.func @filter_of_the_last_rank_stays
// CHECK: moe.filter
func.func @filter_of_the_last_rank_stays(%z: !scores, %value: tensor<?xf32>) -> !mask {
  %l:5 = moe.select top_k %z : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %kept = moe.filter greater_than %l#0, %l#1, %l#2, %l#3 value(%value) {theta = 2.0e-01 : f64, from_rank = 1 : i64}
      : !list, !list, !list, !mask, tensor<?xf32> -> !mask
  return %kept : !mask
}
