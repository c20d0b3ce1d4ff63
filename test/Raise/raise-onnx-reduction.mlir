// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// CHECK-LABEL: func.func @mean
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: arith.addf
// CHECK: arith.divf
// CHECK: tensor.expand_shape %{{.*}} into tensor<?x1xf32>
func.func @mean(%x: tensor<?x64xf32> {moe.name = "x", moe.dims = ["t", "64"]})
    -> (tensor<?x1xf32> {moe.name = "y", moe.dims = ["t", "1"]}) attributes {moe.entry} {
  %last = arith.constant dense<-1> : tensor<1xi64>
  %0 = moe.onnx "ReduceMean"(%x, %last) version 18 {keepdims = 1 : i64} : (tensor<?x64xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  return %0 : tensor<?x1xf32>
}

// -----

// bf16 is summed in f32.
// CHECK-LABEL: func.func @half_sum
// CHECK: linalg.fill {{.*}} outs(%{{.*}} : tensor<f32>)
// CHECK: arith.extf %in : bf16 to f32
// CHECK: arith.addf %{{.*}} : f32
// CHECK: arith.truncf %{{.*}} : f32 to bf16
func.func @half_sum(%x: tensor<64xbf16> {moe.name = "x", moe.dims = ["64"]})
    -> (tensor<bf16> {moe.name = "y", moe.dims = []}) attributes {moe.entry} {
  %0 = moe.onnx "ReduceSum"(%x) version 13 {keepdims = 0 : i64} : (tensor<64xbf16>) -> tensor<bf16>
  return %0 : tensor<bf16>
}

// -----

// No axes and noop: the input itself.
// CHECK-LABEL: func.func @nothing
// CHECK-NEXT: return %arg0
func.func @nothing(%x: tensor<64xf32> {moe.name = "x", moe.dims = ["64"]})
    -> (tensor<64xf32> {moe.name = "y", moe.dims = ["64"]}) attributes {moe.entry} {
  %0 = moe.onnx "ReduceSum"(%x) version 13 {noop_with_empty_axes = 1 : i64} : (tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}

// -----

// Softmax takes the greatest out first. Before opset 13 everything from the axis on is one row.
// CHECK-LABEL: func.func @softmaxes
// CHECK: arith.maximumf
// CHECK: arith.subf
// CHECK: math.exp
// CHECK: arith.addf
// CHECK: arith.divf
// CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0], [1, 2]] : tensor<?x4x8xf32> into tensor<?x32xf32>
func.func @softmaxes(%x: tensor<?x4x8xf32> {moe.name = "x", moe.dims = ["t", "4", "8"]})
    -> (tensor<?x4x8xf32> {moe.name = "y", moe.dims = ["t", "4", "8"]}) attributes {moe.entry} {
  %0 = moe.onnx "Softmax"(%x) version 13 {axis = -1 : i64} : (tensor<?x4x8xf32>) -> tensor<?x4x8xf32>
  %1 = moe.onnx "Softmax"(%0) version 11 {} : (tensor<?x4x8xf32>) -> tensor<?x4x8xf32>
  return %1 : tensor<?x4x8xf32>
}

// -----

// Without the mean: squares, 1/sqrt, scale.
// CHECK-LABEL: func.func @rms
// CHECK-NOT: arith.subf
// CHECK: arith.mulf
// CHECK: math.sqrt
// CHECK: arith.divf
// CHECK-NOT: arith.subf
// CHECK: return
func.func @rms(%x: tensor<?x64xf32> {moe.name = "x", moe.dims = ["t", "64"]}, %s: tensor<64xf32> {moe.name = "s", moe.dims = ["64"]})
    -> (tensor<?x64xf32> {moe.name = "y", moe.dims = ["t", "64"]}) attributes {moe.entry} {
  %0 = moe.onnx "RMSNormalization"(%x, %s) version 23 {axis = -1 : i64} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
