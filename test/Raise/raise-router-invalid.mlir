// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-router=remarks=true | FileCheck %s
// Routers that are none of the known ones. The layer keeps moe.assign and its router stays.
// CHECK-NOT: moe.select
// The smallest scores.
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // expected-note @+1 {{at this node}}
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 0 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
  // expected-remark @+1 {{the TopK picks the smallest scores}}
  %token, %expert, %rank, %valid = moe.assign %ids : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "batched">} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %zero = arith.constant 0 : index
  %tokens = tensor.dim %x, %zero : tensor<?x8xf32>
  %out = moe.combine %y, %token, %expert, %slot, %keep, %flat tokens(%tokens) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Over the tokens.
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %idsT = moe.onnx "TopK"(%probs, %c0) version 11 {axis = 0 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x?xf32>, tensor<?x?xi64>)
  // expected-note @+1 {{at this node}}
  %ids = moe.onnx "Transpose"(%idsT) version 13 {perm = array<i64: 1, 0>} : (tensor<?x?xi64>) -> tensor<?x?xi64>
  %w = moe.onnx "Transpose"(%values) version 13 {perm = array<i64: 1, 0>} : (tensor<?x?xf32>) -> tensor<?x?xf32>
  %flat = moe.onnx "Reshape"(%w, %c1) version 19 {} : (tensor<?x?xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
  // expected-remark @+1 {{not the indices of a TopK}}
  %token, %expert, %rank, %valid = moe.assign %ids : tensor<?x?xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "batched">} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %zero = arith.constant 0 : index
  %tokens = tensor.dim %x, %zero : tensor<?x8xf32>
  %out = moe.combine %y, %token, %expert, %slot, %keep, %flat tokens(%tokens) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Weights of another TopK than the ids.
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %v1, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %neg1 = moe.onnx "Neg"(%logits) version 13 {} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %q = moe.onnx "Softmax"(%neg1) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // expected-note @+1 {{at this node}}
  %values, %i2 = moe.onnx "TopK"(%q, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = moe.onnx "Reshape"(%values, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
  // expected-remark @+1 {{not made from the values of the TopK}}
  %token, %expert, %rank, %valid = moe.assign %ids : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "batched">} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %zero = arith.constant 0 : index
  %tokens = tensor.dim %x, %zero : tensor<?x8xf32>
  %out = moe.combine %y, %token, %expert, %slot, %keep, %flat tokens(%tokens) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Divided by the sum over all experts, not over the chosen ones.
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%probs, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  // expected-note @+1 {{at this node}}
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
  // expected-remark @+1 {{not made from the values}}
  %token, %expert, %rank, %valid = moe.assign %ids : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "batched">} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %zero = arith.constant 0 : index
  %tokens = tensor.dim %x, %zero : tensor<?x8xf32>
  %out = moe.combine %y, %token, %expert, %slot, %keep, %flat tokens(%tokens) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Divided by the sum over the tokens.
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<0> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<1x2xf32>
  // expected-note @+1 {{at this node}}
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<1x2xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c2) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
  // expected-remark @+1 {{not made from the values}}
  %token, %expert, %rank, %valid = moe.assign %ids : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "batched">} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %zero = arith.constant 0 : index
  %tokens = tensor.dim %x, %zero : tensor<?x8xf32>
  %out = moe.combine %y, %token, %expert, %slot, %keep, %flat tokens(%tokens) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Softmax of the chosen logits over the tokens.
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %values, %ids = moe.onnx "TopK"(%logits, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  // expected-note @+1 {{at this node}}
  %weights = moe.onnx "Softmax"(%values) version 13 {axis = 0 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
  // expected-remark @+1 {{not over the K chosen scores}}
  %token, %expert, %rank, %valid = moe.assign %ids : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "batched">} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %zero = arith.constant 0 : index
  %tokens = tensor.dim %x, %zero : tensor<?x8xf32>
  %out = moe.combine %y, %token, %expert, %slot, %keep, %flat tokens(%tokens) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// The sum divided by the values.
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  // expected-note @+1 {{at this node}}
  %weights = moe.onnx "Div"(%total, %values) version 14 {} : (tensor<?x1xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
  // expected-remark @+1 {{not made from the values}}
  %token, %expert, %rank, %valid = moe.assign %ids : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "batched">} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %zero = arith.constant 0 : index
  %tokens = tensor.dim %x, %zero : tensor<?x8xf32>
  %out = moe.combine %y, %token, %expert, %slot, %keep, %flat tokens(%tokens) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}

// -----

// Logits for fewer experts than the layer has.
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x2xf32> {moe.dims = ["tokens", "2"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  // expected-note @+1 {{at this node}}
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = moe.onnx "Reshape"(%values, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
  // expected-remark @+1 {{the TopK is not over the experts}}
  %token, %expert, %rank, %valid = moe.assign %ids : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "batched">} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %zero = arith.constant 0 : index
  %tokens = tensor.dim %x, %zero : tensor<?x8xf32>
  %out = moe.combine %y, %token, %expert, %slot, %keep, %flat tokens(%tokens) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}
