// RUN: moe-opt %s --moe-verify-fused | FileCheck %s

// CHECK-LABEL: func.func @kernels
func.func @kernels(%x: tensor<?x64xf32>, %w: tensor<96x64xf32>, %y: tensor<?x96xf32>) -> tensor<?x96xf32> {
  // CHECK: moe.grouped_matmul
  %0 = moe.grouped_matmul %x weight(%w : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return %0 : tensor<?x96xf32>
}

// The routing of a layer that was not fused is lowered as loops.
// CHECK-LABEL: func.func @routing
func.func @routing(%z: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: moe.score
  %s, %c = moe.score sigmoid %z : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return %s : tensor<?x8xf32>
}
