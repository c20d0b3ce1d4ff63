// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s
// The frame: sizes at entry, conditions, contents of shape arithmetic. Families have files of their own.

// The example of the pass description.
// CHECK-LABEL: func.func @relu
// CHECK: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK: %[[T:.*]] = tensor.dim %arg0, %[[ZERO]]
// CHECK: %[[E:.*]] = tensor.empty(%[[T]]) : tensor<?x8xf32>
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel"]
// CHECK-SAME: ins(%arg0 : tensor<?x8xf32>) outs(%[[E]]
// CHECK: arith.maximumf
// CHECK-NOT: moe.onnx
// DOC: --moe-raise-onnx
func.func @relu(%x: tensor<?x8xf32> {moe.name = "x", moe.dims = ["tokens", "8"]})
    -> (tensor<?x8xf32> {moe.name = "y", moe.dims = ["tokens", "8"]}) attributes {moe.entry} {
  %0 = moe.onnx "Relu"(%x) version 14 {} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// Dims of one name are checked; each size is made once, from the first input that has it.
// CHECK-LABEL: func.func @named_dims
// CHECK-DAG: %[[Z:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[B:.*]] = tensor.dim %arg0, %[[Z]]
// CHECK-DAG: %[[O:.*]] = tensor.dim %arg1, %[[Z]]
// CHECK: moe.require_equal %[[O]], %[[B]], "input 'b' dim 0 ('batch') must equal dim 0 of 'a'"
// CHECK-NOT: tensor.dim
// CHECK: return
func.func @named_dims(%a: tensor<?x4xf32> {moe.name = "a", moe.dims = ["batch", "4"]},
                      %b: tensor<?x4xf32> {moe.name = "b", moe.dims = ["batch", "4"]})
    -> (tensor<?x4xf32> {moe.name = "y", moe.dims = ["batch", "4"]}) attributes {moe.entry} {
  %0 = moe.onnx "Add"(%a, %b) version 14 {} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// Dims of two names that meet in a node are taken as equal, and checked.
// CHECK-LABEL: func.func @condition
// CHECK: moe.require_equal {{.*}}"node 'sum' needs {{.*}}"
func.func @condition(%a: tensor<?xf32> {moe.name = "a", moe.dims = ["n"]}, %b: tensor<?xf32> {moe.name = "b", moe.dims = ["m"]})
    -> (tensor<?xf32> {moe.name = "y", moe.dims = ["n"]}) attributes {moe.entry} {
  %0 = moe.onnx "Add"(%a, %b) version 14 {} : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32> loc("sum")
  return %0 : tensor<?xf32>
}

// -----

// Shape, Gather and Concat only say the shape of the Reshape: nothing of them is left.
// CHECK-LABEL: func.func @shape_arithmetic
// CHECK-NOT: tensor.from_elements
// CHECK-NOT: moe.concat
// CHECK: tensor.expand_shape %arg0 {{\[\[}}0], [1], [2, 3]] output_shape [%{{.*}}, %{{.*}}, 4, 16]
// CHECK-NEXT: return
func.func @shape_arithmetic(%x: tensor<?x?x64xf32> {moe.name = "x", moe.dims = ["batch", "seq", "64"]})
    -> (tensor<?x?x4x16xf32> {moe.name = "y", moe.dims = ["batch", "seq", "4", "16"]}) attributes {moe.entry} {
  %heads = arith.constant dense<[-1, 16]> : tensor<2xi64>
  %s = moe.onnx "Shape"(%x) version 15 {start = 0 : i64, end = 2 : i64} : (tensor<?x?x64xf32>) -> tensor<2xi64>
  %c = moe.onnx "Concat"(%s, %heads) version 13 {axis = 0 : i64} : (tensor<2xi64>, tensor<2xi64>) -> tensor<4xi64>
  %0 = moe.onnx "Reshape"(%x, %c) version 14 {} : (tensor<?x?x64xf32>, tensor<4xi64>) -> tensor<?x?x4x16xf32>
  return %0 : tensor<?x?x4x16xf32>
}

// -----

// A shape that is itself a result is built from index arithmetic.
// CHECK-LABEL: func.func @shape_as_data
// CHECK: %[[B:.*]] = tensor.dim %arg0
// CHECK: %[[C:.*]] = arith.index_cast %[[B]] : index to i64
// CHECK: %[[V:.*]] = tensor.from_elements
// CHECK-SAME: %[[C]]
// CHECK: return %[[V]] : tensor<2xi64>
func.func @shape_as_data(%x: tensor<?x64xf32> {moe.name = "x", moe.dims = ["batch", "64"]})
    -> (tensor<2xi64> {moe.name = "y", moe.dims = ["2"]}) attributes {moe.entry} {
  %s = moe.onnx "Shape"(%x) version 15 {} : (tensor<?x64xf32>) -> tensor<2xi64>
  return %s : tensor<2xi64>
}

// -----

// What nobody needs goes, even where it could not be converted: here an op that has no conversion.
// CHECK-LABEL: func.func @dead
// CHECK-NEXT: return %arg0
func.func @dead(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]})
    -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %n = moe.onnx "NonZero"(%x) version 13 {} : (tensor<4xf32>) -> tensor<1x?xi64>
  %m = moe.onnx "Neg"(%n) version 13 {} : (tensor<1x?xi64>) -> tensor<1x?xi64>
  %0 = moe.onnx "Identity"(%x) version 19 {} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// What a recogniser left among the nodes keeps its place; its sizes become those of the entry.
// CHECK-LABEL: func.func @around_a_layer
// CHECK-DAG: %[[B:.*]] = tensor.dim %arg0, %{{.*}} : tensor<?x?x8xf32>
// CHECK-DAG: %[[S:.*]] = tensor.dim %arg0, %{{.*}} : tensor<?x?x8xf32>
// CHECK: %[[T:.*]] = arith.muli
// CHECK-NOT: tensor.dim
// CHECK: moe.combine {{.*}} tokens(%[[T]])
// CHECK: tensor.expand_shape {{.*}} output_shape [%{{.*}}, %{{.*}}, 8]
func.func @around_a_layer(%x: tensor<?x?x8xf32> {moe.name = "x", moe.dims = ["batch", "seq", "8"]},
                          %y: tensor<?x8xf32> {moe.name = "rows", moe.dims = ["slots", "8"]},
                          %i: tensor<?xi32> {moe.name = "i", moe.dims = ["slots"]}, %b: tensor<?xi1> {moe.name = "b", moe.dims = ["slots"]},
                          %w: tensor<?xf32> {moe.name = "w", moe.dims = ["slots"]})
    -> (tensor<?x?x8xf32> {moe.name = "y", moe.dims = ["batch", "seq", "8"]}) attributes {moe.entry} {
  %zero = arith.constant 0 : index
  %shape = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %r = moe.onnx "Reshape"(%x, %shape) version 14 {} : (tensor<?x?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %t = tensor.dim %r, %zero : tensor<?x8xf32>
  %c = moe.combine %y, %i, %i, %i, %b, %w tokens(%t)
      : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  %s = moe.onnx "Shape"(%x) version 15 {} : (tensor<?x?x8xf32>) -> tensor<3xi64>
  %0 = moe.onnx "Reshape"(%c, %s) version 14 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x?x8xf32>
  %1 = moe.onnx "Add"(%0, %x) version 14 {} : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return %1 : tensor<?x?x8xf32>
}

// -----

// Two inputs with different names for a dim: either may be 1 when the model runs, and is then read at 0. The entry checks the sizes.
// CHECK-LABEL: func.func @broadcast_inputs
// CHECK: moe.require_equal %{{.*}}, %{{.*}}, "node '{{.*}}' needs a = b, or one of them 1"
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel"]} outs(
// CHECK: arith.minsi
// CHECK: tensor.extract %arg0
// CHECK: arith.minsi
// CHECK: tensor.extract %arg1
// CHECK: arith.addf
func.func @broadcast_inputs(%x: tensor<?x4xf32> {moe.name = "x", moe.dims = ["a", "4"]}, %y: tensor<?x4xf32> {moe.name = "y", moe.dims = ["b", "4"]})
    -> (tensor<?x4xf32> {moe.name = "z", moe.dims = ["c", "4"]}) attributes {moe.entry} {
  %0 = moe.onnx "Add"(%x, %y) version 14 {} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// How many elements are not zero is known where they have been counted, and is at most how many there are.
// CHECK-LABEL: func.func @count
// CHECK: %[[N:.*]] = tensor.dim %arg0, %c0
// CHECK: %[[POSITION:.*]], %[[COUNT:.*]] = moe.compact %{{.*}} : tensor<?xi1> -> tensor<?xi64>, tensor<i64>
// CHECK: %[[FOUND:.*]] = tensor.extract %[[COUNT]][] : tensor<i64>
// CHECK: %[[SIZE:.*]] = arith.index_cast %[[FOUND]]
// CHECK: %[[LEAST:.*]] = arith.maxsi %[[SIZE]], %c0
// CHECK: %[[KEPT:.*]] = arith.minsi %[[LEAST]], %[[N]]
// CHECK: tensor.empty(%[[KEPT]]) : tensor<1x?xi64>
func.func @count(%x: tensor<?xf32> {moe.name = "x", moe.dims = ["n"]})
    -> (tensor<1x?xi64> {moe.name = "y", moe.dims = ["1", "?"]}) attributes {moe.entry} {
  %0 = moe.onnx "NonZero"(%x) version 13 {} : (tensor<?xf32>) -> tensor<1x?xi64>
  return %0 : tensor<1x?xi64>
}

// -----

// An element of a small input is known on entry.
// CHECK-LABEL: func.func @from_an_input
// CHECK: %[[ROWS:.*]] = tensor.extract %arg0[%c0] : tensor<1xi64>
// CHECK: %[[N:.*]] = arith.index_cast %[[ROWS]]
// CHECK: moe.require_equal %{{.*}}, %c0, "node '<unnamed>' needs min(0, n[0]) = 0"
// CHECK: %[[SIZE:.*]] = arith.maxsi %{{.*}}, %{{.*}}
// CHECK: tensor.empty(%[[SIZE]]) : tensor<?xf32>
func.func @from_an_input(%n: tensor<1xi64> {moe.name = "n", moe.dims = ["1"]})
    -> (tensor<?xf32> {moe.name = "y", moe.dims = ["?"]}) attributes {moe.entry} {
  %0 = moe.onnx "ConstantOfShape"(%n) version 24 {} : (tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// Two sizes that depend on data and must be equal: the run says so and stops where they are not.
// CHECK-LABEL: func.func @equal_counts
// CHECK: moe.require_range %{{.*}}, %[[B:.*]], %{{.*}}, "node '<unnamed>' needs nonzero
// CHECK: %[[HOLDS:.*]] = arith.cmpi eq, %{{.*}}, %[[B]]
// CHECK: cf.assert %[[HOLDS]], "node '<unnamed>' needs nonzero
// CHECK: arith.addi
func.func @equal_counts(%x: tensor<?xf32> {moe.name = "x", moe.dims = ["n"]}, %y: tensor<?xf32> {moe.name = "y", moe.dims = ["m"]})
    -> (tensor<1x?xi64> {moe.name = "z", moe.dims = ["1", "?"]}) attributes {moe.entry} {
  %0 = moe.onnx "NonZero"(%x) version 13 {} : (tensor<?xf32>) -> tensor<1x?xi64>
  %1 = moe.onnx "NonZero"(%y) version 13 {} : (tensor<?xf32>) -> tensor<1x?xi64>
  %2 = moe.onnx "Add"(%0, %1) version 14 {} : (tensor<1x?xi64>, tensor<1x?xi64>) -> tensor<1x?xi64>
  return %2 : tensor<1x?xi64>
}

// -----

// A Range from one computed number to another has no bound of its own; read as indices only, it is no longer than twice the dim, and one more.
// CHECK-LABEL: func.func @range_of_indices
// CHECK: %[[R:.*]] = tensor.dim %arg0, %c0
// CHECK: %[[TWICE:.*]] = arith.addi %[[R]], %[[R]]
// CHECK: %[[BOUND:.*]] = arith.addi %[[TWICE]], %c1
// CHECK: arith.minsi %{{.*}}, %[[BOUND]]
// CHECK: moe.require_range
func.func @range_of_indices(%x: tensor<?x8xf32> {moe.name = "x", moe.dims = ["r", "8"]}, %ends: tensor<2x1xi64> {moe.name = "ends", moe.dims = ["2", "1"]})
    -> (tensor<?x8xf32> {moe.name = "y", moe.dims = ["?", "8"]}) attributes {moe.entry} {
  %one = arith.constant dense<1> : tensor<i64>
  %first = arith.constant dense<0> : tensor<i64>
  %second = arith.constant dense<1> : tensor<i64>
  %flat = moe.onnx "Flatten"(%ends) version 13 {axis = 0 : i64} : (tensor<2x1xi64>) -> tensor<1x2xi64>
  %a = moe.onnx "Gather"(%flat, %first) version 13 {axis = 1 : i64} : (tensor<1x2xi64>, tensor<i64>) -> tensor<1xi64>
  %b = moe.onnx "Gather"(%flat, %second) version 13 {axis = 1 : i64} : (tensor<1x2xi64>, tensor<i64>) -> tensor<1xi64>
  %zero = arith.constant dense<0> : tensor<1xi64>
  %start = moe.onnx "Squeeze"(%a, %zero) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %end = moe.onnx "Squeeze"(%b, %zero) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %i = moe.onnx "Range"(%start, %end, %one) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %y = moe.onnx "Gather"(%x, %i) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
