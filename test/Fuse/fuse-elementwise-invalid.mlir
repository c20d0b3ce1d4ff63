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

// Scaled and transposed operands of a product: fused, the multiply and the strided read would be in its innermost loop.
// CHECK-LABEL: func.func @into_product(
// CHECK: linalg.generic
// CHECK: arith.mulf
// CHECK: linalg.generic
// CHECK-NEXT: ^bb0
// CHECK-NEXT: linalg.yield
// CHECK: linalg.generic
// CHECK: arith.mulf
// CHECK-NEXT: arith.addf
func.func @into_product(%q: tensor<4x8xf32>, %k: tensor<8x6xf32>, %e: tensor<4x8xf32>, %f: tensor<6x8xf32>, %s: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %scale = arith.constant 0.125 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%q : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %n = arith.mulf %a, %scale : f32
      linalg.yield %n : f32
  } -> tensor<4x8xf32>
  %1 = linalg.transpose ins(%k : tensor<8x6xf32>) outs(%f : tensor<6x8xf32>) permutation = [1, 0]
  %2 = linalg.generic {indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (n, d)>, affine_map<(m, n, d) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]} ins(%0, %1 : tensor<4x8xf32>, tensor<6x8xf32>) outs(%s : tensor<4x6xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %n = arith.addf %o, %p : f32
      linalg.yield %n : f32
  } -> tensor<4x6xf32>
  return %2 : tensor<4x6xf32>
}
