// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// One scale and zero point per index of an axis; the difference is taken in i32, where no byte overflows.
// CHECK-LABEL: func.func @per_axis
// CHECK: linalg.generic
// CHECK-SAME: affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d1)>
// CHECK: arith.extui %in : i8 to i32
// CHECK: arith.subi %{{.*}} : i32
// CHECK: arith.sitofp %{{.*}} : i32 to f32
// CHECK: arith.mulf
func.func @per_axis(%x: tensor<4x3xui8> {moe.name = "x", moe.dims = ["4", "3"]}, %s: tensor<3xf32> {moe.name = "s", moe.dims = ["3"]},
                    %z: tensor<3xui8> {moe.name = "z", moe.dims = ["3"]}) -> (tensor<4x3xf32> {moe.name = "y", moe.dims = ["4", "3"]}) attributes {moe.entry} {
  %0 = moe.onnx "DequantizeLinear"(%x, %s, %z) version 13 {axis = 1 : i64} : (tensor<4x3xui8>, tensor<3xf32>, tensor<3xui8>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// -----

// Blocks of two along axis 1: the scale is read at half the index.
// CHECK-LABEL: func.func @blocks
// CHECK: %[[COLUMN:.*]] = linalg.index 1
// CHECK: %[[BLOCK:.*]] = arith.divui %[[COLUMN]], %c2
// CHECK: tensor.extract %arg1[%{{.*}}, %[[BLOCK]]]
func.func @blocks(%x: tensor<4x6xi8> {moe.name = "x", moe.dims = ["4", "6"]}, %s: tensor<4x3xf32> {moe.name = "s", moe.dims = ["4", "3"]})
    -> (tensor<4x6xf32> {moe.name = "y", moe.dims = ["4", "6"]}) attributes {moe.entry} {
  %0 = moe.onnx "DequantizeLinear"(%x, %s) version 21 {axis = 1 : i64, block_size = 2 : i64} : (tensor<4x6xi8>, tensor<4x3xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

// Halves go to even, and what does not fit saturates.
// CHECK-LABEL: func.func @quantize
// CHECK: %[[QUOTIENT:.*]] = arith.divf
// CHECK: math.roundeven %[[QUOTIENT]]
// CHECK: arith.constant 2.550000e+02 : f32
// CHECK: arith.fptoui
func.func @quantize(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]}, %s: tensor<f32> {moe.name = "s", moe.dims = []},
                    %z: tensor<ui8> {moe.name = "z", moe.dims = []}) -> (tensor<4xui8> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %0 = moe.onnx "QuantizeLinear"(%x, %s, %z) version 13 {} : (tensor<4xf32>, tensor<f32>, tensor<ui8>) -> tensor<4xui8>
  return %0 : tensor<4xui8>
}

// -----

// A zero point per row of A and per column of B; products are summed in i32.
// CHECK-LABEL: func.func @product
// CHECK: arith.extui %{{.*}} : i8 to i32
// CHECK: arith.extsi %{{.*}} : i8 to i32
// CHECK: iterator_types = ["parallel", "parallel", "reduction"]
// CHECK: arith.muli %{{.*}} : i32
func.func @product(%a: tensor<?x3xui8> {moe.name = "a", moe.dims = ["m", "3"]}, %b: tensor<3x2xi8> {moe.name = "b", moe.dims = ["3", "2"]},
                   %za: tensor<?xui8> {moe.name = "za", moe.dims = ["m"]}, %zb: tensor<2xi8> {moe.name = "zb", moe.dims = ["2"]})
    -> (tensor<?x2xi32> {moe.name = "y", moe.dims = ["m", "2"]}) attributes {moe.entry} {
  %0 = moe.onnx "MatMulInteger"(%a, %b, %za, %zb) version 10 {} : (tensor<?x3xui8>, tensor<3x2xi8>, tensor<?xui8>, tensor<2xi8>) -> tensor<?x2xi32>
  return %0 : tensor<?x2xi32>
}
