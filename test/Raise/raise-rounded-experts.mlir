// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-rounded-experts=remarks=true | FileCheck %s
// The example of the pass: rows are rounded around every node, weighted ones, too, and the ops stay.

// CHECK: moe.onnx "QuantizeLinear"
// CHECK: moe.onnx "MatMul"
// CHECK: moe.onnx "QuantizeLinear"
// CHECK: moe.onnx "MatMul"
// CHECK-NOT: moe.experts
// DOC: --moe-raise-rounded-experts
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 96, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1632, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<[3, 1]> : tensor<2xi64>
  %c2 = arith.constant dense<[3, -1, 8]> : tensor<3xi64>
  %c3 = arith.constant dense<0> : tensor<1xi64>
  %s = arith.constant dense<0.0625> : tensor<f32>
  %z = arith.constant dense<128> : tensor<ui8>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w1 = moe.weight_ref @w1 : tensor<3x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %mapshape = moe.onnx "Shape"(%probs) version 13 {} : (tensor<?x3xf32>) -> tensor<2xi64>
  %none = moe.onnx "ConstantOfShape"(%mapshape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x3xf32>
  %map = moe.onnx "ScatterElements"(%none, %ids, %values) version 18 {axis = 1 : i64} : (tensor<?x3xf32>, tensor<?x2xi64>, tensor<?x2xf32>) -> tensor<?x3xf32>
  %mapT = moe.onnx "Transpose"(%map) version 13 {perm = array<i64: 1, 0>} : (tensor<?x3xf32>) -> tensor<3x?xf32>
  %tiled = moe.onnx "Tile"(%x, %c1) version 13 {} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %rows = moe.onnx "Reshape"(%tiled, %c2) version 14 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<3x?x8xf32>
  %qx = moe.onnx "QuantizeLinear"(%rows, %s, %z) version 13 {} : (tensor<3x?x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<3x?x8xui8>
  %dx = moe.onnx "DequantizeLinear"(%qx, %s, %z) version 13 {} : (tensor<3x?x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<3x?x8xf32>
  %g = moe.onnx "MatMul"(%dx, %w1) version 13 {} : (tensor<3x?x8xf32>, tensor<3x8x16xf32>) -> tensor<3x?x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<3x?x16xf32>) -> tensor<3x?x16xf32>
  %qa = moe.onnx "QuantizeLinear"(%a, %s, %z) version 13 {} : (tensor<3x?x16xf32>, tensor<f32>, tensor<ui8>) -> tensor<3x?x16xui8>
  %da = moe.onnx "DequantizeLinear"(%qa, %s, %z) version 13 {} : (tensor<3x?x16xui8>, tensor<f32>, tensor<ui8>) -> tensor<3x?x16xf32>
  %y = moe.onnx "MatMul"(%da, %w2) version 13 {} : (tensor<3x?x16xf32>, tensor<3x16x8xf32>) -> tensor<3x?x8xf32>
  %we = moe.onnx "Unsqueeze"(%mapT, %c0) version 13 {} : (tensor<3x?xf32>, tensor<1xi64>) -> tensor<3x?x1xf32>
  %weighted = moe.onnx "Mul"(%y, %we) version 14 {} : (tensor<3x?x8xf32>, tensor<3x?x1xf32>) -> tensor<3x?x8xf32>
  // expected-note @+1 {{at this node}}
  %qw = moe.onnx "QuantizeLinear"(%weighted, %s, %z) version 13 {} : (tensor<3x?x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<3x?x8xui8>
  %dw = moe.onnx "DequantizeLinear"(%qw, %s, %z) version 13 {} : (tensor<3x?x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<3x?x8xf32>
  // expected-remark @+1 {{MoE layer not raised: rows are rounded to integers as the model runs (QuantizeLinear)}}
  %out = moe.onnx "ReduceSum"(%dw, %c3) version 13 {keepdims = 0 : i64} : (tensor<3x?x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}
