// The auction of moe.select against one in numpy, assignment by assignment, and its sum against the greatest there is (Inputs/check_auction.py).
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: %python %S/Inputs/check_auction.py %t/out

!matrix = tensor<?x3xf32>
!list = tensor<?xi32>
!mask = tensor<?xi1>
!kth = tensor<?x2xf32>

func.func @main(%c: !matrix {moe.name = "choice", moe.dims = ["tokens", "3"]}, %v: !mask {moe.name = "valid", moe.dims = ["tokens"]})
    -> (!list {moe.name = "wide_expert"}, !mask {moe.name = "wide_valid"}, !list {moe.name = "narrow_expert"}, !mask {moe.name = "narrow_valid"},
        !list {moe.name = "exact_expert"}, !mask {moe.name = "exact_valid"}) {
  %t0, %e0, %r0, %v0, %k0 = moe.select balanced_auction %c : !matrix valid(%v : !mask) {epsilon = 0.0625 : f64} -> !list, !list, !list, !mask, !kth
  %t1, %e1, %r1, %v1, %k1 = moe.select balanced_auction %c : !matrix valid(%v : !mask) {epsilon = 2.0e-04 : f64} -> !list, !list, !list, !mask, !kth
  %t2, %e2, %r2, %v2, %k2 = moe.select balanced_exact %c : !matrix valid(%v : !mask) -> !list, !list, !list, !mask, !kth
  return %e0, %v0, %e1, %v1, %e2, %v2 : !list, !mask, !list, !mask, !list, !mask
}
