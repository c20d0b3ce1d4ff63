// RUN: moe-opt %s --moe-cpu-expand-fma | FileCheck %s

// CHECK-LABEL: func.func @fma
// CHECK-SAME: (%[[A:.*]]: vector<4xf32>, %[[B:.*]]: vector<4xf32>, %[[C:.*]]: vector<4xf32>, %[[S:.*]]: f32)
// DOC: --moe-cpu-expand-fma
func.func @fma(%a: vector<4xf32>, %b: vector<4xf32>, %c: vector<4xf32>, %s: f32) -> (vector<4xf32>, vector<4xf32>, f32) {
  // CHECK: %[[P:.*]] = arith.mulf %[[A]], %[[B]] : vector<4xf32>
  // CHECK: arith.addf %[[P]], %[[C]] : vector<4xf32>
  %0 = math.fma %a, %b, %c : vector<4xf32>
  // CHECK: %[[Q:.*]] = arith.mulf %[[C]], %[[B]] : vector<4xf32>
  // CHECK: arith.addf %[[Q]], %[[A]] : vector<4xf32>
  %1 = vector.fma %c, %b, %a : vector<4xf32>
  // CHECK: %[[R:.*]] = arith.mulf %[[S]], %[[S]] : f32
  // CHECK: arith.addf %[[R]], %[[S]] : f32
  %2 = math.fma %s, %s, %s : f32
  return %0, %1, %2 : vector<4xf32>, vector<4xf32>, f32
}
