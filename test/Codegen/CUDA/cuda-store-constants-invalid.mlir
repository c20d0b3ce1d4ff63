// RUN: moe-opt %s --moe-cuda-store-constants --verify-diagnostics

func.func @sparse(%x: tensor<?x3xf32>, %w: tensor<2x3xf32>, %y: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // expected-error @below {{is read by a CUDA kernel; expected a dense attribute, found a constant of type 'tensor<2xf32>' stored otherwise}}
  %bias = arith.constant sparse<[[1]], [2.0]> : tensor<2xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<2x3xf32>) bias(%bias : tensor<2xf32>) outs(%y : tensor<?x2xf32>) : tensor<?x3xf32> -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}
