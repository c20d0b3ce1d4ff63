// RUN: moe-opt %s --moe-distribute-batch --split-input-file --verify-diagnostics

// expected-error @below {{function 'no_mesh' has a batch split: expected a moe.mesh named @mesh, found none}}
func.func @no_mesh(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {moe.batch_split = #moe.batch_split<mesh = @mesh, devices = 4>} {
  return %x : tensor<?x8xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
// expected-error @below {{function 'devices': expected a batch split over the 4 devices of @mesh, found one over 8}}
func.func @devices(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {moe.batch_split = #moe.batch_split<mesh = @mesh, devices = 8>} {
  return %x : tensor<?x8xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
// expected-error @below {{function 'static' has a batch split: expected an input whose first dim is dynamic, found none}}
func.func @static(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {moe.batch_split = #moe.batch_split<mesh = @mesh, devices = 4>} {
  return %x : tensor<4x8xf32>
}
