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
  // expected-remark @+1 {{MoE layer not raised: the rows of the experts are neither a product of a dispatch with tokens nor tokens that a TopK chose}}
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<2x3x16xf32>, tensor<2x16x8xf32>) -> tensor<2x3x8xf32>
  return %y : tensor<2x3x8xf32>
}

// -----

// Rows looked up by numbers that no TopK chose.
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %ids: tensor<2x3xi64>) -> tensor<2x3x8xf32> {
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  // expected-note @+1 {{at this node}}
  %rows = moe.onnx "Gather"(%x, %ids) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<2x3xi64>) -> tensor<2x3x8xf32>
  %h = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<2x3x8xf32>, tensor<2x8x16xf32>) -> tensor<2x3x16xf32>
  %a = moe.onnx "Relu"(%h) version 14 {} : (tensor<2x3x16xf32>) -> tensor<2x3x16xf32>
  // expected-remark @+1 {{neither a product of a dispatch with tokens nor tokens that a TopK chose}}
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<2x3x16xf32>, tensor<2x16x8xf32>) -> tensor<2x3x8xf32>
  return %y : tensor<2x3x8xf32>
}

// -----

// Slots of an expert in each group, which are then taken for the experts of a slot.
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%dispatch: tensor<?x?x2x3xf32> {moe.dims = ["groups", "tokens", "2", "3"]}, %x: tensor<?x?x8xf32> {moe.dims = ["groups", "tokens", "8"]}) -> tensor<?x3x2x8xf32> {
  %regroup = arith.constant dense<[-1, 3, 2, 16]> : tensor<4xi64>
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %rows = moe.onnx "Einsum"(%dispatch, %x) version 12 {equation = "gtec,gth->gech"} : (tensor<?x?x2x3xf32>, tensor<?x?x8xf32>) -> tensor<?x2x3x8xf32>
  %h = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<?x2x3x8xf32>, tensor<2x8x16xf32>) -> tensor<?x2x3x16xf32>
  %a = moe.onnx "Relu"(%h) version 14 {} : (tensor<?x2x3x16xf32>) -> tensor<?x2x3x16xf32>
  // expected-note @+1 {{at this node}}
  %turned = moe.onnx "Reshape"(%a, %regroup) version 14 {} : (tensor<?x2x3x16xf32>, tensor<4xi64>) -> tensor<?x3x2x16xf32>
  // expected-remark @+1 {{MoE layer not raised: the products do not keep the rows in the same order}}
  %y = moe.onnx "Einsum"(%turned, %w2) version 12 {equation = "gcef,efh->gceh"} : (tensor<?x3x2x16xf32>, tensor<2x16x8xf32>) -> tensor<?x3x2x8xf32>
  return %y : tensor<?x3x2x8xf32>
}
