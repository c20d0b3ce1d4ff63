// What canonicalisation makes of routing ops gives the numbers of what was there, and both those of numpy (Inputs/check_canonicalized.py).
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: moe-opt %s --canonicalize -o after.mlir
// RUN: FileCheck %s --input-file=after.mlir
// RUN: moe-compile %s -o before --quiet
// RUN: moe-compile after.mlir -o after --quiet
// RUN: %python %S/Inputs/check_canonicalized.py before after

// CHECK: moe.score identity
// CHECK-NOT: norm =
// CHECK: moe.weigh one {{.*}}scale = 0.333
// CHECK: moe.weigh gather {{.*}}norm = #moe<weight_norm l1>
// CHECK-NOT: norm =
// CHECK-NOT: moe.filter
// CHECK: moe.weigh one
// CHECK: moe.select all
// CHECK-NOT: moe.select
// CHECK: return {{.*}}%arg0 :

!list = tensor<?xi32>
!mask = tensor<?xi1>
!logits = tensor<?x5xf32>
!rows = tensor<?x6xf32>
!weights = tensor<?xf32>
!kth = tensor<?x2xf32>

func.func @main(%x: !rows {moe.name = "x", moe.dims = ["tokens", "6"]}, %z: !logits {moe.name = "z", moe.dims = ["tokens", "5"]})
    -> (!weights {moe.name = "renormalised"}, !list {moe.name = "chosen"}, !weights {moe.name = "twice"}, !weights {moe.name = "thirds"},
        !weights {moe.name = "sole"}, !weights {moe.name = "power_one"}, !mask {moe.name = "filtered"}, !rows {moe.name = "all"},
        !rows {moe.name = "back"}) {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : !rows

  %s, %c = moe.score softmax %z : !logits -> !logits, !logits
  %t0, %e0, %r0, %v0, %k0 = moe.select top_k %c : !logits {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %renormalised = moe.weigh gather %s, %t0, %e0, %r0, %v0 {norm = #moe<weight_norm l1>} : !logits, !list, !list, !list, !mask -> !weights

  %t1, %e1, %r1, %v1, %k1 = moe.select top_k %z : !logits {k = 3 : i64} -> !list, !list, !list, !mask, !kth
  %twice = moe.weigh softmax_selected %z, %t1, %e1, %r1, %v1 {norm = #moe<weight_norm l1>, scale = 2.5 : f64}
      : !logits, !list, !list, !list, !mask -> !weights
  %thirds = moe.weigh one %z, %t1, %e1, %r1, %v1 {norm = #moe<weight_norm l1>} : !logits, !list, !list, !list, !mask -> !weights
  %filtered = moe.filter greater_than %t1, %e1, %r1, %v1 value(%twice) {theta = 0.5 : f64, from_rank = 3 : i64}
      : !list, !list, !list, !mask, !weights -> !mask
  %g, %h = moe.score sigmoid %z : !logits -> !logits, !logits
  %power_one = moe.weigh gather %g, %t1, %e1, %r1, %v1 {norm = #moe<weight_norm lp>} : !logits, !list, !list, !list, !mask -> !weights

  %t2, %e2, %r2, %v2, %k2 = moe.select top_k %z : !logits {k = 1 : i64} -> !list, !list, !list, !mask, !kth
  %sole = moe.weigh softmax_selected %z, %t2, %e2, %r2, %v2 : !logits, !list, !list, !list, !mask -> !weights

  %t3, %e3, %r3, %v3, %k3 = moe.select top_k %z : !logits {k = 5 : i64} -> !list, !list, !list, !mask, !kth
  %w3 = moe.weigh gather %z, %t3, %e3, %r3, %v3 : !logits, !list, !list, !list, !mask -> !weights
  %slot3, %keep3, %count3, %offset3 = moe.slots %t3, %e3, %r3, %v3 {experts = 5 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<5xi32>, tensor<6xi32>
  %rows3 = moe.dispatch ragged %x, %t3, %e3, %slot3, %keep3, %offset3 : !rows, !list, !list, !list, !mask, tensor<6xi32> -> !rows
  %all = moe.combine %rows3, %t3, %e3, %slot3, %keep3, %w3 tokens(%T) : !rows, !list, !list, !list, !mask, !weights -> !rows

  // Logits that are as many as the rows, for certain.
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%T) : !logits
  %own = linalg.generic {indexing_maps = [affine_map<(t, e) -> (t, e)>, affine_map<(t, e) -> (t, e)>], iterator_types = ["parallel", "parallel"]}
      ins(%z : !logits) outs(%empty : !logits) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.negf %a : f32
    linalg.yield %n : f32
  } -> !logits
  %t4, %e4, %r4, %v4, %k4 = moe.select top_k %own : !logits {k = 1 : i64} -> !list, !list, !list, !mask, !kth
  %w4 = moe.weigh one %own, %t4, %e4, %r4, %v4 : !logits, !list, !list, !list, !mask -> !weights
  %slot4, %keep4, %count4, %offset4 = moe.slots %t4, %e4, %r4, %v4 {experts = 5 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<5xi32>, tensor<6xi32>
  %rows4 = moe.dispatch ragged %x, %t4, %e4, %slot4, %keep4, %offset4 : !rows, !list, !list, !list, !mask, tensor<6xi32> -> !rows
  %back = moe.combine %rows4, %t4, %e4, %slot4, %keep4, %w4 tokens(%T) : !rows, !list, !list, !list, !mask, !weights -> !rows
  return %renormalised, %e0, %twice, %thirds, %sole, %power_one, %filtered, %all, %back
      : !weights, !list, !weights, !weights, !weights, !weights, !mask, !rows, !rows
}
