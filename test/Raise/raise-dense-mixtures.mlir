// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-dense-mixtures=remarks=true | FileCheck %s
// The example of the pass: MMoE weighs one product per expert. It says so and changes nothing.

// CHECK: moe.onnx "Einsum"
// CHECK: moe.onnx "ReduceSum"
// DOC: --moe-raise-dense-mixtures
moe.weight @w : tensor<8x6x4xf32> source(#moe.file<"model.onnx", offset = 0, length = 768>)
moe.weight @g : tensor<8x4xf32> source(#moe.file<"model.onnx", offset = 768, length = 128>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x6xf32> {
  %middle = arith.constant dense<1> : tensor<1xi64>
  %last = arith.constant dense<2> : tensor<1xi64>
  %w = moe.weight_ref @w : tensor<8x6x4xf32>
  %g = moe.weight_ref @g : tensor<8x4xf32>
  // expected-note @+1 {{at this node}}
  %o = moe.onnx "Einsum"(%x, %w) version 12 {equation = "th,hie->tie"} : (tensor<?x8xf32>, tensor<8x6x4xf32>) -> tensor<?x6x4xf32>
  %a = moe.onnx "Relu"(%o) version 14 {} : (tensor<?x6x4xf32>) -> tensor<?x6x4xf32>
  %logits = moe.onnx "MatMul"(%x, %g) version 13 {} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %p = moe.onnx "Softmax"(%logits) version 13 {axis = 1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %gates = moe.onnx "Unsqueeze"(%p, %middle) version 13 {} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x1x4xf32>
  // expected-remark @+1 {{MoE layer not raised: a Softmax over 4 experts weighs the results of one product with their matrices, and the experts of a layer have two}}
  %weighted = moe.onnx "Mul"(%a, %gates) version 14 {} : (tensor<?x6x4xf32>, tensor<?x1x4xf32>) -> tensor<?x6x4xf32>
  %y = moe.onnx "ReduceSum"(%weighted, %last) version 13 {keepdims = 0 : i64} : (tensor<?x6x4xf32>, tensor<1xi64>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

// Adapters of rank 2, two of them, are weighed by the columns of a Softmax.
moe.weight @a : tensor<8x2xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @b : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 64>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x2xf32> {moe.dims = ["tokens", "2"]}) -> tensor<?x8xf32> {
  %a = moe.weight_ref @a : tensor<8x2xf32>
  %b = moe.weight_ref @b : tensor<2x8xf32>
  %p = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %c0, %c1 = moe.onnx "Split"(%p) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xf32>) -> (tensor<?x1xf32>, tensor<?x1xf32>)
  %h0 = moe.onnx "MatMul"(%x, %a) version 13 {} : (tensor<?x8xf32>, tensor<8x2xf32>) -> tensor<?x2xf32>
  %y0 = moe.onnx "MatMul"(%h0, %b) version 13 {} : (tensor<?x2xf32>, tensor<2x8xf32>) -> tensor<?x8xf32>
  // expected-remark @+1 {{MoE layer not raised: each column of a Softmax over 2 experts weighs the rows of an expert, and no ids say which of them a token chose}}
  %w0 = moe.onnx "Mul"(%c0, %y0) version 14 {} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %h1 = moe.onnx "MatMul"(%x, %a) version 13 {} : (tensor<?x8xf32>, tensor<8x2xf32>) -> tensor<?x2xf32>
  %y1 = moe.onnx "MatMul"(%h1, %b) version 13 {} : (tensor<?x2xf32>, tensor<2x8xf32>) -> tensor<?x8xf32>
  %w1 = moe.onnx "Mul"(%c1, %y1) version 14 {} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = moe.onnx "Add"(%w0, %w1) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
