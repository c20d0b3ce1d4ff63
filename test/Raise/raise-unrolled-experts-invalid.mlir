// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-unrolled-experts=remarks=true | FileCheck %s
// Loops over experts that are not what they look like. None becomes a layer.
// CHECK-NOT: moe.experts
// The router has three experts, the graph has two: a trace that did not hit the third.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 96, length = 512>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 608, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1120, length = 512>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1632, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<[0, 1, 2]> : tensor<3xi64>
  %c3 = arith.constant dense<0> : tensor<i64>
  %c4 = arith.constant dense<1> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %id3 = moe.onnx "Unsqueeze"(%ids, %c1) version 13 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?x2x1xi64>
  %is = moe.onnx "Equal"(%id3, %c2) version 13 {} : (tensor<?x2x1xi64>, tensor<3xi64>) -> tensor<?x2x3xi1>
  %hot = moe.onnx "Cast"(%is) version 13 {to = 7 : i64} : (tensor<?x2x3xi1>) -> tensor<?x2x3xi64>
  %mask = moe.onnx "Transpose"(%hot) version 13 {perm = array<i64: 2, 1, 0>} : (tensor<?x2x3xi64>) -> tensor<3x2x?xi64>
  %shape = moe.onnx "Shape"(%x) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %zeros = moe.onnx "ConstantOfShape"(%shape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x8xf32>
  %w3 = moe.onnx "Unsqueeze"(%values, %c0) version 13 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %mask0 = moe.onnx "Gather"(%mask, %c3) version 13 {axis = 0 : i64} : (tensor<3x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found0 = moe.onnx "NonZero"(%mask0) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs0 = moe.onnx "Transpose"(%found0) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice0, %token0 = moe.onnx "Split"(%pairs0) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows0 = moe.onnx "GatherND"(%x, %token0) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g0 = moe.onnx "Gemm"(%rows0, %w1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at0 = moe.onnx "Concat"(%token0, %choice0) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we0 = moe.onnx "GatherND"(%w3, %at0) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %sum0 = moe.onnx "ScatterND"(%zeros, %token0, %part0) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %mask1 = moe.onnx "Gather"(%mask, %c4) version 13 {axis = 0 : i64} : (tensor<3x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found1 = moe.onnx "NonZero"(%mask1) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs1 = moe.onnx "Transpose"(%found1) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice1, %token1 = moe.onnx "Split"(%pairs1) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows1 = moe.onnx "GatherND"(%x, %token1) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%rows1, %w1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at1 = moe.onnx "Concat"(%token1, %choice1) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we1 = moe.onnx "GatherND"(%w3, %at1) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%y1, %we1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  // expected-error @+1 {{the router chooses among 3 experts, but the graph computes only 2}}
  %sum1 = moe.onnx "ScatterND"(%sum0, %token1, %part1) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// Four experts, the last of which gives its rows back as they are; the trace did not hit the third.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 96, length = 512>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 608, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1120, length = 512>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1632, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
  %c3 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<3> : tensor<i64>
  %c4 = arith.constant dense<1> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %id3 = moe.onnx "Unsqueeze"(%ids, %c1) version 13 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?x2x1xi64>
  %is = moe.onnx "Equal"(%id3, %c2) version 13 {} : (tensor<?x2x1xi64>, tensor<4xi64>) -> tensor<?x2x4xi1>
  %hot = moe.onnx "Cast"(%is) version 13 {to = 7 : i64} : (tensor<?x2x4xi1>) -> tensor<?x2x4xi64>
  %mask = moe.onnx "Transpose"(%hot) version 13 {perm = array<i64: 2, 1, 0>} : (tensor<?x2x4xi64>) -> tensor<4x2x?xi64>
  %shape = moe.onnx "Shape"(%x) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %zeros = moe.onnx "ConstantOfShape"(%shape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x8xf32>
  %w3 = moe.onnx "Unsqueeze"(%values, %c0) version 13 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %mask0 = moe.onnx "Gather"(%mask, %c3) version 13 {axis = 0 : i64} : (tensor<4x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found0 = moe.onnx "NonZero"(%mask0) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs0 = moe.onnx "Transpose"(%found0) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice0, %token0 = moe.onnx "Split"(%pairs0) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows0 = moe.onnx "GatherND"(%x, %token0) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g0 = moe.onnx "Gemm"(%rows0, %w1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at0 = moe.onnx "Concat"(%token0, %choice0) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we0 = moe.onnx "GatherND"(%w3, %at0) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %sum0 = moe.onnx "ScatterND"(%zeros, %token0, %part0) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %mask1 = moe.onnx "Gather"(%mask, %c4) version 13 {axis = 0 : i64} : (tensor<4x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found1 = moe.onnx "NonZero"(%mask1) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs1 = moe.onnx "Transpose"(%found1) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice1, %token1 = moe.onnx "Split"(%pairs1) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows1 = moe.onnx "GatherND"(%x, %token1) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%rows1, %w1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at1 = moe.onnx "Concat"(%token1, %choice1) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we1 = moe.onnx "GatherND"(%w3, %at1) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%y1, %we1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  // expected-error @+1 {{the router chooses among 4 experts, but the graph computes only 3}}
  %sum1 = moe.onnx "ScatterND"(%sum0, %token1, %part1) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %mask2 = moe.onnx "Gather"(%mask, %c5) version 13 {axis = 0 : i64} : (tensor<4x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found2 = moe.onnx "NonZero"(%mask2) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs2 = moe.onnx "Transpose"(%found2) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice2, %token2 = moe.onnx "Split"(%pairs2) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows2 = moe.onnx "GatherND"(%x, %token2) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  // expected-note @+1 {{at this node}}
  %y2 = moe.onnx "Tanh"(%rows2) version 13 {} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %at2 = moe.onnx "Concat"(%token2, %choice2) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we2 = moe.onnx "GatherND"(%w3, %at2) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part2 = moe.onnx "Mul"(%y2, %we2) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  // expected-remark @+1 {{no product of rows with a stored matrix}}
  %sum2 = moe.onnx "ScatterND"(%sum1, %token2, %part2) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum2 : tensor<?x8xf32>
}

// -----

// The weights are read at (choice, token).
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 576, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1088, length = 512>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1600, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<[0, 1]> : tensor<2xi64>
  %c3 = arith.constant dense<0> : tensor<i64>
  %c4 = arith.constant dense<1> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<2x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %id3 = moe.onnx "Unsqueeze"(%ids, %c1) version 13 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?x2x1xi64>
  %is = moe.onnx "Equal"(%id3, %c2) version 13 {} : (tensor<?x2x1xi64>, tensor<2xi64>) -> tensor<?x2x2xi1>
  %hot = moe.onnx "Cast"(%is) version 13 {to = 7 : i64} : (tensor<?x2x2xi1>) -> tensor<?x2x2xi64>
  %mask = moe.onnx "Transpose"(%hot) version 13 {perm = array<i64: 2, 1, 0>} : (tensor<?x2x2xi64>) -> tensor<2x2x?xi64>
  %shape = moe.onnx "Shape"(%x) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %zeros = moe.onnx "ConstantOfShape"(%shape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x8xf32>
  %w3 = moe.onnx "Unsqueeze"(%values, %c0) version 13 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %mask0 = moe.onnx "Gather"(%mask, %c3) version 13 {axis = 0 : i64} : (tensor<2x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found0 = moe.onnx "NonZero"(%mask0) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs0 = moe.onnx "Transpose"(%found0) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice0, %token0 = moe.onnx "Split"(%pairs0) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows0 = moe.onnx "GatherND"(%x, %token0) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g0 = moe.onnx "Gemm"(%rows0, %w1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at0 = moe.onnx "Concat"(%choice0, %token0) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  // expected-note @+1 {{at this node}}
  %we0 = moe.onnx "GatherND"(%w3, %at0) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  // expected-remark @+1 {{the weights of an expert's rows are not those of its tokens and choices}}
  %sum0 = moe.onnx "ScatterND"(%zeros, %token0, %part0) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %mask1 = moe.onnx "Gather"(%mask, %c4) version 13 {axis = 0 : i64} : (tensor<2x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found1 = moe.onnx "NonZero"(%mask1) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs1 = moe.onnx "Transpose"(%found1) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice1, %token1 = moe.onnx "Split"(%pairs1) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows1 = moe.onnx "GatherND"(%x, %token1) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%rows1, %w1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at1 = moe.onnx "Concat"(%choice1, %token1) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  // expected-note @+1 {{at this node}}
  %we1 = moe.onnx "GatherND"(%w3, %at1) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%y1, %we1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  // expected-remark @+1 {{the weights of an expert's rows are not those of its tokens and choices}}
  %sum1 = moe.onnx "ScatterND"(%sum0, %token1, %part1) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// The rows are added at the numbers of the choices.
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 576, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1088, length = 512>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1600, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<[0, 1]> : tensor<2xi64>
  %c3 = arith.constant dense<0> : tensor<i64>
  %c4 = arith.constant dense<1> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<2x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %id3 = moe.onnx "Unsqueeze"(%ids, %c1) version 13 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?x2x1xi64>
  %is = moe.onnx "Equal"(%id3, %c2) version 13 {} : (tensor<?x2x1xi64>, tensor<2xi64>) -> tensor<?x2x2xi1>
  %hot = moe.onnx "Cast"(%is) version 13 {to = 7 : i64} : (tensor<?x2x2xi1>) -> tensor<?x2x2xi64>
  %mask = moe.onnx "Transpose"(%hot) version 13 {perm = array<i64: 2, 1, 0>} : (tensor<?x2x2xi64>) -> tensor<2x2x?xi64>
  %shape = moe.onnx "Shape"(%x) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %zeros = moe.onnx "ConstantOfShape"(%shape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x8xf32>
  %w3 = moe.onnx "Unsqueeze"(%values, %c0) version 13 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  // expected-note @+1 {{at this node}}
  %mask0 = moe.onnx "Gather"(%mask, %c3) version 13 {axis = 0 : i64} : (tensor<2x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found0 = moe.onnx "NonZero"(%mask0) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs0 = moe.onnx "Transpose"(%found0) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice0, %token0 = moe.onnx "Split"(%pairs0) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows0 = moe.onnx "GatherND"(%x, %token0) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g0 = moe.onnx "Gemm"(%rows0, %w1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at0 = moe.onnx "Concat"(%token0, %choice0) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we0 = moe.onnx "GatherND"(%w3, %at0) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  // expected-remark @+1 {{the rows are added at the choices' places}}
  %sum0 = moe.onnx "ScatterND"(%zeros, %choice0, %part0) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  // expected-note @+1 {{at this node}}
  %mask1 = moe.onnx "Gather"(%mask, %c4) version 13 {axis = 0 : i64} : (tensor<2x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found1 = moe.onnx "NonZero"(%mask1) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs1 = moe.onnx "Transpose"(%found1) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice1, %token1 = moe.onnx "Split"(%pairs1) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows1 = moe.onnx "GatherND"(%x, %token1) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%rows1, %w1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at1 = moe.onnx "Concat"(%token1, %choice1) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we1 = moe.onnx "GatherND"(%w3, %at1) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%y1, %we1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  // expected-remark @+1 {{the rows are added at the choices' places}}
  %sum1 = moe.onnx "ScatterND"(%sum0, %choice1, %part1) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// A token may have the same expert twice, and of rows at one place only one is left.
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 64, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1088, length = 1024>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<[0, 1]> : tensor<2xi64>
  %c3 = arith.constant dense<[-1, 1]> : tensor<2xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<1> : tensor<1xi64>
  %c6 = arith.constant dense<1> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<2x8xf32>
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %best = moe.onnx "ArgMax"(%probs) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x1xi64>
  %twice = moe.onnx "Concat"(%best, %best) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %id3 = moe.onnx "Unsqueeze"(%twice, %c1) version 13 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?x2x1xi64>
  %is = moe.onnx "Equal"(%id3, %c2) version 13 {} : (tensor<?x2x1xi64>, tensor<2xi64>) -> tensor<?x2x2xi1>
  %hot = moe.onnx "Cast"(%is) version 13 {to = 7 : i64} : (tensor<?x2x2xi1>) -> tensor<?x2x2xi64>
  %mask = moe.onnx "Transpose"(%hot) version 13 {perm = array<i64: 2, 1, 0>} : (tensor<?x2x2xi64>) -> tensor<2x2x?xi64>
  %shape = moe.onnx "Shape"(%x) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %zeros = moe.onnx "ConstantOfShape"(%shape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x8xf32>
  %flat = moe.onnx "Reshape"(%values, %c3) version 14 {} : (tensor<?x2xf32>, tensor<2xi64>) -> tensor<?x1xf32>
  %mask0 = moe.onnx "Gather"(%mask, %c4) version 13 {axis = 0 : i64} : (tensor<2x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found0 = moe.onnx "NonZero"(%mask0) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs0 = moe.onnx "Transpose"(%found0) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice0, %token0 = moe.onnx "Split"(%pairs0) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %t0 = moe.onnx "Squeeze"(%token0, %c5) version 13 {} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %k0 = moe.onnx "Squeeze"(%choice0, %c5) version 13 {} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %rows0 = moe.onnx "Gather"(%x, %t0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w1_0 = moe.onnx "Gather"(%w1, %c4) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %w2_0 = moe.onnx "Gather"(%w2, %c4) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %g0 = moe.onnx "MatMul"(%rows0, %w1_0) version 13 {} : (tensor<?x8xf32>, tensor<8x16xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "MatMul"(%a0, %w2_0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %row0 = moe.onnx "Mul"(%t0, %c0) version 14 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?xi64>
  %at0 = moe.onnx "Add"(%k0, %row0) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %we0 = moe.onnx "Gather"(%flat, %at0) version 13 {axis = 0 : i64} : (tensor<?x1xf32>, tensor<?xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %partshape0 = moe.onnx "Shape"(%part0) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %places0 = moe.onnx "Expand"(%token0, %partshape0) version 13 {} : (tensor<?x1xi64>, tensor<2xi64>) -> tensor<?x8xi64>
  %spread0 = moe.onnx "ScatterElements"(%zeros, %places0, %part0) version 16 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  // expected-remark @+1 {{a token may choose an expert twice}}
  %sum0 = moe.onnx "Add"(%zeros, %spread0) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %mask1 = moe.onnx "Gather"(%mask, %c6) version 13 {axis = 0 : i64} : (tensor<2x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %found1 = moe.onnx "NonZero"(%mask1) version 13 {} : (tensor<2x?xi64>) -> tensor<2x?xi64>
  %pairs1 = moe.onnx "Transpose"(%found1) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice1, %token1 = moe.onnx "Split"(%pairs1) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %t1 = moe.onnx "Squeeze"(%token1, %c5) version 13 {} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %k1 = moe.onnx "Squeeze"(%choice1, %c5) version 13 {} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %rows1 = moe.onnx "Gather"(%x, %t1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w1_1 = moe.onnx "Gather"(%w1, %c6) version 13 {axis = 0 : i64} : (tensor<2x8x16xf32>, tensor<i64>) -> tensor<8x16xf32>
  %w2_1 = moe.onnx "Gather"(%w2, %c6) version 13 {axis = 0 : i64} : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<16x8xf32>
  %g1 = moe.onnx "MatMul"(%rows1, %w1_1) version 13 {} : (tensor<?x8xf32>, tensor<8x16xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "MatMul"(%a1, %w2_1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %row1 = moe.onnx "Mul"(%t1, %c0) version 14 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?xi64>
  %at1 = moe.onnx "Add"(%k1, %row1) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %we1 = moe.onnx "Gather"(%flat, %at1) version 13 {axis = 0 : i64} : (tensor<?x1xf32>, tensor<?xi64>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%y1, %we1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %partshape1 = moe.onnx "Shape"(%part1) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %places1 = moe.onnx "Expand"(%token1, %partshape1) version 13 {} : (tensor<?x1xi64>, tensor<2xi64>) -> tensor<?x8xi64>
  %spread1 = moe.onnx "ScatterElements"(%zeros, %places1, %part1) version 16 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  // expected-remark @+1 {{a token may choose an expert twice}}
  %sum1 = moe.onnx "Add"(%sum0, %spread1) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// A Python loop over the experts that were hit, traced: the list has as many pieces as the example input hit experts.
func.func @main(%ids: tensor<?x2xi64> {moe.dims = ["tokens", "2"]}) -> (tensor<1x1xi64>, tensor<1x1xi64>) {
  %c0 = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<[-1, -2]> : tensor<2xi64>
  %c3 = arith.constant dense<0> : tensor<i64>
  %c4 = arith.constant dense<1> : tensor<2xi64>
  %single = moe.onnx "Unsqueeze"(%ids, %c1) version 13 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?x2x1xi64>
  %is = moe.onnx "Equal"(%single, %c0) version 13 {} : (tensor<?x2x1xi64>, tensor<4xi64>) -> tensor<?x2x4xi1>
  %hot = moe.onnx "Cast"(%is) version 13 {to = 7 : i64} : (tensor<?x2x4xi1>) -> tensor<?x2x4xi64>
  %mask = moe.onnx "Transpose"(%hot) version 13 {perm = array<i64: 2, 1, 0>} : (tensor<?x2x4xi64>) -> tensor<4x2x?xi64>
  %count = moe.onnx "ReduceSum"(%mask, %c2) version 13 {keepdims = 0 : i64} : (tensor<4x2x?xi64>, tensor<2xi64>) -> tensor<4xi64>
  %hit = moe.onnx "Greater"(%count, %c3) version 13 {} : (tensor<4xi64>, tensor<i64>) -> tensor<4xi1>
  %found = moe.onnx "NonZero"(%hit) version 13 {} : (tensor<4xi1>) -> tensor<1x?xi64>
  %list = moe.onnx "Transpose"(%found) version 13 {perm = array<i64: 1, 0>} : (tensor<1x?xi64>) -> tensor<?x1xi64>
  // expected-error @+1 {{the list of experts that tokens chose is taken apart into 2 pieces, as many as the exporter's example input hit}}
  %first, %second = moe.onnx "Split"(%list, %c4) version 13 {axis = 0 : i64} : (tensor<?x1xi64>, tensor<2xi64>) -> (tensor<1x1xi64>, tensor<1x1xi64>)
  return %first, %second : tensor<1x1xi64>, tensor<1x1xi64>
}

// -----

// Rows sorted by expert, cut into pieces of the sizes that the exporter's example input gave: 3 and 5 of the 8 rows it had.
func.func @main(%rows: tensor<?x4xf32> {moe.dims = ["2*tokens", "4"]}) -> (tensor<3x6xf32>, tensor<5x6xf32>) {
  %sizes = arith.constant dense<[3, 5]> : tensor<2xi64>
  %w0 = arith.constant dense<1.0> : tensor<4x6xf32>
  %w1 = arith.constant dense<2.0> : tensor<4x6xf32>
  // expected-error @+1 {{the rows of the tokens are divided among 2 experts in pieces of 3, 5 rows, as the exporter's example input chose them}}
  %first, %second = moe.onnx "Split"(%rows, %sizes) version 13 {axis = 0 : i64} : (tensor<?x4xf32>, tensor<2xi64>) -> (tensor<3x4xf32>, tensor<5x4xf32>)
  %y0 = moe.onnx "MatMul"(%first, %w0) version 13 {} : (tensor<3x4xf32>, tensor<4x6xf32>) -> tensor<3x6xf32>
  %y1 = moe.onnx "MatMul"(%second, %w1) version 13 {} : (tensor<5x4xf32>, tensor<4x6xf32>) -> tensor<5x6xf32>
  return %y0, %y1 : tensor<3x6xf32>, tensor<5x6xf32>
}

// -----

// Rows put in place of ones, which stay where a token has another expert.
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 576, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1088, length = 512>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1600, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %ids: tensor<?xi64> {moe.dims = ["tokens"]}) -> tensor<?x8xf32> {
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %n0 = arith.constant dense<0> : tensor<i64>
  %n1 = arith.constant dense<1> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<2x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %best = moe.onnx "ReduceMax"(%probs, %c1) version 18 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %shape = moe.onnx "Shape"(%x) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %start = moe.onnx "ConstantOfShape"(%shape) version 9 {value = dense<1.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x8xf32>
  %is0 = moe.onnx "Equal"(%ids, %n0) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %found0 = moe.onnx "NonZero"(%is0) version 13 {} : (tensor<?xi1>) -> tensor<1x?xi64>
  %at0 = moe.onnx "Transpose"(%found0) version 13 {perm = array<i64: 1, 0>} : (tensor<1x?xi64>) -> tensor<?x1xi64>
  %t0 = moe.onnx "Squeeze"(%at0, %c1) version 13 {} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %rows0 = moe.onnx "Gather"(%x, %t0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %g0 = moe.onnx "Gemm"(%rows0, %w1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %sum0 = moe.onnx "ScatterND"(%start, %at0, %y0) version 18 {} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %is1 = moe.onnx "Equal"(%ids, %n1) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %found1 = moe.onnx "NonZero"(%is1) version 13 {} : (tensor<?xi1>) -> tensor<1x?xi64>
  %at1 = moe.onnx "Transpose"(%found1) version 13 {perm = array<i64: 1, 0>} : (tensor<1x?xi64>) -> tensor<?x1xi64>
  %t1 = moe.onnx "Squeeze"(%at1, %c1) version 13 {} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %rows1 = moe.onnx "Gather"(%x, %t1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%rows1, %w1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  // expected-remark @+1 {{rows are put in the place of others by ids that may name none of the experts}}
  %sum1 = moe.onnx "ScatterND"(%sum0, %at1, %y1) version 18 {} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %out = moe.onnx "Mul"(%sum1, %best) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

