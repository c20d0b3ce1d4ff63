// RUN: moe-opt %s --moe-cuda-wrap-kernels --split-input-file --verify-diagnostics

// expected-error @below {{expects the nested module @moe_kernels and the attribute moe.kernels}}
module {
}

// -----

module attributes {moe.kernels = []} {
  module @moe_kernels {
    llvm.func @k(%x: i32) {
      // expected-error @below {{is left in a kernel; expected the LLVM dialect and nvvm}}
      %0 = arith.addi %x, %x : i32
      llvm.return
    }
  }
}

// -----

module attributes {moe.kernels = []} {
  // expected-error @below {{kernels call sinf, which there is no CUDA code for yet}}
  module @moe_kernels {
    llvm.func @sinf(f32) -> f32
    llvm.func @k(%x: f32) {
      %0 = llvm.call @sinf(%x) : (f32) -> f32
      llvm.return
    }
  }
}

// -----

module attributes {moe.kernels = [{name = "lost", shared = 0 : i64, threads = 64 : i64}]} {
  // expected-error @below {{names a kernel that is not in @moe_kernels}}
  module @moe_kernels {
  }
}
