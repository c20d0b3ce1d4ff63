// RUN: moe-opt %s -split-input-file --moe-raise-tiled-experts=remarks=true | FileCheck %s
// The example of the pass: the results are weighted by a map.

// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: %[[W:.*]] = moe.onnx "Reshape"(%[[TOP]]#0
// CHECK: moe.assign %[[TOP]]#1 : tensor<?x2xi64>
// CHECK: moe.experts {{.*}} down(%{{.*}} : tensor<3x16x8xf32>) down_bias(%{{.*}} : tensor<3x8xf32>) {{.*}}in_out{{.*}}"tiled"
// CHECK: %[[OUT:.*]] = moe.combine {{.*}} %[[W]] tokens
// CHECK-NOT: Tile
// CHECK: return %[[OUT]]
// DOC: --moe-raise-tiled-experts
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 96, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1632, length = 1536>)
moe.weight @b2 : tensor<3x1x8xf32> source(#moe.file<"model.onnx", offset = 3168, length = 96>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<[3, 1]> : tensor<2xi64>
  %c2 = arith.constant dense<[3, -1, 8]> : tensor<3xi64>
  %c3 = arith.constant dense<0> : tensor<1xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w1 = moe.weight_ref @w1 : tensor<3x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<3x16x8xf32>
  %b2 = moe.weight_ref @b2 : tensor<3x1x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %mapshape = moe.onnx "Shape"(%probs) version 13 {} : (tensor<?x3xf32>) -> tensor<2xi64>
  %none = moe.onnx "ConstantOfShape"(%mapshape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x3xf32>
  %map = moe.onnx "ScatterElements"(%none, %ids, %values) version 18 {axis = 1 : i64} : (tensor<?x3xf32>, tensor<?x2xi64>, tensor<?x2xf32>) -> tensor<?x3xf32>
  %mapT = moe.onnx "Transpose"(%map) version 13 {perm = array<i64: 1, 0>} : (tensor<?x3xf32>) -> tensor<3x?xf32>
  %tiled = moe.onnx "Tile"(%x, %c1) version 13 {} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %rows = moe.onnx "Reshape"(%tiled, %c2) version 14 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<3x?x8xf32>
  %g = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<3x?x8xf32>, tensor<3x8x16xf32>) -> tensor<3x?x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<3x?x16xf32>) -> tensor<3x?x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<3x?x16xf32>, tensor<3x16x8xf32>) -> tensor<3x?x8xf32>
  %yb = moe.onnx "Add"(%y, %b2) version 14 {} : (tensor<3x?x8xf32>, tensor<3x1x8xf32>) -> tensor<3x?x8xf32>
  %we = moe.onnx "Unsqueeze"(%mapT, %c0) version 13 {} : (tensor<3x?xf32>, tensor<1xi64>) -> tensor<3x?x1xf32>
  %weighted = moe.onnx "Mul"(%yb, %we) version 14 {} : (tensor<3x?x8xf32>, tensor<3x?x1xf32>) -> tensor<3x?x8xf32>
  %out = moe.onnx "ReduceSum"(%weighted, %c3) version 13 {keepdims = 0 : i64} : (tensor<3x?x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Llama 4: the rows are scaled by the Sigmoid of the chosen logit on the way in; the results are added as they are.

// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: %[[W:.*]] = moe.onnx "Sigmoid"(%[[TOP]]#0)
// CHECK: %[[W3:.*]] = moe.onnx "Reshape"(%[[W]], {{.*}} -> tensor<?x1x1xf32>
// CHECK: %[[SCALED:.*]] = moe.onnx "Mul"(%{{.*}}, %[[W3]])
// CHECK: %[[ROWS:.*]] = moe.onnx "Reshape"(%[[SCALED]]
// CHECK: %[[ONES:.*]] = moe.onnx "ConstantOfShape"
// CHECK: moe.dispatch ragged %[[ROWS]]
// CHECK: moe.experts {{.*}}"tiled"
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 96, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1632, length = 1536>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<1> : tensor<1xi64>
  %c1 = arith.constant dense<[3, 1]> : tensor<2xi64>
  %c2 = arith.constant dense<[-1, 1]> : tensor<2xi64>
  %c3 = arith.constant dense<[3, -1, 8]> : tensor<3xi64>
  %c4 = arith.constant dense<0> : tensor<1xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w1 = moe.weight_ref @w1 : tensor<3x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<3x16x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%logits, %c0) version 11 {axis = -1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %mapshape = moe.onnx "Shape"(%probs) version 13 {} : (tensor<?x3xf32>) -> tensor<2xi64>
  %none = moe.onnx "ConstantOfShape"(%mapshape) version 9 {value = dense<0xFF800000> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x3xf32>
  %map = moe.onnx "ScatterElements"(%none, %ids, %values) version 18 {axis = 1 : i64} : (tensor<?x3xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x3xf32>
  %open = moe.onnx "Sigmoid"(%map) version 13 {} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %mapT = moe.onnx "Transpose"(%open) version 13 {perm = array<i64: 1, 0>} : (tensor<?x3xf32>) -> tensor<3x?xf32>
  %tiled = moe.onnx "Tile"(%x, %c1) version 13 {} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %factor = moe.onnx "Reshape"(%mapT, %c2) version 14 {} : (tensor<3x?xf32>, tensor<2xi64>) -> tensor<?x1xf32>
  %scaled = moe.onnx "Mul"(%tiled, %factor) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %rows = moe.onnx "Reshape"(%scaled, %c3) version 14 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<3x?x8xf32>
  %g = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<3x?x8xf32>, tensor<3x8x16xf32>) -> tensor<3x?x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<3x?x16xf32>) -> tensor<3x?x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<3x?x16xf32>, tensor<3x16x8xf32>) -> tensor<3x?x8xf32>
  %out = moe.onnx "ReduceSum"(%y, %c4) version 13 {keepdims = 0 : i64} : (tensor<3x?x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Einsums with the experts behind the tokens, biases without a dim for the tokens, and a map that is a sum of weighted one-hot rows.

// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: %[[W:.*]] = moe.onnx "Reshape"(%[[TOP]]#0
// CHECK: moe.assign %[[TOP]]#1 : tensor<?x2xi64>
// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<3x8x16xf32>) gate_bias(%{{.*}} : tensor<3x16xf32>) {{.*}}in_out{{.*}}"tiled"
// CHECK: moe.combine {{.*}} %[[W]] tokens
// CHECK-NOT: Einsum
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1536, length = 1536>)
moe.weight @b1 : tensor<3x16xf32> source(#moe.file<"model.onnx", offset = 3072, length = 192>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %scores: tensor<?x3xf32> {moe.dims = ["tokens", "3"]}) -> tensor<?x8xf32> {
  %k = arith.constant dense<2> : tensor<1xi64>
  %depth = arith.constant dense<3> : tensor<i64>
  %off_on = arith.constant dense<[0.0, 1.0]> : tensor<2xf32>
  %w1 = moe.weight_ref @w1 : tensor<3x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<3x16x8xf32>
  %b1 = moe.weight_ref @b1 : tensor<3x16xf32>
  %values, %ids = moe.onnx "TopK"(%scores, %k) version 11 {axis = -1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %hot = moe.onnx "OneHot"(%ids, %depth, %off_on) version 11 {axis = -1 : i64} : (tensor<?x2xi64>, tensor<i64>, tensor<2xf32>) -> tensor<?x2x3xf32>
  %map = moe.onnx "Einsum"(%values, %hot) version 12 {equation = "tk,tke->te"} : (tensor<?x2xf32>, tensor<?x2x3xf32>) -> tensor<?x3xf32>
  %g = moe.onnx "Einsum"(%x, %w1) version 12 {equation = "th,ehf->tef"} : (tensor<?x8xf32>, tensor<3x8x16xf32>) -> tensor<?x3x16xf32>
  %gb = moe.onnx "Add"(%g, %b1) version 14 {} : (tensor<?x3x16xf32>, tensor<3x16xf32>) -> tensor<?x3x16xf32>
  %a = moe.onnx "Relu"(%gb) version 13 {} : (tensor<?x3x16xf32>) -> tensor<?x3x16xf32>
  %y = moe.onnx "Einsum"(%a, %w2) version 12 {equation = "tef,efh->teh"} : (tensor<?x3x16xf32>, tensor<3x16x8xf32>) -> tensor<?x3x8xf32>
  %out = moe.onnx "Einsum"(%map, %y) version 12 {equation = "te,teh->th"} : (tensor<?x3xf32>, tensor<?x3x8xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// A layer of one expert, whose dim is of size 1 everywhere.

// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: moe.assign %[[TOP]]#1 : tensor<?x1xi64>
// CHECK: moe.experts {{.*}} down(%{{.*}} : tensor<1x16x8xf32>) {{.*}}"tiled"
moe.weight @wr : tensor<8x1xf32> source(#moe.file<"model.onnx", offset = 0, length = 32>)
moe.weight @w1 : tensor<1x8x16xf32> source(#moe.file<"model.onnx", offset = 64, length = 512>)
moe.weight @w2 : tensor<1x16x8xf32> source(#moe.file<"model.onnx", offset = 640, length = 512>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %one = arith.constant dense<1> : tensor<1xi64>
  %wr = moe.weight_ref @wr : tensor<8x1xf32>
  %w1 = moe.weight_ref @w1 : tensor<1x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<1x16x8xf32>
  %logits = moe.onnx "MatMul"(%x, %wr) version 13 {} : (tensor<?x8xf32>, tensor<8x1xf32>) -> tensor<?x1xf32>
  %values, %ids = moe.onnx "TopK"(%logits, %one) version 11 {axis = -1 : i64} : (tensor<?x1xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %mapshape = moe.onnx "Shape"(%logits) version 13 {} : (tensor<?x1xf32>) -> tensor<2xi64>
  %none = moe.onnx "ConstantOfShape"(%mapshape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x1xf32>
  %map = moe.onnx "ScatterElements"(%none, %ids, %values) version 18 {axis = 1 : i64} : (tensor<?x1xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x1xf32>
  %g = moe.onnx "Einsum"(%x, %w1) version 12 {equation = "th,ehf->tef"} : (tensor<?x8xf32>, tensor<1x8x16xf32>) -> tensor<?x1x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<?x1x16xf32>) -> tensor<?x1x16xf32>
  %y = moe.onnx "Einsum"(%a, %w2) version 12 {equation = "tef,efh->teh"} : (tensor<?x1x16xf32>, tensor<1x16x8xf32>) -> tensor<?x1x8xf32>
  %out = moe.onnx "Einsum"(%map, %y) version 12 {equation = "te,teh->th"} : (tensor<?x1xf32>, tensor<?x1x8xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The results of each expert are scaled by a number of its own.

// CHECK: %[[TOP:[^:]+]]:2 = moe.onnx "TopK"
// CHECK: %[[SCALES:.*]] = arith.constant dense<[5.000000e-01, 3.000000e+00, -2.000000e+00]> : tensor<3xf32>
// CHECK: moe.onnx "Gather"(%[[SCALES]], %[[TOP]]#1)
// CHECK: moe.experts {{.*}}"tiled"
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 96, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1632, length = 1536>)
moe.weight @b2 : tensor<3x1x8xf32> source(#moe.file<"model.onnx", offset = 3168, length = 96>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<[3, 1]> : tensor<2xi64>
  %c2 = arith.constant dense<[3, -1, 8]> : tensor<3xi64>
  %c3 = arith.constant dense<0> : tensor<1xi64>
  %scales = arith.constant dense<[[[0.5]], [[3.0]], [[-2.0]]]> : tensor<3x1x1xf32>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w1 = moe.weight_ref @w1 : tensor<3x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<3x16x8xf32>
  %b2 = moe.weight_ref @b2 : tensor<3x1x8xf32>
  %logits = moe.onnx "Gemm"(%x, %wr) version 13 {transB = 1 : i64} : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %mapshape = moe.onnx "Shape"(%probs) version 13 {} : (tensor<?x3xf32>) -> tensor<2xi64>
  %none = moe.onnx "ConstantOfShape"(%mapshape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x3xf32>
  %map = moe.onnx "ScatterElements"(%none, %ids, %values) version 18 {axis = 1 : i64} : (tensor<?x3xf32>, tensor<?x2xi64>, tensor<?x2xf32>) -> tensor<?x3xf32>
  %mapT = moe.onnx "Transpose"(%map) version 13 {perm = array<i64: 1, 0>} : (tensor<?x3xf32>) -> tensor<3x?xf32>
  %tiled = moe.onnx "Tile"(%x, %c1) version 13 {} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %rows = moe.onnx "Reshape"(%tiled, %c2) version 14 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<3x?x8xf32>
  %g = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<3x?x8xf32>, tensor<3x8x16xf32>) -> tensor<3x?x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<3x?x16xf32>) -> tensor<3x?x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<3x?x16xf32>, tensor<3x16x8xf32>) -> tensor<3x?x8xf32>
  %yb = moe.onnx "Add"(%y, %b2) version 14 {} : (tensor<3x?x8xf32>, tensor<3x1x8xf32>) -> tensor<3x?x8xf32>
  %scaled = moe.onnx "Mul"(%yb, %scales) version 14 {} : (tensor<3x?x8xf32>, tensor<3x1x1xf32>) -> tensor<3x?x8xf32>
  %we = moe.onnx "Unsqueeze"(%mapT, %c0) version 13 {} : (tensor<3x?xf32>, tensor<1xi64>) -> tensor<3x?x1xf32>
  %weighted = moe.onnx "Mul"(%scaled, %we) version 14 {} : (tensor<3x?x8xf32>, tensor<3x?x1xf32>) -> tensor<3x?x8xf32>
  %out = moe.onnx "ReduceSum"(%weighted, %c3) version 13 {keepdims = 0 : i64} : (tensor<3x?x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}
