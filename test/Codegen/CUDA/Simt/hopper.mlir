// sm_90: a tile by two tensor maps with a swizzle of 128 bytes, an mbarrier, and wgmma on descriptors, as NumPy computes it.
// RUN: %python %S/Inputs/check_wgmma.py make %t
// RUN: moe-simt-run %s --kernel product --block 128 --arg bf16[4096]=@%t/a.bin --arg bf16[1024]=@%t/b.bin --arg map=0:bf16:64x64:64x64:128 --arg map=1:bf16:16x64:16x64:128 --arg f32[1024]=none --dump 4=%t/d.bin
// RUN: %python %S/Inputs/check_wgmma.py check %t
// RUN: moe-simt-run %s --kernel product --block 128 --arg bf16[4096]=@%t/a.bin --arg bf16[1024]=@%t/b.bin --arg map=0:bf16:64x64:64x64:128 --arg map=1:bf16:16x64:16x64:128 --arg f32[1024]=none --dump 4=%t/d.bin --seed 21
// RUN: %python %S/Inputs/check_wgmma.py check %t
// RUN: moe-simt-run %s --kernel proxy_fence --block 128 --arg bf16[4096]=@%t/a.bin --arg bf16[1024]=@%t/b.bin --arg map=0:bf16:64x64:64x64:128 --arg map=1:bf16:16x64:16x64:128 --arg f32[1024]=none

// RUN: not moe-simt-run %s --kernel no_wait --block 128 --arg bf16[4096]=@%t/a.bin --arg bf16[1024]=@%t/b.bin --arg map=0:bf16:64x64:64x64:128 --arg map=1:bf16:16x64:16x64:128 --arg f32[1024]=none 2>&1 | FileCheck %s --check-prefix=WAIT
// WAIT: kernel no_wait, {{.*}} nvvm.wgmma.mma_async: reads byte {{.*}} of shared memory, which an async copy of thread (0,0,0) at hopper.mlir:{{.*}} nvvm.cp.async.bulk.tensor.shared.cluster.global writes and which was not waited for
// RUN: not moe-simt-run %s --kernel too_many_bytes --block 128 --arg bf16[4096]=@%t/a.bin --arg bf16[1024]=@%t/b.bin --arg map=0:bf16:64x64:64x64:128 --arg map=1:bf16:16x64:16x64:128 --arg f32[1024]=none 2>&1 | FileCheck %s --check-prefix=BYTES
// BYTES: kernel too_many_bytes: deadlock
// BYTES: threads 0 to 127 wait in an mbarrier at hopper.mlir:{{.*}} nvvm.mbarrier.try_wait.parity
// RUN: not moe-simt-run %s --kernel no_proxy_fence --block 128 --arg bf16[4096]=@%t/a.bin --arg bf16[1024]=@%t/b.bin --arg map=0:bf16:64x64:64x64:128 --arg map=1:bf16:16x64:16x64:128 --arg f32[1024]=none 2>&1 | FileCheck %s --check-prefix=PROXY
// PROXY: kernel no_proxy_fence, {{.*}} nvvm.wgmma.mma_async: reads byte 0 of shared memory, which thread (0,0,0) wrote at hopper.mlir:{{.*}} llvm.store without a fence.proxy.async after it
// RUN: not moe-simt-run %s --kernel overwritten --block 128 --races=false --arg bf16[4096]=@%t/a.bin --arg bf16[1024]=@%t/b.bin --arg map=0:bf16:64x64:64x64:128 --arg map=1:bf16:16x64:16x64:128 --arg f32[1024]=none 2>&1 | FileCheck %s --check-prefix=OVER
// OVER: kernel overwritten, {{.*}} nvvm.wgmma.mma_async: its operand at byte 0 of shared memory was overwritten before the product was waited for
// RUN: not moe-simt-run %s --kernel product --block 64 --arg bf16[4096]=@%t/a.bin --arg bf16[1024]=@%t/b.bin --arg map=0:bf16:64x64:64x64:128 --arg map=1:bf16:16x64:16x64:128 --arg f32[1024]=none 2>&1 | FileCheck %s --check-prefix=GROUP
// GROUP: wgmma needs a warpgroup of 128 threads; the block has 64

gpu.module @kernels {
  llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<10240 x i8>
  llvm.mlir.global internal @bar() {addr_space = 3 : i32, alignment = 8 : i64} : i64

  llvm.func @product(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %mapA: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %mapB: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %f0 = llvm.mlir.constant(0.0 : f32) : f32
    %ticks = llvm.mlir.constant(10000000 : i32) : i32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %tileB = llvm.getelementptr %tile[8192] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    %bar = llvm.mlir.addressof @bar : !llvm.ptr<3>
    %leads = llvm.icmp "eq" %t, %c0 : i32
    llvm.cond_br %leads, ^init, ^start
  ^init:
    nvvm.mbarrier.init %bar, %c1 : !llvm.ptr<3>, i32
    llvm.br ^start
  ^start:
    nvvm.barrier0
    llvm.cond_br %leads, ^load, ^wait
  ^load:
    %bytes = llvm.mlir.constant(10240 : i32) : i32
    %token = nvvm.mbarrier.arrive.expect_tx %bar, %bytes : !llvm.ptr<3>, i32 -> i64
    nvvm.cp.async.bulk.tensor.shared.cluster.global %tile, %mapA, %bar, box[%c0, %c0] {isCTAOnly = true, mode = #nvvm.tma_load_mode<tile>} : !llvm.ptr<3>, !llvm.ptr
    nvvm.cp.async.bulk.tensor.shared.cluster.global %tileB, %mapB, %bar, box[%c0, %c0] {isCTAOnly = true, mode = #nvvm.tma_load_mode<tile>} : !llvm.ptr<3>, !llvm.ptr
    llvm.br ^wait
  ^wait:
    nvvm.mbarrier.try_wait.parity %bar, %c0, %ticks : !llvm.ptr<3>, i32, i32
    llvm.br ^multiply
  ^multiply:
    // start / 16, 1024 bytes between groups of 8 rows, swizzle of 128 bytes.
    %start = llvm.ptrtoint %tile : !llvm.ptr<3> to i64
    %startB = llvm.ptrtoint %tileB : !llvm.ptr<3> to i64
    %mask = llvm.mlir.constant(262143 : i64) : i64
    %four = llvm.mlir.constant(4 : i64) : i64
    %constant = llvm.mlir.constant(4611686293305294848 : i64) : i64
    %lowA = llvm.and %start, %mask : i64
    %unitsA = llvm.lshr %lowA, %four : i64
    %descA = llvm.or %unitsA, %constant : i64
    %lowB = llvm.and %startB, %mask : i64
    %unitsB = llvm.lshr %lowB, %four : i64
    %descB = llvm.or %unitsB, %constant : i64
    %step1 = llvm.mlir.constant(2 : i64) : i64
    %step2 = llvm.mlir.constant(4 : i64) : i64
    %step3 = llvm.mlir.constant(6 : i64) : i64
    %undef = llvm.mlir.undef : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z0 = llvm.insertvalue %f0, %undef[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z1 = llvm.insertvalue %f0, %z0[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z2 = llvm.insertvalue %f0, %z1[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z3 = llvm.insertvalue %f0, %z2[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z4 = llvm.insertvalue %f0, %z3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z5 = llvm.insertvalue %f0, %z4[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z6 = llvm.insertvalue %f0, %z5[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %zeros = llvm.insertvalue %f0, %z6[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.fence.aligned
    %product0 = nvvm.wgmma.mma_async %descA, %descB, %zeros, <m = 64, n = 16, k = 16>, D [<f32>, <zero>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a1 = llvm.add %descA, %step1 : i64
    %b1 = llvm.add %descB, %step1 : i64
    %product1 = nvvm.wgmma.mma_async %a1, %b1, %product0, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a2 = llvm.add %descA, %step2 : i64
    %b2 = llvm.add %descB, %step2 : i64
    %product2 = nvvm.wgmma.mma_async %a2, %b2, %product1, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a3 = llvm.add %descA, %step3 : i64
    %b3 = llvm.add %descB, %step3 : i64
    %product3 = nvvm.wgmma.mma_async %a3, %b3, %product2, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    %mine = llvm.getelementptr %out[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x f32>
    %o0 = llvm.extractvalue %product3[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p0 = llvm.getelementptr %mine[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o0, %p0 : f32, !llvm.ptr<1>
    %o1 = llvm.extractvalue %product3[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p1 = llvm.getelementptr %mine[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o1, %p1 : f32, !llvm.ptr<1>
    %o2 = llvm.extractvalue %product3[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p2 = llvm.getelementptr %mine[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o2, %p2 : f32, !llvm.ptr<1>
    %o3 = llvm.extractvalue %product3[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p3 = llvm.getelementptr %mine[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o3, %p3 : f32, !llvm.ptr<1>
    %o4 = llvm.extractvalue %product3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p4 = llvm.getelementptr %mine[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o4, %p4 : f32, !llvm.ptr<1>
    %o5 = llvm.extractvalue %product3[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p5 = llvm.getelementptr %mine[5] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o5, %p5 : f32, !llvm.ptr<1>
    %o6 = llvm.extractvalue %product3[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p6 = llvm.getelementptr %mine[6] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o6, %p6 : f32, !llvm.ptr<1>
    %o7 = llvm.extractvalue %product3[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p7 = llvm.getelementptr %mine[7] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o7, %p7 : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @no_wait(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %mapA: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %mapB: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %f0 = llvm.mlir.constant(0.0 : f32) : f32
    %ticks = llvm.mlir.constant(10000000 : i32) : i32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %tileB = llvm.getelementptr %tile[8192] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    %bar = llvm.mlir.addressof @bar : !llvm.ptr<3>
    %leads = llvm.icmp "eq" %t, %c0 : i32
    llvm.cond_br %leads, ^init, ^start
  ^init:
    nvvm.mbarrier.init %bar, %c1 : !llvm.ptr<3>, i32
    llvm.br ^start
  ^start:
    nvvm.barrier0
    llvm.cond_br %leads, ^load, ^wait
  ^load:
    %bytes = llvm.mlir.constant(10240 : i32) : i32
    %token = nvvm.mbarrier.arrive.expect_tx %bar, %bytes : !llvm.ptr<3>, i32 -> i64
    nvvm.cp.async.bulk.tensor.shared.cluster.global %tile, %mapA, %bar, box[%c0, %c0] {isCTAOnly = true, mode = #nvvm.tma_load_mode<tile>} : !llvm.ptr<3>, !llvm.ptr
    nvvm.cp.async.bulk.tensor.shared.cluster.global %tileB, %mapB, %bar, box[%c0, %c0] {isCTAOnly = true, mode = #nvvm.tma_load_mode<tile>} : !llvm.ptr<3>, !llvm.ptr
    llvm.br ^wait
  ^wait:
    llvm.br ^multiply
  ^multiply:
    // start / 16, 1024 bytes between groups of 8 rows, swizzle of 128 bytes.
    %start = llvm.ptrtoint %tile : !llvm.ptr<3> to i64
    %startB = llvm.ptrtoint %tileB : !llvm.ptr<3> to i64
    %mask = llvm.mlir.constant(262143 : i64) : i64
    %four = llvm.mlir.constant(4 : i64) : i64
    %constant = llvm.mlir.constant(4611686293305294848 : i64) : i64
    %lowA = llvm.and %start, %mask : i64
    %unitsA = llvm.lshr %lowA, %four : i64
    %descA = llvm.or %unitsA, %constant : i64
    %lowB = llvm.and %startB, %mask : i64
    %unitsB = llvm.lshr %lowB, %four : i64
    %descB = llvm.or %unitsB, %constant : i64
    %step1 = llvm.mlir.constant(2 : i64) : i64
    %step2 = llvm.mlir.constant(4 : i64) : i64
    %step3 = llvm.mlir.constant(6 : i64) : i64
    %undef = llvm.mlir.undef : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z0 = llvm.insertvalue %f0, %undef[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z1 = llvm.insertvalue %f0, %z0[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z2 = llvm.insertvalue %f0, %z1[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z3 = llvm.insertvalue %f0, %z2[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z4 = llvm.insertvalue %f0, %z3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z5 = llvm.insertvalue %f0, %z4[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z6 = llvm.insertvalue %f0, %z5[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %zeros = llvm.insertvalue %f0, %z6[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.fence.aligned
    %product0 = nvvm.wgmma.mma_async %descA, %descB, %zeros, <m = 64, n = 16, k = 16>, D [<f32>, <zero>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a1 = llvm.add %descA, %step1 : i64
    %b1 = llvm.add %descB, %step1 : i64
    %product1 = nvvm.wgmma.mma_async %a1, %b1, %product0, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a2 = llvm.add %descA, %step2 : i64
    %b2 = llvm.add %descB, %step2 : i64
    %product2 = nvvm.wgmma.mma_async %a2, %b2, %product1, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a3 = llvm.add %descA, %step3 : i64
    %b3 = llvm.add %descB, %step3 : i64
    %product3 = nvvm.wgmma.mma_async %a3, %b3, %product2, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    %mine = llvm.getelementptr %out[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x f32>
    %o0 = llvm.extractvalue %product3[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p0 = llvm.getelementptr %mine[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o0, %p0 : f32, !llvm.ptr<1>
    %o1 = llvm.extractvalue %product3[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p1 = llvm.getelementptr %mine[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o1, %p1 : f32, !llvm.ptr<1>
    %o2 = llvm.extractvalue %product3[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p2 = llvm.getelementptr %mine[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o2, %p2 : f32, !llvm.ptr<1>
    %o3 = llvm.extractvalue %product3[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p3 = llvm.getelementptr %mine[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o3, %p3 : f32, !llvm.ptr<1>
    %o4 = llvm.extractvalue %product3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p4 = llvm.getelementptr %mine[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o4, %p4 : f32, !llvm.ptr<1>
    %o5 = llvm.extractvalue %product3[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p5 = llvm.getelementptr %mine[5] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o5, %p5 : f32, !llvm.ptr<1>
    %o6 = llvm.extractvalue %product3[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p6 = llvm.getelementptr %mine[6] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o6, %p6 : f32, !llvm.ptr<1>
    %o7 = llvm.extractvalue %product3[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p7 = llvm.getelementptr %mine[7] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o7, %p7 : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @too_many_bytes(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %mapA: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %mapB: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %f0 = llvm.mlir.constant(0.0 : f32) : f32
    %ticks = llvm.mlir.constant(10000000 : i32) : i32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %tileB = llvm.getelementptr %tile[8192] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    %bar = llvm.mlir.addressof @bar : !llvm.ptr<3>
    %leads = llvm.icmp "eq" %t, %c0 : i32
    llvm.cond_br %leads, ^init, ^start
  ^init:
    nvvm.mbarrier.init %bar, %c1 : !llvm.ptr<3>, i32
    llvm.br ^start
  ^start:
    nvvm.barrier0
    llvm.cond_br %leads, ^load, ^wait
  ^load:
    %more = llvm.mlir.constant(10256 : i32) : i32
    %token = nvvm.mbarrier.arrive.expect_tx %bar, %more : !llvm.ptr<3>, i32 -> i64
    nvvm.cp.async.bulk.tensor.shared.cluster.global %tile, %mapA, %bar, box[%c0, %c0] {isCTAOnly = true, mode = #nvvm.tma_load_mode<tile>} : !llvm.ptr<3>, !llvm.ptr
    nvvm.cp.async.bulk.tensor.shared.cluster.global %tileB, %mapB, %bar, box[%c0, %c0] {isCTAOnly = true, mode = #nvvm.tma_load_mode<tile>} : !llvm.ptr<3>, !llvm.ptr
    llvm.br ^wait
  ^wait:
    nvvm.mbarrier.try_wait.parity %bar, %c0, %ticks : !llvm.ptr<3>, i32, i32
    llvm.br ^multiply
  ^multiply:
    // start / 16, 1024 bytes between groups of 8 rows, swizzle of 128 bytes.
    %start = llvm.ptrtoint %tile : !llvm.ptr<3> to i64
    %startB = llvm.ptrtoint %tileB : !llvm.ptr<3> to i64
    %mask = llvm.mlir.constant(262143 : i64) : i64
    %four = llvm.mlir.constant(4 : i64) : i64
    %constant = llvm.mlir.constant(4611686293305294848 : i64) : i64
    %lowA = llvm.and %start, %mask : i64
    %unitsA = llvm.lshr %lowA, %four : i64
    %descA = llvm.or %unitsA, %constant : i64
    %lowB = llvm.and %startB, %mask : i64
    %unitsB = llvm.lshr %lowB, %four : i64
    %descB = llvm.or %unitsB, %constant : i64
    %step1 = llvm.mlir.constant(2 : i64) : i64
    %step2 = llvm.mlir.constant(4 : i64) : i64
    %step3 = llvm.mlir.constant(6 : i64) : i64
    %undef = llvm.mlir.undef : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z0 = llvm.insertvalue %f0, %undef[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z1 = llvm.insertvalue %f0, %z0[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z2 = llvm.insertvalue %f0, %z1[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z3 = llvm.insertvalue %f0, %z2[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z4 = llvm.insertvalue %f0, %z3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z5 = llvm.insertvalue %f0, %z4[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z6 = llvm.insertvalue %f0, %z5[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %zeros = llvm.insertvalue %f0, %z6[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.fence.aligned
    %product0 = nvvm.wgmma.mma_async %descA, %descB, %zeros, <m = 64, n = 16, k = 16>, D [<f32>, <zero>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a1 = llvm.add %descA, %step1 : i64
    %b1 = llvm.add %descB, %step1 : i64
    %product1 = nvvm.wgmma.mma_async %a1, %b1, %product0, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a2 = llvm.add %descA, %step2 : i64
    %b2 = llvm.add %descB, %step2 : i64
    %product2 = nvvm.wgmma.mma_async %a2, %b2, %product1, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a3 = llvm.add %descA, %step3 : i64
    %b3 = llvm.add %descB, %step3 : i64
    %product3 = nvvm.wgmma.mma_async %a3, %b3, %product2, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    %mine = llvm.getelementptr %out[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x f32>
    %o0 = llvm.extractvalue %product3[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p0 = llvm.getelementptr %mine[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o0, %p0 : f32, !llvm.ptr<1>
    %o1 = llvm.extractvalue %product3[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p1 = llvm.getelementptr %mine[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o1, %p1 : f32, !llvm.ptr<1>
    %o2 = llvm.extractvalue %product3[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p2 = llvm.getelementptr %mine[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o2, %p2 : f32, !llvm.ptr<1>
    %o3 = llvm.extractvalue %product3[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p3 = llvm.getelementptr %mine[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o3, %p3 : f32, !llvm.ptr<1>
    %o4 = llvm.extractvalue %product3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p4 = llvm.getelementptr %mine[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o4, %p4 : f32, !llvm.ptr<1>
    %o5 = llvm.extractvalue %product3[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p5 = llvm.getelementptr %mine[5] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o5, %p5 : f32, !llvm.ptr<1>
    %o6 = llvm.extractvalue %product3[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p6 = llvm.getelementptr %mine[6] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o6, %p6 : f32, !llvm.ptr<1>
    %o7 = llvm.extractvalue %product3[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p7 = llvm.getelementptr %mine[7] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o7, %p7 : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @no_proxy_fence(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %mapA: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %mapB: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %f0 = llvm.mlir.constant(0.0 : f32) : f32
    %ticks = llvm.mlir.constant(10000000 : i32) : i32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %tileB = llvm.getelementptr %tile[8192] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    %bar = llvm.mlir.addressof @bar : !llvm.ptr<3>
    %leads = llvm.icmp "eq" %t, %c0 : i32
    llvm.cond_br %leads, ^init, ^start
  ^init:
    nvvm.mbarrier.init %bar, %c1 : !llvm.ptr<3>, i32
    llvm.br ^start
  ^start:
    nvvm.barrier0
    llvm.br ^fill(%t : i32)
  ^fill(%i: i32):
    %at = llvm.getelementptr %tile[%i] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    llvm.store %c0, %at : i32, !llvm.ptr<3>
    %stride = llvm.mlir.constant(128 : i32) : i32
    %words = llvm.mlir.constant(2560 : i32) : i32
    %next = llvm.add %i, %stride : i32
    %more = llvm.icmp "slt" %next, %words : i32
    llvm.cond_br %more, ^fill(%next : i32), ^filled
  ^filled:
    nvvm.barrier0
    llvm.br ^multiply
  ^multiply:
    // start / 16, 1024 bytes between groups of 8 rows, swizzle of 128 bytes.
    %start = llvm.ptrtoint %tile : !llvm.ptr<3> to i64
    %startB = llvm.ptrtoint %tileB : !llvm.ptr<3> to i64
    %mask = llvm.mlir.constant(262143 : i64) : i64
    %four = llvm.mlir.constant(4 : i64) : i64
    %constant = llvm.mlir.constant(4611686293305294848 : i64) : i64
    %lowA = llvm.and %start, %mask : i64
    %unitsA = llvm.lshr %lowA, %four : i64
    %descA = llvm.or %unitsA, %constant : i64
    %lowB = llvm.and %startB, %mask : i64
    %unitsB = llvm.lshr %lowB, %four : i64
    %descB = llvm.or %unitsB, %constant : i64
    %step1 = llvm.mlir.constant(2 : i64) : i64
    %step2 = llvm.mlir.constant(4 : i64) : i64
    %step3 = llvm.mlir.constant(6 : i64) : i64
    %undef = llvm.mlir.undef : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z0 = llvm.insertvalue %f0, %undef[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z1 = llvm.insertvalue %f0, %z0[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z2 = llvm.insertvalue %f0, %z1[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z3 = llvm.insertvalue %f0, %z2[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z4 = llvm.insertvalue %f0, %z3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z5 = llvm.insertvalue %f0, %z4[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z6 = llvm.insertvalue %f0, %z5[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %zeros = llvm.insertvalue %f0, %z6[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.fence.aligned
    %product0 = nvvm.wgmma.mma_async %descA, %descB, %zeros, <m = 64, n = 16, k = 16>, D [<f32>, <zero>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a1 = llvm.add %descA, %step1 : i64
    %b1 = llvm.add %descB, %step1 : i64
    %product1 = nvvm.wgmma.mma_async %a1, %b1, %product0, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a2 = llvm.add %descA, %step2 : i64
    %b2 = llvm.add %descB, %step2 : i64
    %product2 = nvvm.wgmma.mma_async %a2, %b2, %product1, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a3 = llvm.add %descA, %step3 : i64
    %b3 = llvm.add %descB, %step3 : i64
    %product3 = nvvm.wgmma.mma_async %a3, %b3, %product2, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    %mine = llvm.getelementptr %out[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x f32>
    %o0 = llvm.extractvalue %product3[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p0 = llvm.getelementptr %mine[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o0, %p0 : f32, !llvm.ptr<1>
    %o1 = llvm.extractvalue %product3[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p1 = llvm.getelementptr %mine[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o1, %p1 : f32, !llvm.ptr<1>
    %o2 = llvm.extractvalue %product3[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p2 = llvm.getelementptr %mine[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o2, %p2 : f32, !llvm.ptr<1>
    %o3 = llvm.extractvalue %product3[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p3 = llvm.getelementptr %mine[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o3, %p3 : f32, !llvm.ptr<1>
    %o4 = llvm.extractvalue %product3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p4 = llvm.getelementptr %mine[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o4, %p4 : f32, !llvm.ptr<1>
    %o5 = llvm.extractvalue %product3[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p5 = llvm.getelementptr %mine[5] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o5, %p5 : f32, !llvm.ptr<1>
    %o6 = llvm.extractvalue %product3[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p6 = llvm.getelementptr %mine[6] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o6, %p6 : f32, !llvm.ptr<1>
    %o7 = llvm.extractvalue %product3[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p7 = llvm.getelementptr %mine[7] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o7, %p7 : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @proxy_fence(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %mapA: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %mapB: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %f0 = llvm.mlir.constant(0.0 : f32) : f32
    %ticks = llvm.mlir.constant(10000000 : i32) : i32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %tileB = llvm.getelementptr %tile[8192] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    %bar = llvm.mlir.addressof @bar : !llvm.ptr<3>
    %leads = llvm.icmp "eq" %t, %c0 : i32
    llvm.cond_br %leads, ^init, ^start
  ^init:
    nvvm.mbarrier.init %bar, %c1 : !llvm.ptr<3>, i32
    llvm.br ^start
  ^start:
    nvvm.barrier0
    llvm.br ^fill(%t : i32)
  ^fill(%i: i32):
    %at = llvm.getelementptr %tile[%i] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    llvm.store %c0, %at : i32, !llvm.ptr<3>
    %stride = llvm.mlir.constant(128 : i32) : i32
    %words = llvm.mlir.constant(2560 : i32) : i32
    %next = llvm.add %i, %stride : i32
    %more = llvm.icmp "slt" %next, %words : i32
    llvm.cond_br %more, ^fill(%next : i32), ^filled
  ^filled:
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    nvvm.barrier0
    llvm.br ^multiply
  ^multiply:
    // start / 16, 1024 bytes between groups of 8 rows, swizzle of 128 bytes.
    %start = llvm.ptrtoint %tile : !llvm.ptr<3> to i64
    %startB = llvm.ptrtoint %tileB : !llvm.ptr<3> to i64
    %mask = llvm.mlir.constant(262143 : i64) : i64
    %four = llvm.mlir.constant(4 : i64) : i64
    %constant = llvm.mlir.constant(4611686293305294848 : i64) : i64
    %lowA = llvm.and %start, %mask : i64
    %unitsA = llvm.lshr %lowA, %four : i64
    %descA = llvm.or %unitsA, %constant : i64
    %lowB = llvm.and %startB, %mask : i64
    %unitsB = llvm.lshr %lowB, %four : i64
    %descB = llvm.or %unitsB, %constant : i64
    %step1 = llvm.mlir.constant(2 : i64) : i64
    %step2 = llvm.mlir.constant(4 : i64) : i64
    %step3 = llvm.mlir.constant(6 : i64) : i64
    %undef = llvm.mlir.undef : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z0 = llvm.insertvalue %f0, %undef[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z1 = llvm.insertvalue %f0, %z0[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z2 = llvm.insertvalue %f0, %z1[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z3 = llvm.insertvalue %f0, %z2[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z4 = llvm.insertvalue %f0, %z3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z5 = llvm.insertvalue %f0, %z4[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z6 = llvm.insertvalue %f0, %z5[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %zeros = llvm.insertvalue %f0, %z6[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.fence.aligned
    %product0 = nvvm.wgmma.mma_async %descA, %descB, %zeros, <m = 64, n = 16, k = 16>, D [<f32>, <zero>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a1 = llvm.add %descA, %step1 : i64
    %b1 = llvm.add %descB, %step1 : i64
    %product1 = nvvm.wgmma.mma_async %a1, %b1, %product0, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a2 = llvm.add %descA, %step2 : i64
    %b2 = llvm.add %descB, %step2 : i64
    %product2 = nvvm.wgmma.mma_async %a2, %b2, %product1, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a3 = llvm.add %descA, %step3 : i64
    %b3 = llvm.add %descB, %step3 : i64
    %product3 = nvvm.wgmma.mma_async %a3, %b3, %product2, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    %mine = llvm.getelementptr %out[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x f32>
    %o0 = llvm.extractvalue %product3[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p0 = llvm.getelementptr %mine[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o0, %p0 : f32, !llvm.ptr<1>
    %o1 = llvm.extractvalue %product3[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p1 = llvm.getelementptr %mine[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o1, %p1 : f32, !llvm.ptr<1>
    %o2 = llvm.extractvalue %product3[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p2 = llvm.getelementptr %mine[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o2, %p2 : f32, !llvm.ptr<1>
    %o3 = llvm.extractvalue %product3[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p3 = llvm.getelementptr %mine[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o3, %p3 : f32, !llvm.ptr<1>
    %o4 = llvm.extractvalue %product3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p4 = llvm.getelementptr %mine[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o4, %p4 : f32, !llvm.ptr<1>
    %o5 = llvm.extractvalue %product3[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p5 = llvm.getelementptr %mine[5] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o5, %p5 : f32, !llvm.ptr<1>
    %o6 = llvm.extractvalue %product3[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p6 = llvm.getelementptr %mine[6] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o6, %p6 : f32, !llvm.ptr<1>
    %o7 = llvm.extractvalue %product3[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p7 = llvm.getelementptr %mine[7] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o7, %p7 : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @overwritten(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %mapA: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %mapB: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %f0 = llvm.mlir.constant(0.0 : f32) : f32
    %ticks = llvm.mlir.constant(10000000 : i32) : i32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %tileB = llvm.getelementptr %tile[8192] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    %bar = llvm.mlir.addressof @bar : !llvm.ptr<3>
    %leads = llvm.icmp "eq" %t, %c0 : i32
    llvm.cond_br %leads, ^init, ^start
  ^init:
    nvvm.mbarrier.init %bar, %c1 : !llvm.ptr<3>, i32
    llvm.br ^start
  ^start:
    nvvm.barrier0
    llvm.br ^fill(%t : i32)
  ^fill(%i: i32):
    %at = llvm.getelementptr %tile[%i] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    llvm.store %c0, %at : i32, !llvm.ptr<3>
    %stride = llvm.mlir.constant(128 : i32) : i32
    %words = llvm.mlir.constant(2560 : i32) : i32
    %next = llvm.add %i, %stride : i32
    %more = llvm.icmp "slt" %next, %words : i32
    llvm.cond_br %more, ^fill(%next : i32), ^filled
  ^filled:
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    nvvm.barrier0
    llvm.br ^multiply
  ^multiply:
    // start / 16, 1024 bytes between groups of 8 rows, swizzle of 128 bytes.
    %start = llvm.ptrtoint %tile : !llvm.ptr<3> to i64
    %startB = llvm.ptrtoint %tileB : !llvm.ptr<3> to i64
    %mask = llvm.mlir.constant(262143 : i64) : i64
    %four = llvm.mlir.constant(4 : i64) : i64
    %constant = llvm.mlir.constant(4611686293305294848 : i64) : i64
    %lowA = llvm.and %start, %mask : i64
    %unitsA = llvm.lshr %lowA, %four : i64
    %descA = llvm.or %unitsA, %constant : i64
    %lowB = llvm.and %startB, %mask : i64
    %unitsB = llvm.lshr %lowB, %four : i64
    %descB = llvm.or %unitsB, %constant : i64
    %step1 = llvm.mlir.constant(2 : i64) : i64
    %step2 = llvm.mlir.constant(4 : i64) : i64
    %step3 = llvm.mlir.constant(6 : i64) : i64
    %undef = llvm.mlir.undef : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z0 = llvm.insertvalue %f0, %undef[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z1 = llvm.insertvalue %f0, %z0[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z2 = llvm.insertvalue %f0, %z1[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z3 = llvm.insertvalue %f0, %z2[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z4 = llvm.insertvalue %f0, %z3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z5 = llvm.insertvalue %f0, %z4[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %z6 = llvm.insertvalue %f0, %z5[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %zeros = llvm.insertvalue %f0, %z6[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.fence.aligned
    %product0 = nvvm.wgmma.mma_async %descA, %descB, %zeros, <m = 64, n = 16, k = 16>, D [<f32>, <zero>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a1 = llvm.add %descA, %step1 : i64
    %b1 = llvm.add %descB, %step1 : i64
    %product1 = nvvm.wgmma.mma_async %a1, %b1, %product0, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a2 = llvm.add %descA, %step2 : i64
    %b2 = llvm.add %descB, %step2 : i64
    %product2 = nvvm.wgmma.mma_async %a2, %b2, %product1, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %a3 = llvm.add %descA, %step3 : i64
    %b3 = llvm.add %descB, %step3 : i64
    %product3 = nvvm.wgmma.mma_async %a3, %b3, %product2, <m = 64, n = 16, k = 16>, D [<f32>, <one>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    nvvm.wgmma.commit.group.sync.aligned
    %early = llvm.getelementptr %tile[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    llvm.store %c1, %early : i32, !llvm.ptr<3>
    nvvm.wgmma.wait.group.sync.aligned 0
    %mine = llvm.getelementptr %out[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x f32>
    %o0 = llvm.extractvalue %product3[0] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p0 = llvm.getelementptr %mine[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o0, %p0 : f32, !llvm.ptr<1>
    %o1 = llvm.extractvalue %product3[1] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p1 = llvm.getelementptr %mine[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o1, %p1 : f32, !llvm.ptr<1>
    %o2 = llvm.extractvalue %product3[2] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p2 = llvm.getelementptr %mine[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o2, %p2 : f32, !llvm.ptr<1>
    %o3 = llvm.extractvalue %product3[3] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p3 = llvm.getelementptr %mine[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o3, %p3 : f32, !llvm.ptr<1>
    %o4 = llvm.extractvalue %product3[4] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p4 = llvm.getelementptr %mine[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o4, %p4 : f32, !llvm.ptr<1>
    %o5 = llvm.extractvalue %product3[5] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p5 = llvm.getelementptr %mine[5] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o5, %p5 : f32, !llvm.ptr<1>
    %o6 = llvm.extractvalue %product3[6] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p6 = llvm.getelementptr %mine[6] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o6, %p6 : f32, !llvm.ptr<1>
    %o7 = llvm.extractvalue %product3[7] : !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32)>
    %p7 = llvm.getelementptr %mine[7] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
    llvm.store %o7, %p7 : f32, !llvm.ptr<1>
    llvm.return
  }
}
