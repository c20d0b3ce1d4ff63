// mma.sync on registers that were packed by the PTX ISA's tables, bit for bit as NumPy computes it.
// RUN: %python %S/Inputs/products.py make f16 %t.f16
// RUN: moe-simt-run %s --kernel mma_f16 --block 32 --arg i32[128]=@%t.f16/a.bin --arg i32[64]=@%t.f16/b.bin --arg i32[128]=@%t.f16/c.bin --arg i32[128]=none --dump 3=%t.f16/d.bin
// RUN: %python %S/Inputs/products.py check f16 %t.f16
// RUN: %python %S/Inputs/products.py make bf16 %t.bf16
// RUN: moe-simt-run %s --kernel mma_bf16 --block 32 --arg i32[128]=@%t.bf16/a.bin --arg i32[64]=@%t.bf16/b.bin --arg i32[128]=@%t.bf16/c.bin --arg i32[128]=none --dump 3=%t.bf16/d.bin
// RUN: %python %S/Inputs/products.py check bf16 %t.bf16
// RUN: %python %S/Inputs/products.py make tf32 %t.tf32
// RUN: moe-simt-run %s --kernel mma_tf32 --block 32 --arg i32[128]=@%t.tf32/a.bin --arg i32[64]=@%t.tf32/b.bin --arg i32[128]=@%t.tf32/c.bin --arg i32[128]=none --dump 3=%t.tf32/d.bin
// RUN: %python %S/Inputs/products.py check tf32 %t.tf32
// RUN: %python %S/Inputs/products.py make s8 %t.s8
// RUN: moe-simt-run %s --kernel mma_s8 --block 32 --arg i32[128]=@%t.s8/a.bin --arg i32[64]=@%t.s8/b.bin --arg i32[128]=@%t.s8/c.bin --arg i32[128]=none --dump 3=%t.s8/d.bin
// RUN: %python %S/Inputs/products.py check s8 %t.s8
// RUN: not moe-simt-run %s --kernel mma_s8 --block 16 --arg i32[128]=0 --arg i32[64]=0 --arg i32[128]=0 --arg i32[128]=none 2>&1 | FileCheck %s
// CHECK: kernel mma_s8, block (0,0,0), {{.*}} nvvm.mma.sync: a warp's operation needs all 32 lanes; some have exited or never were

// Random numbers, to the bit as mmasim has them for Ampere and Hopper.
// RUN: %python %S/Inputs/products.py make f16 %t.f16.80 80
// RUN: moe-simt-run %s --kernel mma_f16 --block 32 --arch 80 --arg i32[128]=@%t.f16.80/a.bin --arg i32[64]=@%t.f16.80/b.bin --arg i32[128]=@%t.f16.80/c.bin --arg i32[128]=none --dump 3=%t.f16.80/d.bin
// RUN: %python %S/Inputs/products.py check f16 %t.f16.80 80
// RUN: %python %S/Inputs/products.py make f16 %t.f16.90 90
// RUN: moe-simt-run %s --kernel mma_f16 --block 32 --arch 90 --arg i32[128]=@%t.f16.90/a.bin --arg i32[64]=@%t.f16.90/b.bin --arg i32[128]=@%t.f16.90/c.bin --arg i32[128]=none --dump 3=%t.f16.90/d.bin
// RUN: %python %S/Inputs/products.py check f16 %t.f16.90 90
// RUN: %python %S/Inputs/products.py make bf16 %t.bf16.80 80
// RUN: moe-simt-run %s --kernel mma_bf16 --block 32 --arch 80 --arg i32[128]=@%t.bf16.80/a.bin --arg i32[64]=@%t.bf16.80/b.bin --arg i32[128]=@%t.bf16.80/c.bin --arg i32[128]=none --dump 3=%t.bf16.80/d.bin
// RUN: %python %S/Inputs/products.py check bf16 %t.bf16.80 80
// RUN: %python %S/Inputs/products.py make bf16 %t.bf16.90 90
// RUN: moe-simt-run %s --kernel mma_bf16 --block 32 --arch 90 --arg i32[128]=@%t.bf16.90/a.bin --arg i32[64]=@%t.bf16.90/b.bin --arg i32[128]=@%t.bf16.90/c.bin --arg i32[128]=none --dump 3=%t.bf16.90/d.bin
// RUN: %python %S/Inputs/products.py check bf16 %t.bf16.90 90
// RUN: %python %S/Inputs/products.py make tf32 %t.tf32.80 80
// RUN: moe-simt-run %s --kernel mma_tf32 --block 32 --arch 80 --arg i32[128]=@%t.tf32.80/a.bin --arg i32[64]=@%t.tf32.80/b.bin --arg i32[128]=@%t.tf32.80/c.bin --arg i32[128]=none --dump 3=%t.tf32.80/d.bin
// RUN: %python %S/Inputs/products.py check tf32 %t.tf32.80 80
// RUN: %python %S/Inputs/products.py make tf32 %t.tf32.90 90
// RUN: moe-simt-run %s --kernel mma_tf32 --block 32 --arch 90 --arg i32[128]=@%t.tf32.90/a.bin --arg i32[64]=@%t.tf32.90/b.bin --arg i32[128]=@%t.tf32.90/c.bin --arg i32[128]=none --dump 3=%t.tf32.90/d.bin
// RUN: %python %S/Inputs/products.py check tf32 %t.tf32.90 90

gpu.module @kernels {
  llvm.func @mma_f16(%pa: !llvm.ptr<1>, %pb: !llvm.ptr<1>, %pc: !llvm.ptr<1>, %pd: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %rowa = llvm.getelementptr %pa[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %av = llvm.load %rowa {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %ai0 = llvm.mlir.constant(0 : i32) : i32
    %aw0 = llvm.extractelement %av[%ai0 : i32] : vector<4xi32>
    %a0 = llvm.bitcast %aw0 : i32 to vector<2xf16>
    %ai1 = llvm.mlir.constant(1 : i32) : i32
    %aw1 = llvm.extractelement %av[%ai1 : i32] : vector<4xi32>
    %a1 = llvm.bitcast %aw1 : i32 to vector<2xf16>
    %ai2 = llvm.mlir.constant(2 : i32) : i32
    %aw2 = llvm.extractelement %av[%ai2 : i32] : vector<4xi32>
    %a2 = llvm.bitcast %aw2 : i32 to vector<2xf16>
    %ai3 = llvm.mlir.constant(3 : i32) : i32
    %aw3 = llvm.extractelement %av[%ai3 : i32] : vector<4xi32>
    %a3 = llvm.bitcast %aw3 : i32 to vector<2xf16>
    %rowb = llvm.getelementptr %pb[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<2 x i32>
    %bv = llvm.load %rowb {alignment = 8 : i64} : !llvm.ptr<1> -> vector<2xi32>
    %bi0 = llvm.mlir.constant(0 : i32) : i32
    %bw0 = llvm.extractelement %bv[%bi0 : i32] : vector<2xi32>
    %b0 = llvm.bitcast %bw0 : i32 to vector<2xf16>
    %bi1 = llvm.mlir.constant(1 : i32) : i32
    %bw1 = llvm.extractelement %bv[%bi1 : i32] : vector<2xi32>
    %b1 = llvm.bitcast %bw1 : i32 to vector<2xf16>
    %rowc = llvm.getelementptr %pc[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %cv = llvm.load %rowc {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %ci0 = llvm.mlir.constant(0 : i32) : i32
    %cw0 = llvm.extractelement %cv[%ci0 : i32] : vector<4xi32>
    %c0 = llvm.bitcast %cw0 : i32 to f32
    %ci1 = llvm.mlir.constant(1 : i32) : i32
    %cw1 = llvm.extractelement %cv[%ci1 : i32] : vector<4xi32>
    %c1 = llvm.bitcast %cw1 : i32 to f32
    %ci2 = llvm.mlir.constant(2 : i32) : i32
    %cw2 = llvm.extractelement %cv[%ci2 : i32] : vector<4xi32>
    %c2 = llvm.bitcast %cw2 : i32 to f32
    %ci3 = llvm.mlir.constant(3 : i32) : i32
    %cw3 = llvm.extractelement %cv[%ci3 : i32] : vector<4xi32>
    %c3 = llvm.bitcast %cw3 : i32 to f32
    %d = nvvm.mma.sync A[%a0, %a1, %a2, %a3] B[%b0, %b1] C[%c0, %c1, %c2, %c3]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, shape = #nvvm.shape<m = 16, n = 8, k = 16>}
      : (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    %rowd = llvm.getelementptr %pd[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %d0 = llvm.extractvalue %d[0] : !llvm.struct<(f32, f32, f32, f32)>
    %pd0 = llvm.getelementptr %rowd[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d0, %pd0 : f32, !llvm.ptr<1>
    %d1 = llvm.extractvalue %d[1] : !llvm.struct<(f32, f32, f32, f32)>
    %pd1 = llvm.getelementptr %rowd[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d1, %pd1 : f32, !llvm.ptr<1>
    %d2 = llvm.extractvalue %d[2] : !llvm.struct<(f32, f32, f32, f32)>
    %pd2 = llvm.getelementptr %rowd[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d2, %pd2 : f32, !llvm.ptr<1>
    %d3 = llvm.extractvalue %d[3] : !llvm.struct<(f32, f32, f32, f32)>
    %pd3 = llvm.getelementptr %rowd[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d3, %pd3 : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @mma_bf16(%pa: !llvm.ptr<1>, %pb: !llvm.ptr<1>, %pc: !llvm.ptr<1>, %pd: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %rowa = llvm.getelementptr %pa[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %av = llvm.load %rowa {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %ai0 = llvm.mlir.constant(0 : i32) : i32
    %a0 = llvm.extractelement %av[%ai0 : i32] : vector<4xi32>
    %ai1 = llvm.mlir.constant(1 : i32) : i32
    %a1 = llvm.extractelement %av[%ai1 : i32] : vector<4xi32>
    %ai2 = llvm.mlir.constant(2 : i32) : i32
    %a2 = llvm.extractelement %av[%ai2 : i32] : vector<4xi32>
    %ai3 = llvm.mlir.constant(3 : i32) : i32
    %a3 = llvm.extractelement %av[%ai3 : i32] : vector<4xi32>
    %rowb = llvm.getelementptr %pb[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<2 x i32>
    %bv = llvm.load %rowb {alignment = 8 : i64} : !llvm.ptr<1> -> vector<2xi32>
    %bi0 = llvm.mlir.constant(0 : i32) : i32
    %b0 = llvm.extractelement %bv[%bi0 : i32] : vector<2xi32>
    %bi1 = llvm.mlir.constant(1 : i32) : i32
    %b1 = llvm.extractelement %bv[%bi1 : i32] : vector<2xi32>
    %rowc = llvm.getelementptr %pc[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %cv = llvm.load %rowc {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %ci0 = llvm.mlir.constant(0 : i32) : i32
    %cw0 = llvm.extractelement %cv[%ci0 : i32] : vector<4xi32>
    %c0 = llvm.bitcast %cw0 : i32 to f32
    %ci1 = llvm.mlir.constant(1 : i32) : i32
    %cw1 = llvm.extractelement %cv[%ci1 : i32] : vector<4xi32>
    %c1 = llvm.bitcast %cw1 : i32 to f32
    %ci2 = llvm.mlir.constant(2 : i32) : i32
    %cw2 = llvm.extractelement %cv[%ci2 : i32] : vector<4xi32>
    %c2 = llvm.bitcast %cw2 : i32 to f32
    %ci3 = llvm.mlir.constant(3 : i32) : i32
    %cw3 = llvm.extractelement %cv[%ci3 : i32] : vector<4xi32>
    %c3 = llvm.bitcast %cw3 : i32 to f32
    %d = nvvm.mma.sync A[%a0, %a1, %a2, %a3] B[%b0, %b1] C[%c0, %c1, %c2, %c3]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, multiplicandAPtxType = #nvvm.mma_type<bf16>, multiplicandBPtxType = #nvvm.mma_type<bf16>, shape = #nvvm.shape<m = 16, n = 8, k = 16>}
      : (i32, i32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    %rowd = llvm.getelementptr %pd[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %d0 = llvm.extractvalue %d[0] : !llvm.struct<(f32, f32, f32, f32)>
    %pd0 = llvm.getelementptr %rowd[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d0, %pd0 : f32, !llvm.ptr<1>
    %d1 = llvm.extractvalue %d[1] : !llvm.struct<(f32, f32, f32, f32)>
    %pd1 = llvm.getelementptr %rowd[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d1, %pd1 : f32, !llvm.ptr<1>
    %d2 = llvm.extractvalue %d[2] : !llvm.struct<(f32, f32, f32, f32)>
    %pd2 = llvm.getelementptr %rowd[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d2, %pd2 : f32, !llvm.ptr<1>
    %d3 = llvm.extractvalue %d[3] : !llvm.struct<(f32, f32, f32, f32)>
    %pd3 = llvm.getelementptr %rowd[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d3, %pd3 : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @mma_tf32(%pa: !llvm.ptr<1>, %pb: !llvm.ptr<1>, %pc: !llvm.ptr<1>, %pd: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %rowa = llvm.getelementptr %pa[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %av = llvm.load %rowa {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %ai0 = llvm.mlir.constant(0 : i32) : i32
    %a0 = llvm.extractelement %av[%ai0 : i32] : vector<4xi32>
    %ai1 = llvm.mlir.constant(1 : i32) : i32
    %a1 = llvm.extractelement %av[%ai1 : i32] : vector<4xi32>
    %ai2 = llvm.mlir.constant(2 : i32) : i32
    %a2 = llvm.extractelement %av[%ai2 : i32] : vector<4xi32>
    %ai3 = llvm.mlir.constant(3 : i32) : i32
    %a3 = llvm.extractelement %av[%ai3 : i32] : vector<4xi32>
    %rowb = llvm.getelementptr %pb[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<2 x i32>
    %bv = llvm.load %rowb {alignment = 8 : i64} : !llvm.ptr<1> -> vector<2xi32>
    %bi0 = llvm.mlir.constant(0 : i32) : i32
    %b0 = llvm.extractelement %bv[%bi0 : i32] : vector<2xi32>
    %bi1 = llvm.mlir.constant(1 : i32) : i32
    %b1 = llvm.extractelement %bv[%bi1 : i32] : vector<2xi32>
    %rowc = llvm.getelementptr %pc[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %cv = llvm.load %rowc {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %ci0 = llvm.mlir.constant(0 : i32) : i32
    %cw0 = llvm.extractelement %cv[%ci0 : i32] : vector<4xi32>
    %c0 = llvm.bitcast %cw0 : i32 to f32
    %ci1 = llvm.mlir.constant(1 : i32) : i32
    %cw1 = llvm.extractelement %cv[%ci1 : i32] : vector<4xi32>
    %c1 = llvm.bitcast %cw1 : i32 to f32
    %ci2 = llvm.mlir.constant(2 : i32) : i32
    %cw2 = llvm.extractelement %cv[%ci2 : i32] : vector<4xi32>
    %c2 = llvm.bitcast %cw2 : i32 to f32
    %ci3 = llvm.mlir.constant(3 : i32) : i32
    %cw3 = llvm.extractelement %cv[%ci3 : i32] : vector<4xi32>
    %c3 = llvm.bitcast %cw3 : i32 to f32
    %d = nvvm.mma.sync A[%a0, %a1, %a2, %a3] B[%b0, %b1] C[%c0, %c1, %c2, %c3]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, multiplicandAPtxType = #nvvm.mma_type<tf32>, multiplicandBPtxType = #nvvm.mma_type<tf32>, shape = #nvvm.shape<m = 16, n = 8, k = 8>}
      : (i32, i32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    %rowd = llvm.getelementptr %pd[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %d0 = llvm.extractvalue %d[0] : !llvm.struct<(f32, f32, f32, f32)>
    %pd0 = llvm.getelementptr %rowd[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d0, %pd0 : f32, !llvm.ptr<1>
    %d1 = llvm.extractvalue %d[1] : !llvm.struct<(f32, f32, f32, f32)>
    %pd1 = llvm.getelementptr %rowd[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d1, %pd1 : f32, !llvm.ptr<1>
    %d2 = llvm.extractvalue %d[2] : !llvm.struct<(f32, f32, f32, f32)>
    %pd2 = llvm.getelementptr %rowd[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d2, %pd2 : f32, !llvm.ptr<1>
    %d3 = llvm.extractvalue %d[3] : !llvm.struct<(f32, f32, f32, f32)>
    %pd3 = llvm.getelementptr %rowd[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d3, %pd3 : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @mma_s8(%pa: !llvm.ptr<1>, %pb: !llvm.ptr<1>, %pc: !llvm.ptr<1>, %pd: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %rowa = llvm.getelementptr %pa[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %av = llvm.load %rowa {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %ai0 = llvm.mlir.constant(0 : i32) : i32
    %a0 = llvm.extractelement %av[%ai0 : i32] : vector<4xi32>
    %ai1 = llvm.mlir.constant(1 : i32) : i32
    %a1 = llvm.extractelement %av[%ai1 : i32] : vector<4xi32>
    %ai2 = llvm.mlir.constant(2 : i32) : i32
    %a2 = llvm.extractelement %av[%ai2 : i32] : vector<4xi32>
    %ai3 = llvm.mlir.constant(3 : i32) : i32
    %a3 = llvm.extractelement %av[%ai3 : i32] : vector<4xi32>
    %rowb = llvm.getelementptr %pb[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<2 x i32>
    %bv = llvm.load %rowb {alignment = 8 : i64} : !llvm.ptr<1> -> vector<2xi32>
    %bi0 = llvm.mlir.constant(0 : i32) : i32
    %b0 = llvm.extractelement %bv[%bi0 : i32] : vector<2xi32>
    %bi1 = llvm.mlir.constant(1 : i32) : i32
    %b1 = llvm.extractelement %bv[%bi1 : i32] : vector<2xi32>
    %rowc = llvm.getelementptr %pc[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %cv = llvm.load %rowc {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %ci0 = llvm.mlir.constant(0 : i32) : i32
    %c0 = llvm.extractelement %cv[%ci0 : i32] : vector<4xi32>
    %ci1 = llvm.mlir.constant(1 : i32) : i32
    %c1 = llvm.extractelement %cv[%ci1 : i32] : vector<4xi32>
    %ci2 = llvm.mlir.constant(2 : i32) : i32
    %c2 = llvm.extractelement %cv[%ci2 : i32] : vector<4xi32>
    %ci3 = llvm.mlir.constant(3 : i32) : i32
    %c3 = llvm.extractelement %cv[%ci3 : i32] : vector<4xi32>
    %d = nvvm.mma.sync A[%a0, %a1, %a2, %a3] B[%b0, %b1] C[%c0, %c1, %c2, %c3]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, multiplicandAPtxType = #nvvm.mma_type<s8>, multiplicandBPtxType = #nvvm.mma_type<s8>, intOverflowBehavior = #nvvm.mma_int_overflow<satfinite>, shape = #nvvm.shape<m = 16, n = 8, k = 32>}
      : (i32, i32, i32) -> !llvm.struct<(i32, i32, i32, i32)>
    %rowd = llvm.getelementptr %pd[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x i32>
    %d0 = llvm.extractvalue %d[0] : !llvm.struct<(i32, i32, i32, i32)>
    %pd0 = llvm.getelementptr %rowd[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d0, %pd0 : i32, !llvm.ptr<1>
    %d1 = llvm.extractvalue %d[1] : !llvm.struct<(i32, i32, i32, i32)>
    %pd1 = llvm.getelementptr %rowd[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d1, %pd1 : i32, !llvm.ptr<1>
    %d2 = llvm.extractvalue %d[2] : !llvm.struct<(i32, i32, i32, i32)>
    %pd2 = llvm.getelementptr %rowd[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d2, %pd2 : i32, !llvm.ptr<1>
    %d3 = llvm.extractvalue %d[3] : !llvm.struct<(i32, i32, i32, i32)>
    %pd3 = llvm.getelementptr %rowd[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %d3, %pd3 : i32, !llvm.ptr<1>
    llvm.return
  }
}
