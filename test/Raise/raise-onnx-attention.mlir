// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// Four query heads share two key heads. The past is joined in front; causality counts it.
// CHECK-LABEL: func.func @grouped_causal
// CHECK-DAG: %[[K:.*]] = moe.concat axis 2 ins(%arg3, %arg1 :
// CHECK-DAG: %[[V:.*]] = moe.concat axis 2 ins(%arg4, %arg2 :
// CHECK: %[[Y:.*]]:2 = moe.attention q(%arg0 : tensor<?x4x?x16xf32>) k(%[[K]] : tensor<?x2x?x16xf32>) v(%[[V]] : tensor<?x2x?x16xf32>)
// CHECK-SAME: before(%{{.*}}) outs(%{{.*}}, %{{.*}} : tensor<?x4x?x16xf32>, tensor<?x2x?x864xf32>) {causal, scale = 2.500000e-01 : f64}
// CHECK: return %[[Y]]#0, %[[K]], %[[V]]
func.func @grouped_causal(%q: tensor<?x4x?x16xf32> {moe.name = "q", moe.dims = ["b", "4", "s", "16"]},
    %k: tensor<?x2x?x16xf32> {moe.name = "k", moe.dims = ["b", "2", "s", "16"]}, %v: tensor<?x2x?x16xf32> {moe.name = "v", moe.dims = ["b", "2", "s", "16"]},
    %pk: tensor<?x2x?x16xf32> {moe.name = "pk", moe.dims = ["b", "2", "p", "16"]}, %pv: tensor<?x2x?x16xf32> {moe.name = "pv", moe.dims = ["b", "2", "p", "16"]})
    -> (tensor<?x4x?x16xf32> {moe.name = "y", moe.dims = ["b", "4", "s", "16"]}, tensor<?x2x?x16xf32> {moe.name = "nk", moe.dims = ["b", "2", "p + s", "16"]},
        tensor<?x2x?x16xf32> {moe.name = "nv", moe.dims = ["b", "2", "p + s", "16"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %y, %nk, %nv = moe.onnx "Attention"(%q, %k, %v, %none, %pk, %pv) version 23 {is_causal = 1 : i64}
      : (tensor<?x4x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, none, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
      -> (tensor<?x4x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %y, %nk, %nv : tensor<?x4x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
}

// -----

// A mask is read as it lies, its heads broadcast.
// CHECK-LABEL: func.func @masked
// CHECK: moe.attention q(%arg0 {{.*}} mask(%arg1 : tensor<?x1x?x?xi1>) outs
func.func @masked(%q: tensor<?x4x?x16xf32> {moe.name = "q", moe.dims = ["b", "4", "s", "16"]}, %m: tensor<?x1x?x?xi1> {moe.name = "m", moe.dims = ["b", "1", "s", "s"]})
    -> (tensor<?x4x?x16xf32> {moe.name = "y", moe.dims = ["b", "4", "s", "16"]}) attributes {moe.entry} {
  %0 = moe.onnx "Attention"(%q, %q, %q, %m) version 23 {scale = 0.25 : f32}
      : (tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32>, tensor<?x1x?x?xi1>) -> tensor<?x4x?x16xf32>
  return %0 : tensor<?x4x?x16xf32>
}

// -----

// Where the scores are asked for, attention is spelled out. Heads that share keys are not repeated: the group counts as rows. A bool mask selects.
// CHECK-LABEL: func.func @scores
// CHECK-NOT: moe.attention
// CHECK: linalg.batch_matmul indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>]
// CHECK-SAME: tensor<?x?x16xf32>, tensor<?x?x16xf32>
// CHECK: linalg.generic
// CHECK-SAME: affine_map<(d0, d1, d2, d3) -> (d0, 0, d2, d3)>
// CHECK-SAME: tensor<?x4x?x?xf32>, tensor<?x1x?x?xi1>
// CHECK: arith.cmpi sle
// CHECK: arith.select
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: linalg.batch_matmul ins(%{{.*}}, %{{.*}} : tensor<?x?x?xf32>, tensor<?x?x16xf32>)
func.func @scores(%q: tensor<?x4x?x16xf32> {moe.name = "q", moe.dims = ["b", "4", "s", "16"]}, %k: tensor<?x2x?x16xf32> {moe.name = "k", moe.dims = ["b", "2", "s", "16"]},
    %m: tensor<?x1x?x?xi1> {moe.name = "m", moe.dims = ["b", "1", "s", "s"]})
    -> (tensor<?x4x?x16xf32> {moe.name = "y", moe.dims = ["b", "4", "s", "16"]}, tensor<?x4x?x?xf32> {moe.name = "p", moe.dims = ["b", "4", "s", "s"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %y, %nk, %nv, %p = moe.onnx "Attention"(%q, %k, %k, %m) version 23 {is_causal = 1 : i64, qk_matmul_output_mode = 3 : i64}
      : (tensor<?x4x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x1x?x?xi1>)
      -> (tensor<?x4x?x16xf32>, none, none, tensor<?x4x?x?xf32>)
  return %y, %p : tensor<?x4x?x16xf32>, tensor<?x4x?x?xf32>
}

// -----

// f64 has no kernel.
// CHECK-LABEL: func.func @double
// CHECK-NOT: moe.attention
// CHECK: linalg.batch_matmul {{.*}} tensor<?x?x16xf64>
func.func @double(%q: tensor<?x4x?x16xf64> {moe.name = "q", moe.dims = ["b", "4", "s", "16"]})
    -> (tensor<?x4x?x16xf64> {moe.name = "y", moe.dims = ["b", "4", "s", "16"]}) attributes {moe.entry} {
  %0 = moe.onnx "Attention"(%q, %q, %q) version 23 {} : (tensor<?x4x?x16xf64>, tensor<?x4x?x16xf64>, tensor<?x4x?x16xf64>) -> tensor<?x4x?x16xf64>
  return %0 : tensor<?x4x?x16xf64>
}

// -----

// Halves of a head are pairs: two slices, two generics, one concat; the cache is broadcast over the heads.
// CHECK-LABEL: func.func @rotary
// CHECK: tensor.extract_slice %arg0[0, 0, 0, 0]
// CHECK: tensor.extract_slice %arg0[0, 0, 0, 8]
// CHECK: linalg.generic
// CHECK-SAME: affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
// CHECK: arith.subf
// CHECK: linalg.generic
// CHECK: arith.addf
// CHECK: moe.concat axis 3
func.func @rotary(%x: tensor<?x4x?x16xf32> {moe.name = "x", moe.dims = ["b", "4", "s", "16"]}, %c: tensor<?x?x8xf32> {moe.name = "c", moe.dims = ["b", "s", "8"]})
    -> (tensor<?x4x?x16xf32> {moe.name = "y", moe.dims = ["b", "4", "s", "16"]}) attributes {moe.entry} {
  %0 = moe.onnx "RotaryEmbedding"(%x, %c, %c) version 23 {} : (tensor<?x4x?x16xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x4x?x16xf32>
  return %0 : tensor<?x4x?x16xf32>
}

// -----

// GroupQueryAttention: the block's rows are appended where seqlens_k says, and the cache that is given back is attended to. The window of 3 is the
// query's own key and two before.
// CHECK-LABEL: func.func @group_query
// CHECK: %[[TOLD:.*]] = linalg.generic {{.*}} ins(%arg3, %{{.*}} : tensor<2xi32>, tensor<1xi32>)
// CHECK: moe.require_range %arg3, {{.*}} an element of seqlens_k" : tensor<2xi32>
// CHECK: moe.require_range %[[TOLD]], {{.*}} a number of tokens in the cache" : tensor<2xi64>
// CHECK: %[[BEFORE:.*]] = linalg.generic {{.*}} ins(%[[TOLD]] : tensor<2xi64>)
// CHECK: %[[K:.*]] = moe.append past(%arg1 : {{.*}}) new(%{{.*}}) at(%[[BEFORE]] : tensor<2xi64>)
// CHECK: %[[V:.*]] = moe.append past(%arg2 :
// CHECK: %[[COUNTS:.*]] = linalg.generic {{.*}} ins(%[[BEFORE]] : tensor<2xi64>)
// CHECK: moe.attention q({{.*}}) k(%[[K]] : {{.*}}) v(%[[V]] : {{.*}}) counts(%[[COUNTS]] : tensor<2xi64>) sink(%arg4 : tensor<2xf32>)
// CHECK-SAME: {causal, left = 2 : i64, scale = 2.500000e-01 : f64}
// CHECK: return %{{.*}}, %[[K]], %[[V]]
func.func @group_query(%qkv: tensor<2x?x64xf32> {moe.name = "qkv", moe.dims = ["2", "s", "64"]},
    %pk: tensor<2x1x?x16xf32> {moe.name = "pk", moe.dims = ["2", "1", "p", "16"]}, %pv: tensor<2x1x?x16xf32> {moe.name = "pv", moe.dims = ["2", "1", "p", "16"]},
    %last: tensor<2xi32> {moe.name = "last", moe.dims = ["2"]}, %sink: tensor<2xf32> {moe.name = "sink", moe.dims = ["2"]},
    %mask: tensor<2x?xi64> {moe.name = "mask", moe.dims = ["2", "t"]})
    -> (tensor<2x?x32xf32> {moe.name = "y", moe.dims = ["2", "s", "32"]}, tensor<2x1x?x16xf32> {moe.name = "nk", moe.dims = ["2", "1", "n", "16"]},
        tensor<2x1x?x16xf32> {moe.name = "nv", moe.dims = ["2", "1", "n", "16"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %shape = moe.onnx "Shape"(%mask) version 21 {start = 1 : i64} : (tensor<2x?xi64>) -> tensor<1xi64>
  %total = moe.onnx "Cast"(%shape) version 21 {to = 6 : i64} : (tensor<1xi64>) -> tensor<1xi32>
  %y, %nk, %nv = moe.onnx "GroupQueryAttention"(%qkv, %none, %none, %pk, %pv, %last, %total, %none, %none, %none, %none, %sink) domain "com.microsoft" version 1
      {num_heads = 2 : i64, kv_num_heads = 1 : i64, local_window_size = 3 : i64}
      : (tensor<2x?x64xf32>, none, none, tensor<2x1x?x16xf32>, tensor<2x1x?x16xf32>, tensor<2xi32>, tensor<1xi32>, none, none, none, none, tensor<2xf32>)
      -> (tensor<2x?x32xf32>, tensor<2x1x?x16xf32>, tensor<2x1x?x16xf32>)
  return %y, %nk, %nv : tensor<2x?x32xf32>, tensor<2x1x?x16xf32>, tensor<2x1x?x16xf32>
}

// -----

// MultiHeadAttention: a mask of padding is added to the scores.
// CHECK-LABEL: func.func @multi_head
// CHECK: linalg.generic {{.*}} ins(%arg2 : tensor<2x5xi32>) outs(%{{.*}} : tensor<2x1x1x5xf32>)
// CHECK: -1.000000e+04
// CHECK: moe.attention {{.*}} mask(%{{.*}} : tensor<2x1x1x5xf32>)
func.func @multi_head(%q: tensor<2x?x32xf32> {moe.name = "q", moe.dims = ["2", "s", "32"]}, %k: tensor<2x5x32xf32> {moe.name = "k", moe.dims = ["2", "5", "32"]},
    %padding: tensor<2x5xi32> {moe.name = "padding", moe.dims = ["2", "5"]})
    -> (tensor<2x?x32xf32> {moe.name = "y", moe.dims = ["2", "s", "32"]}) attributes {moe.entry} {
  %none = moe.absent : none
  %y = moe.onnx "MultiHeadAttention"(%q, %k, %k, %none, %padding) domain "com.microsoft" version 1 {num_heads = 2 : i64}
      : (tensor<2x?x32xf32>, tensor<2x5x32xf32>, tensor<2x5x32xf32>, none, tensor<2x5xi32>) -> tensor<2x?x32xf32>
  return %y : tensor<2x?x32xf32>
}
