// What a GPU lets pass, or hangs on, is caught and named with kernel, block, thread and place.

// RUN: not moe-simt-run %s --kernel missing_barrier --block 64 --arg f32[64]=none 2>&1 | FileCheck %s --check-prefix=BARRIER
// RUN: not moe-simt-run %s --kernel missing_barrier --block 64 --arg f32[64]=none --seed 5 2>&1 | FileCheck %s --check-prefix=BARRIER-SEED
// BARRIER: error: kernel missing_barrier, block (0,0,0), thread ({{.*}},0,0), at faults.mlir:{{.*}} llvm.{{(store|load)}}: race:
// BARRIER-SAME: of shared memory, which thread ({{.*}},0,0) {{(reads|writes)}} at faults.mlir:{{.*}}, with nothing that orders the two
// BARRIER-SEED: race:

// RUN: not moe-simt-run %s --kernel missing_wait --block 32 --arg f32[128]=iota --arg f32[32]=none 2>&1 | FileCheck %s --check-prefix=WAIT
// WAIT: kernel missing_wait, block (0,0,0), thread (0,0,0), at faults.mlir:{{.*}} llvm.load: reads byte 0 of shared memory, which a cp.async of thread (0,0,0) at faults.mlir:{{.*}} nvvm.cp.async.shared.global writes and which was not waited for

// RUN: not moe-simt-run %s --kernel missing_barrier_after_wait --block 64 --arg f32[256]=iota --arg f32[64]=none 2>&1 | FileCheck %s --check-prefix=AFTER-WAIT
// AFTER-WAIT: kernel missing_barrier_after_wait, {{.*}} llvm.load: race: reads byte

// RUN: not moe-simt-run %s --kernel misaligned --block 32 --arg f32[256]=iota --arg i32=1 2>&1 | FileCheck %s --check-prefix=ALIGN
// ALIGN: kernel misaligned, block (0,0,0), thread (0,0,0), at faults.mlir:{{.*}} llvm.load: reads 16 bytes at 0x{{.*}}4, expected an address that is a multiple of 16: misaligned
// RUN: moe-simt-run %s --kernel misaligned --block 32 --arg f32[256]=iota --arg i32=4

// RUN: not moe-simt-run %s --kernel out_of_bounds --grid 2 --block 32 --arg f32[63]=iota 2>&1 | FileCheck %s --check-prefix=BOUNDS
// BOUNDS: kernel out_of_bounds, block (1,0,0), thread (31,0,0), at faults.mlir:{{.*}} llvm.store: writes 4 bytes out of bounds at {{.*}}: the nearest allocation below is argument 'f32[63]=iota' of 252 bytes, the access begins at its byte 252

// RUN: not moe-simt-run %s --kernel out_of_shared --block 32 2>&1 | FileCheck %s --check-prefix=SHARED
// SHARED: kernel out_of_shared, block (0,0,0), thread (16,0,0), {{.*}} writes 16 bytes at offset 256 of shared memory; the block has 256 bytes

// RUN: not moe-simt-run %s --kernel divergent_barrier --block 32 2>&1 | FileCheck %s --check-prefix=DIVERGENT
// DIVERGENT: kernel divergent_barrier, {{.*}} nvvm.barrier0: divergent barrier: block (0,0,0), thread (0,0,0) of the same warp waits at faults.mlir:{{.*}} nvvm.barrier0

// RUN: not moe-simt-run %s --kernel some_do_not_arrive --block 96 2>&1 | FileCheck %s --check-prefix=DEADLOCK
// DEADLOCK: kernel some_do_not_arrive: deadlock: threads wait for others that never come
// DEADLOCK-NEXT: block (0,0,0):
// DEADLOCK-NEXT: threads 0 to 31 wait in barrier 1 (32 of 64 threads arrived) at faults.mlir:{{.*}} nvvm.barrier
// DEADLOCK-NEXT: threads 32 to 95 have exited

// RUN: not moe-simt-run %s --kernel half_a_warp --block 32 2>&1 | FileCheck %s --check-prefix=HALF
// HALF: kernel half_a_warp: deadlock
// HALF: threads 0 to 15 wait in shfl.sync with mask 0xffffffff at faults.mlir:{{.*}} nvvm.shfl.sync
// HALF-NEXT: threads 16 to 31 wait in barrier 0 (16 of 32 threads arrived) at faults.mlir:{{.*}} nvvm.barrier0

// RUN: not moe-simt-run %s --kernel wrong_mask --block 32 2>&1 | FileCheck %s --check-prefix=MASK
// MASK: thread (16,0,0), {{.*}} lane 16 takes part with a mask that does not name it: 0x0000ffff

// RUN: not moe-simt-run %s --kernel exited_lane --block 32 2>&1 | FileCheck %s --check-prefix=EXITED
// EXITED: nvvm.shfl.sync: takes the value of lane 31, which takes no part

// RUN: not moe-simt-run %s --kernel out_of_shared --block 32 --dynamic-shared 300000 2>&1 | FileCheck %s --check-prefix=MUCH
// MUCH: kernel out_of_shared: expected at most 232448 bytes of shared memory in a block, found 300256

// RUN: not moe-simt-run %s --kernel misaligned --block 2000 --arg f32[8]=iota --arg i32=0 2>&1 | FileCheck %s --check-prefix=THREADS
// THREADS: kernel misaligned: expected a block of 1 to 1024 threads, found (2000,1,1)

// RUN: not moe-simt-run %s --kernel two_blocks --grid 2 --block 1 --arg f32[1]=0 2>&1 | FileCheck %s --check-prefix=BLOCKS
// BLOCKS: kernel two_blocks, block (1,0,0), thread (0,0,0), {{.*}} race: writes global memory at {{.*}}, which thread (0,0,0) of block (0,0,0) writes at

gpu.module @kernels {
  llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x f32>
  llvm.mlir.global external @dynamic() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<0 x i8>

  llvm.func @missing_barrier(%y: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %slot = llvm.getelementptr %tile[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    %value = llvm.sitofp %t : i32 to f32
    llvm.store %value, %slot : f32, !llvm.ptr<3>
    %one = llvm.mlir.constant(1 : i32) : i32
    %other = llvm.xor %t, %one : i32
    %from = llvm.getelementptr %tile[%other] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    %read = llvm.load %from : !llvm.ptr<3> -> f32
    %target = llvm.getelementptr %y[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    llvm.store %read, %target : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @missing_wait(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %two = llvm.mlir.constant(2 : i32) : i32
    %first = llvm.shl %t, %two : i32
    %tile = llvm.mlir.addressof @dynamic : !llvm.ptr<3>
    %static = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %zero = llvm.mlir.constant(0 : i32) : i32
    %inside = llvm.mlir.constant(15 : i32) : i32
    %wrapped = llvm.and %t, %inside : i32
    %chunk = llvm.shl %wrapped, %two : i32
    %is_first = llvm.icmp "ult" %t, %inside : i32
    llvm.cond_br %is_first, ^copy, ^done
  ^copy:
    %source = llvm.getelementptr %x[%first] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %slot = llvm.getelementptr %static[%chunk] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    nvvm.cp.async.shared.global %slot, %source, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.cp.async.commit.group
    %read = llvm.load %slot : !llvm.ptr<3> -> f32
    %target = llvm.getelementptr %y[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    llvm.store %read, %target : f32, !llvm.ptr<1>
    llvm.br ^done
  ^done:
    llvm.return
  }

  // Each thread waits for its own copy; nobody waits for that of another.
  llvm.func @missing_barrier_after_wait(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %source = llvm.getelementptr %x[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %slot = llvm.getelementptr %tile[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    nvvm.cp.async.shared.global %slot, %source, 4, cache = ca : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.cp.async.commit.group
    nvvm.cp.async.wait.group 0
    %one = llvm.mlir.constant(1 : i32) : i32
    %other = llvm.xor %t, %one : i32
    %from = llvm.getelementptr %tile[%other] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    %all = llvm.mlir.constant(-1 : i32) : i32
    %delta = llvm.mlir.constant(1 : i32) : i32
    %clamp = llvm.mlir.constant(31 : i32) : i32
    // A shuffle makes the lanes meet, and orders no memory.
    %met = nvvm.shfl.sync bfly %all, %t, %delta, %clamp : i32 -> i32
    %read = llvm.load %from : !llvm.ptr<3> -> f32
    %target = llvm.getelementptr %y[%met] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    llvm.store %read, %target : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @misaligned(%x: !llvm.ptr<1>, %stride: i32) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %start = llvm.mul %stride, %stride : i32
    %source = llvm.getelementptr %x[%start] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %read = llvm.load volatile %source {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
    llvm.return
  }

  llvm.func @out_of_bounds(%x: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %b = nvvm.read.ptx.sreg.ctaid.x : i32
    %n = nvvm.read.ptx.sreg.ntid.x : i32
    %first = llvm.mul %b, %n : i32
    %i = llvm.add %first, %t : i32
    %target = llvm.getelementptr %x[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %value = llvm.sitofp %i : i32 to f32
    llvm.store %value, %target : f32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @out_of_shared() attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %two = llvm.mlir.constant(2 : i32) : i32
    %first = llvm.shl %t, %two : i32
    %slot = llvm.getelementptr %tile[%first] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    %value = llvm.mlir.constant(dense<0.0> : vector<4xf32>) : vector<4xf32>
    llvm.store %value, %slot {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
    %more = llvm.mlir.addressof @dynamic : !llvm.ptr<3>
    llvm.return
  }

  llvm.func @divergent_barrier() attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %half = llvm.mlir.constant(16 : i32) : i32
    %low = llvm.icmp "ult" %t, %half : i32
    llvm.cond_br %low, ^low, ^high
  ^low:
    nvvm.barrier0
    llvm.br ^end
  ^high:
    nvvm.barrier0
    llvm.br ^end
  ^end:
    llvm.return
  }

  llvm.func @some_do_not_arrive() attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %warp = llvm.mlir.constant(32 : i32) : i32
    %first = llvm.icmp "ult" %t, %warp : i32
    llvm.cond_br %first, ^arrive, ^end
  ^arrive:
    %id = llvm.mlir.constant(1 : i32) : i32
    %count = llvm.mlir.constant(64 : i32) : i32
    nvvm.barrier id = %id number_of_threads = %count
    llvm.br ^end
  ^end:
    llvm.return
  }

  llvm.func @half_a_warp() attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %half = llvm.mlir.constant(16 : i32) : i32
    %low = llvm.icmp "ult" %t, %half : i32
    llvm.cond_br %low, ^shuffle, ^end
  ^shuffle:
    %all = llvm.mlir.constant(-1 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %clamp = llvm.mlir.constant(31 : i32) : i32
    %0 = nvvm.shfl.sync bfly %all, %t, %one, %clamp : i32 -> i32
    llvm.br ^end
  ^end:
    nvvm.barrier0
    llvm.return
  }

  llvm.func @wrong_mask() attributes {nvvm.kernel} {
    %mask = llvm.mlir.constant(65535 : i32) : i32
    nvvm.bar.warp.sync %mask : i32
    llvm.return
  }

  llvm.func @exited_lane() attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %last = llvm.mlir.constant(31 : i32) : i32
    %goes = llvm.icmp "eq" %t, %last : i32
    llvm.cond_br %goes, ^end, ^shuffle
  ^shuffle:
    %all = llvm.mlir.constant(-1 : i32) : i32
    %clamp = llvm.mlir.constant(31 : i32) : i32
    %0 = nvvm.shfl.sync idx %all, %t, %last, %clamp : i32 -> i32
    llvm.br ^end
  ^end:
    llvm.return
  }

  llvm.func @two_blocks(%x: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %b = nvvm.read.ptx.sreg.ctaid.x : i32
    %value = llvm.sitofp %b : i32 to f32
    llvm.store %value, %x : f32, !llvm.ptr<1>
    llvm.return
  }
}
