// Where fusion would compute something expensive twice, or cross a kernel, ops stay apart.
// RUN: moe-opt %s --moe-fuse-elementwise | FileCheck %s

#id = affine_map<(a, b) -> (a, b)>
#row = affine_map<(a, b) -> (a)>
#one = affine_map<(a) -> (a)>

// Softmax: exp is read by the sum and by the division.
// CHECK-LABEL: func.func @two_users(
// CHECK: linalg.generic
// CHECK: math.exp
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: arith.addf
// CHECK: linalg.generic
// CHECK: arith.divf
// CHECK-NOT: math.exp
func.func @two_users(%x: tensor<?x8xf32>, %e: tensor<?x8xf32>, %s: tensor<?xf32>) -> tensor<?x8xf32> {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %n = math.exp %a : f32
      linalg.yield %n : f32
  } -> tensor<?x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%0 : tensor<?x8xf32>) outs(%s : tensor<?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %n = arith.addf %a, %o : f32
      linalg.yield %n : f32
  } -> tensor<?xf32>
  %2 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %1 : tensor<?x8xf32>, tensor<?xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %n = arith.divf %a, %b : f32
      linalg.yield %n : f32
  } -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// The reciprocal root of a row is one value: fused, it would be computed for each column.
// CHECK-LABEL: func.func @read_along_a_row(
// CHECK: linalg.generic
// CHECK: math.rsqrt
// CHECK: linalg.generic
// CHECK-NOT: math.rsqrt
// CHECK: arith.mulf
func.func @read_along_a_row(%x: tensor<?x8xf32>, %v: tensor<?xf32>, %e: tensor<?x8xf32>, %s: tensor<?xf32>) -> tensor<?x8xf32> {
  %0 = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%v : tensor<?xf32>) outs(%s : tensor<?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %n = math.rsqrt %a : f32
      linalg.yield %n : f32
  } -> tensor<?xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %0 : tensor<?x8xf32>, tensor<?xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %n = arith.mulf %a, %b : f32
      linalg.yield %n : f32
  } -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @across_concat(
// CHECK: arith.negf
// CHECK: moe.concat
// CHECK: math.exp
func.func @across_concat(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %e: tensor<4x8xf32>, %f: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %n = arith.negf %a : f32
      linalg.yield %n : f32
  } -> tensor<4x8xf32>
  %1 = moe.concat axis 0 ins(%0, %y : tensor<4x8xf32>, tensor<4x8xf32>) outs(%f : tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %n = math.exp %a : f32
      linalg.yield %n : f32
  } -> tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}
