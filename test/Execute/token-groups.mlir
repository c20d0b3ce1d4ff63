// Groups of tokens whose size is known when the model runs (one sequence each): every order, fit and layout of moe.slots, balanced selects, experts
// that choose, moe.stats; and the same slots without groups. Up to thousands of tokens, so that threads, chunks and sorted runs all have work;
// with 1, 2, 3 and 8 threads, against numpy (Inputs/check_groups.py).
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: %python %S/Inputs/check_groups.py %t/out

!choice = tensor<?x6xf32>
!three = tensor<?x3xf32>
!list = tensor<?xi32>
!mask = tensor<?xi1>
!kth = tensor<?x2xf32>
!count = tensor<6xi32>
!offset = tensor<7xi32>
!weights = tensor<?xf32>
!rows = tensor<?x5xf32>

func.func @main(%c: tensor<?x?x6xf32> {moe.name = "choice", moe.dims = ["batch", "sequence", "6"]},
    %c3: tensor<?x?x3xf32> {moe.name = "three", moe.dims = ["batch", "sequence", "3"]},
    %x: tensor<?x?x5xf32> {moe.name = "x", moe.dims = ["batch", "sequence", "5"]},
    %valid: tensor<?x?xi1> {moe.name = "valid", moe.dims = ["batch", "sequence"]},
    %gate: tensor<?x?x2xf32> {moe.name = "gate", moe.dims = ["batch", "sequence", "2"]})
    -> (!list {moe.name = "chosen"}, !list {moe.name = "token"}, !mask {moe.name = "token_keep"}, !count {moe.name = "token_count"},
        !offset {moe.name = "token_offset"}, !list {moe.name = "rank_padded"}, !count {moe.name = "rank_count"}, !list {moe.name = "rank_priority"},
        !list {moe.name = "token_priority"}, !list {moe.name = "expert_priority"}, !list {moe.name = "expert"}, !list {moe.name = "first"},
        !list {moe.name = "blocks"}, !offset {moe.name = "blocks_offset"}, !list {moe.name = "flat_rank"}, !offset {moe.name = "flat_offset"},
        !list {moe.name = "flat_priority"}, !list {moe.name = "flat_first"}, !list {moe.name = "side_token"}, !list {moe.name = "side_expert"},
        !mask {moe.name = "side_valid"}, !list {moe.name = "side_slot"}, !count {moe.name = "side_count"}, !list {moe.name = "side_flat"},
        !list {moe.name = "exact"}, !list {moe.name = "auction"}, !choice {moe.name = "fraction"}, !choice {moe.name = "mean"},
        !rows {moe.name = "moved"}, !rows {moe.name = "side_moved"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %S = tensor.dim %c, %c1 : tensor<?x?x6xf32>
  %flat = tensor.collapse_shape %c [[0, 1], [2]] : tensor<?x?x6xf32> into !choice
  %three = tensor.collapse_shape %c3 [[0, 1], [2]] : tensor<?x?x3xf32> into !three
  %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x?x5xf32> into !rows
  %v = tensor.collapse_shape %valid [[0, 1]] : tensor<?x?xi1> into !mask
  %g = tensor.collapse_shape %gate [[0, 1, 2]] : tensor<?x?x2xf32> into !weights
  %T = tensor.dim %rows, %c0 : !rows

  %t, %e, %r, %ok, %kth = moe.select top_k %flat : !choice valid(%v : !mask) {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %s0, %k0, %n0, %o0 = moe.slots %t, %e, %r, %ok groups_of(%S)
      {experts = 6 : i64, capacity = #moe.capacity<base = tokens, numerator = 3, denominator = 2, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s1, %k1, %n1, %o1 = moe.slots %t, %e, %r, %ok groups_of(%S) {experts = 6 : i64, order = #moe<slot_order rank_major>,
      layout = #moe<slot_layout padded>, capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 2, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s2, %k2, %n2, %o2 = moe.slots %t, %e, %r, %ok priority(%g : !weights) groups_of(%S) {experts = 6 : i64, order = #moe<slot_order rank_major>,
      capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s3, %k3, %n3, %o3 = moe.slots %t, %e, %r, %ok priority(%g : !weights) groups_of(%S)
      {experts = 6 : i64, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s4, %k4, %n4, %o4 = moe.slots %t, %e, %r, %ok priority(%g : !weights) groups_of(%S) {experts = 6 : i64, order = #moe<slot_order per_expert>,
      capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s5, %k5, %n5, %o5 = moe.slots %t, %e, %r, %ok groups_of(%S) {experts = 6 : i64, order = #moe<slot_order per_expert>,
      capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s6, %k6, %n6, %o6 = moe.slots %t, %e, %r, %ok groups_of(%S) {experts = 6 : i64, order = #moe<slot_order rank_major>, fit = #moe<slot_fit first>,
      capacity = #moe.capacity<base = tokens, numerator = 3, denominator = 4, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s7, %k7, %n7, %o7 = moe.slots %t, %e, %r, %ok groups_of(%S) {experts = 6 : i64, pad_to = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s8, %k8, %n8, %o8 = moe.slots %t, %e, %r, %ok {experts = 6 : i64, order = #moe<slot_order rank_major>,
      capacity = #moe.capacity<base = assignments, numerator = 3, denominator = 4, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s9, %k9, %n9, %o9 = moe.slots %t, %e, %r, %ok priority(%g : !weights) {experts = 6 : i64, order = #moe<slot_order rank_major>,
      capacity = #moe.capacity<base = assignments, numerator = 3, denominator = 4, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s10, %k10, %n10, %o10 = moe.slots %t, %e, %r, %ok {experts = 6 : i64, order = #moe<slot_order rank_major>, fit = #moe<slot_fit first>,
      capacity = #moe.capacity<base = tokens, numerator = 3, denominator = 4, rounding = ceil>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset

  // Experts that choose: their lists are sorted by group first.
  %ts, %es, %rs, %oks, %kths = moe.select top_k %flat : !choice valid(%v : !mask) groups_of(%S)
      {side = #moe<select_side expert>, capacity = #moe.capacity<base = tokens, numerator = 2, denominator = 1, rounding = ceil>}
      -> !list, !list, !list, !mask, !kth
  %s11, %k11, %n11, %o11 = moe.slots %ts, %es, %rs, %oks groups_of(%S) {experts = 6 : i64, order = #moe<slot_order rank_major>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s12, %k12, %n12, %o12 = moe.slots %ts, %es, %rs, %oks {experts = 6 : i64} : !list, !list, !list, !mask -> !list, !mask, !count, !offset

  %t5, %e5, %r5, %ok5, %kth5 = moe.select balanced_exact %three : !three valid(%v : !mask) groups_of(%S) -> !list, !list, !list, !mask, !kth
  %t6, %e6, %r6, %ok6, %kth6 = moe.select balanced_auction %three : !three valid(%v : !mask) groups_of(%S) {epsilon = 0.0625 : f64}
      -> !list, !list, !list, !mask, !kth
  %f, %m = moe.stats %flat, %t, %e, %r, %ok token_valid(%v : !mask) groups_of(%S) {source = #moe<stats_source all>}
      : !choice, !list, !list, !list, !mask -> !choice, !choice

  // Rows that go to their groups' slots and come back.
  %there = moe.dispatch padded %rows, %t, %e, %s1, %k1, %o1 : !rows, !list, !list, !list, !mask, !offset -> tensor<6x?x5xf32>
  %moved = moe.combine %there, %t, %e, %s1, %k1, %g tokens(%T) : tensor<6x?x5xf32>, !list, !list, !list, !mask, !weights -> !rows
  %ws = moe.weigh gather %flat, %ts, %es, %rs, %oks : !choice, !list, !list, !list, !mask -> !weights
  %sides = moe.dispatch ragged %rows, %ts, %es, %s11, %k11, %o11 : !rows, !list, !list, !list, !mask, !offset -> !rows
  %side_moved = moe.combine %sides, %ts, %es, %s11, %k11, %ws tokens(%T) : !rows, !list, !list, !list, !mask, !weights -> !rows
  return %e, %s0, %k0, %n0, %o0, %s1, %n1, %s2, %s3, %s4, %s5, %s6, %s7, %o7, %s8, %o8, %s9, %s10, %ts, %es, %oks, %s11, %n11, %s12, %e5, %e6, %f, %m,
      %moved, %side_moved
      : !list, !list, !mask, !count, !offset, !list, !count, !list, !list, !list, !list, !list, !list, !offset, !list, !offset, !list, !list, !list, !list,
        !mask, !list, !count, !list, !list, !list, !choice, !choice, !rows, !rows
}
