// RUN: moe-opt %s --moe-raise-inline-experts --split-input-file --verify-diagnostics | FileCheck %s

// Experts with an ffn are for the kernels.
// CHECK-LABEL: func.func @ffn
// CHECK: moe.experts
func.func @ffn(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x48x64xf32>, %d: tensor<8x64x48xf32>) -> tensor<?x64xf32> {
  %0 = moe.experts %x, %off gate(%g : tensor<8x48x64xf32>) down(%d : tensor<8x64x48xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

func.func @dynamic(%x: tensor<?x8xf32>, %off: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @below {{op 'moe.experts': expected a static number of experts where they compute a region}}
  %y = moe.experts %x, %off : tensor<?x8xf32>, tensor<?xi32> -> tensor<?x8xf32> {
  ^bb0(%rows: tensor<?x8xf32>):
    moe.yield %rows : tensor<?x8xf32>
  }
  return %y : tensor<?x8xf32>
}

// -----

func.func @parameters(%x: tensor<?x8xf32>, %off: tensor<4xi32>, %b: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @below {{op 'moe.experts': expected parameters of 3 experts, got 'tensor<?x8xf32>'}}
  %y = moe.experts %x, %off parameters(%b : tensor<?x8xf32>) : tensor<?x8xf32>, tensor<4xi32> -> tensor<?x8xf32> {
  ^bb0(%rows: tensor<?x8xf32>, %bias: tensor<8xf32>):
    moe.yield %rows : tensor<?x8xf32>
  }
  return %y : tensor<?x8xf32>
}
