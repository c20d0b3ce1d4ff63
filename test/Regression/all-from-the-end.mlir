// RUN: moe-opt %s -split-input-file --moe-raise-onnx | FileCheck %s
// A Slice that starts as many places before the end as there are takes all, also where there are none (a start of -0 counts from the front).

// CHECK-LABEL: func.func @all
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32> {moe.dims
// CHECK: return %[[X]] : tensor<?x4xf32>
func.func @all(%x: tensor<?x4xf32> {moe.dims = ["length", "4"]}) -> (tensor<?x4xf32> {moe.name = "y"}) attributes {moe.entry} {
  %zero = arith.constant dense<0> : tensor<1xi64>
  %end = arith.constant dense<9223372036854775807> : tensor<1xi64>
  %n = moe.onnx "Shape"(%x) version 15 {end = 1 : i64} : (tensor<?x4xf32>) -> tensor<1xi64>
  %start = moe.onnx "Neg"(%n) version 13 {} : (tensor<1xi64>) -> tensor<1xi64>
  %y = moe.onnx "Slice"(%x, %start, %end, %zero) version 13 {} : (tensor<?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Fewer than there are: a cut.

// CHECK-LABEL: func.func @known_rows
// CHECK: tensor.extract_slice %{{.*}}[5, 0] [3, 4] [1, 1]
func.func @known_rows(%x: tensor<8x4xf32>, %like: tensor<3xf32>) -> (tensor<3x4xf32> {moe.name = "y"}) attributes {moe.entry} {
  %zero = arith.constant dense<0> : tensor<1xi64>
  %end = arith.constant dense<9223372036854775807> : tensor<1xi64>
  %n = moe.onnx "Shape"(%like) version 15 {} : (tensor<3xf32>) -> tensor<1xi64>
  %start = moe.onnx "Neg"(%n) version 13 {} : (tensor<1xi64>) -> tensor<1xi64>
  %y = moe.onnx "Slice"(%x, %start, %end, %zero) version 13 {} : (tensor<8x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
