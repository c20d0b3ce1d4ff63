// RUN: moe-opt %s --moe-verify-planned | FileCheck %s

// CHECK-LABEL: func.func @planned
moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
func.func @planned(%x: tensor<?x64xf32>, %b: tensor<64x96xf32>, %y: tensor<?x96xf32>) -> (tensor<?x96xf32>, tensor<?x96xf32>) {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  // CHECK: moe.plan = #moe.plan<packing = panel32, activations = "f32">
  %0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  // Not a stored weight: needs no plan.
  %1 = linalg.matmul ins(%x, %b : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %0, %1 : tensor<?x96xf32>, tensor<?x96xf32>
}
