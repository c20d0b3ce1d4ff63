// One function per rule of the routing ops, named by its label.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @noise_c1(%s: i64) {
  // expected-error @below {{expected 1 sizes (dynamic dims of the result), got 0}}
  %a = moe.noise normal seed(%s) offset(%s) : tensor<?x8xf32>
  return
}

// -----

func.func @noise_c2(%s: i64, %T: index) {
  // expected-error @below {{expected finite low < high, got 1.000000e+00 and 5.000000e-01}}
  %a = moe.noise uniform seed(%s) offset(%s) sizes(%T) {low = 1.0 : f64, high = 0.5 : f64} : tensor<?x8xf32>
  return
}

// -----

func.func @noise_c2_normal(%s: i64, %T: index) {
  // expected-error @below {{expected low and high only for uniform, got normal}}
  %a = moe.noise normal seed(%s) offset(%s) sizes(%T) {high = 2.0 : f64} : tensor<?x8xf32>
  return
}

// -----

func.func @score_c1(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected choice with the sizes of logits}}
  %a, %b = moe.score softmax %z : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @score_c2(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected noise exactly where noise_to is not none, got none}}
  %a, %b = moe.score softmax %z {noise_to = #moe<noise_target both>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @score_c3(%z: tensor<?x8xf32>, %n: tensor<7xf32>) {
  // expected-error @below {{expected bias of length 8 (experts), got 7}}
  %a, %b = moe.score softmax %z bias(%n : tensor<7xf32>) : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @score_c4(%n: tensor<5xi1>, %y: tensor<6x8xf32>) {
  // expected-error @below {{expected valid of length 6 (tokens), got 5}}
  %a, %b = moe.score softmax %y valid(%n : tensor<5xi1>) : tensor<6x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @score_c5(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected a positive temperature, got 0.000000e+00}}
  %a, %b = moe.score softmax %z {temperature = 0.0 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @score_c6(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected tolerance exactly where the function is sinkhorn, got none}}
  %a, %b = moe.score sinkhorn %z : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @score_c6_positive(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected a positive tolerance, got -1.000000e+00}}
  %a, %b = moe.score sinkhorn %z {tolerance = -1.0 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @score_c7(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected function softmax for axis token, got sigmoid}}
  %a, %b = moe.score sigmoid %z {axis = #moe<score_axis token>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @score_c8(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected slots_per_expert to divide the columns of logits (8), got 3}}
  %a, %b = moe.score softmax %z {axis = #moe<score_axis slot>, slots_per_expert = 3 : i64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @select_c1() {
  // expected-error @below {{expected choice and neither ids nor table for mode top_k}}
  %a:5 = moe.select top_k {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c1_table(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected ids and table and no choice for mode table}}
  %a:5 = moe.select table %z : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c2(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected 1 <= k <= experts (8), got 16}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 16 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c2_zero(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected 1 <= k <= experts (8), got 0}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 0 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c2_dynamic(%y: tensor<?x?xf32>) {
  // expected-error @below {{expected k >= 1, got -1}}
  %a:5 = moe.select top_k %y : tensor<?x?xf32> {k = -1 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c2_table(%i: tensor<?xi32>, %l: tensor<9x3xi32>) {
  // expected-error @below {{expected k of 3 (columns of table), got 2}}
  %a:5 = moe.select table ids(%i : tensor<?xi32>) table(%l : tensor<9x3xi32>) {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c2_sparse_mixer(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected k of 2 (sparse_mixer), got 3}}
  %a:5 = moe.select sparse_mixer %z : tensor<?x8xf32> {jitter = 1.0e-02 : f64, k = 3 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c3(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected threshold exactly for the modes threshold and top_p, got none}}
  %a:5 = moe.select top_p %z : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c3_range(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected 0 < threshold <= 1, got 1.500000e+00}}
  %a:5 = moe.select top_p %z : tensor<?x8xf32> {k = 2 : i64, threshold = 1.5 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c4(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected jitter exactly for the mode sparse_mixer, got none}}
  %a:5 = moe.select sparse_mixer %z : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c5(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected epsilon exactly for the mode balanced_auction, got one elsewhere}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 2 : i64, epsilon = 1.0e-03 : f64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c6(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected a count of groups that divides the experts (8), got 3}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 2 : i64, groups = #moe.groups<count = 3, keep = 2, top_r = 1, mask = neg_inf>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c6_top_r(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected top_r <= experts of a group (2), got 3}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 2 : i64, groups = #moe.groups<count = 4, keep = 2, top_r = 3, mask = neg_inf>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c6_k(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected k <= experts of the kept groups (2), got 3}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 3 : i64, groups = #moe.groups<count = 4, keep = 1, top_r = 1, mask = zero>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c7(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected capacity exactly for side expert, got none}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {side = #moe<select_side expert>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c7_token(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected capacity exactly for side expert, got one elsewhere}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 2 : i64, capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = ceil>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c8(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected expert of length 12 (that of token), got 13}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 2 : i64} -> tensor<12xi32>, tensor<13xi32>, tensor<12xi32>, tensor<12xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c8_count(%y: tensor<6x8xf32>) {
  // expected-error @below {{expected the lists of length 12 (tokens times choices), got 10}}
  %a:5 = moe.select top_k %y : tensor<6x8xf32> {k = 2 : i64} -> tensor<10xi32>, tensor<10xi32>, tensor<10xi32>, tensor<10xi1>, tensor<6x2xf32>
  return
}

// -----

func.func @select_c8_all(%y: tensor<6x8xf32>) {
  // expected-error @below {{expected the lists of length 48 (tokens times choices), got 12}}
  %a:5 = moe.select all %y : tensor<6x8xf32> -> tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi1>, tensor<6x2xf32>
  return
}

// -----

func.func @select_c9(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected dim 1 of kth to be 2 (K-th and next), got 3}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x3xf32>
  return
}

// -----

func.func @select_c10(%n: tensor<5xi1>, %y: tensor<6x8xf32>) {
  // expected-error @below {{expected valid of length 6 (tokens), got 5}}
  %a:5 = moe.select top_k %y : tensor<6x8xf32> valid(%n : tensor<5xi1>) {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c11(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected group_size >= 1, got 0}}
  %a:5 = moe.select balanced_exact %z : tensor<?x8xf32> {group_size = 0 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c11_both(%z: tensor<?x8xf32>, %n: index) {
  // expected-error @below {{expected group_size or groups_of, got both}}
  %a:5 = moe.select balanced_exact %z : tensor<?x8xf32> groups_of(%n) {group_size = 4 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c12(%z: tensor<?x8xf32>) {
  // expected-error @below {{expected groups of tokens only for balanced modes and side expert, got top_k and side token}}
  %a:5 = moe.select top_k %z : tensor<?x8xf32> {k = 2 : i64, group_size = 4 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @select_c12_value(%z: tensor<?x8xf32>, %n: index) {
  // expected-error @below {{expected groups of tokens only for balanced modes and side expert, got all and side token}}
  %a:5 = moe.select all %z : tensor<?x8xf32> groups_of(%n) -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return
}

// -----

func.func @assign_c1(%i: tensor<6x2xi64>) {
  // expected-error @below {{expected the lists of length 12 (sizes of indices), got 10}}
  %a:4 = moe.assign %i : tensor<6x2xi64> -> tensor<10xi32>, tensor<10xi32>, tensor<10xi32>, tensor<10xi1>
  return
}

// -----

func.func @assign_c2(%i: tensor<?x0xi64>) {
  // expected-error @below {{expected at least one expert per token}}
  %a:4 = moe.assign %i : tensor<?x0xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  return
}

// -----

func.func @filter_c1(%t: tensor<5xi32>, %v: tensor<5xi1>, %w: tensor<5xf32>) {
  // expected-error @below {{expected the result of length 5 (that of token), got 6}}
  %a = moe.filter greater_than %t, %t, %t, %v value(%w) {theta = 0.2 : f64} : tensor<5xi32>, tensor<5xi32>, tensor<5xi32>, tensor<5xi1>, tensor<5xf32> -> tensor<6xi1>
  return
}

// -----

func.func @filter_c2(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %w: tensor<?xf32>) {
  // expected-error @below {{expected uniform exactly for bernoulli, got none}}
  %a = moe.filter bernoulli %t, %e, %r, %v value(%w) {theta = 2.0e-01 : f64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  return
}

// -----

func.func @filter_c3(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %w: tensor<?xf32>) {
  // expected-error @below {{expected a positive theta, got 0.000000e+00}}
  %a = moe.filter bernoulli %t, %e, %r, %v value(%w) uniform(%w : tensor<?xf32>) {theta = 0.0 : f64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  return
}

// -----

func.func @filter_c4(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %w: tensor<?xf32>) {
  // expected-error @below {{expected from_rank >= 0, got -1}}
  %a = moe.filter greater_than %t, %e, %r, %v value(%w) {theta = 2.0e-01 : f64, from_rank = -1 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  return
}

// -----

func.func @weigh_c1(%z: tensor<?x8xf32>, %t: tensor<5xi32>, %v: tensor<5xi1>) {
  // expected-error @below {{expected the weights of length 5 (that of token), got 6}}
  %a = moe.weigh gather %z, %t, %t, %t, %v : tensor<?x8xf32>, tensor<5xi32>, tensor<5xi32>, tensor<5xi32>, tensor<5xi1> -> tensor<6xf32>
  return
}

// -----

func.func @weigh_c2(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected a positive p, got 0.000000e+00}}
  %a = moe.weigh gather %z, %t, %e, %r, %v {norm = #moe<weight_norm lp>, p = 0.0 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  return
}

// -----

func.func @weigh_c2_norm(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected p only for norm lp, got l1}}
  %a = moe.weigh gather %z, %t, %e, %r, %v {norm = #moe<weight_norm l1>, p = 2.0 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  return
}

// -----

func.func @weigh_c3(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected a positive epsilon exactly where epsilon_mode is not none, got 0.000000e+00}}
  %a = moe.weigh gather %z, %t, %e, %r, %v {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode add>} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  return
}

// -----

func.func @weigh_c3_mode(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected a positive epsilon exactly where epsilon_mode is not none, got 1.000000e-09}}
  %a = moe.weigh gather %z, %t, %e, %r, %v {norm = #moe<weight_norm l1>, epsilon = 1.0e-09 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  return
}

// -----

func.func @weigh_c4(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected a norm where there is an epsilon, got none}}
  %a = moe.weigh gather %z, %t, %e, %r, %v {epsilon = 1.0e-09 : f64, epsilon_mode = #moe<epsilon_mode clamp>} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  return
}

// -----

func.func @weigh_c5(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected jitter exactly where the source is sparse_mixer, got none}}
  %a = moe.weigh sparse_mixer %z, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  return
}

// -----

func.func @weigh_c6(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected a finite scale}}
  %a = moe.weigh gather %z, %t, %e, %r, %v {scale = 0x7FF0000000000000 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  return
}

// -----

func.func @slots_c1(%t: tensor<12xi32>, %v: tensor<12xi1>) {
  // expected-error @below {{expected slot of length 12 (that of token), got 11}}
  %a:4 = moe.slots %t, %t, %t, %v {experts = 8 : i64} : tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi1> -> tensor<11xi32>, tensor<12xi1>, tensor<8xi32>, tensor<9xi32>
  return
}

// -----

func.func @slots_c2(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected experts >= 1, got 0}}
  %a:4 = moe.slots %t, %e, %r, %v {experts = 0 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return
}

// -----

func.func @slots_c2_count(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected count of length 8 (experts), got 9}}
  %a:4 = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<9xi32>, tensor<9xi32>
  return
}

// -----

func.func @slots_c2_offset(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected offset of length 9 (experts + 1), got 8}}
  %a:4 = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<8xi32>
  return
}

// -----

func.func @slots_c3(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected a capacity for the padded layout, got none}}
  %a:4 = moe.slots %t, %e, %r, %v {experts = 8 : i64, layout = #moe<slot_layout padded>} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return
}

// -----

func.func @slots_c4(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected pad_to in 1 to 65536, got 0}}
  %a:4 = moe.slots %t, %e, %r, %v {experts = 8 : i64, pad_to = 0 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return
}

// -----

func.func @slots_c5(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected a capacity and order rank_major for fit first, got no capacity}}
  %a:4 = moe.slots %t, %e, %r, %v {experts = 8 : i64, fit = #moe<slot_fit first>, order = #moe<slot_order rank_major>} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return
}

// -----

func.func @slots_c5_order(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected a capacity and order rank_major for fit first, got order token_major}}
  %a:4 = moe.slots %t, %e, %r, %v {experts = 8 : i64, fit = #moe<slot_fit first>, capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = ceil>} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return
}

// -----

func.func @slots_c6(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected group_size >= 1, got 0}}
  %a:4 = moe.slots %t, %e, %r, %v {experts = 8 : i64, group_size = 0 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return
}

// -----

func.func @slots_c6_both(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %n: index) {
  // expected-error @below {{expected group_size or groups_of, got both}}
  %a:4 = moe.slots %t, %e, %r, %v groups_of(%n) {experts = 8 : i64, group_size = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return
}

// -----

func.func @slots_c7(%t: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected experts times the capacity's minimum below 2^31, got 4 times 1073741824}}
  %slot, %keep, %count, %offset = moe.slots %t, %t, %t, %v {experts = 4 : i64, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil, minimum = 1073741824>}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  return
}

// -----

// A misspelt attribute is no attribute of somebody else.
func.func @unknown_attribute(%z: tensor<?x8xf32>) {
  // expected-error @below {{has no attribute 'temprature'; expected axis, choice_basis, function, noise_to, slots_per_expert, temperature, tolerance, or a name with a dialect's prefix}}
  %s, %c = moe.score softmax %z {temprature = 2.0 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}
