// RUN: moe-opt %s -split-input-file --moe-raise-batched-experts=remarks=true | FileCheck %s
// The example of the pass: SiLU, gate and up in halves of one weight, ids and weights of any router.

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK-DAG: %[[W1:.*]] = moe.weight_ref @w_gate_up
// CHECK-DAG: %[[W2:.*]] = moe.weight_ref @w_down
// CHECK: %[[IDS:[^ ,]+]]:2 = moe.onnx "TopK"
// CHECK: %[[DIV:.*]] = moe.onnx "Div"
// CHECK: %[[W:.*]] = moe.onnx "Reshape"(%[[DIV]], {{.*}} -> tensor<?xf32>
// CHECK: %[[T:.*]], %[[E:.*]], %[[R:.*]], %[[V:.*]] = moe.assign %[[IDS]]#1 : tensor<?x2xi64>
// CHECK: %[[SLOT:.*]], %[[KEEP:.*]], %[[COUNT:.*]], %[[OFF:.*]] = moe.slots %[[T]], %[[E]], %[[R]], %[[V]] {experts = 4 : i64}
// CHECK-SAME: -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
// CHECK: %[[ROWS:.*]] = moe.dispatch ragged %[[X]], %[[T]], %[[E]], %[[SLOT]], %[[KEEP]], %[[OFF]]
// CHECK: %[[Y:.*]] = moe.experts %[[ROWS]], %[[OFF]] gate(%[[W1]] : tensor<4x32x8xf32>) down(%[[W2]] : tensor<4x8x16xf32>)
// CHECK-SAME: ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"moe_layer_0", "batched">
// CHECK-NOT: order
// CHECK: %[[N:.*]] = tensor.dim %[[X]]
// CHECK: %[[OUT:.*]] = moe.combine %[[Y]], %[[T]], %[[E]], %[[SLOT]], %[[KEEP]], %[[W]] tokens(%[[N]])
// CHECK-NOT: GatherND
// CHECK: return %[[OUT]] : tensor<?x8xf32>
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

// Tile instead of Expand, [E, in, out] weights on the right of the product, biases, and the gate of gpt-oss: alternate columns, clamped.
// Biases that are small constants become stored weights as well.

// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<4x8x32xf32>) gate_bias(%{{.*}} : tensor<4x32xf32>)
// CHECK-SAME: down(%{{.*}} : tensor<4x16x8xf32>) down_bias(%{{.*}} : tensor<4x8xf32>)
// CHECK-SAME: ffn = #moe.ffn<activation = silu, gate = interleaved, alpha = 1.70{{.*}} : f64, up_offset = 1.000000e+00 : f64, limit = 7.000000e+00 : f64>
// CHECK-SAME: order = #moe<weight_order in_out>
// CHECK-NOT: MatMul
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x8x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @b_gate_up : tensor<4x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 512>)
moe.weight @w_down : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @b_down : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<1> : tensor<1xi64>
  %c2 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c3 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c4 = arith.constant dense<-1> : tensor<1xi64>
  %c5 = arith.constant dense<0> : tensor<1xi64>
  %c6 = arith.constant dense<9223372036854775807> : tensor<1xi64>
  %c7 = arith.constant dense<7.0> : tensor<f32>
  %c8 = arith.constant dense<-7.0> : tensor<f32>
  %c9 = arith.constant dense<1.7020000219345093> : tensor<f32>
  %c10 = arith.constant dense<1.0> : tensor<f32>
  %c11 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x8x32xf32>
  %b_gate_up = moe.weight_ref @b_gate_up : tensor<4x32xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x16x8xf32>
  %b_down = moe.weight_ref @b_down : tensor<4x8xf32>
  %none = moe.absent : none
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%logits, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %weights = moe.onnx "Softmax"(%values) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Tile"(%x3, %c2) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c3) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c4) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c4) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x8x32xf32>, tensor<?x1xi64>) -> tensor<?x8x32xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%unsqueeze1, %g_w_gate_up) version 13 {} : (tensor<?x1x8xf32>, tensor<?x8x32xf32>) -> tensor<?x1x32xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x1x32xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gathernd2 = moe.onnx "GatherND"(%b_gate_up, %idx) version 13 {} : (tensor<4x32xf32>, tensor<?x1xi64>) -> tensor<?x32xf32>
  %b_w_gate_up = moe.onnx "Add"(%y_w_gate_up, %gathernd2) version 14 {} : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %gate = moe.onnx "Slice"(%b_w_gate_up, %c5, %c6, %c1, %c0) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %up = moe.onnx "Slice"(%b_w_gate_up, %c1, %c6, %c1, %c0) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %clip3 = moe.onnx "Clip"(%gate, %none, %c7) version 13 {} : (tensor<?x16xf32>, none, tensor<f32>) -> tensor<?x16xf32>
  %clip4 = moe.onnx "Clip"(%up, %c8, %c7) version 13 {} : (tensor<?x16xf32>, tensor<f32>, tensor<f32>) -> tensor<?x16xf32>
  %mul5 = moe.onnx "Mul"(%clip3, %c9) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %sigmoid6 = moe.onnx "Sigmoid"(%mul5) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul7 = moe.onnx "Mul"(%clip3, %sigmoid6) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %add8 = moe.onnx "Add"(%clip4, %c10) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul7, %add8) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x16x8xf32>, tensor<?x1xi64>) -> tensor<?x16x8xf32>
  %unsqueeze9 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x1x16xf32>
  %mm_w_down = moe.onnx "MatMul"(%unsqueeze9, %g_w_down) version 13 {} : (tensor<?x1x16xf32>, tensor<?x16x8xf32>) -> tensor<?x1x8xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x1x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %gathernd10 = moe.onnx "GatherND"(%b_down, %idx) version 13 {} : (tensor<4x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %b_w_down = moe.onnx "Add"(%y_w_down, %gathernd10) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %reshape11 = moe.onnx "Reshape"(%weights, %c4) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze12 = moe.onnx "Unsqueeze"(%reshape11, %c4) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%b_w_down, %unsqueeze12) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c11) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c1) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// f16: the router's casts, the cast before the weighted sum and the one behind it. The weights stay f16, rows and sum are f32.

// CHECK: moe.dispatch ragged {{.*}} -> tensor<?x8xf32>
// CHECK: moe.experts {{.*}}xf16>) {{.*}} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
// CHECK: moe.combine {{.*}} -> tensor<?x8xf32>
// CHECK: moe.onnx "Cast"
moe.weight @wr : tensor<4x8xf16> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w_gate_up : tensor<4x32x8xf16> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w_down : tensor<4x8x16xf16> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
func.func @main(%x: tensor<?x8xf16> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf16> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf16>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf16>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf16>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf16>, tensor<4x8xf16>) -> tensor<?x4xf16>
  %logits32 = moe.onnx "Cast"(%logits) version 19 {to = 1 : i64} : (tensor<?x4xf16>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits32) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c2) version 13 {} : (tensor<?x8xf16>, tensor<1xi64>) -> tensor<?x1x8xf16>
  %xk = moe.onnx "Expand"(%x3, %c3) version 13 {} : (tensor<?x1x8xf16>, tensor<3xi64>) -> tensor<?x2x8xf16>
  %rows = moe.onnx "Reshape"(%xk, %c4) version 19 {} : (tensor<?x2x8xf16>, tensor<2xi64>) -> tensor<?x8xf16>
  %idf = moe.onnx "Reshape"(%ids, %c1) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c1) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf16>, tensor<?x1xi64>) -> tensor<?x32x8xf16>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf16>, tensor<1xi64>) -> tensor<?x8x1xf16>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze1) version 13 {} : (tensor<?x32x8xf16>, tensor<?x8x1xf16>) -> tensor<?x32x1xf16>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c1) version 13 {} : (tensor<?x32x1xf16>, tensor<1xi64>) -> tensor<?x32xf16>
  %gate, %up = moe.onnx "Split"(%y_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf16>) -> (tensor<?x16xf16>, tensor<?x16xf16>)
  %sigmoid2 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf16>) -> tensor<?x16xf16>
  %mul3 = moe.onnx "Mul"(%gate, %sigmoid2) version 14 {} : (tensor<?x16xf16>, tensor<?x16xf16>) -> tensor<?x16xf16>
  %h = moe.onnx "Mul"(%mul3, %up) version 14 {} : (tensor<?x16xf16>, tensor<?x16xf16>) -> tensor<?x16xf16>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf16>, tensor<?x1xi64>) -> tensor<?x8x16xf16>
  %unsqueeze4 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf16>, tensor<1xi64>) -> tensor<?x16x1xf16>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze4) version 13 {} : (tensor<?x8x16xf16>, tensor<?x16x1xf16>) -> tensor<?x8x1xf16>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf16>, tensor<1xi64>) -> tensor<?x8xf16>
  %y32 = moe.onnx "Cast"(%y_w_down) version 19 {to = 1 : i64} : (tensor<?x8xf16>) -> tensor<?x8xf32>
  %reshape5 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze6 = moe.onnx "Unsqueeze"(%reshape5, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y32, %unsqueeze6) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %y = moe.onnx "Cast"(%out) version 19 {to = 10 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

// Gate and up as two products; SiLU with its factors the other way round.

// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<4x16x8xf32>) up(%{{.*}} : tensor<4x16x8xf32>) down(%{{.*}} : tensor<4x8x16xf32>)
// CHECK-SAME: ffn = #moe.ffn<activation = silu, gate = separate>
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w_up : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_gate = moe.weight_ref @w_gate : tensor<4x16x8xf32>
  %w_up = moe.weight_ref @w_up : tensor<4x16x8xf32>
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
  %g_w_gate = moe.onnx "GatherND"(%w_gate, %idx) version 13 {} : (tensor<4x16x8xf32>, tensor<?x1xi64>) -> tensor<?x16x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate = moe.onnx "MatMul"(%g_w_gate, %unsqueeze1) version 13 {} : (tensor<?x16x8xf32>, tensor<?x8x1xf32>) -> tensor<?x16x1xf32>
  %y_w_gate = moe.onnx "Squeeze"(%mm_w_gate, %c1) version 13 {} : (tensor<?x16x1xf32>, tensor<1xi64>) -> tensor<?x16xf32>
  %g_w_up = moe.onnx "GatherND"(%w_up, %idx) version 13 {} : (tensor<4x16x8xf32>, tensor<?x1xi64>) -> tensor<?x16x8xf32>
  %unsqueeze2 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_up = moe.onnx "MatMul"(%g_w_up, %unsqueeze2) version 13 {} : (tensor<?x16x8xf32>, tensor<?x8x1xf32>) -> tensor<?x16x1xf32>
  %y_w_up = moe.onnx "Squeeze"(%mm_w_up, %c1) version 13 {} : (tensor<?x16x1xf32>, tensor<1xi64>) -> tensor<?x16xf32>
  %sigmoid3 = moe.onnx "Sigmoid"(%y_w_gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul4 = moe.onnx "Mul"(%sigmoid3, %y_w_gate) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul4, %y_w_up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze5 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze5) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape6 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze7 = moe.onnx "Unsqueeze"(%reshape6, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze7) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Halves by Slice; GELU by its error function.

// CHECK: ffn = #moe.ffn<activation = gelu_erf, gate = halves>
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<0> : tensor<1xi64>
  %c6 = arith.constant dense<16> : tensor<1xi64>
  %c7 = arith.constant dense<9223372036854775807> : tensor<1xi64>
  %c8 = arith.constant dense<1.4142135381698608> : tensor<f32>
  %c9 = arith.constant dense<1.0> : tensor<f32>
  %c10 = arith.constant dense<0.5> : tensor<f32>
  %c11 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
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
  %gate = moe.onnx "Slice"(%y_w_gate_up, %c5, %c6, %c2) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %up = moe.onnx "Slice"(%y_w_gate_up, %c6, %c7, %c2) version 13 {} : (tensor<?x32xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x16xf32>
  %div2 = moe.onnx "Div"(%gate, %c8) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %erf3 = moe.onnx "Erf"(%div2) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %add4 = moe.onnx "Add"(%erf3, %c9) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %mul5 = moe.onnx "Mul"(%gate, %add4) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul6 = moe.onnx "Mul"(%mul5, %c10) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul6, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze7 = moe.onnx "Unsqueeze"(%h, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze7) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape8 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze9 = moe.onnx "Unsqueeze"(%reshape8, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze9) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c11) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// GELU by tanh, not gated.

// CHECK: ffn = #moe.ffn<activation = gelu_tanh>
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_up : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c4 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c5 = arith.constant dense<3.0> : tensor<f32>
  %c6 = arith.constant dense<0.044714998453855515> : tensor<f32>
  %c7 = arith.constant dense<0.7978845834732056> : tensor<f32>
  %c8 = arith.constant dense<0.5> : tensor<f32>
  %c9 = arith.constant dense<1.0> : tensor<f32>
  %c10 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %wr = moe.weight_ref @wr : tensor<4x8xf32>
  %w_up = moe.weight_ref @w_up : tensor<4x16x8xf32>
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
  %g_w_up = moe.onnx "GatherND"(%w_up, %idx) version 13 {} : (tensor<4x16x8xf32>, tensor<?x1xi64>) -> tensor<?x16x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_up = moe.onnx "MatMul"(%g_w_up, %unsqueeze1) version 13 {} : (tensor<?x16x8xf32>, tensor<?x8x1xf32>) -> tensor<?x16x1xf32>
  %y_w_up = moe.onnx "Squeeze"(%mm_w_up, %c1) version 13 {} : (tensor<?x16x1xf32>, tensor<1xi64>) -> tensor<?x16xf32>
  %pow2 = moe.onnx "Pow"(%y_w_up, %c5) version 15 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %mul3 = moe.onnx "Mul"(%pow2, %c6) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %add4 = moe.onnx "Add"(%y_w_up, %mul3) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul5 = moe.onnx "Mul"(%add4, %c7) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %tanh6 = moe.onnx "Tanh"(%mul5) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul7 = moe.onnx "Mul"(%y_w_up, %c8) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %add8 = moe.onnx "Add"(%tanh6, %c9) version 14 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<?x16xf32>
  %mul9 = moe.onnx "Mul"(%mul7, %add8) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze10 = moe.onnx "Unsqueeze"(%mul9, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze10) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape11 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze12 = moe.onnx "Unsqueeze"(%reshape11, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze12) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c10) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// ReLU with biases, not gated.

// CHECK: moe.experts {{.*}} gate_bias({{.*}} down_bias({{.*}}ffn = #moe.ffn<activation = relu>
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_up : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @b_up : tensor<4x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 256>)
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
  %w_up = moe.weight_ref @w_up : tensor<4x16x8xf32>
  %b_up = moe.weight_ref @b_up : tensor<4x16xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %b_down = moe.weight_ref @b_down : tensor<4x8xf32>
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
  %g_w_up = moe.onnx "GatherND"(%w_up, %idx) version 13 {} : (tensor<4x16x8xf32>, tensor<?x1xi64>) -> tensor<?x16x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c1) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_up = moe.onnx "MatMul"(%g_w_up, %unsqueeze1) version 13 {} : (tensor<?x16x8xf32>, tensor<?x8x1xf32>) -> tensor<?x16x1xf32>
  %y_w_up = moe.onnx "Squeeze"(%mm_w_up, %c1) version 13 {} : (tensor<?x16x1xf32>, tensor<1xi64>) -> tensor<?x16xf32>
  %gathernd2 = moe.onnx "GatherND"(%b_up, %idx) version 13 {} : (tensor<4x16xf32>, tensor<?x1xi64>) -> tensor<?x16xf32>
  %b_w_up = moe.onnx "Add"(%y_w_up, %gathernd2) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %relu3 = moe.onnx "Relu"(%b_w_up) version 14 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze4 = moe.onnx "Unsqueeze"(%relu3, %c1) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze4) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c1) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %gathernd5 = moe.onnx "GatherND"(%b_down, %idx) version 13 {} : (tensor<4x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %b_w_down = moe.onnx "Add"(%y_w_down, %gathernd5) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %reshape6 = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze7 = moe.onnx "Unsqueeze"(%reshape6, %c1) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%b_w_down, %unsqueeze7) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Ids and weights from outside. Nothing says that ids are below E: ONNX counts negative ones from the end, as Mod does. Nothing says either
// that there is a row of them for each token: the graph itself relied on it, and so does the chain.

// CHECK: func.func @main(%[[X:.*]]: tensor<?x8xf32> {{.*}}, %[[IDS:.*]]: tensor<?x2xi64> {{.*}}, %[[W:.*]]: tensor<?x2xf32>
// CHECK: %[[SAFE:.*]] = moe.onnx "Mod"(%[[IDS]], %{{.*}})
// CHECK: moe.require_equal %{{.*}}, %{{.*}}, "moe_layer_0: tokens, expert ids and combine weights must be of the same number of tokens"
// CHECK: moe.require_equal
// CHECK: moe.assign %[[SAFE]]
// CHECK: moe.experts
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %ids: tensor<?x2xi64> {moe.dims = ["rows", "2"]}, %w: tensor<?x2xf32> {moe.dims = ["rows", "2"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<1> : tensor<1xi64>
  %c1 = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %c2 = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %c3 = arith.constant dense<-1> : tensor<1xi64>
  %c4 = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %w_gate_up = moe.weight_ref @w_gate_up : tensor<4x32x8xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %c0) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %c1) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %c2) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %idf = moe.onnx "Reshape"(%ids, %c3) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %idx = moe.onnx "Unsqueeze"(%idf, %c3) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %g_w_gate_up = moe.onnx "GatherND"(%w_gate_up, %idx) version 13 {} : (tensor<4x32x8xf32>, tensor<?x1xi64>) -> tensor<?x32x8xf32>
  %unsqueeze1 = moe.onnx "Unsqueeze"(%rows, %c3) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %mm_w_gate_up = moe.onnx "MatMul"(%g_w_gate_up, %unsqueeze1) version 13 {} : (tensor<?x32x8xf32>, tensor<?x8x1xf32>) -> tensor<?x32x1xf32>
  %y_w_gate_up = moe.onnx "Squeeze"(%mm_w_gate_up, %c3) version 13 {} : (tensor<?x32x1xf32>, tensor<1xi64>) -> tensor<?x32xf32>
  %gate, %up = moe.onnx "Split"(%y_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  %sigmoid2 = moe.onnx "Sigmoid"(%gate) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %mul3 = moe.onnx "Mul"(%gate, %sigmoid2) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = moe.onnx "Mul"(%mul3, %up) version 14 {} : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %g_w_down = moe.onnx "GatherND"(%w_down, %idx) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %unsqueeze4 = moe.onnx "Unsqueeze"(%h, %c3) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %mm_w_down = moe.onnx "MatMul"(%g_w_down, %unsqueeze4) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y_w_down = moe.onnx "Squeeze"(%mm_w_down, %c3) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %reshape5 = moe.onnx "Reshape"(%w, %c3) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %unsqueeze6 = moe.onnx "Unsqueeze"(%reshape5, %c3) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y_w_down, %unsqueeze6) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %c4) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c0) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The smallest layer of this form: ids and weights from a bare TopK, an expert is ReLU between two products.

// CHECK-LABEL: func.func @relu_experts
// CHECK: moe.assign %{{.*}} : tensor<?x2xi64>
// CHECK: moe.experts {{.*}} {ffn = #moe.ffn<activation = relu>
// CHECK: moe.combine
// CHECK-NOT: GatherND
// DOC: --moe-raise-batched-experts
moe.weight @w_up : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @relu_experts(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %scores: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %last = arith.constant dense<-1> : tensor<1xi64>
  %one = arith.constant dense<1> : tensor<1xi64>
  %twice = arith.constant dense<[1, 2, 1]> : tensor<3xi64>
  %matrix = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %choices = arith.constant dense<[-1, 2, 8]> : tensor<3xi64>
  %k = arith.constant dense<2> : tensor<1xi64>
  %w_up = moe.weight_ref @w_up : tensor<4x16x8xf32>
  %w_down = moe.weight_ref @w_down : tensor<4x8x16xf32>
  %weights, %ids = moe.onnx "TopK"(%scores, %k) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64}
      : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %x3 = moe.onnx "Unsqueeze"(%x, %one) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1x8xf32>
  %xk = moe.onnx "Expand"(%x3, %twice) version 13 {} : (tensor<?x1x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %rows = moe.onnx "Reshape"(%xk, %matrix) version 19 {} : (tensor<?x2x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %flat_ids = moe.onnx "Reshape"(%ids, %last) version 19 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %index = moe.onnx "Unsqueeze"(%flat_ids, %last) version 13 {} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %up = moe.onnx "GatherND"(%w_up, %index) version 13 {} : (tensor<4x16x8xf32>, tensor<?x1xi64>) -> tensor<?x16x8xf32>
  %column = moe.onnx "Unsqueeze"(%rows, %last) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x8x1xf32>
  %up_column = moe.onnx "MatMul"(%up, %column) version 13 {} : (tensor<?x16x8xf32>, tensor<?x8x1xf32>) -> tensor<?x16x1xf32>
  %up_row = moe.onnx "Squeeze"(%up_column, %last) version 13 {} : (tensor<?x16x1xf32>, tensor<1xi64>) -> tensor<?x16xf32>
  %h = moe.onnx "Relu"(%up_row) version 14 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %down = moe.onnx "GatherND"(%w_down, %index) version 13 {} : (tensor<4x8x16xf32>, tensor<?x1xi64>) -> tensor<?x8x16xf32>
  %h_column = moe.onnx "Unsqueeze"(%h, %last) version 13 {} : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x16x1xf32>
  %y_column = moe.onnx "MatMul"(%down, %h_column) version 13 {} : (tensor<?x8x16xf32>, tensor<?x16x1xf32>) -> tensor<?x8x1xf32>
  %y = moe.onnx "Squeeze"(%y_column, %last) version 13 {} : (tensor<?x8x1xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  %flat_weights = moe.onnx "Reshape"(%weights, %last) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %weight_column = moe.onnx "Unsqueeze"(%flat_weights, %last) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weighted = moe.onnx "Mul"(%y, %weight_column) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted, %choices) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %one) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The combine weights are applied twice: those of the combine are what both make together.

// CHECK: %[[BOTH:.*]] = moe.onnx "Mul"(%{{.*}}, %{{.*}}) version 14 {} : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
// CHECK: moe.assign %{{.*}} : tensor<?x2xi64>
// CHECK: moe.experts
// CHECK: moe.combine {{.*}}, %[[BOTH]] tokens(
// CHECK-NEXT: return
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
  %weighted2 = moe.onnx "Mul"(%weighted, %unsqueeze6) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %per_choice = moe.onnx "Reshape"(%weighted2, %c5) version 19 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x2x8xf32>
  %out = moe.onnx "ReduceSum"(%per_choice, %c2) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The sum is over the hidden dim, so it is none over choices: as before.

// CHECK: moe.assign %{{.*}} : tensor<?x1xi64>
// CHECK: moe.combine
// CHECK: moe.onnx "ReduceSum"
moe.weight @wr : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @w_gate_up : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @w_down : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x2xf32> {
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
  %out = moe.onnx "ReduceSum"(%per_choice, %c0) version 13 {keepdims = 0 : i64} : (tensor<?x2x8xf32>, tensor<1xi64>) -> tensor<?x2xf32>
  return %out : tensor<?x2xf32>
}

// -----

// The gate is the second half.

// CHECK: moe.experts {{.*}} {ffn = #moe.ffn<activation = silu, gate = up_first>
// CHECK-NOT: GatherND
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
  %up, %gate = moe.onnx "Split"(%y_w_gate_up) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
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

// Gate and up alternate, and the gate is second.

// CHECK: moe.experts {{.*}} {ffn = #moe.ffn<activation = silu, gate = up_first_pairs>
// CHECK-NOT: GatherND
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
  %pairs = arith.constant dense<[-1, 16, 2]> : tensor<3xi64>
  %n0 = arith.constant dense<0> : tensor<i64>
  %n1 = arith.constant dense<1> : tensor<i64>
  %both = moe.onnx "Reshape"(%y_w_gate_up, %pairs) version 19 {} : (tensor<?x32xf32>, tensor<3xi64>) -> tensor<?x16x2xf32>
  %up = moe.onnx "Gather"(%both, %n0) version 13 {axis = 2 : i64} : (tensor<?x16x2xf32>, tensor<i64>) -> tensor<?x16xf32>
  %gate = moe.onnx "Gather"(%both, %n1) version 13 {axis = 2 : i64} : (tensor<?x16x2xf32>, tensor<i64>) -> tensor<?x16xf32>
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

// The sigmoid is of the second half and multiplies both: SiLU of the second half.

// CHECK: moe.experts {{.*}} {ffn = #moe.ffn<activation = silu, gate = up_first>
// CHECK-NOT: GatherND
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
  %sigmoid2 = moe.onnx "Sigmoid"(%up) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
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
