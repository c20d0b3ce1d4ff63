// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-onnx | FileCheck %s
// The TorchScript exporter writes repeat_interleave as a Tile whose repeats are a OneHot of a constant dim: once in every dim, K times in that one.
// The sizes follow from the input's, whatever the elements are.

// CHECK-LABEL: func.func @repeats
// CHECK: linalg.generic
// CHECK-NOT: tensor.extract
// CHECK: return %{{.*}} : tensor<?x2x4xf32>
func.func @repeats(%x: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}, %ids: tensor<?x2xi64> {moe.dims = ["tokens", "2"]})
    -> (tensor<?x?x?xf32> {moe.name = "y"}) attributes {moe.entry} {
  %one = arith.constant dense<1> : tensor<1xi64>
  %three = arith.constant dense<3> : tensor<i64>
  %all = arith.constant dense<-1> : tensor<1xi64>
  %k = moe.onnx "Shape"(%ids) version 15 {start = 1 : i64} : (tensor<?x2xi64>) -> tensor<1xi64>
  %off_on = moe.onnx "Concat"(%one, %k) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %hot = moe.onnx "OneHot"(%one, %three, %off_on) version 11 {axis = -1 : i64} : (tensor<1xi64>, tensor<i64>, tensor<2xi64>) -> tensor<1x3xi64>
  %repeats = moe.onnx "Reshape"(%hot, %all) version 14 {} : (tensor<1x3xi64>, tensor<1xi64>) -> tensor<3xi64>
  %x3 = moe.onnx "Unsqueeze"(%x, %one) version 13 {} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x1x4xf32>
  %y = moe.onnx "Tile"(%x3, %repeats) version 13 {} : (tensor<?x1x4xf32>, tensor<3xi64>) -> tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

// The dim that is repeated is an input: any of the three may be.

// CHECK-LABEL: func.func @any_dim
// CHECK: tensor.extract
func.func @any_dim(%x: tensor<?x1x4xf32> {moe.dims = ["tokens", "1", "4"]}, %dim: tensor<1xi64> {moe.dims = ["1"]})
    -> (tensor<?x?x?xf32> {moe.name = "y"}) attributes {moe.entry} {
  %three = arith.constant dense<3> : tensor<i64>
  %all = arith.constant dense<-1> : tensor<1xi64>
  %off_on = arith.constant dense<[1, 2]> : tensor<2xi64>
  %hot = moe.onnx "OneHot"(%dim, %three, %off_on) version 11 {axis = -1 : i64} : (tensor<1xi64>, tensor<i64>, tensor<2xi64>) -> tensor<1x3xi64>
  %repeats = moe.onnx "Reshape"(%hot, %all) version 14 {} : (tensor<1x3xi64>, tensor<1xi64>) -> tensor<3xi64>
  %y = moe.onnx "Tile"(%x, %repeats) version 13 {} : (tensor<?x1x4xf32>, tensor<3xi64>) -> tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
