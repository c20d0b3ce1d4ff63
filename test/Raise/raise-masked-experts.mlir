// RUN: moe-opt %s -split-input-file --moe-raise-masked-experts=remarks=true | FileCheck %s
// The example of the pass: columns of a map of weights.

// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: %[[W:.*]] = moe.onnx "Reshape"(%[[TOP]]#0
// CHECK: moe.assign %[[TOP]]#1 : tensor<?x2xi64>
// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<2x16x8xf32>) gate_bias(%{{.*}} : tensor<2x16xf32>) down(%{{.*}} : tensor<2x8x16xf32>) {{.*}}"masked"
// CHECK: %[[OUT:.*]] = moe.combine {{.*}} %[[W]] tokens
// CHECK-NOT: Gemm
// CHECK: return %[[OUT]]
// DOC: --moe-raise-masked-experts
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @b1_0 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 576, length = 64>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 640, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1152, length = 512>)
moe.weight @b1_1 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 1664, length = 64>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1728, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<0> : tensor<i64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<1> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<2x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %b1_0 = moe.weight_ref @b1_0 : tensor<16xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %b1_1 = moe.weight_ref @b1_1 : tensor<16xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %mapshape = moe.onnx "Shape"(%probs) version 13 {} : (tensor<?x2xf32>) -> tensor<2xi64>
  %none = moe.onnx "ConstantOfShape"(%mapshape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x2xf32>
  %map = moe.onnx "ScatterElements"(%none, %ids, %values) version 18 {axis = 1 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %g0 = moe.onnx "Gemm"(%x, %w1_0, %b1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %col0 = moe.onnx "Gather"(%map, %c1) version 13 {axis = 1 : i64} : (tensor<?x2xf32>, tensor<i64>) -> tensor<?xf32>
  %we0 = moe.onnx "Unsqueeze"(%col0, %c2) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%x, %w1_1, %b1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %col1 = moe.onnx "Gather"(%map, %c3) version 13 {axis = 1 : i64} : (tensor<?x2xf32>, tensor<i64>) -> tensor<?xf32>
  %we1 = moe.onnx "Unsqueeze"(%col1, %c2) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%y1, %we1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %sum1 = moe.onnx "Add"(%part0, %part1) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// No map: each expert adds up the weights of the choices that are its number.

// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: moe.assign %[[TOP]]#1 : tensor<?x2xi64>
// CHECK: moe.experts {{.*}}"masked"
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @b1_0 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 576, length = 64>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 640, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1152, length = 512>)
moe.weight @b1_1 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 1664, length = 64>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1728, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<0> : tensor<i64>
  %c2 = arith.constant dense<-1> : tensor<1xi64>
  %c3 = arith.constant dense<1> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<2x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %b1_0 = moe.weight_ref @b1_0 : tensor<16xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %b1_1 = moe.weight_ref @b1_1 : tensor<16xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %g0 = moe.onnx "Gemm"(%x, %w1_0, %b1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %is0 = moe.onnx "Equal"(%ids, %c1) version 13 {} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %hot0 = moe.onnx "Cast"(%is0) version 13 {to = 1 : i64} : (tensor<?x2xi1>) -> tensor<?x2xf32>
  %own0 = moe.onnx "Mul"(%hot0, %values) version 14 {} : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %we0 = moe.onnx "ReduceSum"(%own0, %c2) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%x, %w1_1, %b1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %is1 = moe.onnx "Equal"(%ids, %c3) version 13 {} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %hot1 = moe.onnx "Cast"(%is1) version 13 {to = 1 : i64} : (tensor<?x2xi1>) -> tensor<?x2xf32>
  %own1 = moe.onnx "Mul"(%hot1, %values) version 14 {} : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %we1 = moe.onnx "ReduceSum"(%own1, %c2) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%y1, %we1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %sum1 = moe.onnx "Add"(%part0, %part1) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// A layer of one expert adds nothing up: what it computes, times all of a map of one column.

// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: moe.assign %[[TOP]]#1 : tensor<?x1xi64>
// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<1x8x16xf32>) {{.*}}"masked"
moe.weight @wr : tensor<8x1xf32> source(#moe.file<"model.onnx", offset = 0, length = 32>)
moe.weight @w1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 640, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %one = arith.constant dense<1> : tensor<1xi64>
  %wr = moe.weight_ref @wr : tensor<8x1xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<16x8xf32>
  %logits = moe.onnx "MatMul"(%x, %wr) version 13 {} : (tensor<?x8xf32>, tensor<8x1xf32>) -> tensor<?x1xf32>
  %probs = moe.onnx "Sigmoid"(%logits) version 13 {} : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %one) version 11 {axis = -1 : i64} : (tensor<?x1xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %mapshape = moe.onnx "Shape"(%probs) version 13 {} : (tensor<?x1xf32>) -> tensor<2xi64>
  %none = moe.onnx "ConstantOfShape"(%mapshape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x1xf32>
  %map = moe.onnx "ScatterElements"(%none, %ids, %values) version 18 {axis = 1 : i64} : (tensor<?x1xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x1xf32>
  %g = moe.onnx "MatMul"(%x, %w1) version 13 {} : (tensor<?x8xf32>, tensor<8x16xf32>) -> tensor<?x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %out = moe.onnx "Mul"(%y, %map) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The same where the weight is that of the choice which is the expert.

// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<1x8x16xf32>) {{.*}}"masked"
moe.weight @wr : tensor<8x1xf32> source(#moe.file<"model.onnx", offset = 0, length = 32>)
moe.weight @w1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 640, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %one = arith.constant dense<1> : tensor<1xi64>
  %number = arith.constant dense<0> : tensor<i64>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %wr = moe.weight_ref @wr : tensor<8x1xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<16x8xf32>
  %logits = moe.onnx "MatMul"(%x, %wr) version 13 {} : (tensor<?x8xf32>, tensor<8x1xf32>) -> tensor<?x1xf32>
  %values, %ids = moe.onnx "TopK"(%logits, %one) version 11 {axis = -1 : i64} : (tensor<?x1xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %is = moe.onnx "Equal"(%ids, %number) version 13 {} : (tensor<?x1xi64>, tensor<i64>) -> tensor<?x1xi1>
  %own = moe.onnx "Where"(%is, %values, %zero) version 16 {} : (tensor<?x1xi1>, tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %weight = moe.onnx "ReduceSum"(%own, %one) version 13 {keepdims = 1 : i64} : (tensor<?x1xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = moe.onnx "MatMul"(%x, %w1) version 13 {} : (tensor<?x8xf32>, tensor<8x16xf32>) -> tensor<?x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %out = moe.onnx "Mul"(%weight, %y) version 14 {} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The results of each expert are scaled by a number of its own, one of them by way of the weights.

// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: %[[SCALES:.*]] = arith.constant dense<[5.000000e-01, 3.000000e+00]> : tensor<2xf32>
// CHECK: %[[OWN:.*]] = moe.onnx "Gather"(%[[SCALES]], %[[TOP]]#1)
// CHECK: %[[VECTOR:.*]] = moe.onnx "Reshape"(%[[OWN]]
// CHECK: %[[W:.*]] = moe.onnx "Mul"(%{{.*}}, %[[VECTOR]])
// CHECK: moe.experts {{.*}}"masked"
// CHECK: moe.combine {{.*}} %[[W]] tokens
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @b1_0 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 576, length = 64>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 640, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1152, length = 512>)
moe.weight @b1_1 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 1664, length = 64>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1728, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<0> : tensor<i64>
  %c2 = arith.constant dense<-1> : tensor<1xi64>
  %c3 = arith.constant dense<1> : tensor<i64>
  %s0 = arith.constant dense<0.5> : tensor<1xf32>
  %all = arith.constant dense<[0.5, 3.0]> : tensor<2xf32>
  %wr = moe.weight_ref @wr : tensor<2x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %b1_0 = moe.weight_ref @b1_0 : tensor<16xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %b1_1 = moe.weight_ref @b1_1 : tensor<16xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %g0 = moe.onnx "Gemm"(%x, %w1_0, %b1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %z0 = moe.onnx "Mul"(%y0, %s0) version 14 {} : (tensor<?x8xf32>, tensor<1xf32>) -> tensor<?x8xf32>
  %is0 = moe.onnx "Equal"(%ids, %c1) version 13 {} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %hot0 = moe.onnx "Cast"(%is0) version 13 {to = 1 : i64} : (tensor<?x2xi1>) -> tensor<?x2xf32>
  %own0 = moe.onnx "Mul"(%hot0, %values) version 14 {} : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %we0 = moe.onnx "ReduceSum"(%own0, %c2) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%z0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%x, %w1_1, %b1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %is1 = moe.onnx "Equal"(%ids, %c3) version 13 {} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %hot1 = moe.onnx "Cast"(%is1) version 13 {to = 1 : i64} : (tensor<?x2xi1>) -> tensor<?x2xf32>
  %own1 = moe.onnx "Mul"(%hot1, %values) version 14 {} : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %we1 = moe.onnx "ReduceSum"(%own1, %c2) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %s1 = moe.onnx "Gather"(%all, %c3) version 13 {axis = 0 : i64} : (tensor<2xf32>, tensor<i64>) -> tensor<f32>
  %wv1 = moe.onnx "Mul"(%s1, %we1) version 14 {} : (tensor<f32>, tensor<?x1xf32>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%y1, %wv1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %sum1 = moe.onnx "Add"(%part0, %part1) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// Rows that a quantiser rounds: the tokens once, as all experts read them, what the second products read with a scale for each expert, what they give with one.

// CHECK: %[[X:.*]] = moe.onnx "DequantizeLinear"
// CHECK: moe.dispatch ragged %{{.*}}
// CHECK: moe.experts
// CHECK-SAME: steps = [#moe.steps<at = hidden, lower = 0, upper = 255, scales = [1.000000e-01, 3.000000e-01], zeros = [0, 0]>, #moe.steps<at = result, lower = 0, upper = 255, scales = [6.250000e-02, 6.250000e-02], zeros = [128, 128]>]
// CHECK: moe.combine
// CHECK-NOT: QuantizeLinear
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @b1_0 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 576, length = 64>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 640, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1152, length = 512>)
moe.weight @b1_1 : tensor<16xf32> source(#moe.file<"model.onnx", offset = 1664, length = 64>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1728, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<0> : tensor<i64>
  %c2 = arith.constant dense<1> : tensor<1xi64>
  %c3 = arith.constant dense<1> : tensor<i64>
  %s = arith.constant dense<0.0625> : tensor<f32>
  %s0 = arith.constant dense<0.1> : tensor<f32>
  %s1 = arith.constant dense<0.3> : tensor<f32>
  %z = arith.constant dense<128> : tensor<ui8>
  %z0 = arith.constant dense<0> : tensor<ui8>
  %wr = moe.weight_ref @wr : tensor<2x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %b1_0 = moe.weight_ref @b1_0 : tensor<16xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %b1_1 = moe.weight_ref @b1_1 : tensor<16xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %mapshape = moe.onnx "Shape"(%probs) version 13 {} : (tensor<?x2xf32>) -> tensor<2xi64>
  %none = moe.onnx "ConstantOfShape"(%mapshape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x2xf32>
  %map = moe.onnx "ScatterElements"(%none, %ids, %values) version 18 {axis = 1 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %q_x = moe.onnx "QuantizeLinear"(%x, %s, %z) version 13 {} : (tensor<?x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<?x8xui8>
  %r_x = moe.onnx "DequantizeLinear"(%q_x, %s, %z) version 13 {} : (tensor<?x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<?x8xf32>
  %g0 = moe.onnx "Gemm"(%r_x, %w1_0, %b1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %q_a0 = moe.onnx "QuantizeLinear"(%a0, %s0, %z0) version 13 {} : (tensor<?x16xf32>, tensor<f32>, tensor<ui8>) -> tensor<?x16xui8>
  %r_a0 = moe.onnx "DequantizeLinear"(%q_a0, %s0, %z0) version 13 {} : (tensor<?x16xui8>, tensor<f32>, tensor<ui8>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%r_a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %q_y0 = moe.onnx "QuantizeLinear"(%y0, %s, %z) version 13 {} : (tensor<?x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<?x8xui8>
  %r_y0 = moe.onnx "DequantizeLinear"(%q_y0, %s, %z) version 13 {} : (tensor<?x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<?x8xf32>
  %col0 = moe.onnx "Gather"(%map, %c1) version 13 {axis = 1 : i64} : (tensor<?x2xf32>, tensor<i64>) -> tensor<?xf32>
  %we0 = moe.onnx "Unsqueeze"(%col0, %c2) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%r_y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%r_x, %w1_1, %b1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %q_a1 = moe.onnx "QuantizeLinear"(%a1, %s1, %z0) version 13 {} : (tensor<?x16xf32>, tensor<f32>, tensor<ui8>) -> tensor<?x16xui8>
  %r_a1 = moe.onnx "DequantizeLinear"(%q_a1, %s1, %z0) version 13 {} : (tensor<?x16xui8>, tensor<f32>, tensor<ui8>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%r_a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %q_y1 = moe.onnx "QuantizeLinear"(%y1, %s, %z) version 13 {} : (tensor<?x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<?x8xui8>
  %r_y1 = moe.onnx "DequantizeLinear"(%q_y1, %s, %z) version 13 {} : (tensor<?x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<?x8xf32>
  %col1 = moe.onnx "Gather"(%map, %c3) version 13 {axis = 1 : i64} : (tensor<?x2xf32>, tensor<i64>) -> tensor<?xf32>
  %we1 = moe.onnx "Unsqueeze"(%col1, %c2) version 13 {} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%r_y1, %we1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %sum1 = moe.onnx "Add"(%part0, %part1) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}
