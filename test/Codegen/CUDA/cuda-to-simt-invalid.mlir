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

// -----

gpu.module @kernels {
  llvm.func @shape(%a: i32, %c: i32) attributes {nvvm.kernel} {
    // expected-error@+1 {{the SIMT executor has no product m8n8k16 of s8 and s8}}
    %0 = nvvm.mma.sync A[%a] B[%a] C[%c, %c]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, multiplicandAPtxType = #nvvm.mma_type<s8>,
       multiplicandBPtxType = #nvvm.mma_type<s8>, intOverflowBehavior = #nvvm.mma_int_overflow<wrapped>, shape = #nvvm.shape<m = 8, n = 8, k = 16>}
      : (i32, i32, i32) -> !llvm.struct<(i32, i32)>
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @transposed(%a: i64, %d: !llvm.struct<(f32, f32, f32, f32)>) attributes {nvvm.kernel} {
    // expected-error@+1 {{the SIMT executor has wgmma of K-major operands, and of f16 and bf16 with B by rows too}}
    %0 = nvvm.wgmma.mma_async %a, %a, %d, <m = 64, n = 8, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <col>], B [<bf16>, <one>, <col>]
      : !llvm.struct<(f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32)>
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @predicated(%bar: !llvm.ptr<3>, %n: i32, %p: i1) attributes {nvvm.kernel} {
    // expected-error@+1 {{the SIMT executor takes no predicate here; use a branch}}
    nvvm.mbarrier.init %bar, %n, predicate = %p : !llvm.ptr<3>, i32, i1
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @mode(%a: i32) attributes {nvvm.kernel} {
    // expected-error@+1 {{the SIMT executor has prmt without a mode only}}
    %0 = nvvm.prmt #nvvm.permute_mode<f4e> %a, %a, %a : i32
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @assembly(%a: i32) attributes {nvvm.kernel} {
    // expected-error@+1 {{the SIMT executor cannot run this; use an nvvm op}}
    %0 = llvm.inline_asm "add.s32 $0, $1, 1;", "=r,r" %a : (i32) -> i32
    llvm.return
  }
}
