// Every source and norm of moe.weigh, and moe.filter, against numpy (Inputs/routing.py).
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/routing.py weigh %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --test-data %t/test_data_set_0 --threads 2
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 1 --atol 1e-6 --rtol 2e-6
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 1 --atol 1e-6 --rtol 2e-6
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 3 --atol 1e-6 --rtol 2e-6

!matrix = tensor<?x6xf32>
!list = tensor<?xi32>
!mask = tensor<?xi1>
!weights = tensor<?xf32>

func.func @main(%p: !matrix {moe.name = "p", moe.dims = ["tokens", "6"]}, %z: !matrix {moe.name = "z", moe.dims = ["tokens", "6"]},
    %valid: !mask {moe.name = "valid", moe.dims = ["tokens"]}, %keep: !mask {moe.name = "keep", moe.dims = ["assignments"]},
    %u: !weights {moe.name = "u", moe.dims = ["assignments"]})
    -> (!weights {moe.name = "raw"}, !weights {moe.name = "l1"}, !weights {moe.name = "l1_add"}, !weights {moe.name = "l1_kept"},
        !weights {moe.name = "l2"}, !weights {moe.name = "l3"}, !weights {moe.name = "selected"}, !weights {moe.name = "one"},
        !weights {moe.name = "mixer"}, !weights {moe.name = "by_expert"}, !mask {moe.name = "greater"}, !mask {moe.name = "coin"}) {
  %t, %e, %r, %v, %k = moe.select top_k %p : !matrix valid(%valid : !mask) {k = 3 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %raw = moe.weigh gather %p, %t, %e, %r, %v {scale = 2.5 : f64} : !matrix, !list, !list, !list, !mask -> !weights
  %l1 = moe.weigh gather %p, %t, %e, %r, %v {norm = #moe<weight_norm l1>, scale = 4.0 : f64} : !matrix, !list, !list, !list, !mask -> !weights
  %l1_add = moe.weigh gather %p, %t, %e, %r, %v {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode add>, epsilon = 1.0e-1 : f64}
      : !matrix, !list, !list, !list, !mask -> !weights
  %l1_kept = moe.weigh gather %p, %t, %e, %r, %v keep(%keep : !mask)
      {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode clamp>, epsilon = 2.0e-1 : f64} : !matrix, !list, !list, !list, !mask -> !weights
  %l2 = moe.weigh gather %z, %t, %e, %r, %v {norm = #moe<weight_norm lp>, p = 2.0 : f64} : !matrix, !list, !list, !list, !mask -> !weights
  %l3 = moe.weigh gather %z, %t, %e, %r, %v {norm = #moe<weight_norm lp>, p = 3.0 : f64} : !matrix, !list, !list, !list, !mask -> !weights
  %selected = moe.weigh softmax_selected %z, %t, %e, %r, %v : !matrix, !list, !list, !list, !mask -> !weights
  %one = moe.weigh one %z, %t, %e, %r, %v keep(%keep : !mask) : !matrix, !list, !list, !list, !mask -> !weights
  %t2, %e2, %r2, %v2, %k2 = moe.select sparse_mixer %z : !matrix {k = 2 : i64, jitter = 0.2 : f64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %mixer = moe.weigh sparse_mixer %z, %t2, %e2, %r2, %v2 {jitter = 0.2 : f64} : !matrix, !list, !list, !list, !mask -> !weights
  // A list by experts: a token's weights are spread over it.
  %t3, %e3, %r3, %v3, %k3 = moe.select top_k %p : !matrix
      {side = #moe<select_side expert>, capacity = #moe.capacity<base = tokens, numerator = 2, denominator = 1, rounding = ceil>}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %by_expert = moe.weigh gather %p, %t3, %e3, %r3, %v3 {norm = #moe<weight_norm l1>} : !matrix, !list, !list, !list, !mask -> !weights
  %greater = moe.filter greater_than %t, %e, %r, %v value(%raw) {theta = 0.5 : f64, from_rank = 1 : i64} : !list, !list, !list, !mask, !weights -> !mask
  %coin = moe.filter bernoulli %t, %e, %r, %v value(%raw) uniform(%u : !weights) {theta = 0.75 : f64} : !list, !list, !list, !mask, !weights -> !mask
  return %raw, %l1, %l1_add, %l1_kept, %l2, %l3, %selected, %one, %mixer, %by_expert, %greater, %coin
      : !weights, !weights, !weights, !weights, !weights, !weights, !weights, !weights, !weights, !weights, !mask, !mask
}
