// RUN: moe-opt %s --moe-lower-shapes --canonicalize --cse --split-input-file | FileCheck %s

// Dims of outputs, equal symbols, static dims and a condition of the program become @moe_shapes.
// CHECK: module attributes {moe.checks = ["input 'mask': dim 0 ('b') must equal dim 0 of input 'x'", "input 'mask': dim 1 must be 4", "past and mask disagree"]}
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:.*]]: tensor<?x?xf32>
// CHECK-DAG: %[[B:.*]] = tensor.dim %[[X]], %c0
// CHECK-DAG: %[[N:.*]] = tensor.dim %[[X]], %c1
// CHECK-NOT: moe.require_equal
// CHECK: tensor.empty(%[[B]], %[[N]])
// CHECK-NOT: tensor.dim
// CHECK-LABEL: func.func @moe_shapes
// CHECK-SAME: (%[[IN:.*]]: memref<?xi64>, %[[OUT:.*]]: memref<?xi64>) -> i64 attributes {moe.shapes}
// CHECK-DAG: %[[B64:.*]] = memref.load %[[IN]][%c0]
// CHECK-DAG: %[[N64:.*]] = memref.load %[[IN]][%c1]
// CHECK-DAG: memref.load %[[IN]][%c2]
// CHECK-DAG: memref.load %[[IN]][%c3]
// CHECK: memref.store %[[B64]], %[[OUT]][%c0]
// CHECK: %[[TWICE:.*]] = arith.addi
// CHECK: %[[LEN:.*]] = arith.index_cast %[[TWICE]]
// CHECK: memref.store %[[LEN]], %[[OUT]][%c1]
// CHECK: arith.select %{{.*}}, %c0_i64, %c-3_i64
// CHECK: arith.select %{{.*}}, %{{.*}}, %c-2_i64
// CHECK: %[[ANSWER:.*]] = arith.select %{{.*}}, %{{.*}}, %c-1_i64
// CHECK: return %[[ANSWER]]
// DOC: --moe-lower-shapes --canonicalize --cse
func.func @main(%x: tensor<?x?xf32> {moe.name = "x", moe.dims = ["b", "n"]}, %mask: tensor<?x4xf32> {moe.name = "mask", moe.dims = ["b", "4"]})
    -> tensor<?x?xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %b = tensor.dim %mask, %c0 : tensor<?x4xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  moe.require_equal %n, %c4, "past and mask disagree"
  %e = tensor.empty(%b, %n) : tensor<?x?xf32>
  %y = linalg.exp ins(%x : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %rows = tensor.dim %y, %c0 : tensor<?x?xf32>
  %cols = tensor.dim %y, %c1 : tensor<?x?xf32>
  %twice = arith.addi %cols, %cols : index
  %e2 = tensor.empty(%rows, %twice) : tensor<?x?xf32>
  %z = moe.concat axis 1 ins(%y, %y : tensor<?x?xf32>, tensor<?x?xf32>) outs(%e2 : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %z : tensor<?x?xf32>
}

// -----

// An inferred dim divides by a size that may be 0: the division must not trap.
// CHECK-LABEL: func.func @moe_shapes
// CHECK: %[[N:.*]] = arith.index_cast
// CHECK: %[[IS_ZERO:.*]] = arith.cmpi eq, %[[N]], %c0
// CHECK: %[[DIVISOR:.*]] = arith.select %[[IS_ZERO]], %c1, %[[N]]
// CHECK: arith.divui %{{.*}}, %[[DIVISOR]]
func.func @main(%x: tensor<?xf32>) -> tensor<?x?xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %c12 = arith.constant 12 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %m = arith.divui %c12, %n : index
  %e = tensor.empty(%n, %m) : tensor<?x?xf32>
  %z = arith.constant 0.0 : f32
  %y = linalg.fill ins(%z : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// Sizes seen through reshapes, slices and padding.
// CHECK-LABEL: func.func @moe_shapes
// CHECK-SAME: (%{{.*}}: memref<?xi64>, %[[OUT:.*]]: memref<?xi64>)
// CHECK: %[[FLAT:.*]] = arith.muli
// CHECK: arith.index_cast %[[FLAT]]
// CHECK: arith.addi %{{.*}}, %c3
func.func @main(%x: tensor<?x?xf32>) -> (tensor<?xf32>, tensor<2x?xf32>) attributes {moe.entry} {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  %slice = tensor.extract_slice %x[0, 0] [2, %n] [1, 1] : tensor<?x?xf32> to tensor<2x?xf32>
  %pad = tensor.pad %slice low[0, 1] high[0, 2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<2x?xf32> to tensor<2x?xf32>
  return %flat, %pad : tensor<?xf32>, tensor<2x?xf32>
}

// -----

// Elements of a small input decide a size: they lie behind the dims of all inputs.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[S:[a-z0-9]*]]: tensor<2xi64> {moe.values_at = 0 : i64}
// CHECK: %[[ROWS:.*]] = tensor.extract %[[S]][%c1]
// CHECK: %[[N:.*]] = arith.index_cast %[[ROWS]]
// CHECK: tensor.empty(%[[N]])
// CHECK-LABEL: func.func @moe_shapes
// CHECK-SAME: (%[[IN:.*]]: memref<?xi64>, %[[OUT:.*]]: memref<?xi64>)
// Two dims, then element 1.
// CHECK: %[[WORD:.*]] = memref.load %[[IN]][%c3]
// CHECK: memref.store %[[WORD]], %[[OUT]][%c0]
func.func @main(%x: tensor<?xf32>, %s: tensor<2xi64>) -> tensor<?xf32> attributes {moe.entry} {
  %c1 = arith.constant 1 : index
  %z = arith.constant 0.0 : f32
  %rows = tensor.extract %s[%c1] : tensor<2xi64>
  %n = arith.index_cast %rows : i64 to index
  %e = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.fill ins(%z : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// A size that the entry computes stays there; @moe_shapes gives its bound, the length of the input.
// CHECK-LABEL: func.func @main
// CHECK-SAME: -> (tensor<?xf32> {moe.data_dims = array<i64: 0>})
// CHECK: %[[FOUND:.*]] = tensor.extract %{{.*}}[] : tensor<i64>
// CHECK: %[[COUNT:.*]] = arith.index_cast %[[FOUND]]
// CHECK: %[[KEPT:.*]] = arith.minsi %[[COUNT]], %{{.*}} : index
// CHECK: tensor.empty(%[[KEPT]])
// CHECK-LABEL: func.func @moe_shapes
// CHECK: %[[LENGTH:.*]] = memref.load %{{.*}}[%c0]
// CHECK: memref.store %[[LENGTH]], %{{.*}}[%c0]
func.func @main(%flags: tensor<?xi1>, %count: tensor<i64>) -> tensor<?xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %most = tensor.dim %flags, %c0 : tensor<?xi1>
  %empty = tensor.empty() : tensor<i64>
  %twice = linalg.add ins(%count, %count : tensor<i64>, tensor<i64>) outs(%empty : tensor<i64>) -> tensor<i64>
  %found = tensor.extract %twice[] : tensor<i64>
  %n = arith.index_cast %found : i64 to index
  %kept = arith.minsi %n, %most : index
  %e = tensor.empty(%kept) : tensor<?xf32>
  %y = linalg.fill ins(%z : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// What is said more than once is one condition, and dims of one symbol need none beyond the one of the inputs.
// CHECK: module attributes {moe.checks = ["input 'mask': dim 0 ('b') must equal dim 0 of input 'x'", "rows of the layer"]}
func.func @main(%x: tensor<?x?x?xf32> {moe.name = "x", moe.dims = ["b", "n", "m"]}, %mask: tensor<?xf32> {moe.name = "mask", moe.dims = ["b"]})
    -> tensor<?xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x?xf32>
  %rows = tensor.dim %mask, %c0 : tensor<?xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?x?xf32>
  %m = tensor.dim %x, %c2 : tensor<?x?x?xf32>
  moe.require_equal %b, %rows, "batches differ"
  moe.require_equal %n, %m, "rows of the layer"
  moe.require_equal %m, %b, "rows of the layer"
  return %mask : tensor<?xf32>
}

// -----

// A size that a tensor of one element gives, computed from a dim in floats (a capacity), is recomputed as scalars; an element of what data gives is not.
// CHECK-LABEL: func.func @capacity
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>
// CHECK-DAG: %[[T:.*]] = tensor.dim %[[X]], %c0
// CHECK-DAG: %[[T64:.*]] = arith.index_cast %[[T]] : index to i64
// CHECK-DAG: %[[FLOAT:.*]] = arith.sitofp %[[T64]] : i64 to f32
// CHECK-DAG: %[[SHARE:.*]] = arith.mulf %[[FLOAT]], %{{.*}} : f32
// CHECK-DAG: %[[CEIL:.*]] = math.ceil %[[SHARE]] : f32
// CHECK-DAG: %[[C64:.*]] = arith.fptosi %[[CEIL]] : f32 to i64
// CHECK-DAG: %[[C:.*]] = arith.index_cast %[[C64]] : i64 to index
// CHECK: tensor.empty(%[[C]])
#one = affine_map<(d0) -> (d0)>
func.func @capacity(%x: tensor<?x4xf32> {moe.name = "x", moe.dims = ["t", "4"]}) -> tensor<?xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %factor = arith.constant dense<0.3125> : tensor<1xf32>
  %t = tensor.dim %x, %c0 : tensor<?x4xf32>
  %t64 = arith.index_cast %t : index to i64
  %shape = tensor.from_elements %t64 : tensor<1xi64>
  %empty = tensor.empty() : tensor<1xi64>
  %capacity = linalg.generic {indexing_maps = [#one, #one, #one], iterator_types = ["parallel"]} ins(%shape, %factor : tensor<1xi64>, tensor<1xf32>)
      outs(%empty : tensor<1xi64>) {
  ^bb0(%tokens: i64, %share: f32, %out: i64):
    %float = arith.sitofp %tokens : i64 to f32
    %product = arith.mulf %float, %share : f32
    %up = math.ceil %product : f32
    %whole = arith.fptosi %up : f32 to i64
    linalg.yield %whole : i64
  } -> tensor<1xi64>
  %scalar = tensor.collapse_shape %capacity [] : tensor<1xi64> into tensor<i64>
  %c = tensor.extract %scalar[] : tensor<i64>
  %size = arith.index_cast %c : i64 to index
  %slots = tensor.empty(%size) : tensor<?xf32>
  %zero = arith.constant 0.0 : f32
  %y = linalg.fill ins(%zero : f32) outs(%slots : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
