// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// A convolution sums over channel and kernel; what lies outside the input counts as zero. The length stays dynamic.
// CHECK-LABEL: func.func @conv
// CHECK: linalg.generic
// CHECK-SAME: indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>]
// CHECK-SAME: iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]
// CHECK: arith.cmpi sge
// CHECK: arith.cmpi slt
// CHECK: tensor.extract %arg0
// CHECK: arith.select
func.func @conv(%x: tensor<1x4x?xf32> {moe.name = "x", moe.dims = ["1", "4", "n"]}, %w: tensor<6x4x3xf32> {moe.name = "w", moe.dims = ["6", "4", "3"]})
    -> (tensor<1x6x?xf32> {moe.name = "y", moe.dims = ["1", "6", "n"]}) attributes {moe.entry} {
  %0 = moe.onnx "Conv"(%x, %w) version 11 {pads = array<i64: 1, 1>} : (tensor<1x4x?xf32>, tensor<6x4x3xf32>) -> tensor<1x6x?xf32>
  return %0 : tensor<1x6x?xf32>
}

// -----

// The new state is the end of the old one and the input together.
// CHECK-LABEL: func.func @causal
// CHECK: %[[PADDED:.*]] = moe.concat
// CHECK: tensor.extract %[[PADDED]]
// CHECK: math.exp
// CHECK: tensor.extract_slice %[[PADDED]][0, 0, 5] [2, 4, 2] [1, 1, 1]
func.func @causal(%x: tensor<2x4x5xf32> {moe.name = "x", moe.dims = ["2", "4", "5"]}, %w: tensor<4x1x3xf32> {moe.name = "w", moe.dims = ["4", "1", "3"]},
                  %s: tensor<2x4x2xf32> {moe.name = "s", moe.dims = ["2", "4", "2"]})
    -> (tensor<2x4x5xf32> {moe.name = "y", moe.dims = ["2", "4", "5"]}, tensor<2x4x2xf32> {moe.name = "t", moe.dims = ["2", "4", "2"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %0, %1 = moe.onnx "CausalConvWithState"(%x, %w, %none, %s) version 27 {activation = "silu"}
      : (tensor<2x4x5xf32>, tensor<4x1x3xf32>, none, tensor<2x4x2xf32>) -> (tensor<2x4x5xf32>, tensor<2x4x2xf32>)
  return %0, %1 : tensor<2x4x5xf32>, tensor<2x4x2xf32>
}

// -----

// A label that the result lacks is summed; the dims under an ellipsis are loops of their own, and a size of 1 is read at 0.
// CHECK-LABEL: func.func @einsum
// CHECK: indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>, affine_map<(d0, d1, d2, d3) -> (0, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d1)>]
// CHECK-SAME: iterator_types = ["parallel", "parallel", "reduction", "parallel"]
func.func @einsum(%a: tensor<?x3x4xf32> {moe.name = "a", moe.dims = ["b", "3", "4"]}, %b: tensor<1x4x5xf32> {moe.name = "c", moe.dims = ["1", "4", "5"]})
    -> (tensor<?x5x3xf32> {moe.name = "y", moe.dims = ["b", "5", "3"]}) attributes {moe.entry} {
  %0 = moe.onnx "Einsum"(%a, %b) version 12 {equation = "... i j, ...jk -> ...ki"} : (tensor<?x3x4xf32>, tensor<1x4x5xf32>) -> tensor<?x5x3xf32>
  return %0 : tensor<?x5x3xf32>
}
