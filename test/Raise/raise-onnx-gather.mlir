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
