// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// A product with a stored weight reads the weight itself, the leading dims as rows.
// CHECK-LABEL: func.func @stored
// CHECK: %[[ROWS:.*]] = arith.muli
// CHECK: %[[W:.*]] = moe.weight_ref @w : tensor<64x32xf32>
// CHECK: %[[X:.*]] = tensor.collapse_shape %arg0 {{\[\[}}0, 1], [2]]
// CHECK: %[[E:.*]] = tensor.empty(%[[ROWS]]) : tensor<?x32xf32>
// CHECK: %[[Z:.*]] = linalg.fill {{.*}} outs(%[[E]]
// CHECK: linalg.matmul ins(%[[X]], %[[W]] : tensor<?x64xf32>, tensor<64x32xf32>) outs(%[[Z]]
// CHECK: tensor.expand_shape {{.*}} into tensor<?x?x32xf32>
moe.weight @w : tensor<64x32xf32> source(#moe.file<"model.onnx", offset = 0, length = 8192>)
func.func @stored(%x: tensor<?x?x64xf32> {moe.name = "x", moe.dims = ["b", "s", "64"]})
    -> (tensor<?x?x32xf32> {moe.name = "y", moe.dims = ["b", "s", "32"]}) attributes {moe.entry} {
  %w = moe.weight_ref @w : tensor<64x32xf32>
  %0 = moe.onnx "MatMul"(%x, %w) version 13 {} : (tensor<?x?x64xf32>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  return %0 : tensor<?x?x32xf32>
}

// -----

// Transposed, by Gemm or by a Transpose, it is read through indexing_maps; a weight with a dim of 1 gets a symbol without it.
// CHECK: moe.weight @v.as_32_64 : tensor<32x64xf32> source(#moe.file<"model.onnx", offset = 0, length = 8192>)
// CHECK-LABEL: func.func @transposed
// CHECK: %[[W:.*]] = moe.weight_ref @w : tensor<32x64xf32>
// CHECK: linalg.matmul indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]
// CHECK-SAME: ins(%arg0, %[[W]]
// CHECK: %[[V:.*]] = moe.weight_ref @v.as_32_64 : tensor<32x64xf32>
// CHECK: linalg.matmul indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]
// CHECK-SAME: ins(%arg0, %[[V]]
// CHECK-NOT: tensor<64x32xf32>
// CHECK: return
moe.weight @w : tensor<32x64xf32> source(#moe.file<"model.onnx", offset = 0, length = 8192>)
moe.weight @v : tensor<1x32x64xf32> source(#moe.file<"model.onnx", offset = 0, length = 8192>)
func.func @transposed(%x: tensor<?x64xf32> {moe.name = "x", moe.dims = ["t", "64"]})
    -> (tensor<?x32xf32> {moe.name = "y", moe.dims = ["t", "32"]}) attributes {moe.entry} {
  %w = moe.weight_ref @w : tensor<32x64xf32>
  %v = moe.weight_ref @v : tensor<1x32x64xf32>
  %zero = arith.constant dense<0> : tensor<1xi64>
  %0 = moe.onnx "Gemm"(%x, %w) version 13 {transB = 1 : i64} : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %s = moe.onnx "Squeeze"(%v, %zero) version 13 {} : (tensor<1x32x64xf32>, tensor<1xi64>) -> tensor<32x64xf32>
  %t = moe.onnx "Transpose"(%s) version 13 {perm = array<i64: 1, 0>} : (tensor<32x64xf32>) -> tensor<64x32xf32>
  %1 = moe.onnx "MatMul"(%x, %t) version 13 {} : (tensor<?x64xf32>, tensor<64x32xf32>) -> tensor<?x32xf32>
  %2 = moe.onnx "Add"(%0, %1) version 14 {} : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}

// -----

// Activations: the batch dims as one. A side whose batch is broadcast is not copied, but read by a generic.
// CHECK-LABEL: func.func @batched
// CHECK: linalg.batch_matmul ins(%{{.*}}, %{{.*}} : tensor<?x?x16xf32>, tensor<?x16x?xf32>)
// CHECK: linalg.generic
// CHECK-SAME: affine_map<(d0, d1, d2, d3, d4) -> (d0, 0, d4, d3)>
// CHECK-SAME: "reduction"]
func.func @batched(%q: tensor<?x4x?x16xf32> {moe.name = "q", moe.dims = ["b", "4", "s", "16"]}, %k: tensor<?x4x16x?xf32> {moe.name = "k", moe.dims = ["b", "4", "16", "s"]},
                   %v: tensor<?x1x?x16xf32> {moe.name = "v", moe.dims = ["b", "1", "s", "16"]})
    -> (tensor<?x4x?x16xf32> {moe.name = "y", moe.dims = ["b", "4", "s", "16"]}) attributes {moe.entry} {
  %0 = moe.onnx "MatMul"(%q, %k) version 13 {} : (tensor<?x4x?x16xf32>, tensor<?x4x16x?xf32>) -> tensor<?x4x?x?xf32>
  %1 = moe.onnx "MatMul"(%0, %v) version 13 {} : (tensor<?x4x?x?xf32>, tensor<?x1x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %1 : tensor<?x4x?x16xf32>
}

// -----

// f16 accumulates in f32 and rounds once.
// CHECK-LABEL: func.func @half
// CHECK: linalg.matmul ins(%arg0, %arg1 : tensor<2x4xf16>, tensor<4x3xf16>) outs(%{{.*}} : tensor<2x3xf32>)
// CHECK: arith.truncf %{{.*}} : f32 to f16
func.func @half(%a: tensor<2x4xf16> {moe.name = "a", moe.dims = ["2", "4"]}, %b: tensor<4x3xf16> {moe.name = "b", moe.dims = ["4", "3"]})
    -> (tensor<2x3xf16> {moe.name = "y", moe.dims = ["2", "3"]}) attributes {moe.entry} {
  %0 = moe.onnx "MatMul"(%a, %b) version 13 {} : (tensor<2x4xf16>, tensor<4x3xf16>) -> tensor<2x3xf16>
  return %0 : tensor<2x3xf16>
}
