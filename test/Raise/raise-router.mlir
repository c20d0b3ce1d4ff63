// RUN: moe-opt %s -split-input-file --moe-raise-router=remarks=true | FileCheck %s
// The example of the pass: softmax, top-k, divided by the sum.

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[Z:[^ ]*]]: tensor<?x4xf32>
// CHECK-NOT: moe.onnx
// CHECK: %[[S:.*]], %[[C:.*]] = moe.score softmax %[[Z]] : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
// CHECK: %[[T:.*]], %[[E:.*]], %[[R:.*]], %[[V:.*]], %{{.*}} = moe.select top_k %[[C]] : tensor<?x4xf32> {k = 2 : i64}
// CHECK-SAME: -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
// CHECK: %[[W:.*]] = moe.weigh gather %[[S]], %[[T]], %[[E]], %[[R]], %[[V]] {norm = #moe<weight_norm l1>}
// CHECK-NOT: moe.assign
// CHECK: %[[SLOT:.*]], %[[KEEP:.*]], %{{.*}}, %{{.*}} = moe.slots %[[T]], %[[E]], %[[R]], %[[V]]
// CHECK: moe.combine %{{.*}}, %[[T]], %[[E]], %[[SLOT]], %[[KEEP]], %[[W]] tokens
// DOC: --moe-raise-router
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// Not normalised.

// CHECK: %[[S:.*]], %{{.*}} = moe.score softmax
// CHECK: moe.weigh gather %[[S]], %{{[^{]*}} : tensor<?x4xf32>
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = moe.onnx "Reshape"(%values, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// Softmax of the chosen logits.

// CHECK: %[[S:.*]], %[[C:.*]] = moe.score identity %
// CHECK: moe.select top_k %[[C]] : tensor<?x4xf32> {k = 2 : i64}
// CHECK: moe.weigh softmax_selected %[[S]], %{{[^{]*}} : tensor<?x4xf32>
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %values, %ids = moe.onnx "TopK"(%logits, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %weights = moe.onnx "Softmax"(%values) version 13 {axis = 1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// f16 logits with a cast in front, and a factor behind.

// CHECK: %[[Z:.*]] = moe.onnx "Cast"
// CHECK: moe.score softmax %[[Z]]
// CHECK: moe.weigh gather {{.*}} {norm = #moe<weight_norm l1>, scale = 2.500000e+00 : f64}
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf16> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<2.5> : tensor<f32>
  %logits32 = moe.onnx "Cast"(%logits) version 19 {to = 1 : i64} : (tensor<?x4xf16>) -> tensor<?x4xf32>
  %probs = moe.onnx "Softmax"(%logits32) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %scaled = moe.onnx "Mul"(%weights, %c2) version 14 {} : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%scaled, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// The whole router in f16: it runs in f32 all the same.

// CHECK: %[[Z:.*]] = moe.onnx "Cast"(%{{.*}}) version 13 {to = 1 : i64} : (tensor<?x4xf16>) -> tensor<?x4xf32>
// CHECK-NEXT: moe.score softmax %[[Z]]
// CHECK-NOT: Softmax
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf16> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf16>) -> tensor<?x4xf16>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf16>, tensor<1xi64>) -> (tensor<?x2xf16>, tensor<?x2xi64>)
  %v32 = moe.onnx "Cast"(%values) version 19 {to = 1 : i64} : (tensor<?x2xf16>) -> tensor<?x2xf32>
  %total = moe.onnx "ReduceSum"(%v32, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%v32, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// Sigmoid scores.

// CHECK: moe.score sigmoid
// CHECK: moe.weigh gather {{.*}} {norm = #moe<weight_norm l1>}
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Sigmoid"(%logits) version 13 {} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// Routed before batch and sequence are folded.

// CHECK: %[[Z:.*]] = moe.onnx "Reshape"(%{{.*}}, %{{.*}}) {{.*}} : (tensor<?x?x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
// CHECK-NEXT: moe.score softmax %[[Z]]
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x?x4xf32> {moe.dims = ["batch", "seq", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<[-1, 2]> : tensor<2xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = 2 : i64} : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
  %values, %ids3 = moe.onnx "TopK"(%probs, %c0) version 11 {axis = 2 : i64} : (tensor<?x?x4xf32>, tensor<1xi64>) -> (tensor<?x?x2xf32>, tensor<?x?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x?x2xf32>, tensor<1xi64>) -> tensor<?x?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x?x2xf32>, tensor<?x?x1xf32>) -> tensor<?x?x2xf32>
  %ids = moe.onnx "Reshape"(%ids3, %c2) version 19 {} : (tensor<?x?x2xi64>, tensor<2xi64>) -> tensor<?x2xi64>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// Scores by a function that is none of the known ones: what made them stays, and they are the logits of an identity.

// CHECK: %[[P:.*]] = moe.onnx "Softmax"
// CHECK: %[[S:.*]], %{{.*}} = moe.score identity %[[P]]
// CHECK: moe.weigh gather %[[S]]
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = 0 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %total) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// A bias on the choice only: the weights are the scores without it.

// CHECK: %[[S:.*]], %[[C:.*]] = moe.score sigmoid %{{.*}} bias(%{{.*}} : tensor<4xf32>)
// CHECK: moe.select top_k %[[C]]
// CHECK: moe.weigh gather %[[S]], %{{[^{]*}} : tensor<?x4xf32>
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<[0.10000000149011612, 0.20000000298023224, 0.30000001192092896, 0.4000000059604645]> : tensor<4xf32>
  %c1 = arith.constant dense<2> : tensor<1xi64>
  %c2 = arith.constant dense<-1> : tensor<1xi64>
  %s = moe.onnx "Sigmoid"(%logits) version 13 {} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %add1 = moe.onnx "Add"(%s, %c0) version 14 {} : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%add1, %c1) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %w = moe.onnx "GatherElements"(%s, %ids) version 13 {axis = 1 : i64} : (tensor<?x4xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%w, %c2) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// Logits as weights.

// CHECK: %[[S:.*]], %{{.*}} = moe.score identity
// CHECK: moe.weigh gather %[[S]], %{{[^{]*}} : tensor<?x4xf32>
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %values, %ids = moe.onnx "TopK"(%logits, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = moe.onnx "Reshape"(%values, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
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

// Something is added to the sum.

// CHECK: moe.weigh gather {{.*}} {epsilon = 5.000000e-01 : f64, epsilon_mode = #moe<epsilon_mode add>, norm = #moe<weight_norm l1>}
moe.weight @w1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @w2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 2048, length = 2048>)
func.func @main(%x: tensor<?x8xf32> {moe.dims = ["tokens", "8"]}, %logits: tensor<?x4xf32> {moe.dims = ["tokens", "4"]}) -> tensor<?x8xf32> {
  %c0 = arith.constant dense<2> : tensor<1xi64>
  %c1 = arith.constant dense<-1> : tensor<1xi64>
  %c2 = arith.constant dense<0.5> : tensor<f32>
  %probs = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %values, %ids = moe.onnx "TopK"(%probs, %c0) version 11 {axis = -1 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %total = moe.onnx "ReduceSum"(%values, %c1) version 13 {keepdims = 1 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %add1 = moe.onnx "Add"(%total, %c2) version 14 {} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %weights = moe.onnx "Div"(%values, %add1) version 14 {} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %flat = moe.onnx "Reshape"(%weights, %c1) version 19 {} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x16x8xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x8x16xf32>
  %token, %expert, %rank, %valid = moe.assign %ids : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>) {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"layer", "batched">} : tensor<?x8xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %zero = arith.constant 0 : index
  %tokens = tensor.dim %x, %zero : tensor<?x8xf32>
  %out = moe.combine %y, %token, %expert, %slot, %keep, %flat tokens(%tokens) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}
