// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// A table is read where it lies, at indices kept inside it.
// CHECK-LABEL: func.func @embedding
// CHECK: %[[W:.*]] = moe.weight_ref @table
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<?x?xi64>)
// CHECK: arith.minsi
// CHECK: arith.maxsi
// CHECK: tensor.extract %[[W]]
moe.weight @table : tensor<256x64xf32> source(#moe.file<"model.onnx", offset = 0, length = 65536>)
func.func @embedding(%ids: tensor<?x?xi64> {moe.name = "ids", moe.dims = ["b", "s"]})
    -> (tensor<?x?x64xf32> {moe.name = "y", moe.dims = ["b", "s", "64"]}) attributes {moe.entry} {
  %w = moe.weight_ref @table : tensor<256x64xf32>
  %0 = moe.onnx "Gather"(%w, %ids) version 13 {axis = 0 : i64} : (tensor<256x64xf32>, tensor<?x?xi64>) -> tensor<?x?x64xf32>
  return %0 : tensor<?x?x64xf32>
}

// -----

// One row known in advance is a slice.
// CHECK-LABEL: func.func @row
// CHECK-NOT: linalg.generic
// CHECK: tensor.extract_slice %arg0[0, 3, 0]
// CHECK: tensor.collapse_shape
func.func @row(%x: tensor<?x4x8xf32> {moe.name = "x", moe.dims = ["b", "4", "8"]})
    -> (tensor<?x8xf32> {moe.name = "y", moe.dims = ["b", "8"]}) attributes {moe.entry} {
  %last = arith.constant dense<-1> : tensor<i64>
  %0 = moe.onnx "Gather"(%x, %last) version 13 {axis = 1 : i64} : (tensor<?x4x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// Indices that a Concat joined are read apart, so that the Concat goes.
// CHECK-LABEL: func.func @joined_indices
// CHECK-NOT: moe.concat
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<?xi64>, tensor<?xi64>)
// CHECK: tensor.extract %arg0[%{{.*}}, %{{.*}}] : tensor<?x?xi1>
func.func @joined_indices(%x: tensor<?x?xi1> {moe.name = "x", moe.dims = ["b", "s"]}, %i: tensor<?x1xi64> {moe.name = "i", moe.dims = ["n", "1"]},
                          %j: tensor<?x1xi64> {moe.name = "j", moe.dims = ["n", "1"]})
    -> (tensor<?xi1> {moe.name = "y", moe.dims = ["n"]}) attributes {moe.entry} {
  %c = moe.onnx "Concat"(%i, %j) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %0 = moe.onnx "GatherND"(%x, %c) version 13 {batch_dims = 0 : i64} : (tensor<?x?xi1>, tensor<?x2xi64>) -> tensor<?xi1>
  return %0 : tensor<?xi1>
}

// -----

// A scatter goes over the updates as a reduction of every element.
// CHECK-LABEL: func.func @histogram
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "reduction"]
// CHECK-SAME: outs(%arg0 : tensor<8xf32>)
// CHECK: arith.cmpi eq
// CHECK: arith.addf
// CHECK: arith.select
func.func @histogram(%x: tensor<8xf32> {moe.name = "x", moe.dims = ["8"]}, %i: tensor<?xi64> {moe.name = "i", moe.dims = ["n"]},
                     %u: tensor<?xf32> {moe.name = "u", moe.dims = ["n"]})
    -> (tensor<8xf32> {moe.name = "y", moe.dims = ["8"]}) attributes {moe.entry} {
  %0 = moe.onnx "ScatterElements"(%x, %i, %u) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<8xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// TopK: the place of each element, then the element of each place.
// CHECK-LABEL: func.func @top_k
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]
// CHECK-SAME: outs(%{{.*}} : tensor<?x2xi64>)
// CHECK: tensor.extract %arg0
func.func @top_k(%x: tensor<?x8xf32> {moe.name = "x", moe.dims = ["t", "8"]})
    -> (tensor<?x2xf32> {moe.name = "v", moe.dims = ["t", "2"]}, tensor<?x2xi64> {moe.name = "i", moe.dims = ["t", "2"]}) attributes {moe.entry} {
  %k = arith.constant dense<2> : tensor<1xi64>
  %v, %i = moe.onnx "TopK"(%x, %k) version 11 {axis = -1 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  return %v, %i : tensor<?x2xf32>, tensor<?x2xi64>
}

// -----

// Indices that data decides are checked while the model runs, each with the range of its own dim.
// CHECK-LABEL: func.func @checked
// CHECK: moe.require_range %arg1, %{{.*}}, %{{.*}}, "node '{{.*}}' (Gather): an index" : tensor<?xi64>
// CHECK: moe.require_range %{{.*}}, %{{.*}}, %{{.*}}, "node '{{.*}}' (GatherND): part 0 of an index" : tensor<?xi64>
// CHECK: moe.require_range %{{.*}}, %{{.*}}, %{{.*}}, "node '{{.*}}' (GatherND): part 1 of an index" : tensor<?xi64>
func.func @checked(%x: tensor<5x4xf32> {moe.name = "x", moe.dims = ["5", "4"]}, %i: tensor<?xi64> {moe.name = "i", moe.dims = ["n"]},
                   %j: tensor<?x2xi64> {moe.name = "j", moe.dims = ["m", "2"]})
    -> (tensor<?x4xf32> {moe.name = "y", moe.dims = ["n", "4"]}, tensor<?xf32> {moe.name = "z", moe.dims = ["m"]}) attributes {moe.entry} {
  %0 = moe.onnx "Gather"(%x, %i) version 13 {axis = 0 : i64} : (tensor<5x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %1 = moe.onnx "GatherND"(%x, %j) version 13 {batch_dims = 0 : i64} : (tensor<5x4xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?xf32>
}

// -----

// What cannot be out of range is not checked: a remainder, and the rows of a table of constants.
// CHECK-LABEL: func.func @proven
// CHECK-NOT: moe.require_range
func.func @proven(%i: tensor<4xi64> {moe.name = "i", moe.dims = ["4"]}) -> (tensor<4x4xf32> {moe.name = "y", moe.dims = ["4", "4"]}) attributes {moe.entry} {
  %five = arith.constant dense<5> : tensor<i64>
  %t = arith.constant dense<[[0, 1, 2, 3], [3, 2, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]]> : tensor<5x4xi64>
  %rest = moe.onnx "Mod"(%i, %five) version 13 {} : (tensor<4xi64>, tensor<i64>) -> tensor<4xi64>
  %rows = moe.onnx "Gather"(%t, %rest) version 13 {axis = 0 : i64} : (tensor<5x4xi64>, tensor<4xi64>) -> tensor<4x4xi64>
  %w = arith.constant dense<1.0> : tensor<4x4xf32>
  %y = moe.onnx "GatherElements"(%w, %rows) version 13 {axis = 1 : i64} : (tensor<4x4xf32>, tensor<4x4xi64>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// -----

// A remainder of a divisor greater than the dim.
// CHECK-LABEL: func.func @not_proven
// CHECK: moe.require_range
func.func @not_proven(%x: tensor<4x4xf32> {moe.name = "x", moe.dims = ["4", "4"]}, %i: tensor<4xi64> {moe.name = "i", moe.dims = ["4"]})
    -> (tensor<4x4xf32> {moe.name = "y", moe.dims = ["4", "4"]}) attributes {moe.entry} {
  %five = arith.constant dense<5> : tensor<i64>
  %rest = moe.onnx "Mod"(%i, %five) version 13 {} : (tensor<4xi64>, tensor<i64>) -> tensor<4xi64>
  %y = moe.onnx "Gather"(%x, %rest) version 13 {axis = 0 : i64} : (tensor<4x4xf32>, tensor<4xi64>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
