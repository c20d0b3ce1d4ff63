// RUN: moe-opt %s --moe-distribute-columns --split-input-file --verify-diagnostics

moe.weight @a : tensor<64x32xf32> source(#moe.file<"m.bin", offset = 0, length = 8192>)
func.func @a_product(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f32
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w = moe.weight_ref @a : tensor<64x32xf32>
  %e = tensor.empty(%T) : tensor<?x32xf32>
  %f = linalg.fill ins(%start : f32) outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  // expected-error @below {{op 'linalg.matmul': expected a moe.mesh named @mesh, found none}}
  %y = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">>}
      ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
moe.weight @b : tensor<64x32xf32> source(#moe.file<"m.bin", offset = 0, length = 8192>)
func.func @b_product(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f32
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w = moe.weight_ref @b : tensor<64x32xf32>
  %e = tensor.empty(%T) : tensor<?x32xf32>
  %f = linalg.fill ins(%start : f32) outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  // expected-error @below {{op 'linalg.matmul': expected a sharding over the 4 devices of @mesh, found one over 8}}
  %y = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 8, edp = 1, slots = [0, 1, 2, 3, 4, 5, 6, 7], algorithm = "direct", equality = "bitwise">>}
      ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
moe.weight @c : tensor<64x30xf32> source(#moe.file<"m.bin", offset = 0, length = 7680>)
func.func @c_product(%x: tensor<?x64xf32>) -> tensor<?x30xf32> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f32
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w = moe.weight_ref @c : tensor<64x30xf32>
  %e = tensor.empty(%T) : tensor<?x30xf32>
  %f = linalg.fill ins(%start : f32) outs(%e : tensor<?x30xf32>) -> tensor<?x30xf32>
  // expected-error @below {{op 'linalg.matmul' has a sharding but its columns cannot be shared out: its columns are not a multiple of the 4 devices}}
  %y = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">>}
      ins(%x, %w : tensor<?x64xf32>, tensor<64x30xf32>) outs(%f : tensor<?x30xf32>) -> tensor<?x30xf32>
  return %y : tensor<?x30xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
func.func @d_product(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f32
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w = arith.constant dense<1.0> : tensor<64x32xf32>
  %e = tensor.empty(%T) : tensor<?x32xf32>
  %f = linalg.fill ins(%start : f32) outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  // expected-error @below {{its columns cannot be shared out: its weight is not stored}}
  %y = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">>}
      ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
moe.weight @e : tensor<64x32xf32> source(#moe.file<"m.bin", offset = 0, length = 8192>)
func.func @e_product(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 1.0 : f32
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w = moe.weight_ref @e : tensor<64x32xf32>
  %e = tensor.empty(%T) : tensor<?x32xf32>
  %f = linalg.fill ins(%start : f32) outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  // expected-error @below {{its columns cannot be shared out: it is no plain product of rows with a weight}}
  %y = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">>}
      ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
moe.weight @f : tensor<64x32xf32> source(#moe.file<"m.bin", offset = 0, length = 8192>)
func.func @f_product(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f32
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w = moe.weight_ref @f : tensor<64x32xf32>
  %e = tensor.empty(%T) : tensor<?x32xf32>
  %f = linalg.fill ins(%start : f32) outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  // expected-error @below {{op 'linalg.matmul': expected the sharding of columns, slot d on device d of all 4, found}}
  %y = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 2, 1, 3], algorithm = "direct", equality = "bitwise">>}
      ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
