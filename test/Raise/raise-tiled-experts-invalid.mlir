// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-tiled-experts=remarks=true | FileCheck %s
// Batched products that are no layer of experts.
// CHECK-NOT: moe.experts
// A row of zeros comes out as the bias: experts that were not chosen count.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 96, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1632, length = 1536>)
moe.weight @b2 : tensor<3x1x8xf32> source(#moe.file<"model.onnx", offset = 3168, length = 96>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<1> : tensor<1xi64>
  %c1 = arith.constant dense<[3, 1]> : tensor<2xi64>
  %c2 = arith.constant dense<[-1, 1]> : tensor<2xi64>
  %c3 = arith.constant dense<[3, -1, 8]> : tensor<3xi64>
  %c4 = arith.constant dense<0> : tensor<1xi64>
  %wr = moe.weight_ref @wr : tensor<3x8xf32>
  %w1 = moe.weight_ref @w1 : tensor<3x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<3x16x8xf32>
  %b2 = moe.weight_ref @b2 : tensor<3x1x8xf32>
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
  %yb = moe.onnx "Add"(%y, %b2) version 14 {} : (tensor<3x?x8xf32>, tensor<3x1x8xf32>) -> tensor<3x?x8xf32>
  // expected-remark @+1 {{neither the results nor the rows of experts without bias are weighted}}
  %out = moe.onnx "ReduceSum"(%yb, %c4) version 13 {keepdims = 0 : i64} : (tensor<3x?x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Sigmoid(0) is not 0: experts that were not chosen count.
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
  %none = moe.onnx "ConstantOfShape"(%mapshape) version 9 {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x3xf32>
  %map = moe.onnx "ScatterElements"(%none, %ids, %values) version 18 {axis = 1 : i64} : (tensor<?x3xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x3xf32>
  // expected-note @+1 {{at this node}}
  %open = moe.onnx "Sigmoid"(%map) version 13 {} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %mapT = moe.onnx "Transpose"(%open) version 13 {perm = array<i64: 1, 0>} : (tensor<?x3xf32>) -> tensor<3x?xf32>
  %tiled = moe.onnx "Tile"(%x, %c1) version 13 {} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %factor = moe.onnx "Reshape"(%mapT, %c2) version 14 {} : (tensor<3x?xf32>, tensor<2xi64>) -> tensor<?x1xf32>
  %scaled = moe.onnx "Mul"(%tiled, %factor) version 14 {} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %rows = moe.onnx "Reshape"(%scaled, %c3) version 14 {} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<3x?x8xf32>
  %g = moe.onnx "MatMul"(%rows, %w1) version 13 {} : (tensor<3x?x8xf32>, tensor<3x8x16xf32>) -> tensor<3x?x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<3x?x16xf32>) -> tensor<3x?x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<3x?x16xf32>, tensor<3x16x8xf32>) -> tensor<3x?x8xf32>
  // expected-remark @+1 {{experts that are not chosen do not get the weight 0}}
  %out = moe.onnx "ReduceSum"(%y, %c4) version 13 {keepdims = 0 : i64} : (tensor<3x?x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The first product has the experts in front, the second one behind the tokens: rows of one expert would meet the matrices of another.
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
  %regroup = arith.constant dense<[-1, 3, 16]> : tensor<3xi64>
  %map = moe.onnx "Einsum"(%values, %hot) version 12 {equation = "tk,tke->te"} : (tensor<?x2xf32>, tensor<?x2x3xf32>) -> tensor<?x3xf32>
  %g = moe.onnx "Einsum"(%x, %w1) version 12 {equation = "th,ehf->etf"} : (tensor<?x8xf32>, tensor<3x8x16xf32>) -> tensor<3x?x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<3x?x16xf32>) -> tensor<3x?x16xf32>
  // expected-note @+1 {{at this node}}
  %at = moe.onnx "Reshape"(%a, %regroup) version 14 {} : (tensor<3x?x16xf32>, tensor<3xi64>) -> tensor<?x3x16xf32>
  %y = moe.onnx "Einsum"(%at, %w2) version 12 {equation = "tef,efh->teh"} : (tensor<?x3x16xf32>, tensor<3x16x8xf32>) -> tensor<?x3x8xf32>
  // expected-remark @+1 {{the products do not keep the rows in the same order}}
  %out = moe.onnx "Einsum"(%map, %y) version 12 {equation = "te,teh->th"} : (tensor<?x3xf32>, tensor<?x3x8xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// A token may choose an expert twice: of the rows that are scaled on the way in there is then only one.
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1536, length = 1536>)
moe.weight @b1 : tensor<3x16xf32> source(#moe.file<"model.onnx", offset = 3072, length = 192>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %ids: tensor<?x2xi64> {moe.dims = ["tokens", "2"]}, %values: tensor<?x2xf32> {moe.dims = ["tokens", "2"]}) -> tensor<?x8xf32> {
  %k = arith.constant dense<2> : tensor<1xi64>
  %depth = arith.constant dense<3> : tensor<i64>
  %off_on = arith.constant dense<[0.0, 1.0]> : tensor<2xf32>
  %w1 = moe.weight_ref @w1 : tensor<3x8x16xf32>
  %w2 = moe.weight_ref @w2 : tensor<3x16x8xf32>
  %b1 = moe.weight_ref @b1 : tensor<3x16xf32>
  %numbers = arith.constant dense<[0, 1, 2]> : tensor<3xi64>
  %single = arith.constant dense<-1> : tensor<1xi64>
  %ids3 = moe.onnx "Unsqueeze"(%ids, %single) version 13 {} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?x2x1xi64>
  %equal = moe.onnx "Equal"(%ids3, %numbers) version 13 {} : (tensor<?x2x1xi64>, tensor<3xi64>) -> tensor<?x2x3xi1>
  %hot = moe.onnx "Cast"(%equal) version 13 {to = 1 : i64} : (tensor<?x2x3xi1>) -> tensor<?x2x3xf32>
  %copies = arith.constant dense<[3, 1, 1]> : tensor<3xi64>
  %first = arith.constant dense<0> : tensor<1xi64>
  %map = moe.onnx "Einsum"(%values, %hot) version 12 {equation = "tk,tke->te"} : (tensor<?x2xf32>, tensor<?x2x3xf32>) -> tensor<?x3xf32>
  %turned = moe.onnx "Transpose"(%map) version 13 {perm = array<i64: 1, 0>} : (tensor<?x3xf32>) -> tensor<3x?xf32>
  %factor = moe.onnx "Unsqueeze"(%turned, %single) version 13 {} : (tensor<3x?xf32>, tensor<1xi64>) -> tensor<3x?x1xf32>
  %x3 = moe.onnx "Unsqueeze"(%x, %first) version 13 {} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<1x?x8xf32>
  %tiled = moe.onnx "Tile"(%x3, %copies) version 13 {} : (tensor<1x?x8xf32>, tensor<3xi64>) -> tensor<3x?x8xf32>
  %scaled = moe.onnx "Mul"(%tiled, %factor) version 14 {} : (tensor<3x?x8xf32>, tensor<3x?x1xf32>) -> tensor<3x?x8xf32>
  %g = moe.onnx "MatMul"(%scaled, %w1) version 13 {} : (tensor<3x?x8xf32>, tensor<3x8x16xf32>) -> tensor<3x?x16xf32>
  %a = moe.onnx "Relu"(%g) version 13 {} : (tensor<3x?x16xf32>) -> tensor<3x?x16xf32>
  %y = moe.onnx "MatMul"(%a, %w2) version 13 {} : (tensor<3x?x16xf32>, tensor<3x16x8xf32>) -> tensor<3x?x8xf32>
  // expected-remark @+1 {{a token may choose an expert twice, whose row is scaled once}}
  %out = moe.onnx "ReduceSum"(%y, %first) version 13 {keepdims = 0 : i64} : (tensor<3x?x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Numbers of the columns, for each expert.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 96, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1632, length = 1536>)
moe.weight @b2 : tensor<3x1x8xf32> source(#moe.file<"model.onnx", offset = 3168, length = 96>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<[3, 1]> : tensor<2xi64>
  %c2 = arith.constant dense<[3, -1, 8]> : tensor<3xi64>
  %c3 = arith.constant dense<0> : tensor<1xi64>
  %scales = arith.constant dense<2.0> : tensor<3x1x8xf32>
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
  // expected-note @+1 {{at this node}}
  %scaled = moe.onnx "Mul"(%yb, %scales) version 14 {} : (tensor<3x?x8xf32>, tensor<3x1x8xf32>) -> tensor<3x?x8xf32>
  %we = moe.onnx "Unsqueeze"(%mapT, %c0) version 13 {} : (tensor<3x?xf32>, tensor<1xi64>) -> tensor<3x?x1xf32>
  %weighted = moe.onnx "Mul"(%scaled, %we) version 14 {} : (tensor<3x?x8xf32>, tensor<3x?x1xf32>) -> tensor<3x?x8xf32>
  // expected-remark @+1 {{the results of the experts are not scaled by one known number each}}
  %out = moe.onnx "ReduceSum"(%weighted, %c3) version 13 {keepdims = 0 : i64} : (tensor<3x?x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Numbers of the columns.
moe.weight @wr : tensor<3x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 96>)
moe.weight @w1 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 96, length = 1536>)
moe.weight @w2 : tensor<3x16x8xf32> source(#moe.file<"model.onnx", offset = 1632, length = 1536>)
moe.weight @b2 : tensor<3x1x8xf32> source(#moe.file<"model.onnx", offset = 3168, length = 96>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<[3, 1]> : tensor<2xi64>
  %c2 = arith.constant dense<[3, -1, 8]> : tensor<3xi64>
  %c3 = arith.constant dense<0> : tensor<1xi64>
  %scales = arith.constant dense<[[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]]> : tensor<1x1x8xf32>
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
  // expected-note @+1 {{at this node}}
  %scaled = moe.onnx "Mul"(%yb, %scales) version 14 {} : (tensor<3x?x8xf32>, tensor<1x1x8xf32>) -> tensor<3x?x8xf32>
  %we = moe.onnx "Unsqueeze"(%mapT, %c0) version 13 {} : (tensor<3x?xf32>, tensor<1xi64>) -> tensor<3x?x1xf32>
  %weighted = moe.onnx "Mul"(%scaled, %we) version 14 {} : (tensor<3x?x8xf32>, tensor<3x?x1xf32>) -> tensor<3x?x8xf32>
  // expected-remark @+1 {{the results of the experts are not scaled by one known number each}}
  %out = moe.onnx "ReduceSum"(%weighted, %c3) version 13 {keepdims = 0 : i64} : (tensor<3x?x8xf32>, tensor<1xi64>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}
