// RUN: moe-opt %s -split-input-file --moe-raise-padded-experts=remarks=true | FileCheck %s
// The example of the pass: Soft MoE. Every slot is a mixture of all tokens; the two mixtures stay products.

// CHECK: %[[SLOTS:.*]] = moe.onnx "Reshape"
// CHECK: %[[OFFSET:.*]] = arith.constant dense<[0, 3, 6]> : tensor<3xi32>
// CHECK: %[[Y:.*]] = moe.experts %[[SLOTS]], %[[OFFSET]] gate({{.*}} tensor<2x8x16xf32>) gate_bias({{.*}} tensor<2x16xf32>) down(
// CHECK-SAME: activation = relu{{.*}}in_out{{.*}}"soft"{{.*}} -> tensor<2x3x8xf32>
// CHECK: moe.onnx "Reshape"(%[[Y]]
// DOC: --moe-raise-padded-experts
moe.weight @phi : tensor<8x6xf32> source(#moe.file<"model.onnx", offset = 0, length = 192>)
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 192, length = 1024>)
moe.weight @b1 : tensor<2x1x16xf32> source(#moe.file<"model.onnx", offset = 1216, length = 128>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1344, length = 1024>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<[2, 3, 8]> : tensor<3xi64>
  %c1 = arith.constant dense<[6, 8]> : tensor<2xi64>
  %phi = moe.weight_ref @phi : tensor<8x6xf32>
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %b1 = moe.weight_ref @b1 : tensor<2x1x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %logits = moe.onnx "MatMul"(%x, %phi) version 13 {} : (tensor<?x8xf32>, tensor<8x6xf32>) -> tensor<?x6xf32>
  %dispatch = moe.onnx "Softmax"(%logits) version 13 {axis = 0 : i64} : (tensor<?x6xf32>) -> tensor<?x6xf32>
  %dispatchT = moe.onnx "Transpose"(%dispatch) version 13 {perm = array<i64: 1, 0>} : (tensor<?x6xf32>) -> tensor<6x?xf32>
  %mixed = moe.onnx "MatMul"(%dispatchT, %x) version 13 {} : (tensor<6x?xf32>, tensor<?x8xf32>) -> tensor<6x8xf32>
  %slots = moe.onnx "Reshape"(%mixed, %c0) version 14 {} : (tensor<6x8xf32>, tensor<3xi64>) -> tensor<2x3x8xf32>
  %h = moe.onnx "MatMul"(%slots, %w1) version 13 {} : (tensor<2x3x8xf32>, tensor<2x8x16xf32>) -> tensor<2x3x16xf32>
  %hb = moe.onnx "Add"(%h, %b1) version 14 {} : (tensor<2x3x16xf32>, tensor<2x1x16xf32>) -> tensor<2x3x16xf32>
  %a = moe.onnx "Relu"(%hb) version 14 {} : (tensor<2x3x16xf32>) -> tensor<2x3x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<2x3x16xf32>, tensor<2x16x8xf32>) -> tensor<2x3x8xf32>
  %flat = moe.onnx "Reshape"(%y, %c1) version 14 {} : (tensor<2x3x8xf32>, tensor<2xi64>) -> tensor<6x8xf32>
  %combine = moe.onnx "Softmax"(%logits) version 13 {axis = 1 : i64} : (tensor<?x6xf32>) -> tensor<?x6xf32>
  %out = moe.onnx "MatMul"(%combine, %flat) version 13 {} : (tensor<?x6xf32>, tensor<6x8xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// A dispatch of zeros and ones, as V-MoE's einsum writes it; the bias after the second product is read with it.

// CHECK: %[[ROWS:.*]] = moe.onnx "Einsum"
// CHECK: moe.experts %[[ROWS]], {{.*}} down_bias({{.*}} tensor<2x8xf32>) {{.*}}"padded"
// CHECK-NOT: "Add"
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 192, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1344, length = 1024>)
moe.weight @b2 : tensor<2x1x8xf32> source(#moe.file<"model.onnx", offset = 2368, length = 64>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %dispatch: tensor<?x2x3xf32> {moe.dims = ["tokens", "2", "3"]}) -> tensor<2x3x8xf32> {
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %b2 = moe.weight_ref @b2 : tensor<2x1x8xf32>
  %rows = moe.onnx "Einsum"(%dispatch, %x) version 12 {equation = "tec,th->ech"} : (tensor<?x2x3xf32>, tensor<?x8xf32>) -> tensor<2x3x8xf32>
  %h = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<2x3x8xf32>, tensor<2x8x16xf32>) -> tensor<2x3x16xf32>
  %a = moe.onnx "Relu"(%h) version 14 {} : (tensor<2x3x16xf32>) -> tensor<2x3x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<2x3x16xf32>, tensor<2x16x8xf32>) -> tensor<2x3x8xf32>
  %out = moe.onnx "Add"(%y, %b2) version 14 {} : (tensor<2x3x8xf32>, tensor<2x1x8xf32>) -> tensor<2x3x8xf32>
  return %out : tensor<2x3x8xf32>
}

// -----

// Groups of tokens claim slots apart, as many as the sizes of the input say: the experts' rows come to the front and go back.

// CHECK: %[[ROWS:.*]] = moe.onnx "Einsum"
// CHECK: %[[FIRST:.*]] = moe.onnx "Transpose"(%[[ROWS]]) {{.*}}perm = array<i64: 1, 0, 2, 3>{{.*}} -> tensor<2x?x?x8xf32>
// CHECK: %[[JOINED:.*]] = moe.onnx "Reshape"(%[[FIRST]], {{.*}} -> tensor<2x?x8xf32>
// CHECK: %[[STARTS:.*]] = moe.onnx "Mul"
// CHECK: %[[OFFSET:.*]] = moe.onnx "Cast"(%[[STARTS]]) {{.*}} -> tensor<3xi32>
// CHECK: %[[Y:.*]] = moe.experts %[[JOINED]], %[[OFFSET]] {{.*}}"padded"{{.*}} -> tensor<2x?x8xf32>
// CHECK: moe.onnx "Transpose"(%{{.*}}) {{.*}}perm = array<i64: 1, 0, 2, 3>{{.*}} -> tensor<?x2x?x8xf32>
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 192, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1344, length = 1024>)
func.func @main(%x: tensor<?x?x8xf32> {moe.dims = ["groups", "tokens", "8"]}, %dispatch: tensor<?x?x2x?xf32> {moe.dims = ["groups", "tokens", "2", "slots"]}) -> tensor<?x2x?x8xf32> {
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %rows = moe.onnx "Einsum"(%dispatch, %x) version 12 {equation = "gtec,gth->gech"} : (tensor<?x?x2x?xf32>, tensor<?x?x8xf32>) -> tensor<?x2x?x8xf32>
  %h = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<?x2x?x8xf32>, tensor<2x8x16xf32>) -> tensor<?x2x?x16xf32>
  %a = moe.onnx "Relu"(%h) version 14 {} : (tensor<?x2x?x16xf32>) -> tensor<?x2x?x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<?x2x?x16xf32>, tensor<2x16x8xf32>) -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}

// -----

// Experts choose their tokens: a lookup by the indices of a TopK over the tokens fills the slots.

// CHECK: moe.onnx "TopK"
// CHECK: %[[ROWS:.*]] = moe.onnx "Gather"
// CHECK: moe.experts %[[ROWS]]{{.*}}"padded"
// CHECK: moe.onnx "ScatterND"
moe.weight @wr : tensor<8x3xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 96, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1632, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %two = arith.constant dense<2> : tensor<1xi64>
  %last = arith.constant dense<-1> : tensor<1xi64>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %flat = arith.constant dense<[-1, 8]> : tensor<2xi64>
  %column = arith.constant dense<[-1, 1]> : tensor<2xi64>
  %wr = moe.weight_ref @wr : tensor<8x3xf32>
  %w1 = moe.weight_ref @w1 : tensor<3x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<3x16x8xf32>
  %logits = moe.onnx "MatMul"(%x, %wr) version 13 {} : (tensor<?x8xf32>, tensor<8x3xf32>) -> tensor<?x3xf32>
  %turned = moe.onnx "Transpose"(%logits) version 13 {perm = array<i64: 1, 0>} : (tensor<?x3xf32>) -> tensor<3x?xf32>
  %values, %ids = moe.onnx "TopK"(%turned, %two) version 11 {axis = -1 : i64} : (tensor<3x?xf32>, tensor<1xi64>) -> (tensor<3x2xf32>, tensor<3x2xi64>)
  %rows = moe.onnx "Gather"(%x, %ids) version 13 {axis = 0 : i64} : (tensor<?x8xf32>, tensor<3x2xi64>) -> tensor<3x2x8xf32>
  %g = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<3x2x8xf32>, tensor<3x8x16xf32>) -> tensor<3x2x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<3x2x16xf32>) -> tensor<3x2x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<3x2x16xf32>, tensor<3x16x8xf32>) -> tensor<3x2x8xf32>
  %factor = moe.onnx "Unsqueeze"(%values, %last) version 13 {} : (tensor<3x2xf32>, tensor<1xi64>) -> tensor<3x2x1xf32>
  %weighted = moe.onnx "Mul"(%y, %factor) version 14 {} : (tensor<3x2x8xf32>, tensor<3x2x1xf32>) -> tensor<3x2x8xf32>
  %list = moe.onnx "Reshape"(%weighted, %flat) version 14 {} : (tensor<3x2x8xf32>, tensor<2xi64>) -> tensor<6x8xf32>
  %places = moe.onnx "Reshape"(%ids, %column) version 14 {} : (tensor<3x2xi64>, tensor<2xi64>) -> tensor<6x1xi64>
  %none = moe.onnx "Mul"(%x, %zero) version 14 {} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %out = moe.onnx "ScatterND"(%none, %places, %list) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<6x1xi64>, tensor<6x8xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// A list of experts, each with matrices of its own, reads slot after slot; the results are stacked. One dim of the slots depends on the input.

// CHECK: %[[ROWS:.*]] = moe.onnx "Einsum"
// CHECK: moe.experts %[[ROWS]], {{.*}} gate({{.*}} tensor<2x8x16xf32>) gate_bias({{.*}} tensor<2x16xf32>) down({{.*}} tensor<2x16x8xf32>)
// CHECK-SAME: in_out{{.*}}"padded"{{.*}} -> tensor<2x?x8xf32>
// CHECK-NOT: "Concat"
moe.weight @experts.0.w1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 512>)
moe.weight @experts.1.w1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 512, length = 512>)
moe.weight @experts.0.b1 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 1024, length = 64>)
moe.weight @experts.1.b1 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 1088, length = 64>)
moe.weight @experts.0.w2 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1152, length = 512>)
moe.weight @experts.1.w2 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1664, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %dispatch: tensor<?x2x?xf32> {moe.dims = ["tokens", "2", "slots"]}) -> tensor<2x?x8xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %front = arith.constant dense<0> : tensor<1xi64>
  %w1 = moe.weight_ref @experts.0.w1 : tensor<8x16xf32>
  %v1 = moe.weight_ref @experts.1.w1 : tensor<8x16xf32>
  %b1 = moe.weight_ref @experts.0.b1 : tensor<16xf32>
  %c1 = moe.weight_ref @experts.1.b1 : tensor<16xf32>
  %w2 = moe.weight_ref @experts.0.w2 : tensor<16x8xf32>
  %v2 = moe.weight_ref @experts.1.w2 : tensor<16x8xf32>
  %slots = moe.onnx "Einsum"(%dispatch, %x) version 12 {equation = "tec,th->ech"} : (tensor<?x2x?xf32>, tensor<?x8xf32>) -> tensor<2x?x8xf32>
  %p = moe.onnx "Gather"(%slots, %zero) version 13 {axis = 0 : i64} : (tensor<2x?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %h0 = moe.onnx "Gemm"(%p, %w1, %b1) version 13 {} : (tensor<?x8xf32>, tensor<8x16xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%h0) version 14 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "MatMul"(%a0, %w2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %q = moe.onnx "Gather"(%slots, %one) version 13 {axis = 0 : i64} : (tensor<2x?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %h1 = moe.onnx "Gemm"(%q, %v1, %c1) version 13 {} : (tensor<?x8xf32>, tensor<8x16xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%h1) version 14 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "MatMul"(%a1, %v2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %u0 = moe.onnx "Unsqueeze"(%y0, %front) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<1x?x8xf32>
  %u1 = moe.onnx "Unsqueeze"(%y1, %front) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<1x?x8xf32>
  %y = moe.onnx "Concat"(%u0, %u1) version 13 {axis = 0 : i64} : (tensor<1x?x8xf32>, tensor<1x?x8xf32>) -> tensor<2x?x8xf32>
  return %y : tensor<2x?x8xf32>
}

// -----

// Chunks of three slots each, which computed indices filled; the experts' matrices are slices of one tensor.

// CHECK: %[[FILLED:.*]] = moe.onnx "ScatterND"
// CHECK: %[[ROWS:.*]] = moe.onnx "Reshape"(%[[FILLED]], {{.*}} -> tensor<2x3x8xf32>
// CHECK: %[[OFFSET:.*]] = arith.constant dense<[0, 3, 6]> : tensor<3xi32>
// CHECK: %[[Y:.*]] = moe.experts %[[ROWS]], %[[OFFSET]] {{.*}}"padded"{{.*}} -> tensor<2x3x8xf32>
// CHECK: moe.onnx "Reshape"(%[[Y]], {{.*}} -> tensor<6x8xf32>
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1024, length = 1024>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %ids: tensor<?x1xi64> {moe.dims = ["tokens", "1"]}) -> tensor<6x8xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %zeros = arith.constant dense<0.0> : tensor<6x8xf32>
  %w1 = moe.weight_ref @w1 : tensor<2x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<2x16x8xf32>
  %places = moe.onnx "Abs"(%ids) version 13 {} : (tensor<?x1xi64>) -> tensor<?x1xi64>
  %slots = moe.onnx "ScatterND"(%zeros, %places, %x) version 18 {reduction = "add"} : (tensor<6x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<6x8xf32>
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
