// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// Code holds an element as a byte, and the caller's type stays an attribute. The sign comes from the element's own top bit.
// CHECK-LABEL: func.func @widen_i4
// CHECK-SAME: tensor<8xi8> {moe.dims = ["8"], moe.dtype = i4, moe.name = "x"}
// CHECK: ^bb0(%[[BYTE:.*]]: i8, %{{.*}}: f32):
// CHECK: %[[TOP:.*]] = arith.shli %[[BYTE]], %c4
// CHECK: %[[NUMBER:.*]] = arith.shrsi %[[TOP]], %c4
// CHECK: arith.sitofp %[[NUMBER]] : i8 to f32
func.func @widen_i4(%x: tensor<8xi4> {moe.name = "x", moe.dims = ["8"]}) -> (tensor<8xf32> {moe.name = "y", moe.dims = ["8"]}) attributes {moe.entry} {
  %0 = moe.onnx "Cast"(%x) version 21 {to = 1 : i64} : (tensor<8xi4>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// A constant of the model is spread over bytes when it is compiled.
// CHECK-LABEL: func.func @constant
// CHECK: %[[CODES:.*]] = arith.constant dense<[15, 1, 7, 8]> : tensor<4xi8>
// CHECK: linalg.generic {{.*}} ins(%[[CODES]] : tensor<4xi8>)
// CHECK: arith.shrsi
func.func @constant() -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %0 = arith.constant dense<[-1, 1, 7, -8]> : tensor<4xi4>
  %1 = moe.onnx "Cast"(%0) version 21 {to = 1 : i64} : (tensor<4xi4>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// What does not fit float8e5m2 saturates to code 0x7b, or becomes infinity, 0x7c.
// CHECK-LABEL: func.func @narrow
// CHECK: arith.constant 123 : i32
// CHECK-LABEL: func.func @narrow_to_infinity
// CHECK: arith.constant 124 : i32
func.func @narrow(%x: tensor<8xf32> {moe.name = "x", moe.dims = ["8"]}) -> (tensor<8xf8E5M2> {moe.name = "y", moe.dims = ["8"]}) attributes {moe.entry} {
  %0 = moe.onnx "Cast"(%x) version 21 {to = 19 : i64} : (tensor<8xf32>) -> tensor<8xf8E5M2>
  return %0 : tensor<8xf8E5M2>
}
func.func @narrow_to_infinity(%x: tensor<8xf32> {moe.name = "x", moe.dims = ["8"]}) -> (tensor<8xf8E5M2> {moe.name = "y", moe.dims = ["8"]}) attributes {moe.entry} {
  %0 = moe.onnx "Cast"(%x) version 21 {saturate = 0 : i64, to = 19 : i64} : (tensor<8xf32>) -> tensor<8xf8E5M2>
  return %0 : tensor<8xf8E5M2>
}
