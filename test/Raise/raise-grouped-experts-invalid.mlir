// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-grouped-experts=remarks=true | FileCheck %s
// Graphs that differ from grouped experts in one place each. All stay as they are; without a remark where not even a range was found.
// CHECK-NOT: moe.experts
// Two ranges of the first product in the wrong order.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  // expected-note @+1 {{at this node}}
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{range 2 of the sorted rows stands at place 1}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// A range that starts one expert too early.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop0, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  // expected-note @+1 {{at this node}}
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{no range of the sorted rows}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The first range does not start at zero.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c11, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// A range of every other row.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c6) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  // expected-note @+1 {{at this node}}
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{no range of the sorted rows}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// One slice of a weight twice, another one never.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  // expected-note @+1 {{at this node}}
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{is not slice 1 of a stored weight}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The slices come from two weights.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
moe.weight @w_other : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %w_other = moe.weight_ref @w_other : tensor<3x8x32xf32>
  %o0, %o1, %o2 = moe.onnx "Split"(%w_other) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%o2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  // expected-note @+1 {{at this node}}
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{read different rows, ranges or weights}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The last expert is left out.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  // expected-note @+1 {{at this node}}
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{slices for more experts than the layer}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The running sum leaves out its own element.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  // expected-note @+1 {{at this node}}
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {exclusive = 1 : i64} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not a running sum}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The histogram does not start from zeros.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<[0.0, 1.0, 0.0]> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  // expected-note @+1 {{at this node}}
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{does not start from zeros}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The histogram counts by twos.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %c13 = arith.constant dense<2.0> : tensor<f32>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c13, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  // expected-note @+1 {{at this node}}
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{does not count by ones}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The histogram does not add.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "none"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  // expected-note @+1 {{at this node}}
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not over a histogram}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The bins are not the ids: id 1 counts as 2.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %c13 = arith.constant dense<0.5> : tensor<f32>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c13) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  // expected-note @+1 {{at this node}}
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not of the ids that the rows are sorted by}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The last expert counts as the one before.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c11) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  // expected-note @+1 {{at this node}}
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not of the ids that the rows are sorted by}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Sorted in descending order: the rows of expert 0 come last.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Only four of the ids are sorted.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %c13 = arith.constant dense<4> : tensor<1xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %c13) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Rows are divided by another number than K.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %c13 = arith.constant dense<4> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c13) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not the tokens in the order of the sort}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The correction is not zero: 1 is taken from every token.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %not_negative = moe.onnx "Not"(%negative) version 1 {} : (tensor<?xi1>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%not_negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%is_negative) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{not the tokens in the order of the sort}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The combine weights follow another permutation.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %token_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{do not follow the permutation}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The inverse permutation counts by two.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c6) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The rows are brought back by something that is no permutation.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %token_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The first bias is looked up by the permutation.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @b_up : tensor<3x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 384>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
moe.weight @b_down : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %b_up = moe.weight_ref @b_up : tensor<3x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %b_down = moe.weight_ref @b_down : tensor<3x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %sorted_index = moe.onnx "Unsqueeze"(%sorted, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %gathernd9 = moe.onnx "GatherND"(%b_up, %sorted_index) version 13 {} : (tensor<3x32xf32>, tensor<?x1xi64>) -> tensor<?x32xf32>
  %wrong_bias = moe.onnx "GatherND"(%b_up, %perm_index) version 13 {} : (tensor<3x32xf32>, tensor<?x1xi64>) -> tensor<?x32xf32>
  // expected-note @+1 {{at this node}}
  %up_biased = moe.onnx "Add"(%w_gate_up_all, %wrong_bias) version 14 {} : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%up_biased) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid10 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul11 = moe.onnx "Mul"(%gate, %sigmoid10) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul11, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %gathernd12 = moe.onnx "GatherND"(%b_down, %sorted_index) version 13 {} : (tensor<3x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %down_biased = moe.onnx "Add"(%w_down_all, %gathernd12) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%down_biased, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{neither side is the bias of the row's expert}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Ids from outside may be negative: the sort, the histogram and GatherND then disagree about them.
moe.weight @w_gate_up : tensor<3x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 3072>)
moe.weight @w_down : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %ids: tensor<?x2xi64> {moe.dims = ["tokens", "2"]}, %weights: tensor<?x2xf32> {moe.dims = ["tokens", "2"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<i64>
  %c3 = arith.constant dense<1> : tensor<1xi64>
  %c4 = arith.constant dense<0> : tensor<i64>
  %c5 = arith.constant dense<true> : tensor<i1>
  %c6 = arith.constant dense<2> : tensor<i64>
  %c7 = arith.constant dense<0.6666666865348816> : tensor<f32>
  %c8 = arith.constant dense<1.0> : tensor<f32>
  %zeros = arith.constant dense<0.0> : tensor<3xf32>
  %c10 = arith.constant dense<0> : tensor<1xi64>
  %c11 = arith.constant dense<1> : tensor<i64>
  %c12 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<3x8x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<3x16x8xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n_shape = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %gather1 = moe.onnx "Gather"(%n_shape, %c2) version 13 {axis = 0 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %n = moe.onnx "Reshape"(%gather1, %c3) version 19 {} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  // expected-note @+1 {{at this node}}
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %negative = moe.onnx "Less"(%perm, %c4) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi1>
  %is_negative = moe.onnx "Equal"(%negative, %c5) version 19 {} : (tensor<?xi1>, tensor<i1>) -> tensor<?xi1>
  %mod2 = moe.onnx "Mod"(%perm, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %cast3 = moe.onnx "Cast"(%mod2) version 19 {to = 9 : i64} : (tensor<?xi64>) -> tensor<?xi1>
  %quotient = moe.onnx "Div"(%perm, %c6) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %and4 = moe.onnx "And"(%is_negative, %cast3) version 7 {} : (tensor<?xi1>, tensor<?xi1>) -> tensor<?xi1>
  %correction = moe.onnx "Cast"(%and4) version 19 {to = 7 : i64} : (tensor<?xi1>) -> tensor<?xi64>
  %token_of = moe.onnx "Sub"(%quotient, %correction) version 14 {} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token_of, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %xs = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %perm_index = moe.onnx "Unsqueeze"(%perm, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %cast5 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin = moe.onnx "Div"(%cast5, %c7) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %cast6 = moe.onnx "Cast"(%bin) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%cast6, %c4, %c6) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %shape7 = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%c8, %shape7) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%zeros, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"} : (tensor<3xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<3xf32>
  %cast8 = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<3xf32>) -> tensor<3xi32>
  %running = moe.onnx "CumSum"(%cast8, %c4) version 14 {} : (tensor<3xi32>, tensor<i64>) -> tensor<3xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<3xi32>) -> tensor<3xi64>
  %end0, %end1, %end2 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop2 = moe.onnx "Squeeze"(%end2, %c10) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%c4, %stop0, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range2 = moe.onnx "Range"(%stop1, %stop2, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %w_gate_up_0, %w_gate_up_1, %w_gate_up_2 = moe.onnx "Split"(%w_gate_up) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x8x32xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>)
  %w_gate_up_rows0 = moe.onnx "Gather"(%xs, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix0 = moe.onnx "Squeeze"(%w_gate_up_0, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product0 = moe.onnx "MatMul"(%w_gate_up_rows0, %w_gate_up_matrix0) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows1 = moe.onnx "Gather"(%xs, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix1 = moe.onnx "Squeeze"(%w_gate_up_1, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product1 = moe.onnx "MatMul"(%w_gate_up_rows1, %w_gate_up_matrix1) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_rows2 = moe.onnx "Gather"(%xs, %range2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %w_gate_up_matrix2 = moe.onnx "Squeeze"(%w_gate_up_2, %c10) version 13 {} : (tensor<1x8x32xf32>, tensor<1xi64>) -> tensor<8x32xf32>
  %w_gate_up_product2 = moe.onnx "MatMul"(%w_gate_up_rows2, %w_gate_up_matrix2) version 13 {} : (tensor<?x8xf32>, tensor<8x32xf32>) -> tensor<?x32xf32>
  %w_gate_up_all = moe.onnx "Concat"(%w_gate_up_product0, %w_gate_up_product1, %w_gate_up_product2) version 13 {axis = 0 : i64} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%w_gate_up_all) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid9 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul10 = moe.onnx "Mul"(%gate, %sigmoid9) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul10, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %w_down_0, %w_down_1, %w_down_2 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 3 : i64} : (tensor<3x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %w_down_rows0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix0 = moe.onnx "Squeeze"(%w_down_0, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product0 = moe.onnx "MatMul"(%w_down_rows0, %w_down_matrix0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix1 = moe.onnx "Squeeze"(%w_down_1, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product1 = moe.onnx "MatMul"(%w_down_rows1, %w_down_matrix1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_rows2 = moe.onnx "Gather"(%h, %range2) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %w_down_matrix2 = moe.onnx "Squeeze"(%w_down_2, %c10) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %w_down_product2 = moe.onnx "MatMul"(%w_down_rows2, %w_down_matrix2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %w_down_all = moe.onnx "Concat"(%w_down_product0, %w_down_product1, %w_down_product2) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%w_down_all, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p_shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%p_shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%c4, %p_shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%c4, %count, %c11) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %c12) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{may lie outside of the histogram}}
  %out = moe.onnx "ReduceSum"(%per_choice, %c3) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// One of two columns of ids comes from outside and may be anything.
moe.weight @w_up : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w_down : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @ids_side_by_side_with_any(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %scores: tensor<?x2xf32> {moe.dims = ["tokens", "2"]},
    %rest: tensor<?x2xf32> {moe.dims = ["tokens", "2"]}, %weights: tensor<?x2xf32> {moe.dims = ["tokens", "2"]}, %any: tensor<?x1xi64> {moe.dims = ["tokens", "1"]}) -> tensor<?x8xf32> {
  %first = arith.constant dense<0> : tensor<1xi64>
  %one = arith.constant dense<1> : tensor<1xi64>
  %last = arith.constant dense<-1> : tensor<1xi64>
  %choices = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %i0 = arith.constant dense<0> : tensor<i64>
  %i1 = arith.constant dense<1> : tensor<i64>
  %i2 = arith.constant dense<2> : tensor<i64>
  %none = arith.constant dense<0.0> : tensor<2xf32>
  %once = arith.constant dense<1.0> : tensor<f32>
  %bin_width = arith.constant dense<0.5> : tensor<f32>
  %k = arith.constant dense<2> : tensor<1xi64>
  %w_up = moe.weight_ref @w_up : tensor<2x8x16xf32>
  %w_down = moe.weight_ref @w_down : tensor<2x16x8xf32>
  // One choice after the other, as the sparse mixer makes them: each an ArgMax, side by side.
  %first_id = moe.onnx "ArgMax"(%scores) version 13 {axis = -1 : i64, keepdims = 1 : i64} : (tensor<?x2xf32>) -> tensor<?x1xi64>
  %second_id = moe.onnx "ArgMax"(%rest) version 13 {axis = -1 : i64, keepdims = 1 : i64} : (tensor<?x2xf32>) -> tensor<?x1xi64>
  %ids = moe.onnx "Concat"(%first_id, %any) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  // Rows in the order of their experts.
  %flat_ids = moe.onnx "Reshape"(%ids, %last) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %n = moe.onnx "Shape"(%flat_ids) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  // expected-note @+1 {{at this node}}
  %sorted, %perm = moe.onnx "TopK"(%flat_ids, %n) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64}
      : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %perm_index = moe.onnx "Unsqueeze"(%perm, %last) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %token = moe.onnx "Div"(%perm, %i2) version 14 {} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %token_index = moe.onnx "Unsqueeze"(%token, %last) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %rows = moe.onnx "GatherND"(%x, %token_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %last) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %sorted_weights = moe.onnx "GatherND"(%flat_weights, %perm_index) version 13 {} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  // Where each expert's rows end.
  %sorted_f32 = moe.onnx "Cast"(%sorted) version 19 {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %bin_f32 = moe.onnx "Div"(%sorted_f32, %bin_width) version 14 {} : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>
  %bin = moe.onnx "Cast"(%bin_f32) version 19 {to = 7 : i64} : (tensor<?xf32>) -> tensor<?xi64>
  %bins = moe.onnx "Clip"(%bin, %i0, %i1) version 13 {} : (tensor<?xi64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %bins_shape = moe.onnx "Shape"(%bins) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %ones = moe.onnx "Expand"(%once, %bins_shape) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  %histogram = moe.onnx "ScatterElements"(%none, %bins, %ones) version 18 {axis = 0 : i64, reduction = "add"}
      : (tensor<2xf32>, tensor<?xi64>, tensor<?xf32>) -> tensor<2xf32>
  %counts = moe.onnx "Cast"(%histogram) version 19 {to = 6 : i64} : (tensor<2xf32>) -> tensor<2xi32>
  %running = moe.onnx "CumSum"(%counts, %i0) version 14 {} : (tensor<2xi32>, tensor<i64>) -> tensor<2xi32>
  %ends = moe.onnx "Cast"(%running) version 19 {to = 7 : i64} : (tensor<2xi32>) -> tensor<2xi64>
  %end0, %end1 = moe.onnx "Split"(%ends) version 18 {axis = 0 : i64, num_outputs = 2 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %stop0 = moe.onnx "Squeeze"(%end0, %first) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %stop1 = moe.onnx "Squeeze"(%end1, %first) version 13 {} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %range0 = moe.onnx "Range"(%i0, %stop0, %i1) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range1 = moe.onnx "Range"(%stop0, %stop1, %i1) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  // Each expert's two products on its range of rows.
  %up0, %up1 = moe.onnx "Split"(%w_up) version 18 {axis = 0 : i64, num_outputs = 2 : i64}
      : (tensor<2x8x16xf32>) -> (tensor<1x8x16xf32>, tensor<1x8x16xf32>)
  %x0 = moe.onnx "Gather"(%rows, %range0) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %u0 = moe.onnx "Squeeze"(%up0, %first) version 13 {} : (tensor<1x8x16xf32>, tensor<1xi64>) -> tensor<8x16xf32>
  %h0 = moe.onnx "MatMul"(%x0, %u0) version 13 {} : (tensor<?x8xf32>, tensor<8x16xf32>) -> tensor<?x16xf32>
  %x1 = moe.onnx "Gather"(%rows, %range1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %u1 = moe.onnx "Squeeze"(%up1, %first) version 13 {} : (tensor<1x8x16xf32>, tensor<1xi64>) -> tensor<8x16xf32>
  %h1 = moe.onnx "MatMul"(%x1, %u1) version 13 {} : (tensor<?x8xf32>, tensor<8x16xf32>) -> tensor<?x16xf32>
  %h_all = moe.onnx "Concat"(%h0, %h1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Relu"(%h_all) version 14 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %down0, %down1 = moe.onnx "Split"(%w_down) version 18 {axis = 0 : i64, num_outputs = 2 : i64}
      : (tensor<2x16x8xf32>) -> (tensor<1x16x8xf32>, tensor<1x16x8xf32>)
  %r0 = moe.onnx "Gather"(%h, %range0) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %d0 = moe.onnx "Squeeze"(%down0, %first) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %y0 = moe.onnx "MatMul"(%r0, %d0) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %r1 = moe.onnx "Gather"(%h, %range1) version 13 {axis = 0 : i64} : (tensor<?x16xf32>, tensor<?xi64>) -> tensor<?x16xf32>
  %d1 = moe.onnx "Squeeze"(%down1, %first) version 13 {} : (tensor<1x16x8xf32>, tensor<1xi64>) -> tensor<16x8xf32>
  %y1 = moe.onnx "MatMul"(%r1, %d1) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %y = moe.onnx "Concat"(%y0, %y1) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  // Weighted, back in the order of the tokens, and summed over a token's choices.
  %weight_column = moe.onnx "Unsqueeze"(%sorted_weights, %last) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %shape = moe.onnx "Shape"(%perm) version 19 {} : (tensor<?xi64>) -> tensor<1xi64>
  %count = moe.onnx "Squeeze"(%shape) version 13 {} : (tensor<1xi64>) -> tensor<i64>
  %blank = moe.onnx "Expand"(%i0, %shape) version 13 {} : (tensor<i64>, tensor<1xi64>) -> tensor<?xi64>
  %places = moe.onnx "Range"(%i0, %count, %i1) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %inverse = moe.onnx "ScatterND"(%blank, %perm_index, %places) version 18 {} : (tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64>) -> tensor<?xi64>
  %inverse_index = moe.onnx "Unsqueeze"(%inverse, %last) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %unsorted = moe.onnx "GatherND"(%weighted, %inverse_index) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%unsorted, %choices) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  // expected-remark @+1 {{may lie outside of the histogram}}
  %out = moe.onnx "ReduceSum"(%per_choice, %one) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}
