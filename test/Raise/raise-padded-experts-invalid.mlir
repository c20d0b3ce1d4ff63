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
  // expected-remark @+1 {{MoE layer not raised: the rows of the experts are no product of a dispatch with tokens, and no computed indices put them there}}
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
  // expected-remark @+1 {{no computed indices put them there}}
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

// -----

// The second chunk of the slots first: its results would come to the front.
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %dispatch: tensor<6x?xf32> {moe.dims = ["6", "tokens"]}) -> tensor<6x8xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %slots = moe.onnx "MatMul"(%dispatch, %x) version 13 {} : (tensor<6x?xf32>, tensor<?x8xf32>) -> tensor<6x8xf32>
  // expected-note @+1 {{at this node}}
  %p, %q = moe.onnx "Split"(%slots) version 18 {axis = 0 : i64, num_outputs = 2 : i64} : (tensor<6x8xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>)
  %g0 = moe.onnx "Gather"(%w1, %zero) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %g1 = moe.onnx "Gather"(%w1, %one) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %d0 = moe.onnx "Gather"(%w2, %zero) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %d1 = moe.onnx "Gather"(%w2, %one) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %h0 = moe.onnx "MatMul"(%q, %g0) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a0 = moe.onnx "Relu"(%h0) version 14 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y0 = moe.onnx "MatMul"(%a0, %d0) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  %h1 = moe.onnx "MatMul"(%p, %g1) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a1 = moe.onnx "Relu"(%h1) version 14 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y1 = moe.onnx "MatMul"(%a1, %d1) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  // expected-remark @+1 {{MoE layer not raised: the experts do not read the parts of one tensor of slots in the order of their results}}
  %y = moe.onnx "Concat"(%y0, %y1) version 13 {axis = 0 : i64} : (tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// -----

// The experts' matrices in another order than their slots.
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %dispatch: tensor<6x?xf32> {moe.dims = ["6", "tokens"]}) -> tensor<6x8xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %slots = moe.onnx "MatMul"(%dispatch, %x) version 13 {} : (tensor<6x?xf32>, tensor<?x8xf32>) -> tensor<6x8xf32>
  %p, %q = moe.onnx "Split"(%slots) version 18 {axis = 0 : i64, num_outputs = 2 : i64} : (tensor<6x8xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>)
  %g0 = moe.onnx "Gather"(%w1, %zero) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %g1 = moe.onnx "Gather"(%w1, %one) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %d0 = moe.onnx "Gather"(%w2, %zero) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %d1 = moe.onnx "Gather"(%w2, %one) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %h0 = moe.onnx "MatMul"(%p, %g1) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a0 = moe.onnx "Relu"(%h0) version 14 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y0 = moe.onnx "MatMul"(%a0, %d0) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  %h1 = moe.onnx "MatMul"(%q, %g0) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a1 = moe.onnx "Relu"(%h1) version 14 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y1 = moe.onnx "MatMul"(%a1, %d1) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  // expected-remark @+1 {{MoE layer not raised: the experts do not take the slices of a stored tensor in order}}
  %y = moe.onnx "Concat"(%y0, %y1) version 13 {axis = 0 : i64} : (tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// -----

// One expert computes another function.
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %dispatch: tensor<6x?xf32> {moe.dims = ["6", "tokens"]}) -> tensor<6x8xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %slots = moe.onnx "MatMul"(%dispatch, %x) version 13 {} : (tensor<6x?xf32>, tensor<?x8xf32>) -> tensor<6x8xf32>
  %p, %q = moe.onnx "Split"(%slots) version 18 {axis = 0 : i64, num_outputs = 2 : i64} : (tensor<6x8xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>)
  %g0 = moe.onnx "Gather"(%w1, %zero) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %g1 = moe.onnx "Gather"(%w1, %one) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %d0 = moe.onnx "Gather"(%w2, %zero) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %d1 = moe.onnx "Gather"(%w2, %one) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %h0 = moe.onnx "MatMul"(%p, %g0) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a0 = moe.onnx "Relu"(%h0) version 14 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y0 = moe.onnx "MatMul"(%a0, %d0) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  %h1 = moe.onnx "MatMul"(%q, %g1) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a1 = moe.onnx "Gelu"(%h1) version 20 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y1 = moe.onnx "MatMul"(%a1, %d1) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  // expected-remark @+1 {{MoE layer not raised: the experts compute different functions or have different sizes}}
  %y = moe.onnx "Concat"(%y0, %y1) version 13 {axis = 0 : i64} : (tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// -----

// Three chunks, of which nobody reads the last.
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %dispatch: tensor<9x?xf32> {moe.dims = ["9", "tokens"]}) -> tensor<6x8xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  // expected-note @+1 {{at this node}}
  %slots = moe.onnx "MatMul"(%dispatch, %x) version 13 {} : (tensor<9x?xf32>, tensor<?x8xf32>) -> tensor<9x8xf32>
  %p, %q, %r = moe.onnx "Split"(%slots) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<9x8xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>, tensor<3x8xf32>)
  %g0 = moe.onnx "Gather"(%w1, %zero) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %g1 = moe.onnx "Gather"(%w1, %one) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %d0 = moe.onnx "Gather"(%w2, %zero) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %d1 = moe.onnx "Gather"(%w2, %one) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %h0 = moe.onnx "MatMul"(%p, %g0) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a0 = moe.onnx "Relu"(%h0) version 14 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y0 = moe.onnx "MatMul"(%a0, %d0) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  %h1 = moe.onnx "MatMul"(%q, %g1) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a1 = moe.onnx "Relu"(%h1) version 14 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y1 = moe.onnx "MatMul"(%a1, %d1) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  // expected-remark @+1 {{MoE layer not raised: there are slots that none of the experts reads}}
  %y = moe.onnx "Concat"(%y0, %y1) version 13 {axis = 0 : i64} : (tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// -----

// MLPs on halves of rows that nobody dispatched are no layer, and nothing is said.
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%slots: tensor<6x8xf32>) -> tensor<6x8xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %p, %q = moe.onnx "Split"(%slots) version 18 {axis = 0 : i64, num_outputs = 2 : i64} : (tensor<6x8xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>)
  %g0 = moe.onnx "Gather"(%w1, %zero) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %g1 = moe.onnx "Gather"(%w1, %one) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %d0 = moe.onnx "Gather"(%w2, %zero) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %d1 = moe.onnx "Gather"(%w2, %one) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %h0 = moe.onnx "MatMul"(%p, %g0) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a0 = moe.onnx "Relu"(%h0) version 14 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y0 = moe.onnx "MatMul"(%a0, %d0) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  %h1 = moe.onnx "MatMul"(%q, %g1) version 13 {} : (tensor<3x8xf32>, tensor<8x16xf32>) -> tensor<3x16xf32>
  %a1 = moe.onnx "Relu"(%h1) version 14 {} : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %y1 = moe.onnx "MatMul"(%a1, %d1) version 13 {} : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  %y = moe.onnx "Concat"(%y0, %y1) version 13 {axis = 0 : i64} : (tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}
