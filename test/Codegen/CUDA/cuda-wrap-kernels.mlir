// RUN: moe-opt %s --moe-cuda-wrap-kernels | FileCheck %s

// DOC: --moe-cuda-wrap-kernels
// CHECK: gpu.module @moe_kernels [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx80">]
module attributes {moe.kernels = [{name = "copy", shared = 0 : i64, threads = 64 : i64}]} {
  module @moe_kernels {
    // CHECK: llvm.func internal @helper
    llvm.func @helper() {
      llvm.return
    }
    // CHECK: llvm.func @copy(%{{.*}}: !llvm.ptr) attributes {nvvm.kernel, nvvm.maxntid = array<i32: 64>}
    llvm.func @copy(%x: !llvm.ptr) {
      llvm.call @helper() : () -> ()
      llvm.return
    }
  }
}
