// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-fused-experts
// What the schema does not say is an error that names the node's input or attribute.

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{com.microsoft.MoE: attribute num_shared_experts is not supported}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {num_shared_experts = 1 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{unknown attribute 'tensor_shards'}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {tensor_shards = 2 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{expected activation_type relu, gelu, silu, swiglu or identity, found 'tanh'}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "tanh"} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{expected swiglu_fusion 0, 1 or 2, found 3}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "swiglu", swiglu_fusion = 3 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-warning @+1 {{swiglu_fusion has a meaning for activation_type swiglu only, found 'silu'; it is ignored}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "silu", swiglu_fusion = 1 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{swiglu with swiglu_fusion = 0 needs fc3_experts_weights}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "swiglu"} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc3 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %fc3 = moe.weight_ref @layers.0.fc3 : tensor<4x16x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{swiglu_fusion = 1 says that fc1 holds gate and up, but there are fc3_experts_weights}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2, %none, %fc3) domain "com.microsoft" version 1 {activation_type = "swiglu", swiglu_fusion = 1 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>, none, tensor<4x16x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-warning @+1 {{activation_alpha has a meaning for activation_type swiglu only, found 'relu'; it is ignored}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_alpha = 1.702 : f32} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x32x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 4096>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x32x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{expected a swiglu_limit that is not negative, found -1}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {activation_type = "swiglu", swiglu_fusion = 1 : i64, swiglu_limit = -1.0 : f32} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x32x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{use_sparse_mixer is defined for k = 2, found k = 1}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {use_sparse_mixer = 1 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{expected k from 1 to 4, the number of experts, found 5}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {k = 5 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{expected normalize_routing_weights 0 or 1, found 2}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {normalize_routing_weights = 2 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x12xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x12xf32>
  %none = moe.absent : none
  // expected-error @+1 {{weights do not fit: expected fc1 [E, I, H], fc2 [E, H, I] with H of the input 'tensor<?x8xf32>', found fc1 'tensor<4x16x8xf32>', fc2 'tensor<4x8x12xf32>'}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x12xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<3x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 1536>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<3x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{weights do not fit}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<3x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc1_bias : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2_bias : tensor<4x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc1_bias = moe.weight_ref @layers.0.fc1_bias : tensor<4x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %fc2_bias = moe.weight_ref @layers.0.fc2_bias : tensor<4x8xf32>
  // expected-error @+1 {{expected fc1_experts_bias of shape 4x16, found}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %fc1_bias, %fc2, %fc2_bias) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, tensor<4x8xf32>, tensor<4x8x16xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x5xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{expected router_probs for 4 experts, as many as fc1 has, found 'tensor<?x5xf32>'}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x5xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{expected fc1_experts_weights of rank 3}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Weights must be known: a computed one cannot be packed.
moe.weight @fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %fc1: tensor<4x16x8xf32>) -> tensor<?x8xf32> {
  %none = moe.absent : none
  %fc2 = moe.weight_ref @fc2 : tensor<4x8x16xf32>
  // expected-error @+1 {{expected fc1_experts_weights to be stored in the model, found a computed value}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %fc1: tensor<4x16x8xf32>) -> tensor<?x8xf32> {
  %fc1_stored = arith.constant dense<0.0> : tensor<4x16x8xf32>
  // expected-error @+1 {{input fc2_experts_weights is missing}}
  %y = moe.onnx "MoE"(%x, %logits, %fc1_stored) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Another domain's MoE is not this node.
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %y = moe.onnx "MoE"(%x, %logits) domain "com.example" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// QMoE: the formats that it may have, and what is left of the bytes.

moe.weight @layers.0.fc1 : tensor<4x16x4xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x4xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{com.microsoft.QMoE: expected expert_weight_bits 2, 4 or 8, found 3}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2) domain "com.microsoft" version 1 {expert_weight_bits = 3 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x4xui8>, tensor<4x16xf32>, none, tensor<4x8x8xui8>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x4xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x4xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{com.microsoft.QMoE: quant_type 'wfp4afp8' is not supported; expected int, fp8, fp4 or nvfp4}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2) domain "com.microsoft" version 1 {quant_type = "wfp4afp8"} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x4xui8>, tensor<4x16xf32>, none, tensor<4x8x8xui8>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x4xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x4xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{weights_prepacked = 1: the bytes are permuted for CUTLASS}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2) domain "com.microsoft" version 1 {weights_prepacked = 1 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x4xui8>, tensor<4x16xf32>, none, tensor<4x8x8xui8>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x16x4xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x8x8xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x16x4xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{weights are stored as [E, in, out]}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x8x8xui8>, tensor<4x16xf32>, none, tensor<4x16x4xui8>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x5xui8> source(#moe.file<"model.onnx", offset = 0, length = 320>)
moe.weight @layers.0.fc2 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x5xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{weights do not fit: expected fc1 [E, I, bytes of H codes], fc2 [E, H, bytes of I codes], 4 and 4 bits a code}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x5xui8>, tensor<4x16xf32>, none, tensor<4x8x8xui8>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x4xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x4xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16x2xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{fc1: expected scales of type 'tensor<4x16xf32>' (int4_group), got 'tensor<4x16x2xf32>'}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x4xui8>, tensor<4x16x2xf32>, none, tensor<4x8x8xui8>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x4xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x4xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{fc1: expected scales of type 'tensor<4x16x1xf32>' (int4_group), got 'tensor<4x16xf32>'}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2) domain "com.microsoft" version 1 {block_size = 16 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x4xui8>, tensor<4x16xf32>, none, tensor<4x8x8xui8>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x4xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x4xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{input fc1_global_scale is not supported yet}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2, %none, %none, %none, %none, %none, %none, %none, %none, %other) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x4xui8>, tensor<4x16xf32>, none, tensor<4x8x8xui8>, tensor<4x8xf32>, none, none, none, none, none, none, none, none, tensor<4xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x4xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x4xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{fc3_scales or fc3_zero_points without fc3_experts_weights}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2, %none, %none, %s1) domain "com.microsoft" version 1 {} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x4xui8>, tensor<4x16xf32>, none, tensor<4x8x8xui8>, tensor<4x8xf32>, none, none, tensor<4x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

moe.weight @layers.0.fc1 : tensor<4x16x4xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
moe.weight @layers.0.fc2 : tensor<4x8x8xui8> source(#moe.file<"model.onnx", offset = 0, length = 256>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %other: tensor<4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x4xui8>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x8xui8>
  %s1 = arith.constant dense<0.5> : tensor<4x16xf32>
  %s2 = arith.constant dense<0.5> : tensor<4x8xf32>
  %none = moe.absent : none
  // expected-error @+1 {{unknown attribute 'bits': its meaning cannot be guessed}}
  %y = moe.onnx "QMoE"(%x, %logits, %fc1, %s1, %none, %fc2, %s2) domain "com.microsoft" version 1 {bits = 4 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x4xui8>, tensor<4x16xf32>, none, tensor<4x8x8xui8>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// What is wrong with all nodes of a model is said once.
moe.weight @layers.0.fc1 : tensor<4x16x8xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @layers.0.fc2 : tensor<4x8x16xf32> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
func.func @main(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %fc1 = moe.weight_ref @layers.0.fc1 : tensor<4x16x8xf32>
  %fc2 = moe.weight_ref @layers.0.fc2 : tensor<4x8x16xf32>
  %none = moe.absent : none
  // expected-error @+1 {{expected k from 1 to 4, the number of experts, found 5}}
  %a = moe.onnx "MoE"(%x, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {k = 5 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  %b = moe.onnx "MoE"(%a, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {k = 5 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  // expected-error @+1 {{2 more of the nodes have the same fault, this one the last of them}}
  %y = moe.onnx "MoE"(%b, %logits, %fc1, %none, %fc2) domain "com.microsoft" version 1 {k = 5 : i64} : (tensor<?x8xf32>, tensor<?x4xf32>, tensor<4x16x8xf32>, none, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
