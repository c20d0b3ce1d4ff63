// RUN: moe-opt %s --moe-lower-pipeline | FileCheck %s
// A softmax and a product: rows stay with their thread from the first op to the last, so no barrier is needed.

// CHECK: module attributes {moe.checks = ["input 'y': dim 1 ('n') must equal dim 1 of input 'x'", "square"]}
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: (%[[X:.*]]: memref<?x?xf32> {moe.dims = ["b", "n"], moe.input = 0 : i64, moe.name = "x"}
// CHECK-SAME: %[[Y:.*]]: memref<?x?xf32> {{{.*}}moe.input = 1 : i64
// CHECK-SAME: %[[OUT:.*]]: memref<?x?xf32> {moe.name = "o", moe.output = 0 : i64}
// CHECK-SAME: %[[ARENA:.*]]: memref<?xi8> {moe.arena}
// CHECK-NOT: moe.barrier
// CHECK: memref.view %[[ARENA]]
// CHECK: vector.load %[[X]]
// CHECK: math.fma
// CHECK: vector.store %{{.*}}, %[[OUT]]
// CHECK-NOT: linalg
// CHECK-LABEL: func.func @moe_shapes
#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
func.func @main(%x: tensor<?x?xf32> {moe.name = "x", moe.dims = ["b", "n"]}, %y: tensor<?x?xf32> {moe.name = "y", moe.dims = ["?", "n"]})
    -> (tensor<?x?xf32> {moe.name = "o"}) attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %y, %c1 : tensor<?x?xf32>
  %k = tensor.dim %y, %c0 : tensor<?x?xf32>
  moe.require_equal %k, %n, "square"
  %lowest = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %rows = tensor.empty(%b) : tensor<?xf32>
  %all = tensor.empty(%b, %n) : tensor<?x?xf32>
  %max0 = linalg.fill ins(%lowest : f32) outs(%rows : tensor<?xf32>) -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x?xf32>) outs(%max0 : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %max : tensor<?x?xf32>, tensor<?xf32>) outs(%all : tensor<?x?xf32>) {
  ^bb0(%a: f32, %m: f32, %o: f32):
    %d = arith.subf %a, %m : f32
    %r = math.exp %d : f32
    linalg.yield %r : f32
  } -> tensor<?x?xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%rows : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%exp : tensor<?x?xf32>) outs(%sum0 : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%exp, %sum : tensor<?x?xf32>, tensor<?xf32>) outs(%all : tensor<?x?xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %r = arith.divf %a, %s : f32
    linalg.yield %r : f32
  } -> tensor<?x?xf32>
  %out0 = linalg.fill ins(%zero : f32) outs(%all : tensor<?x?xf32>) -> tensor<?x?xf32>
  %out = linalg.matmul ins(%p, %y : tensor<?x?xf32>, tensor<?x?xf32>) outs(%out0 : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %out : tensor<?x?xf32>
}
