// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-fused-experts | FileCheck %s
// The example of the pass.

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[Z:.*]]: tensor<?x4xf32>
// CHECK-DAG: %[[W1:.*]] = moe.weight_ref @layers.0.fc1
// CHECK-DAG: %[[W2:.*]] = moe.weight_ref @layers.0.fc2
// CHECK-NOT: moe.onnx
// CHECK: %[[S:.*]], %[[C:.*]] = moe.score softmax %[[Z]]
// CHECK: %[[T:.*]], %[[E:.*]], %[[R:.*]], %[[V:.*]], %{{.*}} = moe.select top_k %[[C]] : tensor<?x4xf32> {k = 2 : i64}
// CHECK: %[[W:.*]] = moe.weigh gather %[[S]], %[[T]], %[[E]], %[[R]], %[[V]] {norm = #moe<weight_norm l1>}
// CHECK: %[[SLOT:.*]], %[[KEEP:.*]], %{{.*}}, %[[OFF:.*]] = moe.slots %[[T]], %[[E]], %[[R]], %[[V]] {experts = 4 : i64}
// CHECK: %[[ROWS:.*]] = moe.dispatch ragged %[[X]], %[[T]], %[[E]], %[[SLOT]], %[[KEEP]], %[[OFF]]
// CHECK: %[[Y:.*]] = moe.experts %[[ROWS]], %[[OFF]] gate(%[[W1]] : tensor<4x16x8xf32>) down(%[[W2]] : tensor<4x8x16xf32>)
// CHECK-SAME: {ffn = #moe.ffn<activation = silu>, origin = #moe.origin<"layers.0", "fused">}
// CHECK: %[[N:.*]] = tensor.dim %[[X]]
// CHECK: %[[OUT:.*]] = moe.combine %[[Y]], %[[T]], %[[E]], %[[SLOT]], %[[KEEP]], %[[W]] tokens(%[[N]])
// CHECK: return %[[OUT]]
// DOC: --moe-raise-fused-experts
moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "silu", k = 2 : i64, normalize_routing_weights = 1 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// The defaults of the schema: k 1, ReLU, not normalised.

// CHECK: moe.select top_k
// CHECK-NOT: k =
// CHECK: moe.weigh gather
// CHECK-NOT: norm
// CHECK: ffn = #moe.ffn<activation = relu>
moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// GELU is the tanh form; biases; batch and sequence are folded and come back.

// CHECK: %[[X:.*]] = moe.onnx "Reshape"(%{{.*}}, %{{.*}}) {{.*}} : (tensor<?x?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
// CHECK: moe.dispatch ragged %[[X]]
// CHECK: moe.experts {{.*}} gate_bias(%{{.*}} : tensor<4x16xf32>) {{.*}} down_bias(%{{.*}} : tensor<4x8xf32>) {ffn = #moe.ffn<activation = gelu_tanh>
// CHECK: %[[Y:.*]] = moe.combine
// CHECK: %[[SHAPE:.*]] = moe.onnx "Shape"
// CHECK: %[[OUT:.*]] = moe.onnx "Reshape"(%[[Y]], %[[SHAPE]])
// CHECK: return %[[OUT]] : tensor<?x?x8xf32>
moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc1_bias : tensor<4x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2_bias : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
func.func @main(%x: tensor<?x?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc1_bias = moe.weight_ref @layers.0.fc1_bias : tensor<4x16xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %fc2_bias = moe.weight_ref @layers.0.fc2_bias : tensor<4x8xf32>
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %fc1_bias, %fc2, %fc2_bias) domain "com.microsoft" version 1 {activation_type = "gelu", k = 2 : i64} : (tensor<?x?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, tensor<4x16xf32>, tensor<4x8x16xf32>, tensor<4x8xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

// gpt-oss: rows g0, u0, g1, u1, …

// CHECK: ffn = #moe.ffn<activation = silu, gate = interleaved, alpha = 1.70{{.*}} : f64, up_offset = 1.000000e+00 : f64, limit = 7.000000e+00 : f64>
moe.weight @layers.0.fc1 : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @layers.0.fc1_bias : tensor<4x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 512>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2_bias : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x32x8xf32>
  %fc1_bias = moe.weight_ref @layers.0.fc1_bias : tensor<4x32xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %fc2_bias = moe.weight_ref @layers.0.fc2_bias : tensor<4x8xf32>
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %fc1_bias, %fc2, %fc2_bias) domain "com.microsoft" version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64, swiglu_limit = 7.0 : f32, activation_alpha = 1.702 : f32, activation_beta = 1.0 : f32} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x32x8xf32>, tensor<4x32xf32>, tensor<4x8x16xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Gate rows, then up rows.

// CHECK: ffn = #moe.ffn<activation = silu, gate = halves>
moe.weight @layers.0.fc1 : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x32x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 2 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x32x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// The up projection in fc3. swiglu_fusion may be absent.

// CHECK: moe.experts {{.*}} gate(%[[W1:.*]] : tensor<4x16x8xf32>) up(%[[W3:.*]] : tensor<4x16x8xf32>) down
// CHECK-SAME: ffn = #moe.ffn<activation = silu, gate = separate>
moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc3 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %fc3 = moe.weight_ref @layers.0.fc3 : tensor<4x16x8xf32>
  %none = moe.absent : none
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2, %none, %fc3) domain "com.microsoft" version 1 {activation_type = "swiglu", k = 2 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>, none, tensor<4x16x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Any activation may be gated by fc3.

// CHECK: up_bias(
// CHECK-SAME: ffn = #moe.ffn<activation = gelu_tanh, gate = separate>
moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc1_bias : tensor<4x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2_bias : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @layers.0.fc3 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc3_bias : tensor<4x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc1_bias = moe.weight_ref @layers.0.fc1_bias : tensor<4x16xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %fc2_bias = moe.weight_ref @layers.0.fc2_bias : tensor<4x8xf32>
  %fc3 = moe.weight_ref @layers.0.fc3 : tensor<4x16x8xf32>
  %fc3_bias = moe.weight_ref @layers.0.fc3_bias : tensor<4x16xf32>
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %fc1_bias, %fc2, %fc2_bias, %fc3, %fc3_bias) domain "com.microsoft" version 1 {activation_type = "gelu", k = 2 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, tensor<4x16xf32>, tensor<4x8x16xf32>, tensor<4x8xf32>, tensor<4x16x8xf32>, tensor<4x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Identity.

// CHECK: ffn = #moe.ffn<activation = identity>
moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "identity"} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// f16: the router runs in f32, and so does the sum over a token's experts.

// CHECK: %[[Z:.*]] = moe.onnx "Cast"(%{{.*}}) {{.*}} : (tensor<?x4xf16>) -> tensor<?x4xf32>
// CHECK: moe.score softmax %[[Z]]
// CHECK: moe.combine {{.*}} -> tensor<?x8xf32>
moe.weight @layers.0.fc1 : tensor<4x16x8xf16> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf16> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
func.func @main(%x: tensor<?x8xf16>, %logits: tensor<?x4xf16>) -> tensor<?x8xf16> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf16>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf16>
  %none = moe.absent : none
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {k = 2 : i64} : (tensor<?x8xf16>, tensor<?x4xf16>, tensor<4x16x8xf16>, none, tensor<4x8x16xf16>) -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

// The sparse mixer of Phi-3.5-MoE.

// CHECK: moe.score identity
// CHECK: moe.select sparse_mixer {{.*}} {jitter = 1.000000e-02 : f64, k = 2 : i64}
// CHECK: moe.weigh sparse_mixer {{.*}} {jitter = 1.000000e-02 : f64}
moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "silu", k = 2 : i64, use_sparse_mixer = 1 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Old files hold [E, in, out].

// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<4x8x16xf32>) down(%{{.*}} : tensor<4x16x8xf32>)
// CHECK-SAME: order = #moe<weight_order in_out>
moe.weight @layers.0.fc1 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x8x16xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x16x8xf32>
  %none = moe.absent : none
  // expected-warning @+1 {{stored as [E, in, out], the layout of old files}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {k = 2 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x8x16xf32>, none, tensor<4x16x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// As many inner as hidden columns: the layout of today.

// CHECK: moe.experts
// CHECK-NOT: order =
moe.weight @layers.0.fc1 : tensor<4x8x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @layers.0.fc2 : tensor<4x8x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x8x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xf32>
  %none = moe.absent : none
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {k = 2 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x8x8xf32>, none, tensor<4x8x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// The same sizes, but two parts in fc1 tell an old file.

// CHECK: order = #moe<weight_order in_out>
moe.weight @layers.0.fc1 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x8x16xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xf32>
  %none = moe.absent : none
  // expected-warning @+1 {{the layout of old files}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "swiglu", swiglu_fusion = 1 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x8x16xf32>, none, tensor<4x8x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// QMoE: codes of 4 bits in blocks of 32 with zero points; fc3 has its own; the codes stay behind moe.dequant.

// CHECK-LABEL: func.func @quantized
// CHECK: %[[G:.*]] = moe.dequant %{{.*}} scales(%{{.*}} : tensor<4x16x2xf32>) zeros(%{{.*}} : tensor<4x16x1xui8>) <format = int4_group, group_size = 32> : tensor<4x16x24xui8> -> tensor<4x16x48xf32>
// CHECK: %[[U:.*]] = moe.dequant %{{.*}} scales(%{{.*}} : tensor<4x16x2xf32>) <format = int4_group, group_size = 32> : tensor<4x16x24xui8> -> tensor<4x16x48xf32>
// CHECK: %[[D:.*]] = moe.dequant %{{.*}} scales(%{{.*}} : tensor<4x48x1xf32>) <format = int4_group, group_size = 32> : tensor<4x48x8xui8> -> tensor<4x48x16xf32>
// CHECK: moe.experts {{.*}} gate(%[[G]] : tensor<4x16x48xf32>) up(%[[U]] : tensor<4x16x48xf32>) down(%[[D]] : tensor<4x48x16xf32>)
// CHECK-SAME: origin = #moe.origin<"layers.0", "fused">
moe.weight @layers.0.fc1 : tensor<4x16x24xui8> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
moe.weight @layers.0.fc2 : tensor<4x48x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
moe.weight @layers.0.fc3 : tensor<4x16x24xui8> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
moe.weight @layers.0.s1 : tensor<4x16x2xf32> source(#moe.file<"model.onnx", offset = 0, length = 512>)
moe.weight @layers.0.s2 : tensor<4x48x1xf32> source(#moe.file<"model.onnx", offset = 0, length = 768>)
func.func @quantized(%x: tensor<?x48xf32>, %logits: tensor<?x4xf32>) -> tensor<?x48xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x24xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x48x8xui8>
  %fc3 = moe.weight_ref @layers.0.fc3 : tensor<4x16x24xui8>
  %s1 = moe.weight_ref @layers.0.s1 : tensor<4x16x2xf32>
  %s2 = moe.weight_ref @layers.0.s2 : tensor<4x48x1xf32>
  %z1 = arith.constant dense<120> : tensor<4x16x1xui8>
  %none = moe.absent : none
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2, %none, %fc3, %s1, %none, %z1) domain "com.microsoft" version 1
      {activation_type = "silu", k = 2 : i64, block_size = 32 : i64}
      : (tensor<?x48xf32>, tensor<?x4xf32>, tensor<4x16x24xui8>, tensor<4x16x2xf32>, none, tensor<4x48x8xui8>, tensor<4x48x1xf32>, none, tensor<4x16x24xui8>, tensor<4x16x2xf32>, none, tensor<4x16x1xui8>) -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}

// -----

// Eight bits a code and one scale per row; the logits choose, router_weights weighs.

// CHECK-LABEL: func.func @router_weights
// CHECK-SAME: %{{.*}}: tensor<?x8xf32>, %[[Z:.*]]: tensor<?x4xf32>, %[[R:.*]]: tensor<?x4xf32>
// CHECK: %[[TOP:.*]]:2 = moe.onnx "TopK"(%[[Z]], %{{.*}})
// CHECK: %[[W:.*]] = moe.onnx "GatherElements"(%[[R]], %[[TOP]]#1)
// CHECK: %[[S:.*]] = moe.onnx "ReduceSum"(%[[W]], %{{.*}})
// CHECK: moe.onnx "Div"(%[[W]], %[[S]])
// CHECK: moe.assign %[[TOP]]#1
// CHECK: moe.dequant %{{.*}} scales(%{{.*}} : tensor<4x16xf32>) <format = int8_group> : tensor<4x16x8xui8> -> tensor<4x16x8xf32>
moe.weight @layers.0.fc1 : tensor<4x16x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 512>)
moe.weight @layers.0.fc2 : tensor<4x8x16xui8> source(#moe.file<"model.onnx", offset = 0, length = 512>)
func.func @router_weights(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %weights: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2, %none, %none, %none, %none, %none, %none, %none, %weights) domain "com.microsoft" version 1
      {activation_type = "silu", k = 2 : i64, expert_weight_bits = 8 : i64, normalize_routing_weights = 1 : i64}
      : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xui8>, tensor<4x16xf32>, none, tensor<4x8x16xui8>, tensor<4x8xf32>, none, none, none, none, none, none, none, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Rows of f16 are widened before the layer and its result is rounded after it.

// CHECK-LABEL: func.func @half
// CHECK: %[[X:.*]] = moe.onnx "Cast"(%{{.*}}) version 13 {to = 1 : i64} : (tensor<?x8xf16>) -> tensor<?x8xf32>
// CHECK: moe.dispatch ragged %[[X]]
// CHECK: moe.experts {{.*}} gate(%{{.*}} : tensor<4x16x8xf16>)
// CHECK: %[[Y:.*]] = moe.combine {{.*}} -> tensor<?x8xf32>
// CHECK: moe.onnx "Cast"(%[[Y]]) version 13 {to = 10 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf16>
moe.weight @layers.0.fc1 : tensor<4x16x8xf16> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf16> source(#moe.file<"model.onnx", offset = 0, length = 1024>)
func.func @half(%x: tensor<?x8xf16>, %logits: tensor<?x4xf16>) -> tensor<?x8xf16> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf16>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf16>
  %none = moe.absent : none
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {} : (tensor<?x8xf16>, tensor<?x4xf16>, tensor<4x16x8xf16>, none, tensor<4x8x16xf16>) -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}
