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

// -----

func.func @quantised_cache(%q: tensor<2x3x64xf32> {moe.name = "q", moe.dims = ["2", "3", "64"]}, %last: tensor<2xi32> {moe.name = "last", moe.dims = ["2"]},
    %past: tensor<2x1x4x16xf32> {moe.name = "past", moe.dims = ["2", "1", "4", "16"]}, %sink: tensor<2xf32> {moe.name = "sink", moe.dims = ["2"]})
    -> (tensor<2x3x32xf32> {moe.name = "y", moe.dims = ["2", "3", "32"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %total = arith.constant dense<3> : tensor<1xi32>
  // expected-error @below {{'k_quant_type' = PER_TENSOR: a quantised cache is not supported}}
  %y = moe.onnx "GroupQueryAttention"(%q, %none, %none, %none, %none, %last, %total) domain "com.microsoft" version 1
      {num_heads = 2 : i64, kv_num_heads = 1 : i64, k_quant_type = "PER_TENSOR"} : (tensor<2x3x64xf32>, none, none, none, none, tensor<2xi32>, tensor<1xi32>) -> tensor<2x3x32xf32>
  return %y : tensor<2x3x32xf32>
}

// -----

func.func @rotary_without_caches(%q: tensor<2x3x64xf32> {moe.name = "q", moe.dims = ["2", "3", "64"]}, %last: tensor<2xi32> {moe.name = "last", moe.dims = ["2"]},
    %past: tensor<2x1x4x16xf32> {moe.name = "past", moe.dims = ["2", "1", "4", "16"]}, %sink: tensor<2xf32> {moe.name = "sink", moe.dims = ["2"]})
    -> (tensor<2x3x32xf32> {moe.name = "y", moe.dims = ["2", "3", "32"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %total = arith.constant dense<3> : tensor<1xi32>
  // expected-error @below {{'do_rotary' = 1, which needs cos_cache and sin_cache}}
  %y = moe.onnx "GroupQueryAttention"(%q, %none, %none, %none, %none, %last, %total) domain "com.microsoft" version 1
      {num_heads = 2 : i64, kv_num_heads = 1 : i64, do_rotary = 1 : i64} : (tensor<2x3x64xf32>, none, none, none, none, tensor<2xi32>, tensor<1xi32>) -> tensor<2x3x32xf32>
  return %y : tensor<2x3x32xf32>
}

// -----

func.func @sliding_without_window(%q: tensor<2x3x64xf32> {moe.name = "q", moe.dims = ["2", "3", "64"]}, %last: tensor<2xi32> {moe.name = "last", moe.dims = ["2"]},
    %past: tensor<2x1x4x16xf32> {moe.name = "past", moe.dims = ["2", "1", "4", "16"]}, %sink: tensor<2xf32> {moe.name = "sink", moe.dims = ["2"]})
    -> (tensor<2x3x32xf32> {moe.name = "y", moe.dims = ["2", "3", "32"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %total = arith.constant dense<3> : tensor<1xi32>
  // expected-error @below {{'sliding_window_cache' = 1, which needs a past and a positive 'local_window_size', found -1}}
  %y = moe.onnx "GroupQueryAttention"(%q, %none, %none, %past, %past, %last, %total) domain "com.microsoft" version 1
      {num_heads = 2 : i64, kv_num_heads = 1 : i64, sliding_window_cache = 1 : i64} : (tensor<2x3x64xf32>, none, none, tensor<2x1x4x16xf32>, tensor<2x1x4x16xf32>, tensor<2xi32>, tensor<1xi32>) -> tensor<2x3x32xf32>
  return %y : tensor<2x3x32xf32>
}

// -----

func.func @one_of_two_caches(%q: tensor<2x3x64xf32> {moe.name = "q", moe.dims = ["2", "3", "64"]}, %last: tensor<2xi32> {moe.name = "last", moe.dims = ["2"]},
    %past: tensor<2x1x4x16xf32> {moe.name = "past", moe.dims = ["2", "1", "4", "16"]}, %sink: tensor<2xf32> {moe.name = "sink", moe.dims = ["2"]})
    -> (tensor<2x3x32xf32> {moe.name = "y", moe.dims = ["2", "3", "32"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %total = arith.constant dense<3> : tensor<1xi32>
  // expected-error @below {{has only one of past_key and past_value}}
  %y = moe.onnx "GroupQueryAttention"(%q, %none, %none, %past, %none, %last, %total) domain "com.microsoft" version 1
      {num_heads = 2 : i64, kv_num_heads = 1 : i64} : (tensor<2x3x64xf32>, none, none, tensor<2x1x4x16xf32>, none, tensor<2xi32>, tensor<1xi32>) -> tensor<2x3x32xf32>
  return %y : tensor<2x3x32xf32>
}

// -----

func.func @two_sinks(%q: tensor<2x3x64xf32> {moe.name = "q", moe.dims = ["2", "3", "64"]}, %last: tensor<2xi32> {moe.name = "last", moe.dims = ["2"]},
    %past: tensor<2x1x4x16xf32> {moe.name = "past", moe.dims = ["2", "1", "4", "16"]}, %sink: tensor<2xf32> {moe.name = "sink", moe.dims = ["2"]})
    -> (tensor<2x3x32xf32> {moe.name = "y", moe.dims = ["2", "3", "32"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %total = arith.constant dense<3> : tensor<1xi32>
  // expected-error @below {{has both head_sink and 'smooth_softmax' = 1}}
  %y = moe.onnx "GroupQueryAttention"(%q, %none, %none, %none, %none, %last, %total, %none, %none, %none, %none, %sink) domain "com.microsoft" version 1
      {num_heads = 2 : i64, kv_num_heads = 1 : i64, smooth_softmax = 1 : i64} : (tensor<2x3x64xf32>, none, none, none, none, tensor<2xi32>, tensor<1xi32>, none, none, none, none, tensor<2xf32>) -> tensor<2x3x32xf32>
  return %y : tensor<2x3x32xf32>
}

// -----

func.func @missing_lengths(%q: tensor<2x3x64xf32> {moe.name = "q", moe.dims = ["2", "3", "64"]}, %last: tensor<2xi32> {moe.name = "last", moe.dims = ["2"]},
    %past: tensor<2x1x4x16xf32> {moe.name = "past", moe.dims = ["2", "1", "4", "16"]}, %sink: tensor<2xf32> {moe.name = "sink", moe.dims = ["2"]})
    -> (tensor<2x3x32xf32> {moe.name = "y", moe.dims = ["2", "3", "32"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %total = arith.constant dense<3> : tensor<1xi32>
  // expected-error @below {{needs seqlens_k and total_sequence_length}}
  %y = moe.onnx "GroupQueryAttention"(%q) domain "com.microsoft" version 1
      {num_heads = 2 : i64, kv_num_heads = 1 : i64} : (tensor<2x3x64xf32>) -> tensor<2x3x32xf32>
  return %y : tensor<2x3x32xf32>
}

// -----

func.func @rotary_scale(%x: tensor<2x3x32xf32> {moe.name = "x", moe.dims = ["2", "3", "32"]}, %p: tensor<1xi64> {moe.name = "p", moe.dims = ["1"]},
    %c: tensor<9x8xf32> {moe.name = "c", moe.dims = ["9", "8"]}) -> (tensor<2x3x32xf32> {moe.name = "y", moe.dims = ["2", "3", "32"]}) attributes {moe.entry} {
  // expected-error @below {{has 'scale' = 2.0}}
  %0 = moe.onnx "RotaryEmbedding"(%x, %p, %c, %c) domain "com.microsoft" version 1 {scale = 2.0 : f32}
      : (tensor<2x3x32xf32>, tensor<1xi64>, tensor<9x8xf32>, tensor<9x8xf32>) -> tensor<2x3x32xf32>
  return %0 : tensor<2x3x32xf32>
}

// -----

func.func @shared_buffer(%q: tensor<2x3x32xf32> {moe.name = "q", moe.dims = ["2", "3", "32"]}, %n: tensor<1xi32> {moe.name = "n", moe.dims = ["1"]})
    -> (tensor<2x3x32xf32> {moe.name = "y", moe.dims = ["2", "3", "32"]}) attributes {moe.entry} {
  %none = moe.absent : none
  // expected-error @below {{has past_sequence_length or cache_indirection, which are not supported}}
  %0 = moe.onnx "MultiHeadAttention"(%q, %q, %q, %none, %none, %none, %none, %none, %n) domain "com.microsoft" version 1 {num_heads = 2 : i64}
      : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf32>, none, none, none, none, none, tensor<1xi32>) -> tensor<2x3x32xf32>
  return %0 : tensor<2x3x32xf32>
}
