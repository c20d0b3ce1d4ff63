// RUN: moe-opt %s --moe-raise-stacked-layers --split-input-file | FileCheck %s

// Layer 1 of two, of the experts' weights and of the router's, which has as many layers.
// CHECK-DAG: moe.weight @experts.1 : tensor<4x2x8xf32> source(#moe.file<"model.onnx", offset = 356, length = 256>)
// CHECK-DAG: moe.weight @router.1 : tensor<8x4xf32> source(#moe.file<"model.onnx", offset = 740, length = 128>)
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[E:.*]] = moe.weight_ref @experts.1
// CHECK-DAG: %[[R:.*]] = moe.weight_ref @router.1
// CHECK: return %[[E]], %[[R]]
// DOC: --moe-raise-stacked-layers
moe.weight @experts : tensor<2x4x2x8xf32> source(#moe.file<"model.onnx", offset = 100, length = 512>)
moe.weight @router : tensor<2x8x4xf32> source(#moe.file<"model.onnx", offset = 612, length = 256>)
func.func @main() -> (tensor<4x2x8xf32>, tensor<8x4xf32>) {
  %one = arith.constant dense<-1> : tensor<i64>
  %experts = moe.weight_ref @experts : tensor<2x4x2x8xf32>
  %router = moe.weight_ref @router : tensor<2x8x4xf32>
  %e = moe.onnx "Gather"(%experts, %one) version 13 {} : (tensor<2x4x2x8xf32>, tensor<i64>) -> tensor<4x2x8xf32>
  %r = moe.onnx "Gather"(%router, %one) version 13 {} : (tensor<2x8x4xf32>, tensor<i64>) -> tensor<8x4xf32>
  return %e, %r : tensor<4x2x8xf32>, tensor<8x4xf32>
}

// -----

// Two experts' matrices of 4 rows lie below each other.
// CHECK-DAG: moe.weight @{{.*}} : tensor<2x4x8xf32> source(#moe.file<"model.onnx", offset = 100, length = 256>)
// CHECK-LABEL: func.func @apart
// CHECK: %[[W:.*]] = moe.weight_ref @{{.*}} : tensor<2x4x8xf32>
// CHECK: return %[[W]]
moe.weight @both : tensor<8x8xf32> source(#moe.file<"model.onnx", offset = 100, length = 256>)
func.func @apart() -> tensor<2x4x8xf32> {
  %shape = arith.constant dense<[2, 4, 8]> : tensor<3xi64>
  %both = moe.weight_ref @both : tensor<8x8xf32>
  %w = moe.onnx "Reshape"(%both, %shape) version 14 {} : (tensor<8x8xf32>, tensor<3xi64>) -> tensor<2x4x8xf32>
  return %w : tensor<2x4x8xf32>
}

// -----

// Other columns than the matrix has: no rows of it.
// CHECK-LABEL: func.func @not_rows
// CHECK: moe.onnx "Reshape"
moe.weight @other : tensor<8x8xf32> source(#moe.file<"model.onnx", offset = 100, length = 256>)
func.func @not_rows() -> tensor<2x8x4xf32> {
  %shape = arith.constant dense<[2, 8, 4]> : tensor<3xi64>
  %other = moe.weight_ref @other : tensor<8x8xf32>
  %w = moe.onnx "Reshape"(%other, %shape) version 14 {} : (tensor<8x8xf32>, tensor<3xi64>) -> tensor<2x8x4xf32>
  return %w : tensor<2x8x4xf32>
}
