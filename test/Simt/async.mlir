// cp.async: a pipeline of two stages, 16 bytes a thread, the last chunk cut and filled with zeros.
// RUN: moe-simt-run %s --kernel pipeline --block 32 --arg f32[384]=iota --arg f32[384]=none --arg i32=12 --print 1 | FileCheck %s
// RUN: moe-simt-run %s --kernel pipeline --block 32 --arg f32[384]=iota --arg f32[384]=none --arg i32=12 --print 1 --seed 3 | FileCheck %s
// CHECK: 0 1 2 0 4 5 6 0 8
// CHECK-SAME: 376 377 378 0 380 381 382 0{{$}}
// The source may be cut to nothing, and then lie anywhere.
// RUN: moe-simt-run %s --kernel pipeline --block 32 --arg f32[384]=iota --arg f32[384]=none --arg i32=0 --print 1 | FileCheck %s --check-prefix=ZERO
// ZERO: {{^}}0 0 0 0 0
// RUN: not moe-simt-run %s --kernel pipeline --block 32 --arg f32[384]=iota --arg f32[384]=none --arg i32=20 2>&1 | FileCheck %s --check-prefix=MORE
// MORE: nvvm.cp.async.shared.global: expected at most 16 bytes of source, found 20
// RUN: not moe-simt-run %s --kernel pipeline --block 32 --arg f32[380]=iota --arg f32[384]=none --arg i32=12 2>&1 | FileCheck %s --check-prefix=BOUNDS
// BOUNDS: nvvm.cp.async.shared.global: reads 12 bytes out of bounds
// One group less is waited for than should be.
// RUN: not moe-simt-run %s --kernel too_few --block 32 --arg f32[256]=iota 2>&1 | FileCheck %s --check-prefix=FEW
// FEW: kernel too_few, {{.*}} llvm.load: reads byte {{[0-9]+}} of shared memory, which a cp.async of thread
// A stage is filled again while others still read it.
// RUN: not moe-simt-run %s --kernel refilled --block 64 --arg f32[512]=iota --arg f32[64]=none 2>&1 | FileCheck %s --check-prefix=REFILL
// REFILL: kernel refilled, {{.*}} race: {{(reads|writes)}} byte {{.*}} of shared memory, which thread ({{.*}},0,0) {{(reads|writes)}} at async.mlir:{{.*}}, with nothing that orders the two

gpu.module @kernels {
  llvm.mlir.global internal @stages() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<1024 x i8>

  llvm.func @pipeline(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>, %bytes: i32) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %c3 = llvm.mlir.constant(3 : i32) : i32
    %warp = llvm.mlir.constant(32 : i32) : i32
    %all = llvm.mlir.constant(-1 : i32) : i32
    %stages = llvm.mlir.addressof @stages : !llvm.ptr<3>
    // The first stage.
    %from = llvm.getelementptr %x[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x f32>
    %to = llvm.getelementptr %stages[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<4 x f32>
    nvvm.cp.async.shared.global %to, %from, 16, cache = cg, %bytes : !llvm.ptr<3>, !llvm.ptr<1>, i32
    nvvm.cp.async.commit.group
    llvm.br ^loop(%c0 : i32)
  ^loop(%i: i32):
    %next = llvm.add %i, %c1 : i32
    %more = llvm.icmp "slt" %next, %c3 : i32
    llvm.cond_br %more, ^fetch, ^use
  ^fetch:
    %row = llvm.mul %next, %warp : i32
    %chunk = llvm.add %row, %t : i32
    %source = llvm.getelementptr %x[%chunk] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x f32>
    %stage = llvm.and %next, %c1 : i32
    %first = llvm.mul %stage, %warp : i32
    %place = llvm.add %first, %t : i32
    %slot = llvm.getelementptr %stages[%place] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<4 x f32>
    nvvm.cp.async.shared.global %slot, %source, 16, cache = cg, %bytes : !llvm.ptr<3>, !llvm.ptr<1>, i32
    llvm.br ^use
  ^use:
    nvvm.cp.async.commit.group
    nvvm.cp.async.wait.group 1
    nvvm.bar.warp.sync %all : i32
    // The neighbour's chunk to the neighbour's place.
    %other = llvm.xor %t, %c1 : i32
    %now = llvm.and %i, %c1 : i32
    %start = llvm.mul %now, %warp : i32
    %read = llvm.add %start, %other : i32
    %have = llvm.getelementptr %stages[%read] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<4 x f32>
    %value = llvm.load %have {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
    %base = llvm.mul %i, %warp : i32
    %out = llvm.add %base, %other : i32
    %target = llvm.getelementptr %y[%out] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x f32>
    llvm.store %value, %target {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
    nvvm.bar.warp.sync %all : i32
    llvm.cond_br %more, ^loop(%next : i32), ^end
  ^end:
    llvm.return
  }

  llvm.func @too_few(%x: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %warp = llvm.mlir.constant(32 : i32) : i32
    %u = llvm.add %t, %warp : i32
    %stages = llvm.mlir.addressof @stages : !llvm.ptr<3>
    %from = llvm.getelementptr %x[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x f32>
    %to = llvm.getelementptr %stages[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<4 x f32>
    nvvm.cp.async.shared.global %to, %from, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.cp.async.commit.group
    %from1 = llvm.getelementptr %x[%u] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x f32>
    %to1 = llvm.getelementptr %stages[%u] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<4 x f32>
    nvvm.cp.async.shared.global %to1, %from1, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.cp.async.commit.group
    nvvm.cp.async.wait.group 1
    nvvm.barrier0
    %value = llvm.load %to1 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
    llvm.return
  }

  llvm.func @refilled(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c1 = llvm.mlir.constant(32 : i32) : i32
    %stages = llvm.mlir.addressof @stages : !llvm.ptr<3>
    %from = llvm.getelementptr %x[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<4 x f32>
    %to = llvm.getelementptr %stages[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<4 x f32>
    nvvm.cp.async.shared.global %to, %from, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.cp.async.commit.group
    nvvm.cp.async.wait.group 0
    nvvm.barrier0
    %other = llvm.xor %t, %c1 : i32
    %have = llvm.getelementptr %stages[%other] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<4 x f32>
    %value = llvm.load %have : !llvm.ptr<3> -> f32
    %target = llvm.getelementptr %y[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    llvm.store %value, %target : f32, !llvm.ptr<1>
    // Here a barrier is missing.
    nvvm.cp.async.shared.global %to, %from, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.cp.async.commit.group
    nvvm.cp.async.wait.group 0
    llvm.return
  }
}
