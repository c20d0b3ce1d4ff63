// RUN: moe-opt %s -split-input-file --moe-raise-onnx | FileCheck %s
// Mamba pads a sequence to whole chunks and cuts the result back to the length that it had. Exporters leave the arithmetic of that in the graph:
// min(n, 16 · ((n + (16 - n mod 16) mod 16) / 16)) is n, and what is divided by it is exact.

// CHECK-LABEL: func.func @cut_back
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32> {moe.dims
// CHECK-NEXT: return %[[X]] : tensor<?x4xf32>
func.func @cut_back(%x: tensor<?x4xf32> {moe.dims = ["length", "4"]}) -> (tensor<?x?xf32> {moe.name = "y"}) attributes {moe.entry} {
  %four = arith.constant dense<4> : tensor<1xi64>
  %chunk = arith.constant dense<16> : tensor<1xi64>
  %n = moe.onnx "Shape"(%x) version 15 {end = 1 : i64} : (tensor<?x4xf32>) -> tensor<1xi64>
  %over = moe.onnx "Mod"(%n, %chunk) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %missing = moe.onnx "Sub"(%chunk, %over) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %pad = moe.onnx "Mod"(%missing, %chunk) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %padded = moe.onnx "Add"(%n, %pad) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %chunks = moe.onnx "Div"(%padded, %chunk) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %whole = moe.onnx "Mul"(%chunk, %chunks) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %cut = moe.onnx "Min"(%n, %whole) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %elements = moe.onnx "Mul"(%four, %cut) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %columns = moe.onnx "Div"(%elements, %n) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %shape = moe.onnx "Concat"(%cut, %columns) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %y = moe.onnx "Reshape"(%x, %shape) version 14 {} : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// Chunks of 8 for what was padded to 16 are half as many elements: the cut is one.

// CHECK-LABEL: func.func @half
// CHECK: arith.minsi
func.func @half(%x: tensor<?x4xf32> {moe.dims = ["length", "4"]}) -> (tensor<?x4xf32> {moe.name = "y"}) attributes {moe.entry} {
  %zero = arith.constant dense<0> : tensor<1xi64>
  %eight = arith.constant dense<8> : tensor<1xi64>
  %chunk = arith.constant dense<16> : tensor<1xi64>
  %n = moe.onnx "Shape"(%x) version 15 {end = 1 : i64} : (tensor<?x4xf32>) -> tensor<1xi64>
  %over = moe.onnx "Mod"(%n, %chunk) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %missing = moe.onnx "Sub"(%chunk, %over) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %pad = moe.onnx "Mod"(%missing, %chunk) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %padded = moe.onnx "Add"(%n, %pad) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %chunks = moe.onnx "Div"(%padded, %chunk) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %whole = moe.onnx "Mul"(%eight, %chunks) version 14 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %y = moe.onnx "Slice"(%x, %zero, %whole, %zero) version 13 {} : (tensor<?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
