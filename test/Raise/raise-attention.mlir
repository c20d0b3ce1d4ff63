// RUN: moe-opt %s --split-input-file --moe-raise-attention | FileCheck %s

// Scale on both sides, keys exchanged as a transpose of the last two dims.
// CHECK-LABEL: func.func @main
// CHECK: %[[NONE:.*]] = moe.absent
// CHECK: %[[Y:.*]] = moe.onnx "Attention"(%arg0, %arg1, %arg2, %arg3, %[[NONE]]) domain "moe.internal" version 1 {scale = 2.500000e-01 : f32}
// CHECK-NOT: Softmax
// CHECK: return %[[Y]]
// DOC: --moe-raise-attention
func.func @main(%q: tensor<?x4x?x16xf32> {moe.name = "q", moe.dims = ["b", "4", "t", "16"]}, %k: tensor<?x4x?x16xf32> {moe.name = "k", moe.dims = ["b", "4", "s", "16"]},
    %v: tensor<?x4x?x16xf32> {moe.name = "v", moe.dims = ["b", "4", "s", "16"]}, %mask: tensor<?x1x?x?xf32> {moe.name = "mask", moe.dims = ["b", "1", "t", "s"]})
    -> (tensor<?x4x?x16xf32> {moe.name = "y", moe.dims = ["b", "4", "t", "16"]}) attributes {moe.entry} {
  %half = arith.constant dense<0.5> : tensor<f32>
  %sq = moe.onnx "Mul"(%q, %half) version 14 {} : (tensor<?x4x?x16xf32>, tensor<f32>) -> tensor<?x4x?x16xf32>
  %t = moe.onnx "Transpose"(%k) version 13 {perm = array<i64: 0, 1, 3, 2>} : (tensor<?x4x?x16xf32>) -> tensor<?x4x16x?xf32>
  %st = moe.onnx "Mul"(%t, %half) version 14 {} : (tensor<?x4x16x?xf32>, tensor<f32>) -> tensor<?x4x16x?xf32>
  %s = moe.onnx "MatMul"(%sq, %st) version 13 {} : (tensor<?x4x?x16xf32>, tensor<?x4x16x?xf32>) -> tensor<?x4x?x?xf32>
  %m = moe.onnx "Add"(%s, %mask) version 14 {} : (tensor<?x4x?x?xf32>, tensor<?x1x?x?xf32>) -> tensor<?x4x?x?xf32>
  %p = moe.onnx "Softmax"(%m) version 13 {axis = -1 : i64} : (tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %y = moe.onnx "MatMul"(%p, %v) version 13 {} : (tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----

// Heads that share keys: what was repeated is read unrepeated. NaN of rows without keys becomes 0, as the node has it.
// CHECK-LABEL: func.func @grouped
// CHECK-NOT: Expand
// CHECK: moe.onnx "Attention"(%arg0, %arg1, %arg2, %{{.*}}, %{{.*}}) domain "moe.internal" version 1 {scale = 5.000000e-01 : f32}
func.func @grouped(%q: tensor<1x4x?x16xf32> {moe.name = "q", moe.dims = ["1", "4", "t", "16"]}, %k: tensor<1x2x8x16xf32> {moe.name = "k", moe.dims = ["1", "2", "8", "16"]},
    %v: tensor<1x2x8x16xf32> {moe.name = "v", moe.dims = ["1", "2", "8", "16"]})
    -> (tensor<1x4x?x16xf32> {moe.name = "y", moe.dims = ["1", "4", "t", "16"]}) attributes {moe.entry} {
  %axis = arith.constant dense<2> : tensor<1xi64>
  %apart = arith.constant dense<[1, 2, 2, 8, 16]> : tensor<5xi64>
  %whole = arith.constant dense<[1, 4, 8, 16]> : tensor<4xi64>
  %flat = arith.constant dense<[4, 8, 16]> : tensor<3xi64>
  %turned = arith.constant dense<[1, 4, 16, 8]> : tensor<4xi64>
  %two = arith.constant dense<2.0> : tensor<f32>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %ku = moe.onnx "Unsqueeze"(%k, %axis) version 13 {} : (tensor<1x2x8x16xf32>, tensor<1xi64>) -> tensor<1x2x1x8x16xf32>
  %ke = moe.onnx "Expand"(%ku, %apart) version 13 {} : (tensor<1x2x1x8x16xf32>, tensor<5xi64>) -> tensor<1x2x2x8x16xf32>
  %kf = moe.onnx "Reshape"(%ke, %flat) version 14 {} : (tensor<1x2x2x8x16xf32>, tensor<3xi64>) -> tensor<4x8x16xf32>
  %kt = moe.onnx "Transpose"(%kf) version 13 {perm = array<i64: 0, 2, 1>} : (tensor<4x8x16xf32>) -> tensor<4x16x8xf32>
  %kr = moe.onnx "Reshape"(%kt, %turned) version 14 {} : (tensor<4x16x8xf32>, tensor<4xi64>) -> tensor<1x4x16x8xf32>
  %s = moe.onnx "MatMul"(%q, %kr) version 13 {} : (tensor<1x4x?x16xf32>, tensor<1x4x16x8xf32>) -> tensor<1x4x?x8xf32>
  %d = moe.onnx "Div"(%s, %two) version 14 {} : (tensor<1x4x?x8xf32>, tensor<f32>) -> tensor<1x4x?x8xf32>
  %p = moe.onnx "Softmax"(%d) version 13 {axis = 3 : i64} : (tensor<1x4x?x8xf32>) -> tensor<1x4x?x8xf32>
  %n = moe.onnx "IsNaN"(%p) version 20 {} : (tensor<1x4x?x8xf32>) -> tensor<1x4x?x8xi1>
  %w = moe.onnx "Where"(%n, %zero, %p) version 16 {} : (tensor<1x4x?x8xi1>, tensor<f32>, tensor<1x4x?x8xf32>) -> tensor<1x4x?x8xf32>
  %vu = moe.onnx "Unsqueeze"(%v, %axis) version 13 {} : (tensor<1x2x8x16xf32>, tensor<1xi64>) -> tensor<1x2x1x8x16xf32>
  %ve = moe.onnx "Expand"(%vu, %apart) version 13 {} : (tensor<1x2x1x8x16xf32>, tensor<5xi64>) -> tensor<1x2x2x8x16xf32>
  %vr = moe.onnx "Reshape"(%ve, %whole) version 14 {} : (tensor<1x2x2x8x16xf32>, tensor<4xi64>) -> tensor<1x4x8x16xf32>
  %y = moe.onnx "MatMul"(%w, %vr) version 13 {} : (tensor<1x4x?x8xf32>, tensor<1x4x8x16xf32>) -> tensor<1x4x?x16xf32>
  return %y : tensor<1x4x?x16xf32>
}

// -----

// A soft cap, a sink, two masks, keys by token.
// CHECK-LABEL: func.func @sunk
// CHECK-DAG: %[[K:.*]] = moe.onnx "Transpose"(%arg1) version 13 {perm = array<i64: 0, 2, 1, 3>}
// CHECK-DAG: %[[SINK:.*]] = moe.onnx "Reshape"(%arg3, %{{.*}} -> tensor<4xf32>
// CHECK-DAG: %[[MASK:.*]] = moe.onnx "Add"(%arg4, %arg5)
// CHECK: moe.onnx "Attention"(%arg0, %[[K]], %arg2, %[[MASK]], %[[SINK]]) domain "moe.internal" version 1 {scale = 1.250000e-01 : f32, softcap = 5.000000e+01 : f32}
// CHECK-NOT: Softmax
func.func @sunk(%q: tensor<1x4x?x16xf32> {moe.name = "q", moe.dims = ["1", "4", "t", "16"]}, %k: tensor<1x?x4x16xf32> {moe.name = "k", moe.dims = ["1", "s", "4", "16"]},
    %v: tensor<1x4x?x16xf32> {moe.name = "v", moe.dims = ["1", "4", "s", "16"]}, %sink: tensor<1x4x1x1xf32> {moe.name = "sink", moe.dims = ["1", "4", "1", "1"]},
    %bias: tensor<1x4x?x?xf32> {moe.name = "bias", moe.dims = ["1", "4", "t", "s"]}, %padding: tensor<1x1x1x?xf32> {moe.name = "padding", moe.dims = ["1", "1", "1", "s"]})
    -> (tensor<1x4x?x16xf32> {moe.name = "y", moe.dims = ["1", "4", "t", "16"]}) attributes {moe.entry} {
  %cap = arith.constant dense<50.0> : tensor<f32>
  %scale = arith.constant dense<0.125> : tensor<f32>
  %begin = arith.constant dense<0> : tensor<1xi64>
  %end = arith.constant dense<-1> : tensor<1xi64>
  %axis = arith.constant dense<3> : tensor<1xi64>
  %shape = moe.onnx "Shape"(%q) version 15 {} : (tensor<1x4x?x16xf32>) -> tensor<4xi64>
  %shape3 = moe.onnx "Slice"(%shape, %begin, %axis) version 13 {} : (tensor<4xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<3xi64>
  %one = arith.constant dense<1> : tensor<1xi64>
  %column = moe.onnx "Concat"(%shape3, %one) version 13 {axis = 0 : i64} : (tensor<3xi64>, tensor<1xi64>) -> tensor<4xi64>
  %kt = moe.onnx "Transpose"(%k) version 13 {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x?x4x16xf32>) -> tensor<1x4x16x?xf32>
  %s = moe.onnx "MatMul"(%q, %kt) version 13 {} : (tensor<1x4x?x16xf32>, tensor<1x4x16x?xf32>) -> tensor<1x4x?x?xf32>
  %scaled = moe.onnx "Mul"(%s, %scale) version 14 {} : (tensor<1x4x?x?xf32>, tensor<f32>) -> tensor<1x4x?x?xf32>
  %over = moe.onnx "Div"(%scaled, %cap) version 14 {} : (tensor<1x4x?x?xf32>, tensor<f32>) -> tensor<1x4x?x?xf32>
  %tanh = moe.onnx "Tanh"(%over) version 13 {} : (tensor<1x4x?x?xf32>) -> tensor<1x4x?x?xf32>
  %capped = moe.onnx "Mul"(%tanh, %cap) version 14 {} : (tensor<1x4x?x?xf32>, tensor<f32>) -> tensor<1x4x?x?xf32>
  %biased = moe.onnx "Add"(%capped, %bias) version 14 {} : (tensor<1x4x?x?xf32>, tensor<1x4x?x?xf32>) -> tensor<1x4x?x?xf32>
  %masked = moe.onnx "Add"(%padding, %biased) version 14 {} : (tensor<1x1x1x?xf32>, tensor<1x4x?x?xf32>) -> tensor<1x4x?x?xf32>
  %sinks = moe.onnx "Expand"(%sink, %column) version 13 {} : (tensor<1x4x1x1xf32>, tensor<4xi64>) -> tensor<1x4x?x1xf32>
  %all = moe.onnx "Concat"(%masked, %sinks) version 13 {axis = -1 : i64} : (tensor<1x4x?x?xf32>, tensor<1x4x?x1xf32>) -> tensor<1x4x?x?xf32>
  %most = moe.onnx "ReduceMax"(%all, %axis) version 20 {keepdims = 1 : i64} : (tensor<1x4x?x?xf32>, tensor<1xi64>) -> tensor<1x4x?x1xf32>
  %low = moe.onnx "Sub"(%all, %most) version 14 {} : (tensor<1x4x?x?xf32>, tensor<1x4x?x1xf32>) -> tensor<1x4x?x?xf32>
  %p = moe.onnx "Softmax"(%low) version 13 {axis = -1 : i64} : (tensor<1x4x?x?xf32>) -> tensor<1x4x?x?xf32>
  %cut = moe.onnx "Slice"(%p, %begin, %end, %axis) version 13 {} : (tensor<1x4x?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<1x4x?x?xf32>
  %y = moe.onnx "MatMul"(%cut, %v) version 13 {} : (tensor<1x4x?x?xf32>, tensor<1x4x?x16xf32>) -> tensor<1x4x?x16xf32>
  return %y : tensor<1x4x?x16xf32>
}

// -----

// The probabilities are a result of the model: they are needed anyway.
// CHECK-LABEL: func.func @read
// CHECK: Softmax
// CHECK-NOT: "Attention"
func.func @read(%q: tensor<1x4x8x16xf32> {moe.name = "q", moe.dims = ["1", "4", "8", "16"]}, %kt: tensor<1x4x8x16xf32> {moe.name = "k", moe.dims = ["1", "4", "8", "16"]})
    -> (tensor<1x4x8x16xf32> {moe.name = "y", moe.dims = ["1", "4", "8", "16"]}, tensor<1x4x8x8xf32> {moe.name = "p", moe.dims = ["1", "4", "8", "8"]}) attributes {moe.entry} {
  %t = moe.onnx "Transpose"(%kt) version 13 {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x4x8x16xf32>) -> tensor<1x4x16x8xf32>
  %s = moe.onnx "MatMul"(%q, %t) version 13 {} : (tensor<1x4x8x16xf32>, tensor<1x4x16x8xf32>) -> tensor<1x4x8x8xf32>
  %p = moe.onnx "Softmax"(%s) version 13 {axis = -1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %y = moe.onnx "MatMul"(%p, %q) version 13 {} : (tensor<1x4x8x8xf32>, tensor<1x4x8x16xf32>) -> tensor<1x4x8x16xf32>
  return %y, %p : tensor<1x4x8x16xf32>, tensor<1x4x8x8xf32>
}

// -----

// A softmax over the queries is no attention, and neither is one over scores that another factor than a constant scales.
// CHECK-LABEL: func.func @other
// CHECK-COUNT-2: Softmax
// CHECK-NOT: "Attention"
func.func @other(%q: tensor<1x4x8x16xf32> {moe.name = "q", moe.dims = ["1", "4", "8", "16"]}, %f: tensor<1x4x8x8xf32> {moe.name = "f", moe.dims = ["1", "4", "8", "8"]})
    -> (tensor<1x4x8x16xf32> {moe.name = "y", moe.dims = ["1", "4", "8", "16"]}, tensor<1x4x8x16xf32> {moe.name = "z", moe.dims = ["1", "4", "8", "16"]}) attributes {moe.entry} {
  %t = moe.onnx "Transpose"(%q) version 13 {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x4x8x16xf32>) -> tensor<1x4x16x8xf32>
  %s = moe.onnx "MatMul"(%q, %t) version 13 {} : (tensor<1x4x8x16xf32>, tensor<1x4x16x8xf32>) -> tensor<1x4x8x8xf32>
  %p = moe.onnx "Softmax"(%s) version 13 {axis = 2 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %y = moe.onnx "MatMul"(%p, %q) version 13 {} : (tensor<1x4x8x8xf32>, tensor<1x4x8x16xf32>) -> tensor<1x4x8x16xf32>
  %m = moe.onnx "Mul"(%s, %f) version 14 {} : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %r = moe.onnx "Softmax"(%m) version 13 {axis = -1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %z = moe.onnx "MatMul"(%r, %q) version 13 {} : (tensor<1x4x8x8xf32>, tensor<1x4x8x16xf32>) -> tensor<1x4x8x16xf32>
  return %y, %z : tensor<1x4x8x16xf32>, tensor<1x4x8x16xf32>
}

// -----

// A scale that is computed from a size and rounded to f16: 4^(-1/2). Rows whose mask is -inf all along become 0.
// CHECK-LABEL: func.func @blank
// CHECK: moe.onnx "Attention"(%arg0, %{{.*}}, %arg2, %{{.*}}) domain "moe.internal" version 1 {scale = 5.000000e-01 : f32}
// CHECK-NOT: Softmax
func.func @blank(%q: tensor<1x2x3x4xf16> {moe.name = "q", moe.dims = ["1", "2", "3", "4"]}, %k: tensor<1x2x5x4xf16> {moe.name = "k", moe.dims = ["1", "2", "5", "4"]},
    %v: tensor<1x2x5x4xf16> {moe.name = "v", moe.dims = ["1", "2", "5", "4"]}, %m: tensor<3x5xf16> {moe.name = "m", moe.dims = ["3", "5"]},
    %o: tensor<3x5xf16> {moe.name = "o", moe.dims = ["3", "5"]}) -> (tensor<1x2x3x4xf16> {moe.name = "y", moe.dims = ["1", "2", "3", "4"]}) attributes {moe.entry} {
  %last = arith.constant dense<-1> : tensor<1xi64>
  %one = arith.constant dense<1.0> : tensor<1xf32>
  %zero = arith.constant dense<0.0> : tensor<f16>
  %inf = arith.constant dense<0xFF800000> : tensor<1xf32>
  %size = moe.onnx "Shape"(%q) version 21 {start = 3 : i64, end = 4 : i64} : (tensor<1x2x3x4xf16>) -> tensor<1xi64>
  %real = moe.onnx "Cast"(%size) version 21 {to = 1 : i64} : (tensor<1xi64>) -> tensor<1xf32>
  %root = moe.onnx "Sqrt"(%real) version 13 {} : (tensor<1xf32>) -> tensor<1xf32>
  %scale = moe.onnx "Div"(%one, %root) version 14 {} : (tensor<1xf32>, tensor<1xf32>) -> tensor<1xf32>
  %half = moe.onnx "Cast"(%scale) version 21 {to = 10 : i64} : (tensor<1xf32>) -> tensor<1xf16>
  %kt = moe.onnx "Transpose"(%k) version 21 {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x2x5x4xf16>) -> tensor<1x2x4x5xf16>
  %qs = moe.onnx "Mul"(%q, %half) version 14 {} : (tensor<1x2x3x4xf16>, tensor<1xf16>) -> tensor<1x2x3x4xf16>
  %s = moe.onnx "MatMul"(%qs, %kt) version 13 {} : (tensor<1x2x3x4xf16>, tensor<1x2x4x5xf16>) -> tensor<1x2x3x5xf16>
  %sm = moe.onnx "Add"(%s, %m) version 14 {} : (tensor<1x2x3x5xf16>, tensor<3x5xf16>) -> tensor<1x2x3x5xf16>
  %p = moe.onnx "Softmax"(%sm) version 13 {axis = -1 : i64} : (tensor<1x2x3x5xf16>) -> tensor<1x2x3x5xf16>
  %most = moe.onnx "ReduceMax"(%m, %last) version 20 {} : (tensor<3x5xf16>, tensor<1xi64>) -> tensor<3x1xf16>
  %none = moe.onnx "CastLike"(%inf, %m) version 21 {} : (tensor<1xf32>, tensor<3x5xf16>) -> tensor<1xf16>
  %blank = moe.onnx "Equal"(%most, %none) version 19 {} : (tensor<3x1xf16>, tensor<1xf16>) -> tensor<3x1xi1>
  %safe = moe.onnx "Where"(%blank, %zero, %p) version 16 {} : (tensor<3x1xi1>, tensor<f16>, tensor<1x2x3x5xf16>) -> tensor<1x2x3x5xf16>
  %y = moe.onnx "MatMul"(%safe, %v) version 13 {} : (tensor<1x2x3x5xf16>, tensor<1x2x5x4xf16>) -> tensor<1x2x3x4xf16>
  return %y : tensor<1x2x3x4xf16>
}

// -----

// Another mask than the one that is added says which rows become 0: that is no matter of the keys.
// CHECK-LABEL: func.func @other_blank
// CHECK-NOT: moe.onnx "Attention"
// CHECK: Softmax
func.func @other_blank(%q: tensor<1x2x3x4xf16> {moe.name = "q", moe.dims = ["1", "2", "3", "4"]}, %k: tensor<1x2x5x4xf16> {moe.name = "k", moe.dims = ["1", "2", "5", "4"]},
    %v: tensor<1x2x5x4xf16> {moe.name = "v", moe.dims = ["1", "2", "5", "4"]}, %m: tensor<3x5xf16> {moe.name = "m", moe.dims = ["3", "5"]},
    %o: tensor<3x5xf16> {moe.name = "o", moe.dims = ["3", "5"]}) -> (tensor<1x2x3x4xf16> {moe.name = "y", moe.dims = ["1", "2", "3", "4"]}) attributes {moe.entry} {
  %last = arith.constant dense<-1> : tensor<1xi64>
  %one = arith.constant dense<1.0> : tensor<1xf32>
  %zero = arith.constant dense<0.0> : tensor<f16>
  %inf = arith.constant dense<0xFF800000> : tensor<1xf32>
  %size = moe.onnx "Shape"(%q) version 21 {start = 3 : i64, end = 4 : i64} : (tensor<1x2x3x4xf16>) -> tensor<1xi64>
  %real = moe.onnx "Cast"(%size) version 21 {to = 1 : i64} : (tensor<1xi64>) -> tensor<1xf32>
  %root = moe.onnx "Sqrt"(%real) version 13 {} : (tensor<1xf32>) -> tensor<1xf32>
  %scale = moe.onnx "Div"(%one, %root) version 14 {} : (tensor<1xf32>, tensor<1xf32>) -> tensor<1xf32>
  %half = moe.onnx "Cast"(%scale) version 21 {to = 10 : i64} : (tensor<1xf32>) -> tensor<1xf16>
  %kt = moe.onnx "Transpose"(%k) version 21 {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x2x5x4xf16>) -> tensor<1x2x4x5xf16>
  %qs = moe.onnx "Mul"(%q, %half) version 14 {} : (tensor<1x2x3x4xf16>, tensor<1xf16>) -> tensor<1x2x3x4xf16>
  %s = moe.onnx "MatMul"(%qs, %kt) version 13 {} : (tensor<1x2x3x4xf16>, tensor<1x2x4x5xf16>) -> tensor<1x2x3x5xf16>
  %sm = moe.onnx "Add"(%s, %m) version 14 {} : (tensor<1x2x3x5xf16>, tensor<3x5xf16>) -> tensor<1x2x3x5xf16>
  %p = moe.onnx "Softmax"(%sm) version 13 {axis = -1 : i64} : (tensor<1x2x3x5xf16>) -> tensor<1x2x3x5xf16>
  %most = moe.onnx "ReduceMax"(%o, %last) version 20 {} : (tensor<3x5xf16>, tensor<1xi64>) -> tensor<3x1xf16>
  %none = moe.onnx "CastLike"(%inf, %m) version 21 {} : (tensor<1xf32>, tensor<3x5xf16>) -> tensor<1xf16>
  %blank = moe.onnx "Equal"(%most, %none) version 19 {} : (tensor<3x1xf16>, tensor<1xf16>) -> tensor<3x1xi1>
  %safe = moe.onnx "Where"(%blank, %zero, %p) version 16 {} : (tensor<3x1xi1>, tensor<f16>, tensor<1x2x3x5xf16>) -> tensor<1x2x3x5xf16>
  %y = moe.onnx "MatMul"(%safe, %v) version 13 {} : (tensor<1x2x3x5xf16>, tensor<1x2x5x4xf16>) -> tensor<1x2x3x4xf16>
  return %y : tensor<1x2x3x4xf16>
}
