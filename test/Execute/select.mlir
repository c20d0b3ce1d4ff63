// Every mode of moe.select against numpy (Inputs/routing.py): ties, NaN, infinities, padded tokens, no token at all. Invalid assignments mean
// nothing, so experts are returned as they are and tokens only where they are valid.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/routing.py select %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --test-data %t/test_data_set_0 --threads 2
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 1
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 1
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 3

!matrix = tensor<?x8xf32>
!list = tensor<?xi32>
!mask = tensor<?xi1>
!kth = tensor<?x2xf32>

func.func @main(%c: !matrix {moe.name = "c", moe.dims = ["tokens", "8"]}, %p: !matrix {moe.name = "p", moe.dims = ["tokens", "8"]},
    %v: !mask {moe.name = "v", moe.dims = ["tokens"]}, %ids: !list {moe.name = "ids", moe.dims = ["tokens"]},
    %table: tensor<5x2xi32> {moe.name = "table"}, %indices: tensor<?x2xi64> {moe.name = "indices", moe.dims = ["tokens", "2"]})
    -> (!list {moe.name = "top_expert"}, !list {moe.name = "top_rank"}, !list {moe.name = "top_token"}, !mask {moe.name = "top_valid"},
        !kth {moe.name = "top_kth"}, !list {moe.name = "full_expert"}, !kth {moe.name = "full_kth"}, !list {moe.name = "all_expert"},
        !list {moe.name = "group_expert"}, !list {moe.name = "group_zero_expert"}, !list {moe.name = "threshold_expert"},
        !mask {moe.name = "threshold_valid"}, !mask {moe.name = "top_p_valid"}, !list {moe.name = "side_token"}, !list {moe.name = "side_expert"},
        !mask {moe.name = "side_valid"}, !list {moe.name = "table_expert"}, !mask {moe.name = "table_valid"}, !list {moe.name = "assign_expert"},
        !list {moe.name = "mixer_expert"}, !list {moe.name = "exact_expert"}, !mask {moe.name = "exact_valid"}) {
  %t0, %e0, %r0, %v0, %k0 = moe.select top_k %c : !matrix valid(%v : !mask) {k = 3 : i64} -> !list, !list, !list, !mask, !kth
  %t1, %e1, %r1, %v1, %k1 = moe.select top_k %c : !matrix {k = 8 : i64} -> !list, !list, !list, !mask, !kth
  %t2, %e2, %r2, %v2, %k2 = moe.select all %c : !matrix -> !list, !list, !list, !mask, !kth
  %t3, %e3, %r3, %v3, %k3 = moe.select top_k %c : !matrix {k = 3 : i64, groups = #moe.groups<count = 4, keep = 2, top_r = 2, mask = neg_inf>}
      -> !list, !list, !list, !mask, !kth
  %t4, %e4, %r4, %v4, %k4 = moe.select top_k %c : !matrix {k = 3 : i64, groups = #moe.groups<count = 4, keep = 2, top_r = 1, mask = zero>}
      -> !list, !list, !list, !mask, !kth
  %t5, %e5, %r5, %v5, %k5 = moe.select threshold %p : !matrix {k = 4 : i64, threshold = 0.125 : f64} -> !list, !list, !list, !mask, !kth
  %t6, %e6, %r6, %v6, %k6 = moe.select top_p %p : !matrix {k = 8 : i64, threshold = 0.5 : f64} -> !list, !list, !list, !mask, !kth
  %t7, %e7, %r7, %v7, %k7 = moe.select top_k %c : !matrix valid(%v : !mask)
      {side = #moe<select_side expert>, capacity = #moe.capacity<base = tokens, numerator = 3, denominator = 1, rounding = half_even>}
      -> !list, !list, !list, !mask, !kth
  %t8, %e8, %r8, %v8, %k8 = moe.select table ids(%ids : !list) table(%table : tensor<5x2xi32>) valid(%v : !mask) {k = 2 : i64}
      -> !list, !list, !list, !mask, !kth
  %t9, %e9, %r9, %v9 = moe.assign %indices : tensor<?x2xi64> -> !list, !list, !list, !mask
  %t10, %e10, %r10, %v10, %k10 = moe.select sparse_mixer %p : !matrix {k = 2 : i64, jitter = 0.01 : f64} -> !list, !list, !list, !mask, !kth
  %t11, %e11, %r11, %v11, %k11 = moe.select balanced_exact %p : !matrix valid(%v : !mask) -> !list, !list, !list, !mask, !kth
  return %e0, %r0, %t0, %v0, %k0, %e1, %k1, %e2, %e3, %e4, %e5, %v5, %v6, %t7, %e7, %v7, %e8, %v8, %e9, %e10, %e11, %v11
      : !list, !list, !list, !mask, !kth, !list, !kth, !list, !list, !list, !list, !mask, !mask, !list, !list, !mask, !list, !mask, !list, !list,
        !list, !mask
}
