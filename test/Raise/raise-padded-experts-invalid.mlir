// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-padded-experts=remarks=true | FileCheck %s
// Batched MLPs that are no layer of experts.
// CHECK-NOT: moe.experts
// One MLP per head, on rows that nobody dispatched.
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%rows: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %h = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<2x3x8xf32>, tensor<2x8x16xf32>) -> tensor<2x3x16xf32>
  %a = moe.onnx "Relu"(%h) version 14 {} : (tensor<2x3x16xf32>) -> tensor<2x3x16xf32>
  // expected-remark @+1 {{MoE layer not raised: the rows of the experts are no product of a dispatch with tokens}}
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<2x3x16xf32>, tensor<2x16x8xf32>) -> tensor<2x3x8xf32>
  return %y : tensor<2x3x8xf32>
}

// -----

// As many slots as there are tokens: no constant.
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%dispatch: tensor<2x?x?xf32> {moe.dims = ["2", "slots", "tokens"]}, %x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<2x?x8xf32> {
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %rows = moe.onnx "MatMul"(%dispatch, %x) version 13 {} : (tensor<2x?x?xf32>, tensor<?x8xf32>) -> tensor<2x?x8xf32>
  %h = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<2x?x8xf32>, tensor<2x8x16xf32>) -> tensor<2x?x16xf32>
  %a = moe.onnx "Relu"(%h) version 14 {} : (tensor<2x?x16xf32>) -> tensor<2x?x16xf32>
  // expected-remark @+1 {{MoE layer not raised: the number of slots of an expert is not known when the model is compiled}}
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<2x?x16xf32>, tensor<2x16x8xf32>) -> tensor<2x?x8xf32>
  return %y : tensor<2x?x8xf32>
}
