// RUN: moe-opt %s --moe-raise-onnx --split-input-file --verify-diagnostics

func.func @odd_rotation(%x: tensor<?x4x?x16xf32> {moe.name = "x", moe.dims = ["b", "4", "s", "16"]}, %c: tensor<?x?x2xf32> {moe.name = "c", moe.dims = ["b", "s", "2"]})
    -> (tensor<?x4x?x16xf32> {moe.name = "y", moe.dims = ["b", "4", "s", "16"]}) attributes {moe.entry} {
  // expected-error @below {{RotaryEmbedding}}
  %0 = moe.onnx "RotaryEmbedding"(%x, %c, %c) version 23 {rotary_embedding_dim = 5 : i64}
      : (tensor<?x4x?x16xf32>, tensor<?x?x2xf32>, tensor<?x?x2xf32>) -> tensor<?x4x?x16xf32>
  return %0 : tensor<?x4x?x16xf32>
}

// -----

func.func @heads_do_not_share(%q: tensor<?x3x?x16xf32> {moe.name = "q", moe.dims = ["b", "3", "s", "16"]}, %k: tensor<?x2x?x16xf32> {moe.name = "k", moe.dims = ["b", "2", "s", "16"]})
    -> (tensor<?x3x?x16xf32> {moe.name = "y", moe.dims = ["b", "3", "s", "16"]}) attributes {moe.entry} {
  // expected-error @below {{Attention}}
  %0 = moe.onnx "Attention"(%q, %k, %k) version 23 {} : (tensor<?x3x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>) -> tensor<?x3x?x16xf32>
  return %0 : tensor<?x3x?x16xf32>
}
