// Orders, priorities, fits, groups, roundings and layouts of moe.slots, and moe.stats, against numpy (Inputs/routing.py).
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/routing.py slots %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --test-data %t/test_data_set_0 --threads 2
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 1
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 1
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 3

!matrix = tensor<?x5xf32>
!list = tensor<?xi32>
!mask = tensor<?xi1>
!count = tensor<5xi32>
!offset = tensor<6xi32>

func.func @main(%p: !matrix {moe.name = "p", moe.dims = ["tokens", "5"]}, %valid: !mask {moe.name = "valid", moe.dims = ["tokens"]},
    %gate: tensor<?xf32> {moe.name = "gate", moe.dims = ["assignments"]})
    -> (!list {moe.name = "dropless"}, !count {moe.name = "dropless_count"}, !offset {moe.name = "dropless_offset"}, !list {moe.name = "blocks"},
        !offset {moe.name = "blocks_offset"}, !list {moe.name = "rank_major"}, !count {moe.name = "rank_major_count"}, !list {moe.name = "priority"},
        !list {moe.name = "token_priority"}, !list {moe.name = "per_expert"}, !mask {moe.name = "per_expert_keep"}, !list {moe.name = "first"},
        !list {moe.name = "groups"}, !list {moe.name = "groups_padded"}, !list {moe.name = "half_even"}, !list {moe.name = "times_k"},
        !count {moe.name = "expert_side_count"}, tensor<5xf32> {moe.name = "fraction"}, tensor<5xf32> {moe.name = "mean"},
        tensor<5xf32> {moe.name = "fraction_all"}, tensor<?x5xf32> {moe.name = "group_fraction"}, tensor<?x5xf32> {moe.name = "group_mean"}) {
  %t, %e, %r, %v, %k = moe.select top_k %p : !matrix valid(%valid : !mask) {k = 3 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %s0, %k0, %c0, %o0 = moe.slots %t, %e, %r, %v {experts = 5 : i64} : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s1, %k1, %c1, %o1 = moe.slots %t, %e, %r, %v {experts = 5 : i64, pad_to = 8 : i64} : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s2, %k2, %c2, %o2 = moe.slots %t, %e, %r, %v {experts = 5 : i64, order = #moe<slot_order rank_major>, layout = #moe<slot_layout padded>,
      capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 2, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s3, %k3, %c3, %o3 = moe.slots %t, %e, %r, %v priority(%gate : tensor<?xf32>) {experts = 5 : i64, order = #moe<slot_order rank_major>,
      capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = floor, multiple_of = 2>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s4, %k4, %c4, %o4 = moe.slots %t, %e, %r, %v priority(%gate : tensor<?xf32>) {experts = 5 : i64,
      capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = floor, minimum = 2, maximum = 4>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s5, %k5, %c5, %o5 = moe.slots %t, %e, %r, %v priority(%gate : tensor<?xf32>) {experts = 5 : i64, order = #moe<slot_order per_expert>,
      capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 3, rounding = floor>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s6, %k6, %c6, %o6 = moe.slots %t, %e, %r, %v {experts = 5 : i64, order = #moe<slot_order rank_major>, fit = #moe<slot_fit first>,
      capacity = #moe.capacity<base = tokens, numerator = 3, denominator = 4, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s7, %k7, %c7, %o7 = moe.slots %t, %e, %r, %v {experts = 5 : i64, group_size = 7 : i64,
      capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 2, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s8, %k8, %c8, %o8 = moe.slots %t, %e, %r, %v {experts = 5 : i64, group_size = 7 : i64, layout = #moe<slot_layout padded>,
      capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 2, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s9, %k9, %c9, %o9 = moe.slots %t, %e, %r, %v {experts = 5 : i64,
      capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 2, rounding = half_even>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s10, %k10, %c10, %o10 = moe.slots %t, %e, %r, %v {experts = 5 : i64,
      capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 2, rounding = floor, pre_ceil = true, times_k = true>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %t3, %e3, %r3, %v3, %kk3 = moe.select top_k %p : !matrix
      {side = #moe<select_side expert>, capacity = #moe.capacity<base = tokens, numerator = 3, denominator = 2, rounding = ceil>}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %s11, %k11, %c11, %o11 = moe.slots %t3, %e3, %r3, %v3 {experts = 5 : i64} : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %f, %m = moe.stats %p, %t, %e, %r, %v token_valid(%valid : !mask) : !matrix, !list, !list, !list, !mask -> tensor<5xf32>, tensor<5xf32>
  %fa, %ma = moe.stats %p, %t, %e, %r, %v {source = #moe<stats_source all>, norm = #moe<stats_norm assignments>}
      : !matrix, !list, !list, !list, !mask -> tensor<5xf32>, tensor<5xf32>
  %fg, %mg = moe.stats %p, %t, %e, %r, %v {source = #moe<stats_source all>, group_size = 7 : i64}
      : !matrix, !list, !list, !list, !mask -> tensor<?x5xf32>, tensor<?x5xf32>
  return %s0, %c0, %o0, %s1, %o1, %s2, %c2, %s3, %s4, %s5, %k5, %s6, %s7, %s8, %s9, %s10, %c11, %f, %m, %fa, %fg, %mg
      : !list, !count, !offset, !list, !offset, !list, !count, !list, !list, !list, !mask, !list, !list, !list, !list, !list, !count,
        tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<?x5xf32>, tensor<?x5xf32>
}
