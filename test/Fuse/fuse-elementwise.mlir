// RUN: moe-opt %s --moe-fuse-elementwise | FileCheck %s

#row = affine_map<(a, b) -> (a)>
#one = affine_map<(a) -> (a)>
// DOC: --moe-fuse-elementwise
#id = affine_map<(a, b) -> (a, b)>

// A chain becomes one op.
// CHECK-LABEL: func.func @chain(
// CHECK: linalg.generic
// CHECK: arith.negf
// CHECK: math.exp
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @chain(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %n = arith.negf %a : f32
      linalg.yield %n : f32
  } -> tensor<?x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %n = math.exp %a : f32
      linalg.yield %n : f32
  } -> tensor<?x8xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%1, %y : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %n = arith.addf %a, %b : f32
      linalg.yield %n : f32
  } -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}
// DOC END

// A broadcast (an ONNX Expand) and a named op are read in place.
// CHECK-LABEL: func.func @broadcast(
// CHECK-NOT: linalg.broadcast
// CHECK-NOT: linalg.mul
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<?xf32>)
// CHECK-NOT: linalg.
// CHECK: arith.mulf
// CHECK: return
func.func @broadcast(%x: tensor<?x8xf32>, %v: tensor<?xf32>, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = linalg.broadcast ins(%v : tensor<?xf32>) outs(%e : tensor<?x8xf32>) dimensions = [1]
  %1 = linalg.mul ins(%x, %0 : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// A producer with one user joins the reduction that reads it.
// CHECK-LABEL: func.func @into_reduction(
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: math.exp
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @into_reduction(%x: tensor<?x8xf32>, %e: tensor<?x8xf32>, %s: tensor<?xf32>) -> tensor<?xf32> {
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
  return %1 : tensor<?xf32>
}

// Key heads that are repeated for groups of query heads (B×H×S×D from B×S×D) are read where they are by the product.
// CHECK-LABEL: func.func @repeated_heads(
// CHECK-SAME: %[[Q:[^:]+]]: tensor<2x4x8xf32>, %[[K:[^:]+]]: tensor<6x8xf32>
// CHECK: linalg.generic {{.*}} ins(%[[Q]], %[[K]] : tensor<2x4x8xf32>, tensor<6x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @repeated_heads(%q: tensor<2x4x8xf32>, %k: tensor<6x8xf32>, %e: tensor<2x6x8xf32>, %s: tensor<2x4x6xf32>) -> tensor<2x4x6xf32> {
  %0 = linalg.broadcast ins(%k : tensor<6x8xf32>) outs(%e : tensor<2x6x8xf32>) dimensions = [0]
  %1 = linalg.generic {indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>, affine_map<(h, m, n, d) -> (h, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%q, %0 : tensor<2x4x8xf32>, tensor<2x6x8xf32>) outs(%s : tensor<2x4x6xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %n = arith.addf %o, %p : f32
      linalg.yield %n : f32
  } -> tensor<2x4x6xf32>
  return %1 : tensor<2x4x6xf32>
}
