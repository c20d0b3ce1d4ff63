// A product of many rows for GPUs of 9.0: by wgmma where the GPU's code has such kernels, which the host asks for; their weights come by a tensor map, an argument by value.
// RUN: moe-opt %s --moe-cuda-emit-kernels=arch=all | FileCheck %s
// RUN: moe-opt %s --moe-cuda-emit-kernels=arch=sm_90a | FileCheck %s --check-prefix=ALONE
// RUN: not moe-opt %s --moe-cuda-emit-kernels=arch=sm_70 2>&1 | FileCheck %s --check-prefix=ARCH

// CHECK: {moe.arch = "sm_90a", name = "moe_product_wgmma_64x128", shared = 98368 : i64, threads = 256 : i64}
// CHECK-SAME: {name = "moe_product_mma_128x128", shared = 131072 : i64, threads = 256 : i64}
// CHECK: llvm.call @moe_rt_has_kernel(%{{.*}}) : (i64) -> i32
// CHECK: scf.if
// CHECK: %[[MAP:.*]] = llvm.call @moe_rt_tensor_map(
// CHECK: llvm.store %[[MAP]], %{{.*}} : !llvm.ptr, !llvm.ptr
// CHECK-NEXT: llvm.mlir.constant
// CHECK: llvm.call @moe_rt_launch
// CHECK: else
// CHECK: llvm.call @moe_rt_launch
// CHECK: func.func @moe_product_wgmma_64x128({{.*}}%{{[a-z0-9]+}}: i32, %{{[a-z0-9]+}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>})
// CHECK: nvvm.mbarrier.init
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK: nvvm.cp.async.mbarrier.arrive
// CHECK: nvvm.wgmma.mma_async {{.*}}, <m = 64, n = 128, k = 16>

// ALONE-NOT: moe_rt_has_kernel
// ALONE-NOT: moe_product_mma_64x128
// ARCH: error: moe-cuda-emit-kernels expects arch sm_80, sm_90a or all, found 'sm_70'
module {
  func.func @moe_entry(%x: memref<?x1024xbf16> {moe.input = 0 : i64}, %off: memref<9xi32> {moe.input = 1 : i64}, %w: memref<8x512x1024xbf16> {moe.input = 2 : i64},
                       %y: memref<?x512xbf16> {moe.output = 0 : i64}, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    moe.grouped_matmul %x offsets(%off : memref<9xi32>) weight(%w : memref<8x512x1024xbf16>) outs(%y : memref<?x512xbf16>) : memref<?x1024xbf16>
    return
  }
}
