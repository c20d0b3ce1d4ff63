// What the types say already, or what no list of assignments is known of, needs no condition.
// RUN: moe-opt %s --split-input-file --moe-raise-check-rows | FileCheck %s --implicit-check-not=moe.require_equal

// CHECK-LABEL: func.func @static
// CHECK: moe.dispatch
func.func @static(%x: tensor<6x4xf32>, %ids: tensor<6x2xi64>) -> tensor<12x4xf32> {
  %t, %e, %r, %v = moe.assign %ids : tensor<6x2xi64> -> tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi1>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi1> -> tensor<12xi32>, tensor<12xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<6x4xf32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi1>, tensor<9xi32> -> tensor<12x4xf32>
  return %rows : tensor<12x4xf32>
}

// -----

// CHECK-LABEL: func.func @unknown_list
// CHECK: moe.dispatch
func.func @unknown_list(%x: tensor<?x4xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) -> tensor<?x4xf32> {
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x4xf32>
  return %rows : tensor<?x4xf32>
}
