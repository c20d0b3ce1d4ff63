// Experts that no kernel can do are left.
// RUN: moe-opt %s --moe-fuse-experts --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @dynamic_weights
// CHECK-NOT: moe.grouped_matmul
// CHECK: moe.experts
func.func @dynamic_weights(%x: tensor<?x64xf32>, %off: tensor<?xi32>, %g: tensor<?x48x64xf32>, %d: tensor<?x64x48xf32>) -> tensor<?x64xf32> {
  // expected-remark @below {{the experts are not fused: their weights have dynamic sizes}}
  %0 = moe.experts %x, %off gate(%g : tensor<?x48x64xf32>) down(%d : tensor<?x64x48xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x64xf32>, tensor<?xi32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// CHECK-LABEL: func.func @region
// CHECK-NOT: moe.grouped_matmul
// CHECK: moe.experts
func.func @region(%x: tensor<?x64xf32>, %off: tensor<9xi32>) -> tensor<?x64xf32> {
  %0 = moe.experts %x, %off : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
  ^bb0(%rows: tensor<?x64xf32>):
    moe.yield %rows : tensor<?x64xf32>
  }
  return %0 : tensor<?x64xf32>
}
