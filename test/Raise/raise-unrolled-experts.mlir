// RUN: moe-opt %s -split-input-file --moe-raise-unrolled-experts=remarks=true | FileCheck %s
// The example of the pass: two experts with matrices of their own, masks by comparison, sums by ScatterND.

// CHECK: moe.weight @moe_layer_0.down : tensor<2x8x16xf32> source([#moe.file<"model.onnx", offset = 576, length = 512>, #moe.file<"model.onnx", offset = 1600, length = 512>])
// CHECK: moe.weight @moe_layer_0.gate : tensor<2x16x8xf32> source([#moe.file<"model.onnx", offset = 64, length = 512>, #moe.file<"model.onnx", offset = 1088, length = 512>])
// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: %[[W:.*]] = moe.onnx "Reshape"(%[[TOP]]#0
// CHECK: moe.assign %[[TOP]]#1 : tensor<?x2xi64>
// CHECK: moe.dispatch ragged %arg0
// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<2x16x8xf32>) down(%{{.*}} : tensor<2x8x16xf32>) {{.*}}activation = relu{{.*}}"unrolled"
// CHECK: %[[OUT:.*]] = moe.combine {{.*}} %[[W]] tokens
// CHECK-NOT: NonZero
// CHECK: return %[[OUT]]
// DOC: --moe-raise-unrolled-experts
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
  %at0 = moe.onnx "Concat"(%token0, %choice0) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we0 = moe.onnx "GatherND"(%w3, %at0) version 13 {} : (tensor<?x2x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %sum0 = moe.onnx "ScatterND"(%zeros, %token0, %part0) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
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
  %sum1 = moe.onnx "ScatterND"(%sum0, %token1, %part1) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// OneHot, slices of one [E, in, out] tensor, weights at token·K + choice, sums by ScatterElements without a reduction: the ids of a TopK differ.

// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<2x8x16xf32>) down(%{{.*}} : tensor<2x16x8xf32>) {{.*}}in_out{{.*}}"unrolled"
// CHECK-NOT: ScatterElements
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1 : tensor<2x8x16xf32> source(#moe.file<"model.onnx", offset = 64, length = 1024>)
moe.weight @w2 : tensor<2x16x8xf32> source(#moe.file<"model.onnx", offset = 1088, length = 1024>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<2> : tensor<i64>
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
  %hot = moe.onnx "OneHot"(%ids, %c1, %c2) version 11 {axis = -1 : i64} : (tensor<?x2xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x2x2xi64>
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
  %sum1 = moe.onnx "Add"(%sum0, %spread1) version 14 {} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// A capacity takes choices out: what is left of the one-hot tensor gives the ids, -1 where nothing is left. The sum starts from x.

// CHECK: %[[KEPT:.*]] = moe.onnx "Mul"(%{{.*}}, %{{.*}}) {{.*}} tensor<?x2xi64>
// CHECK: %[[NUMBERED:.*]] = moe.onnx "Mul"
// CHECK: %[[SUM:.*]] = moe.onnx "ReduceSum"(%[[NUMBERED]]
// CHECK: %[[IDS:.*]] = moe.onnx "Sub"(%[[SUM]]
// CHECK: moe.assign %[[IDS]] : tensor<?x1xi64>
// CHECK: %[[Y:.*]] = moe.combine
// CHECK: %[[OUT:.*]] = moe.onnx "Add"(%arg0, %[[Y]])
// CHECK: return %[[OUT]]
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 576, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1088, length = 512>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1600, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<[0, 1]> : tensor<2xi64>
  %c1 = arith.constant dense<0> : tensor<i64>
  %c2 = arith.constant dense<2> : tensor<i64>
  %c3 = arith.constant dense<-1> : tensor<1xi64>
  %c4 = arith.constant dense<[-1, 1, 2]> : tensor<3xi64>
  %c5 = arith.constant dense<2> : tensor<1xi64>
  %c6 = arith.constant dense<1> : tensor<i64>
  %wr = moe.weight_ref @wr : tensor<2x8xf32>
  %w1_0 = moe.weight_ref @w1_0 : tensor<16x8xf32>
  %w2_0 = moe.weight_ref @w2_0 : tensor<8x16xf32>
  %w1_1 = moe.weight_ref @w1_1 : tensor<16x8xf32>
  %w2_1 = moe.weight_ref @w2_1 : tensor<8x16xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %best = moe.onnx "ArgMax"(%probs) version 13 {axis = -1 : i64, keepdims = 1 : i64} : (tensor<?x2xf32>) -> tensor<?x1xi64>
  %is = moe.onnx "Equal"(%best, %c0) version 13 {} : (tensor<?x1xi64>, tensor<2xi64>) -> tensor<?x2xi1>
  %hot = moe.onnx "Cast"(%is) version 13 {to = 7 : i64} : (tensor<?x2xi1>) -> tensor<?x2xi64>
  %place = moe.onnx "CumSum"(%hot, %c1) version 14 {} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi64>
  %fits = moe.onnx "LessOrEqual"(%place, %c2) version 16 {} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %fit = moe.onnx "Cast"(%fits) version 13 {to = 7 : i64} : (tensor<?x2xi1>) -> tensor<?x2xi64>
  %kept = moe.onnx "Mul"(%hot, %fit) version 14 {} : (tensor<?x2xi64>, tensor<?x2xi64>) -> tensor<?x2xi64>
  %values = moe.onnx "ReduceMax"(%probs, %c3) version 18 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %kept3 = moe.onnx "Reshape"(%kept, %c4) version 14 {} : (tensor<?x2xi64>, tensor<3xi64>) -> tensor<?x1x2xi64>
  %mask = moe.onnx "Transpose"(%kept3) version 13 {perm = array<i64: 2, 1, 0>} : (tensor<?x1x2xi64>) -> tensor<2x1x?xi64>
  %shape = moe.onnx "Shape"(%x) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %zeros = moe.onnx "ConstantOfShape"(%shape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x8xf32>
  %w3 = moe.onnx "Unsqueeze"(%values, %c5) version 13 {} : (tensor<?x1xf32>, tensor<1xi64>) -> tensor<?x1x1xf32>
  %mask0 = moe.onnx "Gather"(%mask, %c1) version 13 {axis = 0 : i64} : (tensor<2x1x?xi64>, tensor<i64>) -> tensor<1x?xi64>
  %found0 = moe.onnx "NonZero"(%mask0) version 13 {} : (tensor<1x?xi64>) -> tensor<2x?xi64>
  %pairs0 = moe.onnx "Transpose"(%found0) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice0, %token0 = moe.onnx "Split"(%pairs0) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows0 = moe.onnx "GatherND"(%x, %token0) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g0 = moe.onnx "Gemm"(%rows0, %w1_0) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a0 = moe.onnx "Relu"(%g0) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y0 = moe.onnx "Gemm"(%a0, %w2_0) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at0 = moe.onnx "Concat"(%token0, %choice0) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we0 = moe.onnx "GatherND"(%w3, %at0) version 13 {} : (tensor<?x1x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part0 = moe.onnx "Mul"(%y0, %we0) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %sum0 = moe.onnx "ScatterND"(%x, %token0, %part0) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %mask1 = moe.onnx "Gather"(%mask, %c6) version 13 {axis = 0 : i64} : (tensor<2x1x?xi64>, tensor<i64>) -> tensor<1x?xi64>
  %found1 = moe.onnx "NonZero"(%mask1) version 13 {} : (tensor<1x?xi64>) -> tensor<2x?xi64>
  %pairs1 = moe.onnx "Transpose"(%found1) version 13 {perm = array<i64: 1, 0>} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %choice1, %token1 = moe.onnx "Split"(%pairs1) version 18 {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<?x2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %rows1 = moe.onnx "GatherND"(%x, %token1) version 13 {} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x8xf32>
  %g1 = moe.onnx "Gemm"(%rows1, %w1_1) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %a1 = moe.onnx "Relu"(%g1) version 13 {} : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %y1 = moe.onnx "Gemm"(%a1, %w2_1) version 13 {transB = 1 : i64} : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
  %at1 = moe.onnx "Concat"(%token1, %choice1) version 13 {axis = -1 : i64} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %we1 = moe.onnx "GatherND"(%w3, %at1) version 13 {} : (tensor<?x1x1xf32>, tensor<?x2xi64>) -> tensor<?x1xf32>
  %part1 = moe.onnx "Mul"(%y1, %we1) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %sum1 = moe.onnx "ScatterND"(%sum0, %token1, %part1) version 18 {reduction = "add"} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum1 : tensor<?x8xf32>
}

// -----

// Each token's one expert puts its rows in place (index_copy_), and the whole is weighted.

// CHECK: %[[BEST:.*]] = moe.onnx "ReduceMax"
// CHECK: %[[W:.*]] = moe.onnx "Reshape"(%[[BEST]]
// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<2x16x8xf32>) down(%{{.*}} : tensor<2x8x16xf32>) {{.*}}"unrolled"
// CHECK: %[[OUT:.*]] = moe.combine {{.*}} %[[W]] tokens
// CHECK-NOT: ScatterND
// CHECK: return %[[OUT]]
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 576, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1088, length = 512>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1600, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
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
  %ids = moe.onnx "ArgMax"(%probs) version 13 {axis = -1 : i64, keepdims = 0 : i64} : (tensor<?x2xf32>) -> tensor<?xi64>
  %shape = moe.onnx "Shape"(%x) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %start = moe.onnx "ConstantOfShape"(%shape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x8xf32>
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
  %sum1 = moe.onnx "ScatterND"(%sum0, %at1, %y1) version 18 {} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %out = moe.onnx "Mul"(%sum1, %best) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Rows put in place of ones: every token has an expert, so that none of the ones is left.
// CHECK-LABEL: func.func @replacing
// CHECK: %[[ROWS:.*]] = moe.dispatch ragged
// CHECK: moe.experts %[[ROWS]]
// CHECK: moe.combine
// CHECK-NOT: "ScatterND"
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 576, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1088, length = 512>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1600, length = 512>)
func.func @replacing(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
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
  %ids = moe.onnx "ArgMax"(%probs) version 13 {axis = -1 : i64, keepdims = 0 : i64} : (tensor<?x2xf32>) -> tensor<?xi64>
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
  %sum1 = moe.onnx "ScatterND"(%sum0, %at1, %y1) version 18 {} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %out = moe.onnx "Mul"(%sum1, %best) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Nothing weighs what the experts put in place.
// CHECK-LABEL: func.func @unweighted
// CHECK: %[[ROWS:.*]] = moe.dispatch ragged
// CHECK: moe.experts %[[ROWS]]
// CHECK: moe.combine
// CHECK-NOT: "ScatterND"
moe.weight @wr : tensor<2x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 64>)
moe.weight @w1_0 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2_0 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 576, length = 512>)
moe.weight @w1_1 : tensor<16x8xf32> source(#moe.file<"model.onnx", offset = 1088, length = 512>)
moe.weight @w2_1 : tensor<8x16xf32> source(#moe.file<"model.onnx", offset = 1600, length = 512>)
func.func @unweighted(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
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
  %ids = moe.onnx "ArgMax"(%probs) version 13 {axis = -1 : i64, keepdims = 0 : i64} : (tensor<?x2xf32>) -> tensor<?xi64>
  %shape = moe.onnx "Shape"(%x) version 13 {} : (tensor<?x8xf32>) -> tensor<2xi64>
  %start = moe.onnx "ConstantOfShape"(%shape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x8xf32>
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
  %sum1 = moe.onnx "ScatterND"(%sum0, %at1, %y1) version 18 {} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %out = moe.onnx "Relu"(%sum1) version 14 {} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}
