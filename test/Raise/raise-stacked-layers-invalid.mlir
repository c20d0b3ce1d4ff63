// Slices that stay nodes: an expert of one layer's weights, one at a number that only the run knows, and one that there is not.
// RUN: moe-opt %s --moe-raise-stacked-layers --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @expert
// CHECK: moe.onnx "Gather"
moe.weight @w : tensor<4x2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @expert() -> tensor<2x8xf32> {
  %one = arith.constant dense<1> : tensor<i64>
  %w = moe.weight_ref @w : tensor<4x2x8xf32>
  %e = moe.onnx "Gather"(%w, %one) version 13 {} : (tensor<4x2x8xf32>, tensor<i64>) -> tensor<2x8xf32>
  return %e : tensor<2x8xf32>
}

// -----

// CHECK-LABEL: func.func @dynamic
// CHECK-COUNT-2: moe.onnx "Gather"
moe.weight @w : tensor<2x4x2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 512>)
func.func @dynamic(%layer: tensor<i64>) -> (tensor<4x2x8xf32>, tensor<4x2x8xf32>) {
  %two = arith.constant dense<2> : tensor<i64>
  %w = moe.weight_ref @w : tensor<2x4x2x8xf32>
  %a = moe.onnx "Gather"(%w, %layer) version 13 {} : (tensor<2x4x2x8xf32>, tensor<i64>) -> tensor<4x2x8xf32>
  %b = moe.onnx "Gather"(%w, %two) version 13 {} : (tensor<2x4x2x8xf32>, tensor<i64>) -> tensor<4x2x8xf32>
  return %a, %b : tensor<4x2x8xf32>, tensor<4x2x8xf32>
}
