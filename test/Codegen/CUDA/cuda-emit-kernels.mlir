// Launches in the order of the entry, barriers gone; equal products share their kernel; loops become a kernel of their own.
// RUN: moe-opt %s --moe-cuda-emit-kernels --split-input-file | FileCheck %s

// DOC: --moe-cuda-emit-kernels
// CHECK: module attributes {moe.kernels = [{name = "moe_loops", shared = 0 : i64, threads = 64 : i64}]}
module {
  // CHECK: func.func @moe_entry
  // CHECK-NOT: scf.for
  // CHECK: llvm.call @moe_rt_launch
  // CHECK: module @moe_kernels
  // CHECK: func.func @moe_loops(%[[N:.*]]: index, %[[X:.*]]: memref<?xf32>, %[[Y:.*]]: memref<?xf32>
  // CHECK-DAG: nvvm.read.ptx.sreg.ctaid.x
  // CHECK-DAG: nvvm.read.ptx.sreg.nctaid.x
  // CHECK: scf.for
  // CHECK: memref.store
  func.func @moe_entry(%x: memref<?xf32> {moe.input = 0 : i64}, %y: memref<?xf32> {moe.output = 0 : i64}, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %n = memref.dim %x, %c0 : memref<?xf32>
    %thread = moe.thread_id
    %threads = moe.num_threads
    scf.for %i = %thread to %n step %threads {
      %v = memref.load %x[%i] : memref<?xf32>
      %w = arith.addf %v, %v : f32
      memref.store %w, %y[%i] : memref<?xf32>
    }
    return
  }
}

// -----

// Rows and weights of bf16: tensor cores, by the number of slots one of five tiles. f32: one kernel, used twice.
// CHECK: {name = "moe_product_swapped_8x32", shared = 30720 : i64, threads = 64 : i64}
// CHECK-SAME: {name = "moe_product_swapped_8x64", shared = 46080 : i64, threads = 64 : i64}
// CHECK-SAME: {name = "moe_product_mma_16x128", shared = 73728 : i64, threads = 128 : i64}
// CHECK-SAME: {name = "moe_product_mma_64x128", shared = 98304 : i64, threads = 256 : i64}
// CHECK-SAME: {name = "moe_product_mma_128x128", shared = 131072 : i64, threads = 256 : i64}
// CHECK-SAME: {name = "moe_product_float", shared = 0 : i64, threads = 256 : i64}]
module {
  // CHECK: func.func @moe_entry
  // CHECK-NOT: moe.barrier
  // CHECK: arith.cmpi ule, %[[SLOTS:.*]], %c193 : index
  // CHECK-NEXT: scf.if
  // CHECK: llvm.call @moe_rt_launch
  // CHECK: else
  // CHECK: arith.cmpi ule, %[[SLOTS]], %c259 : index
  // CHECK-NEXT: scf.if
  // CHECK: %[[FLOAT:.*]] = llvm.mlir.constant(5 : i64)
  // CHECK: llvm.call @moe_rt_launch(%[[FLOAT]],
  // CHECK: %[[AGAIN:.*]] = llvm.mlir.constant(5 : i64)
  // CHECK: llvm.call @moe_rt_launch(%[[AGAIN]],
  // CHECK: module @moe_kernels
  // CHECK: func.func @moe_product_mma_16x128
  // CHECK: nvvm.cp.async.shared.global
  // CHECK: nvvm.ldmatrix
  // CHECK: nvvm.mma.sync {{.*}}multiplicandAPtxType = #nvvm.mma_type<bf16>
  func.func @moe_entry(%x: memref<?x1024xbf16> {moe.input = 0 : i64}, %f: memref<?x64xf32> {moe.input = 1 : i64}, %rows: memref<?xi32> {moe.input = 2 : i64},
                       %off: memref<9xi32> {moe.input = 3 : i64}, %w: memref<8x512x1024xbf16> {moe.input = 4 : i64},
                       %wf: memref<8x32x64xf32> {moe.input = 5 : i64}, %y: memref<?x512xbf16> {moe.output = 0 : i64},
                       %z: memref<?x32xf32> {moe.output = 1 : i64}, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    moe.grouped_matmul %x rows(%rows : memref<?xi32>) offsets(%off : memref<9xi32>) weight(%w : memref<8x512x1024xbf16>) outs(%y : memref<?x512xbf16>) : memref<?x1024xbf16>
    moe.barrier
    moe.grouped_matmul %f rows(%rows : memref<?xi32>) offsets(%off : memref<9xi32>) weight(%wf : memref<8x32x64xf32>) outs(%z : memref<?x32xf32>) : memref<?x64xf32>
    moe.barrier
    moe.grouped_matmul %f rows(%rows : memref<?xi32>) offsets(%off : memref<9xi32>) weight(%wf : memref<8x32x64xf32>) outs(%z : memref<?x32xf32>) : memref<?x64xf32>
    return
  }
}

// -----

// A number that lies on the GPU, and what is computed of it, stay in the kernel that reads it: the host has neither.
// CHECK-LABEL: func.func @moe_entry(%{{.*}}: memref<1xi32>
// CHECK-NOT: memref.load
// CHECK-NOT: arith.extsi
// CHECK: llvm.call @moe_rt_launch
// CHECK: return
// CHECK: func.func @moe_loops(
// CHECK: %[[LOADED:.*]] = memref.load
// CHECK: %[[WIDE:.*]] = arith.extsi %[[LOADED]] : i32 to i64
// CHECK: memref.store %[[WIDE]]
module {
  func.func @moe_entry(%total: memref<1xi32>, %y: memref<1xi64>) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %thread = moe.thread_id
    %0 = memref.load %total[%c0] : memref<1xi32>
    %1 = arith.extsi %0 : i32 to i64
    %first = arith.cmpi eq, %thread, %c0 : index
    scf.if %first {
      memref.store %1, %y[%c0] : memref<1xi64>
    }
    return
  }
}
