// RUN: moe-opt %s --moe-lower-math | FileCheck %s

// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: %[[X:.*]]: vector<16xf32>
// A sum that would cancel becomes a quotient: 2 / (1 + exp(−2z)).
// CHECK: %[[SCALED:.*]] = arith.mulf %[[X]], %{{.*}} : vector<16xf32>
// CHECK-NOT: math.exp
// CHECK-NOT: math.tanh
// CHECK: arith.divf
// What has no polynomial of its own that is good enough stays.
// CHECK: math.sin
// CHECK: math.sqrt
// CHECK-NOT: math.rsqrt
// DOC: --moe-lower-math
func.func @moe_entry(%x: vector<16xf32>) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>) attributes {moe.entry} {
  %one = arith.constant dense<1.0> : vector<16xf32>
  %tanh = math.tanh %x : vector<16xf32>
  %sum = arith.addf %tanh, %one : vector<16xf32>
  %sin = math.sin %x : vector<16xf32>
  %rsqrt = math.rsqrt %x : vector<16xf32>
  return %sum, %sin, %rsqrt : vector<16xf32>, vector<16xf32>, vector<16xf32>
}
