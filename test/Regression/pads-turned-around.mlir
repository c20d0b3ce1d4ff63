// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-onnx | FileCheck %s
// The TorchScript exporter turns torch's pairs of pads (last dim first) into ONNX's begins and ends: pairs as rows, turned upside down by a Slice, and
// transposed. The sizes are those of the numbers that went in.

// CHECK-LABEL: func.func @pad_rows
// CHECK: %[[N:.*]] = tensor.dim
// CHECK: arith.muli %[[N]], %c2
// CHECK: return %{{.*}} : tensor<?x4xf32>
func.func @pad_rows(%x: tensor<?x4xf32> {moe.dims = ["length", "4"]}) -> (tensor<?x?xf32> {moe.name = "y"}) attributes {moe.entry} {
  %zero = arith.constant dense<0> : tensor<1xi64>
  %pairs = arith.constant dense<[-1, 2]> : tensor<2xi64>
  %last = arith.constant dense<-1> : tensor<1xi64>
  %before_first = arith.constant dense<-9223372036854775807> : tensor<1xi64>
  %flat = arith.constant dense<-1> : tensor<1xi64>
  %n = moe.onnx "Shape"(%x) version 15 {end = 1 : i64} : (tensor<?x4xf32>) -> tensor<1xi64>
  %torch = moe.onnx "Concat"(%zero, %zero, %zero, %n) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<4xi64>
  %rows = moe.onnx "Reshape"(%torch, %pairs) version 14 {} : (tensor<4xi64>, tensor<2xi64>) -> tensor<2x2xi64>
  %turned = moe.onnx "Slice"(%rows, %last, %before_first, %zero, %last) version 13 {}
      : (tensor<2x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2x2xi64>
  %columns = moe.onnx "Transpose"(%turned) version 13 {perm = array<i64: 1, 0>} : (tensor<2x2xi64>) -> tensor<2x2xi64>
  %pads = moe.onnx "Reshape"(%columns, %flat) version 14 {} : (tensor<2x2xi64>, tensor<1xi64>) -> tensor<4xi64>
  %y = moe.onnx "Pad"(%x, %pads) version 13 {mode = "constant"} : (tensor<?x4xf32>, tensor<4xi64>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// Pads that the data says are still refused.
func.func @data_says(%x: tensor<?x4xf32> {moe.dims = ["length", "4"]}, %given: tensor<2x2xf32> {moe.dims = ["2", "2"]})
    -> (tensor<?x?xf32> {moe.name = "y"}) attributes {moe.entry} {
  %flat = arith.constant dense<-1> : tensor<1xi64>
  %turned = moe.onnx "Transpose"(%given) version 13 {perm = array<i64: 1, 0>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %numbers = moe.onnx "Cast"(%turned) version 13 {to = 7 : i64} : (tensor<2x2xf32>) -> tensor<2x2xi64>
  %pads = moe.onnx "Reshape"(%numbers, %flat) version 14 {} : (tensor<2x2xi64>, tensor<1xi64>) -> tensor<4xi64>
  // expected-error @below {{depends on data}}
  %y = moe.onnx "Pad"(%x, %pads) version 13 {mode = "constant"} : (tensor<?x4xf32>, tensor<4xi64>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}
