// Sizes decide what is attention: where they contradict each other the node is named.
// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-attention

func.func @main(%q: tensor<1x4x8x16xf32> {moe.name = "q", moe.dims = ["1", "4", "8", "16"]}, %k: tensor<1x4x12x8xf32> {moe.name = "k", moe.dims = ["1", "4", "12", "8"]})
    -> (tensor<1x4x8x8xf32> {moe.name = "y", moe.dims = ["1", "4", "8", "8"]}) attributes {moe.entry} {
  // expected-error @below {{MatMul}}
  %s = moe.onnx "MatMul"(%q, %k) version 13 {} : (tensor<1x4x8x16xf32>, tensor<1x4x12x8xf32>) -> tensor<1x4x8x8xf32>
  return %s : tensor<1x4x8x8xf32>
}

// -----

func.func @spelled(%q: tensor<1x4x8x16xf32> {moe.name = "q", moe.dims = ["1", "4", "8", "16"]}, %k: tensor<1x2x8x12xf32> {moe.name = "k", moe.dims = ["1", "2", "8", "12"]})
    -> (tensor<1x4x8x12xf32> {moe.name = "y", moe.dims = ["1", "4", "8", "12"]}) attributes {moe.entry} {
  // expected-error @below {{head size of Q and K}}
  %y = moe.onnx "Attention"(%q, %k, %k) domain "moe.internal" version 1 {scale = 1.0 : f32} : (tensor<1x4x8x16xf32>, tensor<1x2x8x12xf32>, tensor<1x2x8x12xf32>) -> tensor<1x4x8x12xf32>
  %t = moe.onnx "Transpose"(%k) version 13 {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x2x8x12xf32>) -> tensor<1x2x12x8xf32>
  %z = moe.onnx "MatMul"(%k, %t) version 13 {} : (tensor<1x2x8x12xf32>, tensor<1x2x12x8xf32>) -> tensor<1x2x8x8xf32>
  return %y : tensor<1x4x8x12xf32>
}
