// Every op and attribute of the routing ops is printed as it is read, in the short and in the generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// CHECK-LABEL: func.func @noise(
func.func @noise(%s: i64, %T: index) {
  // CHECK: moe.noise normal seed(%{{[^ ,:)]+}}) offset(%{{[^ ,:)]+}}) sizes(%{{[^ ,:)]+}}) : tensor<?x8xf32>
  %a0 = moe.noise normal seed(%s) offset(%s) sizes(%T) : tensor<?x8xf32>
  // CHECK: moe.noise uniform seed(%{{[^ ,:)]+}}) offset(%{{[^ ,:)]+}}) {high = 5.000000e-01 : f64, low = -5.000000e-01 : f64} : tensor<4x8xf32>
  %a1 = moe.noise uniform seed(%s) offset(%s) {high = 5.000000e-01 : f64, low = -5.000000e-01 : f64} : tensor<4x8xf32>
  // CHECK: moe.noise gumbel seed(%{{[^ ,:)]+}}) offset(%{{[^ ,:)]+}}) sizes(%{{[^ ,:)]+}}) : tensor<?x8xf32>
  %a2 = moe.noise gumbel seed(%s) offset(%s) sizes(%T) : tensor<?x8xf32>
  // CHECK: moe.noise exponential seed(%{{[^ ,:)]+}}) offset(%{{[^ ,:)]+}}) sizes(%{{[^ ,:)]+}}) : tensor<?x8xf32>
  %a3 = moe.noise exponential seed(%s) offset(%s) sizes(%T) : tensor<?x8xf32>
  return
}

// CHECK-LABEL: func.func @score(
func.func @score(%z: tensor<?x8xf32>, %v: tensor<?xi1>, %n: tensor<8xf32>) {
  // CHECK: moe.score softmax %{{[^ ,:)]+}} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a0, %b0 = moe.score softmax %z : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: moe.score identity %{{[^ ,:)]+}} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a1, %b1 = moe.score identity %z : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: moe.score sigmoid %{{[^ ,:)]+}} bias(%{{[^ ,:)]+}} : tensor<8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a2, %b2 = moe.score sigmoid %z bias(%n : tensor<8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: moe.score sqrt_softplus %{{[^ ,:)]+}} {temperature = 2.000000e+00 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a3, %b3 = moe.score sqrt_softplus %z {temperature = 2.000000e+00 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: moe.score sinkhorn %{{[^ ,:)]+}} {tolerance = 1.000000e-04 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a4, %b4 = moe.score sinkhorn %z {tolerance = 1.000000e-04 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: moe.score softmax %{{[^ ,:)]+}} valid(%{{[^ ,:)]+}} : tensor<?xi1>) {axis = #moe<score_axis token>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a5, %b5 = moe.score softmax %z valid(%v : tensor<?xi1>) {axis = #moe<score_axis token>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: moe.score softmax %{{[^ ,:)]+}} {axis = #moe<score_axis slot>, slots_per_expert = 2 : i64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a6, %b6 = moe.score softmax %z {axis = #moe<score_axis slot>, slots_per_expert = 2 : i64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: moe.score softmax %{{[^ ,:)]+}} noise(%{{[^ ,:)]+}} : tensor<?x8xf32>) {choice_basis = #moe<choice_basis logits>, noise_to = #moe<noise_target both>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a7, %b7 = moe.score softmax %z noise(%z : tensor<?x8xf32>) {choice_basis = #moe<choice_basis logits>, noise_to = #moe<noise_target both>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: moe.score softmax %{{[^ ,:)]+}} noise(%{{[^ ,:)]+}} : tensor<?x8xf32>) {noise_to = #moe<noise_target choice>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a8, %b8 = moe.score softmax %z noise(%z : tensor<?x8xf32>) {noise_to = #moe<noise_target choice>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// CHECK-LABEL: func.func @select(
func.func @select(%z: tensor<?x8xf32>, %v: tensor<?xi1>, %i: tensor<?xi32>, %l: tensor<9x2xi32>) {
  // CHECK: moe.select top_k %{{[^ ,:)]+}} : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a0:5 = moe.select top_k %z : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select all %{{[^ ,:)]+}} : tensor<?x8xf32> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a1:5 = moe.select all %z : tensor<?x8xf32> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select sparse_mixer %{{[^ ,:)]+}} : tensor<?x8xf32> {jitter = 1.000000e-02 : f64, k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a2:5 = moe.select sparse_mixer %z : tensor<?x8xf32> {jitter = 1.000000e-02 : f64, k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select threshold %{{[^ ,:)]+}} : tensor<?x8xf32> {k = 4 : i64, threshold = 2.000000e-02 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a3:5 = moe.select threshold %z : tensor<?x8xf32> {k = 4 : i64, threshold = 2.000000e-02 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select top_p %{{[^ ,:)]+}} : tensor<?x8xf32> {k = 4 : i64, threshold = 6.500000e-01 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a4:5 = moe.select top_p %z : tensor<?x8xf32> {k = 4 : i64, threshold = 6.500000e-01 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select balanced_exact %{{[^ ,:)]+}} : tensor<?x8xf32> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a5:5 = moe.select balanced_exact %z : tensor<?x8xf32> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select balanced_auction %{{[^ ,:)]+}} : tensor<?x8xf32> {epsilon = 1.000000e-03 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a6:5 = moe.select balanced_auction %z : tensor<?x8xf32> {epsilon = 1.000000e-03 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select table ids(%{{[^ ,:)]+}} : tensor<?xi32>) table(%{{[^ ,:)]+}} : tensor<9x2xi32>) {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a7:5 = moe.select table ids(%i : tensor<?xi32>) table(%l : tensor<9x2xi32>) {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select top_k %{{[^ ,:)]+}} : tensor<?x8xf32> {capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = ceil>, side = #moe<select_side expert>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a8:5 = moe.select top_k %z : tensor<?x8xf32> {capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = ceil>, side = #moe<select_side expert>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select top_k %{{[^ ,:)]+}} : tensor<?x8xf32> valid(%{{[^ ,:)]+}} : tensor<?xi1>) {groups = #moe.groups<count = 4, keep = 2, top_r = 1, mask = zero>, k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a9:5 = moe.select top_k %z : tensor<?x8xf32> valid(%v : tensor<?xi1>) {groups = #moe.groups<count = 4, keep = 2, top_r = 1, mask = zero>, k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select top_k %{{[^ ,:)]+}} : tensor<?x8xf32> {groups = #moe.groups<count = 4, keep = 2, top_r = 2, mask = neg_inf>, k = 4 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a10:5 = moe.select top_k %z : tensor<?x8xf32> {groups = #moe.groups<count = 4, keep = 2, top_r = 2, mask = neg_inf>, k = 4 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// CHECK-LABEL: func.func @select_groups(
func.func @select_groups(%z: tensor<?x8xf32>, %v: tensor<?xi1>, %n: index) {
  // CHECK: moe.select balanced_exact %{{[^ ,:)]+}} : tensor<?x8xf32> {group_size = 64 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a0:5 = moe.select balanced_exact %z : tensor<?x8xf32> {group_size = 64 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select balanced_auction %{{[^ ,:)]+}} : tensor<?x8xf32> valid(%{{[^ ,:)]+}} : tensor<?xi1>) groups_of(%{{[^ ,:)]+}}) {epsilon = 6.250000e-02 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a1:5 = moe.select balanced_auction %z : tensor<?x8xf32> valid(%v : tensor<?xi1>) groups_of(%n) {epsilon = 6.250000e-02 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // CHECK: moe.select top_k %{{[^ ,:)]+}} : tensor<?x8xf32> groups_of(%{{[^ ,:)]+}}) {capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = ceil>, side = #moe<select_side expert>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %a2:5 = moe.select top_k %z : tensor<?x8xf32> groups_of(%n) {capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = ceil>, side = #moe<select_side expert>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// CHECK-LABEL: func.func @assign(
func.func @assign(%i: tensor<?x2xi64>, %j: tensor<6x2xi32>) {
  // CHECK: moe.assign %{{[^ ,:)]+}} : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %a0:4 = moe.assign %i : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  // CHECK: moe.assign %{{[^ ,:)]+}} : tensor<6x2xi32> -> tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi1>
  %a1:4 = moe.assign %j : tensor<6x2xi32> -> tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi1>
  return
}

// CHECK-LABEL: func.func @filter(
func.func @filter(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %w: tensor<?xf32>) {
  // CHECK: moe.filter greater_than %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} value(%{{[^ ,:)]+}}) {theta = 2.000000e-01 : f64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  %a0 = moe.filter greater_than %t, %e, %r, %v value(%w) {theta = 2.000000e-01 : f64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  // CHECK: moe.filter bernoulli %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} value(%{{[^ ,:)]+}}) uniform(%{{[^ ,:)]+}} : tensor<?xf32>) {from_rank = 1 : i64, theta = 5.000000e-01 : f64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  %a1 = moe.filter bernoulli %t, %e, %r, %v value(%w) uniform(%w : tensor<?xf32>) {from_rank = 1 : i64, theta = 5.000000e-01 : f64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  return
}

// CHECK-LABEL: func.func @weigh(
func.func @weigh(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %keep: tensor<?xi1>) {
  // CHECK: moe.weigh gather %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %a0 = moe.weigh gather %z, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  // CHECK: moe.weigh softmax_selected %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} {scale = 2.500000e+00 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %a1 = moe.weigh softmax_selected %z, %t, %e, %r, %v {scale = 2.500000e+00 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  // CHECK: moe.weigh one %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %a2 = moe.weigh one %z, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  // CHECK: moe.weigh sparse_mixer %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} {jitter = 1.000000e-02 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %a3 = moe.weigh sparse_mixer %z, %t, %e, %r, %v {jitter = 1.000000e-02 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  // CHECK: moe.weigh gather %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} keep(%{{[^ ,:)]+}} : tensor<?xi1>) {norm = #moe<weight_norm l1>} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %a4 = moe.weigh gather %z, %t, %e, %r, %v keep(%keep : tensor<?xi1>) {norm = #moe<weight_norm l1>} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  // CHECK: moe.weigh gather %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} {epsilon = 1.000000e-09 : f64, epsilon_mode = #moe<epsilon_mode add>, norm = #moe<weight_norm l1>} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %a5 = moe.weigh gather %z, %t, %e, %r, %v {epsilon = 1.000000e-09 : f64, epsilon_mode = #moe<epsilon_mode add>, norm = #moe<weight_norm l1>} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  // CHECK: moe.weigh gather %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} {epsilon = 1.000000e-09 : f64, epsilon_mode = #moe<epsilon_mode clamp>, norm = #moe<weight_norm lp>, p = 2.000000e+00 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %a6 = moe.weigh gather %z, %t, %e, %r, %v {epsilon = 1.000000e-09 : f64, epsilon_mode = #moe<epsilon_mode clamp>, norm = #moe<weight_norm lp>, p = 2.000000e+00 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  return
}

// CHECK-LABEL: func.func @slots(
func.func @slots(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %w: tensor<?xf32>, %n: index) {
  // CHECK: moe.slots %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %a0:4 = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  // CHECK: moe.slots %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} {experts = 8 : i64, order = #moe<slot_order rank_major>, pad_to = 128 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %a1:4 = moe.slots %t, %e, %r, %v {experts = 8 : i64, order = #moe<slot_order rank_major>, pad_to = 128 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  // CHECK: moe.slots %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} {capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 1, rounding = half_even, pre_ceil = true, times_k = true, minimum = 4, maximum = 64, multiple_of = 4>, experts = 8 : i64, layout = #moe<slot_layout padded>} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %a2:4 = moe.slots %t, %e, %r, %v {capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 1, rounding = half_even, pre_ceil = true, times_k = true, minimum = 4, maximum = 64, multiple_of = 4>, experts = 8 : i64, layout = #moe<slot_layout padded>} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  // CHECK: moe.slots %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} {capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = floor>, experts = 8 : i64, fit = #moe<slot_fit first>, group_size = 64 : i64, order = #moe<slot_order rank_major>} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %a3:4 = moe.slots %t, %e, %r, %v {capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = floor>, experts = 8 : i64, fit = #moe<slot_fit first>, group_size = 64 : i64, order = #moe<slot_order rank_major>} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  // CHECK: moe.slots %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} priority(%{{[^ ,:)]+}} : tensor<?xf32>) {experts = 8 : i64, order = #moe<slot_order per_expert>} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %a4:4 = moe.slots %t, %e, %r, %v priority(%w : tensor<?xf32>) {experts = 8 : i64, order = #moe<slot_order per_expert>} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  // CHECK: moe.slots %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} priority(%{{[^ ,:)]+}} : tensor<?xf32>) groups_of(%{{[^ ,:)]+}}) {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %a5:4 = moe.slots %t, %e, %r, %v priority(%w : tensor<?xf32>) groups_of(%n) {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return
}
