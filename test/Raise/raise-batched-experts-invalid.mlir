// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-batched-experts=remarks=true | FileCheck %s
// Graphs that look like experts with gathered matrices and are none. Each stays as it is.
// CHECK-NOT: moe.experts
// The second product reads its weights by other ids.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %neg1 = moe.onnx "Neg"(%probs) version 13 {} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %v2, %ids_2 = moe.onnx "TopK"(%neg1, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %reshape2 = moe.onnx "Reshape"(%ids_2, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx2 = moe.onnx "Unsqueeze"(%reshape2, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  // expected-note @+1 {{at this node}}
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze3 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze3) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%y_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid4 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul5 = moe.onnx "Mul"(%gate, %sigmoid4) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul5, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx2) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze6 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze6) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape7 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze8 = moe.onnx "Unsqueeze"(%reshape7, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze8) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not looked up by the layer}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Tokens are repeated twice, but four rows are summed.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 4, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  // expected-note @+1 {{at this node}}
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze1) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%y_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid2 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul3 = moe.onnx "Mul"(%gate, %sigmoid2) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul3, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze4 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze4) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape5 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze6 = moe.onnx "Unsqueeze"(%reshape5, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze6) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x4x8xf32>
  // expected-remark @+1 {{the tokens are not repeated K times each}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x4x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// No activation that experts know.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze1) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%y_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sin2 = moe.onnx "Sin"(%gate) version 7 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%sin2, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  // expected-note @+1 {{at this node}}
  %unsqueeze3 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze3) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape4 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze5 = moe.onnx "Unsqueeze"(%reshape4, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze5) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{no known activation}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The gate is every second column, and the up part the first half.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze1) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %ends = arith.constant dense<9223372036854775807> : tensor<1xi64>
  %first = arith.constant dense<0> : tensor<1xi64>
  %half = arith.constant dense<16> : tensor<1xi64>
  %up = moe.onnx "Slice"(%y_w_gate_up, %first, %half, %c2, %c2) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %gate = moe.onnx "Slice"(%y_w_gate_up, %c2, %ends, %c2, %c0) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %sigmoid2 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul3 = moe.onnx "Mul"(%gate, %sigmoid2) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul3, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  // expected-note @+1 {{at this node}}
  %unsqueeze4 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze4) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape5 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze6 = moe.onnx "Unsqueeze"(%reshape5, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze6) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not halves, alternate columns}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// One half of the columns is both.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze1) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %unread, %up = moe.onnx "Split"(%y_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid2 = moe.onnx "Sigmoid"(%up) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul3 = moe.onnx "Mul"(%up, %sigmoid2) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul3, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  // expected-note @+1 {{at this node}}
  %unsqueeze4 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze4) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape5 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze6 = moe.onnx "Unsqueeze"(%reshape5, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze6) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not halves, alternate columns}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The split is of rows that were regrouped: its halves are no gate and up.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %c6 = arith.constant dense<[-1, 16]> : tensor<2xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze1) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_flat = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %regrouped = moe.onnx "Reshape"(%y_flat, %c6) version 19 {} : (tensor<?x32xf32>, tensor<2xi64>) -> tensor<?x16xf32>
  %gate, %up = moe.onnx "Split"(%regrouped) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x16xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>)
  %sigmoid2 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %mul3 = moe.onnx "Mul"(%gate, %sigmoid2) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %h = moe.onnx "Mul"(%mul3, %up) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %h2 = moe.onnx "Reshape"(%h, %c6) version 19 {} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  // expected-note @+1 {{at this node}}
  %unsqueeze4 = moe.onnx "Unsqueeze"(%h2, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze4) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape5 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze6 = moe.onnx "Unsqueeze"(%reshape5, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze6) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{a part of a reshaped product}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Gate and up have different limits.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<0> : tensor<1xi64>
  %c6 = arith.constant dense<9223372036854775807> : tensor<1xi64>
  %c7 = arith.constant dense<7.0> : tensor<f32>
  %c8 = arith.constant dense<-7.0> : tensor<f32>
  %c9 = arith.constant dense<1.7020000219345093> : tensor<f32>
  %c10 = arith.constant dense<1.0> : tensor<f32>
  %c11 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %c12 = arith.constant dense<6.0> : tensor<f32>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x16x8xf32>
  %none = moe.absent : none
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x8x32xf32>, tensor<?x1xi64>) -> tensor<?x8x32xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%unsqueeze1, %g_w_gate_up) version 13 {} : (tensor<?x1x8xf32>, tensor<?x8x32xf32>) -> tensor<?x1x32xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c2) version 13 {} : (tensor<?x1x32xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gate = moe.onnx "Slice"(%y_w_gate_up, %c5, %c6, %c2, %c0) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %up = moe.onnx "Slice"(%y_w_gate_up, %c2, %c6, %c2, %c0) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %clip2 = moe.onnx "Clip"(%gate, %none, %c12) version 13 {} : (tensor<?x16xf32>, none, tensor<f32>) -> tensor<?x16xf32>
  %clip3 = moe.onnx "Clip"(%up, %c8, %c7) version 13 {} : (tensor<?x16xf32>, tensor<f32>, tensor<f32>) -> tensor<?x16xf32>
  %mul4 = moe.onnx "Mul"(%clip2, %c9) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %sigmoid5 = moe.onnx "Sigmoid"(%mul4) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul6 = moe.onnx "Mul"(%clip2, %sigmoid5) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %add7 = moe.onnx "Add"(%clip3, %c10) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul6, %add7) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x16x8xf32>, tensor<?x1xi64>) -> tensor<?x16x8xf32>
  // expected-note @+1 {{at this node}}
  %unsqueeze8 = moe.onnx "Unsqueeze"(%h, %c2) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x1x16xf32>
  %mm_w_down = moe.onnx "MatMul"(%unsqueeze8, %g_w_down) version 13 {} : (tensor<?x1x16xf32>, tensor<?x16x8xf32>) -> tensor<?x1x8xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c2) version 13 {} : (tensor<?x1x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape9 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze10 = moe.onnx "Unsqueeze"(%reshape9, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze10) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c11) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{different limits}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The gate is clamped from below as well.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<0> : tensor<1xi64>
  %c6 = arith.constant dense<9223372036854775807> : tensor<1xi64>
  %c7 = arith.constant dense<7.0> : tensor<f32>
  %c8 = arith.constant dense<-7.0> : tensor<f32>
  %c9 = arith.constant dense<1.7020000219345093> : tensor<f32>
  %c10 = arith.constant dense<1.0> : tensor<f32>
  %c11 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x8x32xf32>, tensor<?x1xi64>) -> tensor<?x8x32xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%unsqueeze1, %g_w_gate_up) version 13 {} : (tensor<?x1x8xf32>, tensor<?x8x32xf32>) -> tensor<?x1x32xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c2) version 13 {} : (tensor<?x1x32xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gate = moe.onnx "Slice"(%y_w_gate_up, %c5, %c6, %c2, %c0) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %up = moe.onnx "Slice"(%y_w_gate_up, %c2, %c6, %c2, %c0) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %clip2 = moe.onnx "Clip"(%gate, %c8, %c7) version 13 {} : (tensor<?x16xf32>, tensor<f32>, tensor<f32>) -> tensor<?x16xf32>
  %clip3 = moe.onnx "Clip"(%up, %c8, %c7) version 13 {} : (tensor<?x16xf32>, tensor<f32>, tensor<f32>) -> tensor<?x16xf32>
  %mul4 = moe.onnx "Mul"(%clip2, %c9) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %sigmoid5 = moe.onnx "Sigmoid"(%mul4) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul6 = moe.onnx "Mul"(%clip2, %sigmoid5) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %add7 = moe.onnx "Add"(%clip3, %c10) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul6, %add7) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x16x8xf32>, tensor<?x1xi64>) -> tensor<?x16x8xf32>
  // expected-note @+1 {{at this node}}
  %unsqueeze8 = moe.onnx "Unsqueeze"(%h, %c2) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x1x16xf32>
  %mm_w_down = moe.onnx "MatMul"(%unsqueeze8, %g_w_down) version 13 {} : (tensor<?x1x16xf32>, tensor<?x16x8xf32>) -> tensor<?x1x8xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c2) version 13 {} : (tensor<?x1x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape9 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze10 = moe.onnx "Unsqueeze"(%reshape9, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze10) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c11) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{clamped in a way}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The second weight is an input of the model, not stored in it.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %w_down: tensor<4x8x16xf32> {moe.dims = ["4", "8", "16"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  // expected-note @+1 {{at this node}}
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  // expected-remark @+1 {{its matrices are picked by ids as those of experts are, but it is in no weighted expert that is known}}
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze1) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%y_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid2 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul3 = moe.onnx "Mul"(%gate, %sigmoid2) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul3, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze4 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze4) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape5 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze6 = moe.onnx "Unsqueeze"(%reshape5, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze6) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// All tokens K times after each other, not each token K times.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %c6 = arith.constant dense<0> : tensor<1xi64>
  %c7 = arith.constant dense<[2, 1, 1]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c6) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<1x?x8xf32>
  // expected-note @+1 {{at this node}}
  %xk = moe.onnx "Expand"(%x3, %c7) version 13 {} : (tensor<1x?x8xf32>, tensor<3xi64>) -> tensor<2x?x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<2x?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze1) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%y_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid2 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul3 = moe.onnx "Mul"(%gate, %sigmoid2) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul3, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze4 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze4) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape5 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze6 = moe.onnx "Unsqueeze"(%reshape5, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze6) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not repeated K times each}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The first bias is looked up by other ids.
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @b_gate_up : tensor<4x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 512>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @b_down : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %b_gate_up = moe.weight_ref @b_gate_up : tensor<4x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %b_down = moe.weight_ref @b_down : tensor<4x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %neg1 = moe.onnx "Neg"(%probs) version 13 {} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %v2, %ids_2 = moe.onnx "TopK"(%neg1, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %reshape2 = moe.onnx "Reshape"(%ids_2, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx2 = moe.onnx "Unsqueeze"(%reshape2, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze3 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze3) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gathernd4 = moe.onnx "GatherND"(%b_gate_up, %idx2) version 13 {} : (tensor<4x32xf32>, tensor<?x1xi64>) -> tensor<?x32xf32>
  // expected-note @+1 {{at this node}}
  %b_w_gate_up = moe.onnx "Add"(%y_w_gate_up, %gathernd4) version 14 {} : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%b_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid5 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul6 = moe.onnx "Mul"(%gate, %sigmoid5) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul6, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze7 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze7) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %gathernd8 = moe.onnx "GatherND"(%b_down, %idx) version 13 {} : (tensor<4x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %b_w_down = moe.onnx "Add"(%y_w_down, %gathernd8) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %reshape9 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze10 = moe.onnx "Unsqueeze"(%reshape9, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%b_w_down, %unsqueeze10) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{neither side is the bias of the row's expert}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}
