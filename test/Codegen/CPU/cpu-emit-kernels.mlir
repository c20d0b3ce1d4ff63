// Kernel ops become calls of private drivers on pointers; equal ops share them; a barrier stands between the two parts of the router.
// RUN: moe-opt %s --split-input-file --moe-cpu-emit-kernels=features=+avx512f | FileCheck %s --check-prefixes=CHECK,ZMM
// RUN: moe-opt %s --split-input-file --moe-cpu-emit-kernels=features=+avx2,+fma | FileCheck %s --check-prefixes=CHECK,YMM
// RUN: moe-opt %s --split-input-file --moe-cpu-emit-kernels | FileCheck %s --check-prefixes=CHECK,XMM

// The height of the tile, and its two vectors per row; base x86-64 has no fma.

// CHECK-LABEL: func.func @dense(
// CHECK-NOT: moe.grouped_matmul
// CHECK: %[[ID:.*]] = moe.thread_id
// CHECK: moe.num_threads
// CHECK: call @moe_grouped_matmul_f32(
// CHECK: call @moe_grouped_matmul_f32(
// CHECK: return

// ZMM: func.func private @moe_grouped_matmul_f32({{.*}}llvm.linkage = #llvm.linkage<internal>{{.*}}passthrough = ["noinline"], target_features = #llvm.target_features<["+avx512f"]>
// ZMM: func.func private @moe_kernel_f32_1x128(
// ZMM: func.func private @moe_kernel_f32_12x32(
// ZMM: scf.for {{.*}} -> ({{(vector<16xf32>, ){23}vector<16xf32>}})
// ZMM-COUNT-2: llvm.load {{.*}} -> vector<16xf32>
// ZMM-COUNT-24: vector.fma {{.*}} : vector<16xf32>
// ZMM: scf.yield
// ZMM-COUNT-24: llvm.store {{.*}} : vector<16xf32>

// YMM: func.func private @moe_kernel_f32_1x64(
// YMM: func.func private @moe_kernel_f32_6x16({{.*}}target_features = #llvm.target_features<["+avx2", "+fma"]>
// YMM: scf.for {{.*}} -> ({{(vector<8xf32>, ){11}vector<8xf32>}})
// YMM-COUNT-12: vector.fma {{.*}} : vector<8xf32>
// YMM: scf.yield

// XMM-NOT: target_features
// XMM-NOT: vector.fma
// XMM: func.func private @moe_kernel_f32_6x8(
// XMM-COUNT-12: arith.addf {{.*}} : vector<4xf32>

func.func @dense(%x: memref<?x64xf32>, %w: memref<3x64x32xf32>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<3x64x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x64xf32>
  moe.grouped_matmul %x weight(%w : memref<3x64x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64, origin = #moe.origin<"other", "mlir">} : memref<?x64xf32>
  return
}

// -----

// The pair of an expert's products: no function is shared, for their epilogues differ. The first has one store per gate and up pair.

// CHECK-LABEL: func.func @experts(
// CHECK: call @moe_grouped_matmul_f32(
// CHECK: call @moe_grouped_matmul_f32_1(
// ZMM: func.func private @moe_kernel_f32_4x32(
// ZMM: "llvm.intr.prefetch"
// ZMM: scf.yield
// ZMM-COUNT-8: llvm.store
// ZMM: scf.for
// ZMM: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// ZMM-NOT: vector.fma
// ZMM: llvm.store {{.*}} : vector<16xf32>
// ZMM-NOT: llvm.store
// ZMM: return
// YMM-NOT: scalef
func.func @experts(%x: memref<?x64xf32>, %rows: memref<?xi32>, %off: memref<9xi32>, %w1: memref<8x6x64x32xf32>,
    %w2: memref<8x2x96x32xf32>, %cw: memref<?xf32>, %h: memref<?x96xf32>, %out: memref<?x64xf32>) {
  moe.grouped_matmul %x rows(%rows : memref<?xi32>) offsets(%off : memref<9xi32>) weight(%w1 : memref<8x6x64x32xf32>)
      outs(%h : memref<?x96xf32>) {packing = #moe<packing_family gate_up16>, columns = 192 : i64,
      ffn = #moe.ffn<activation = silu, gate = halves>} : memref<?x64xf32>
  moe.grouped_matmul %h offsets(%off : memref<9xi32>) weight(%w2 : memref<8x2x96x32xf32>)
      combine(%rows, %cw : memref<?xi32>, memref<?xf32>) outs(%out : memref<?x64xf32>)
      {packing = #moe<packing_family panel32>, columns = 64 : i64} : memref<?x96xf32>
  return
}

// -----

// CHECK-LABEL: func.func @route(
// CHECK: call @moe_route_select(
// CHECK-NEXT: moe.barrier
// CHECK: call @moe_route_scatter(
// CHECK-NOT: moe.barrier
// CHECK: return
func.func @route(%z: memref<?x8xf32>, %r: memref<?xi32>, %w: memref<?xf32>, %off: memref<9xi32>, %c: memref<?xi32>, %cw: memref<?xf32>) {
  moe.route_permute logits(%z : memref<?x8xf32>)
      outs(%r, %w, %off, %c, %cw : memref<?xi32>, memref<?xf32>, memref<9xi32>, memref<?xi32>, memref<?xf32>)
      {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>}
  return
}

// -----

// Given indices are read in place: no scratch and no barrier.

// CHECK-LABEL: func.func @given(
// CHECK-NOT: moe.barrier
// CHECK-NOT: @moe_route_select
// CHECK: call @moe_route_scatter(
// DOC: --moe-cpu-emit-kernels=features=+avx2,+fma
func.func @given(%i: memref<?x2xi64>, %v: memref<?x2xf32>, %r: memref<?xi32>, %w: memref<?xf32>, %off: memref<9xi32>) {
  moe.route_permute indices(%i : memref<?x2xi64>) weights(%v : memref<?x2xf32>)
      outs(%r, %w, %off : memref<?xi32>, memref<?xf32>, memref<9xi32>) {experts = 8 : i64}
  return
}
