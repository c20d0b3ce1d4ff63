// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// Broadcasting is in the maps; a constant of one value is in the body.
// CHECK-LABEL: func.func @broadcast
// CHECK: linalg.generic
// CHECK-SAME: indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, 0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>]
// CHECK-SAME: ins(%arg0, %arg1 :
// CHECK: arith.mulf
// CHECK: linalg.generic
// CHECK-NOT: tensor<f32>
// CHECK: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK: arith.mulf %{{.*}}, %[[HALF]]
func.func @broadcast(%a: tensor<?x?x8xf32> {moe.name = "a", moe.dims = ["b", "s", "8"]}, %b: tensor<?x1x8xf32> {moe.name = "c", moe.dims = ["b", "1", "8"]})
    -> (tensor<?x?x8xf32> {moe.name = "y", moe.dims = ["b", "s", "8"]}) attributes {moe.entry} {
  %half = arith.constant dense<0.5> : tensor<f32>
  %0 = moe.onnx "Mul"(%a, %b) version 14 {} : (tensor<?x?x8xf32>, tensor<?x1x8xf32>) -> tensor<?x?x8xf32>
  %1 = moe.onnx "Mul"(%0, %half) version 14 {} : (tensor<?x?x8xf32>, tensor<f32>) -> tensor<?x?x8xf32>
  return %1 : tensor<?x?x8xf32>
}

// -----

// A square is a product; any other exponent calls powf, halves in f32.
// CHECK-LABEL: func.func @powers
// CHECK: arith.mulf %in, %in : f32
// CHECK-NOT: math.powf
// CHECK: linalg.yield
// CHECK: math.powf
func.func @powers(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]}, %e: tensor<4xf32> {moe.name = "e", moe.dims = ["4"]})
    -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %two = arith.constant dense<2.0> : tensor<f32>
  %0 = moe.onnx "Pow"(%x, %two) version 15 {} : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = moe.onnx "Pow"(%0, %e) version 15 {} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// Integer division guards what traps: zero, and −1 under the lowest number; not where the divisor is a harmless constant.
// CHECK-LABEL: func.func @divisions
// CHECK: arith.select
// CHECK: arith.divsi
// CHECK: linalg.yield
// CHECK-NOT: arith.select
// CHECK: arith.divsi
// CHECK-NOT: arith.select
// CHECK: linalg.yield
func.func @divisions(%x: tensor<4xi64> {moe.name = "x", moe.dims = ["4"]}, %d: tensor<4xi64> {moe.name = "d", moe.dims = ["4"]})
    -> (tensor<4xi64> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %two = arith.constant dense<2> : tensor<i64>
  %0 = moe.onnx "Div"(%x, %d) version 14 {} : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
  %1 = moe.onnx "Div"(%0, %two) version 14 {} : (tensor<4xi64>, tensor<i64>) -> tensor<4xi64>
  return %1 : tensor<4xi64>
}

// -----

// bf16 functions are computed in f32; a float becomes an integer without undefined behaviour.
// CHECK-LABEL: func.func @casts
// CHECK: arith.extf %in : bf16 to f32
// CHECK: math.exp %{{.*}} : f32
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: arith.cmpf uno
// CHECK: arith.maximumf
// CHECK: arith.minimumf
// CHECK: arith.fptosi %{{.*}} : f32 to i32
func.func @casts(%x: tensor<4xbf16> {moe.name = "x", moe.dims = ["4"]})
    -> (tensor<4xi32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %0 = moe.onnx "Exp"(%x) version 13 {} : (tensor<4xbf16>) -> tensor<4xbf16>
  %1 = moe.onnx "Cast"(%0) version 13 {to = 6 : i64} : (tensor<4xbf16>) -> tensor<4xi32>
  return %1 : tensor<4xi32>
}

// -----

// CHECK-LABEL: func.func @sigmoid
// CHECK: arith.negf
// CHECK: math.exp
// CHECK: arith.addf
// CHECK: arith.divf
func.func @sigmoid(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]})
    -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %0 = moe.onnx "Sigmoid"(%x) version 13 {} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
