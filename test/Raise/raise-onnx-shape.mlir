// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// A chain of reshapes is one step.
// CHECK-LABEL: func.func @reshapes
// CHECK: %[[Y:.*]] = tensor.expand_shape %arg0 {{\[\[}}0], [1, 2, 3]] output_shape [%{{.*}}, 1, 4, 16] : tensor<?x64xf32> into tensor<?x1x4x16xf32>
// CHECK-NEXT: return %[[Y]]
func.func @reshapes(%x: tensor<?x64xf32> {moe.name = "x", moe.dims = ["t", "64"]})
    -> (tensor<?x1x4x16xf32> {moe.name = "y", moe.dims = ["t", "1", "4", "16"]}) attributes {moe.entry} {
  %shape = arith.constant dense<[-1, 4, 16]> : tensor<3xi64>
  %one = arith.constant dense<1> : tensor<1xi64>
  %0 = moe.onnx "Reshape"(%x, %shape) version 14 {} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x4x16xf32>
  %1 = moe.onnx "Unsqueeze"(%0, %one) version 13 {} : (tensor<?x4x16xf32>, tensor<1xi64>) -> tensor<?x1x4x16xf32>
  return %1 : tensor<?x1x4x16xf32>
}

// -----

// Dims that cannot be paired go through one dim.
// CHECK-LABEL: func.func @unpaired
// CHECK: tensor.collapse_shape %arg0 {{\[\[}}0, 1]] : tensor<?x6xf32> into tensor<?xf32>
// CHECK: tensor.expand_shape %{{.*}} {{\[\[}}0, 1]] output_shape [2, %{{.*}}] : tensor<?xf32> into tensor<2x?xf32>
func.func @unpaired(%x: tensor<?x6xf32> {moe.name = "x", moe.dims = ["t", "6"]})
    -> (tensor<2x?xf32> {moe.name = "y", moe.dims = ["2", "?"]}) attributes {moe.entry} {
  %shape = arith.constant dense<[2, -1]> : tensor<2xi64>
  %0 = moe.onnx "Reshape"(%x, %shape) version 14 {} : (tensor<?x6xf32>, tensor<2xi64>) -> tensor<2x?xf32>
  return %0 : tensor<2x?xf32>
}

// -----

// Moving dims of size 1 moves no element; other transposes are one generic.
// CHECK-LABEL: func.func @transposes
// CHECK-NOT: linalg.generic
// CHECK: tensor.{{collapse|expand}}_shape
// CHECK: linalg.generic
// CHECK-SAME: indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d2, d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>]
func.func @transposes(%x: tensor<?x1x4x16xf32> {moe.name = "x", moe.dims = ["b", "1", "4", "16"]})
    -> (tensor<4x1x?x16xf32> {moe.name = "y", moe.dims = ["4", "1", "b", "16"]}) attributes {moe.entry} {
  %0 = moe.onnx "Transpose"(%x) version 13 {perm = array<i64: 0, 2, 1, 3>} : (tensor<?x1x4x16xf32>) -> tensor<?x4x1x16xf32>
  %1 = moe.onnx "Transpose"(%0) version 13 {perm = array<i64: 1, 2, 0, 3>} : (tensor<?x4x1x16xf32>) -> tensor<4x1x?x16xf32>
  return %1 : tensor<4x1x?x16xf32>
}

// -----

// Halves of the last dim, joined the other way round: two slices and one moe.concat.
// CHECK-LABEL: func.func @halves
// CHECK: %[[B:.*]] = tensor.extract_slice %arg0[0, 8] [%[[T:.*]], 8] [1, 1]
// CHECK: %[[A:.*]] = tensor.extract_slice %arg0[0, 0] [%[[T]], 8] [1, 1]
// CHECK: %[[E:.*]] = tensor.empty(%[[T]]) : tensor<?x16xf32>
// CHECK: moe.concat axis 1 ins(%[[B]], %[[A]] : tensor<?x8xf32>, tensor<?x8xf32>) outs(%[[E]] : tensor<?x16xf32>)
func.func @halves(%x: tensor<?x16xf32> {moe.name = "x", moe.dims = ["t", "16"]})
    -> (tensor<?x16xf32> {moe.name = "y", moe.dims = ["t", "16"]}) attributes {moe.entry} {
  %zero = arith.constant dense<0> : tensor<1xi64>
  %eight = arith.constant dense<8> : tensor<1xi64>
  %far = arith.constant dense<9223372036854775807> : tensor<1xi64>
  %last = arith.constant dense<-1> : tensor<1xi64>
  %0 = moe.onnx "Slice"(%x, %eight, %far, %last) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x8xf32>
  %1 = moe.onnx "Slice"(%x, %zero, %eight, %last) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x8xf32>
  %2 = moe.onnx "Concat"(%0, %1) version 13 {axis = -1 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  return %2 : tensor<?x16xf32>
}

// -----

// A range over a dim counts with linalg.index.
// CHECK-LABEL: func.func @range
// CHECK: %[[N:.*]] = tensor.dim %arg0, %{{.*}}
// CHECK: tensor.empty(%[[N]]) : tensor<?xi64>
// CHECK: linalg.index 0
// CHECK: arith.index_cast %{{.*}} : index to i64
func.func @range(%x: tensor<?x16xf32> {moe.name = "x", moe.dims = ["t", "16"]})
    -> (tensor<?xi64> {moe.name = "y", moe.dims = ["t"]}) attributes {moe.entry} {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %s = moe.onnx "Shape"(%x) version 15 {start = 0 : i64, end = 1 : i64} : (tensor<?x16xf32>) -> tensor<1xi64>
  %n = moe.onnx "Squeeze"(%s) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %0 = moe.onnx "Range"(%zero, %n, %one) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  return %0 : tensor<?xi64>
}

// -----

// The depth of OneHot may be a float.
// CHECK-LABEL: func.func @one_hot_of_real_depth
// CHECK-SAME: -> (tensor<2x5xf32>
// CHECK: arith.constant 5 : i64
// CHECK: } -> tensor<2x5xf32>
func.func @one_hot_of_real_depth(%i: tensor<2xi64> {moe.name = "i", moe.dims = ["2"]}, %v: tensor<2xf32> {moe.name = "v", moe.dims = ["2"]})
    -> (tensor<2x5xf32> {moe.name = "y", moe.dims = ["2", "5"]}) attributes {moe.entry} {
  %d = arith.constant dense<5.0> : tensor<f32>
  %0 = moe.onnx "OneHot"(%i, %d, %v) version 11 {} : (tensor<2xi64>, tensor<f32>, tensor<2xf32>) -> tensor<2x5xf32>
  return %0 : tensor<2x5xf32>
}

// -----

// The places in a constant are a constant, one row for each dim.
// CHECK-LABEL: func.func @places_of_constant
// CHECK: arith.constant dense<{{\[}}[0, 1, 1], [2, 0, 1]]> : tensor<2x3xi64>
func.func @places_of_constant() -> (tensor<2x3xi64> {moe.name = "y", moe.dims = ["2", "3"]}) attributes {moe.entry} {
  %x = arith.constant dense<[[0, 0, 5], [-1, 7, 0]]> : tensor<2x3xi32>
  %0 = moe.onnx "NonZero"(%x) version 13 {} : (tensor<2x3xi32>) -> tensor<2x3xi64>
  return %0 : tensor<2x3xi64>
}
