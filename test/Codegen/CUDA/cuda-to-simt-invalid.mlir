// RUN: moe-opt %s --moe-cuda-to-simt --split-input-file --verify-diagnostics

gpu.module @kernels {
  llvm.func @cluster() attributes {nvvm.kernel} {
    // expected-error@+1 {{the SIMT executor does not know 'nvvm.cluster.arrive'}}
    nvvm.cluster.arrive
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @ptx(%x: f32) attributes {nvvm.kernel} {
    // expected-error@+1 {{the SIMT executor does not know the PTX 'sin.approx.f32 %0, %1;'}}
    %0 = nvvm.inline_ptx "sin.approx.f32 %0, %1;" ro(%x : f32) -> f32
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @other_dialect() attributes {nvvm.kernel} {
    // expected-error@+1 {{the SIMT executor takes LLVM dialect and nvvm ops, found 'gpu.thread_id'}}
    %0 = gpu.thread_id x
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @layout(%a: vector<2xf16>, %c: f32) attributes {nvvm.kernel} {
    // expected-error@+1 {{the SIMT executor multiplies a row-major A by a column-major B only}}
    %0 = nvvm.mma.sync A[%a, %a] B[%a, %a] C[%c, %c, %c, %c, %c, %c, %c, %c]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<row>, shape = #nvvm.shape<m = 8, n = 8, k = 4>}
      : (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    llvm.return
  }
}

// -----

// expected-note@+1 {{the other}}
llvm.func @kernel() {
  llvm.return
}
gpu.module @kernels {
  // expected-error@+1 {{two symbols have the name "kernel"; modules of kernels become one}}
  llvm.func @kernel() attributes {nvvm.kernel} {
    llvm.return
  }
}
