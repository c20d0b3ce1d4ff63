// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-dense-mixtures=remarks=true | FileCheck %s
// What is no mixture of experts: nothing is said.
// CHECK-NOT: moe.experts
// Channels are weighed by their own Softmax, all dims alike.
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %p = moe.onnx "Softmax"(%x) version 13 {axis = -1 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = moe.onnx "Mul"(%x, %p) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// One of two columns weighs rows: half of a mixture is none.
moe.weight @a : tensor<8x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x2xf32> {moe.dims = ["tokens", "2"]}) -> tensor<?x8xf32> {
  %a = moe.weight_ref @a : tensor<8x8xf32>
  %p = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %c0, %c1 = moe.onnx "Split"(%p) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xf32>) -> (tensor<?x1xf32>, tensor<?x1xf32>)
  %y0 = moe.onnx "MatMul"(%x, %a) version 13 {} : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %w0 = moe.onnx "Mul"(%c0, %y0) version 14 {} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %w0 : tensor<?x8xf32>
}
