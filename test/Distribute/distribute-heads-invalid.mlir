// RUN: moe-opt %s --moe-distribute-heads --split-input-file --verify-diagnostics

func.func @a(%q: tensor<?x8x?x16xf32>, %k: tensor<?x2x?x16xf32>, %out: tensor<?x8x?x16xf32>, %scratch: tensor<?x2x?x864xf32>) -> tensor<?x8x?x16xf32> {
  // expected-error @below {{op 'moe.attention': expected a moe.mesh named @mesh, found none}}
  %o:2 = moe.attention q(%q : tensor<?x8x?x16xf32>) k(%k : tensor<?x2x?x16xf32>) v(%k : tensor<?x2x?x16xf32>) outs(%out, %scratch : tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">} -> tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>
  return %o#0 : tensor<?x8x?x16xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
func.func @b(%q: tensor<?x8x?x16xf32>, %k: tensor<?x2x?x16xf32>, %out: tensor<?x8x?x16xf32>, %scratch: tensor<?x2x?x864xf32>) -> tensor<?x8x?x16xf32> {
  // expected-error @below {{op 'moe.attention': expected a sharding over the 4 devices of @mesh, found one over 8}}
  %o:2 = moe.attention q(%q : tensor<?x8x?x16xf32>) k(%k : tensor<?x2x?x16xf32>) v(%k : tensor<?x2x?x16xf32>) outs(%out, %scratch : tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 8, edp = 1, slots = [0, 1, 2, 3, 4, 5, 6, 7], algorithm = "direct", equality = "bitwise">} -> tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>
  return %o#0 : tensor<?x8x?x16xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
func.func @c(%q: tensor<?x6x?x16xf32>, %k: tensor<?x2x?x16xf32>, %out: tensor<?x6x?x16xf32>, %scratch: tensor<?x2x?x864xf32>) -> tensor<?x6x?x16xf32> {
  // expected-error @below {{op 'moe.attention' has a sharding but its heads cannot be shared out: its 6 query heads are not a multiple of the 4 devices}}
  %o:2 = moe.attention q(%q : tensor<?x6x?x16xf32>) k(%k : tensor<?x2x?x16xf32>) v(%k : tensor<?x2x?x16xf32>) outs(%out, %scratch : tensor<?x6x?x16xf32>, tensor<?x2x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">} -> tensor<?x6x?x16xf32>, tensor<?x2x?x864xf32>
  return %o#0 : tensor<?x6x?x16xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
func.func @d(%q: tensor<?x12x?x16xf32>, %k: tensor<?x3x?x16xf32>, %out: tensor<?x12x?x16xf32>, %scratch: tensor<?x3x?x864xf32>) -> tensor<?x12x?x16xf32> {
  // expected-error @below {{op 'moe.attention' has a sharding but its heads cannot be shared out: its 3 key heads are neither a multiple nor a divisor of 2 ranks}}
  %o:2 = moe.attention q(%q : tensor<?x12x?x16xf32>) k(%k : tensor<?x3x?x16xf32>) v(%k : tensor<?x3x?x16xf32>) outs(%out, %scratch : tensor<?x12x?x16xf32>, tensor<?x3x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">} -> tensor<?x12x?x16xf32>, tensor<?x3x?x864xf32>
  return %o#0 : tensor<?x12x?x16xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
func.func @e(%q: tensor<?x8x?x16xf32>, %k: tensor<?x2x?x16xf32>, %out: tensor<?x8x?x16xf32>, %scratch: tensor<?x2x?x864xf32>) -> tensor<?x8x?x16xf32> {
  // expected-error @below {{op 'moe.attention': expected the sharding of heads, slot d on device d of all 4, found}}
  %o:2 = moe.attention q(%q : tensor<?x8x?x16xf32>) k(%k : tensor<?x2x?x16xf32>) v(%k : tensor<?x2x?x16xf32>) outs(%out, %scratch : tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 2, 1, 3], algorithm = "direct", equality = "bitwise">} -> tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>
  return %o#0 : tensor<?x8x?x16xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
func.func @f(%q: tensor<?x8x?x16xf32>, %k: tensor<?x2x?x16xf32>, %out: tensor<?x8x?x16xf32>, %scratch: tensor<?x2x?x864xf32>) -> tensor<?x2x?x864xf32> {
  // expected-error @below {{op 'moe.attention' has a sharding but its heads cannot be shared out: its scratch is read}}
  %o:2 = moe.attention q(%q : tensor<?x8x?x16xf32>) k(%k : tensor<?x2x?x16xf32>) v(%k : tensor<?x2x?x16xf32>) outs(%out, %scratch : tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">} -> tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>
  return %o#1 : tensor<?x2x?x864xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
func.func @g(%q: tensor<?x8x?x16xf32>, %k: tensor<?x2x?x16xf32>, %out: tensor<?x8x?x16xf32>, %scratch: tensor<?x2x?x864xf32>) -> tensor<?x8x?x16xf32> {
  %c = arith.constant true
  %r = scf.if %c -> tensor<?x8x?x16xf32> {
  // expected-error @below {{op 'moe.attention' has a sharding: expected it in the body of a function, found it in 'scf.if'}}
  %o:2 = moe.attention q(%q : tensor<?x8x?x16xf32>) k(%k : tensor<?x2x?x16xf32>) v(%k : tensor<?x2x?x16xf32>) outs(%out, %scratch : tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">} -> tensor<?x8x?x16xf32>, tensor<?x2x?x864xf32>
  scf.yield %o#0 : tensor<?x8x?x16xf32>
  } else {
  scf.yield %q : tensor<?x8x?x16xf32>
  }
  return %r : tensor<?x8x?x16xf32>
}
