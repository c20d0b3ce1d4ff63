// RUN: moe-opt %s --moe-cpu-emulate-tiles=features=+avx2,+fma,+avx512f,+amx-tile,+amx-bf16 -split-input-file | FileCheck %s

// A tile is an array; what is carried by a loop changes its type too.
// CHECK-LABEL: func.func @product
// CHECK: %[[ZERO:.*]] = llvm.mlir.zero : !llvm.array<16 x vector<16xi32>>
// CHECK: %[[SUM:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[ZERO]]) -> (!llvm.array<16 x vector<16xi32>>)
// CHECK: "llvm.intr.memcpy"
// CHECK: call @moe_emulated_tdpbf16ps
// CHECK: scf.yield %{{.*}} : !llvm.array<16 x vector<16xi32>>
// CHECK: llvm.store %[[SUM]]
// CHECK: "llvm.intr.memcpy"
// CHECK-NOT: x86_amx
func.func @product(%x: !llvm.ptr, %w: !llvm.ptr, %out: !llvm.ptr, %steps: i64) {
  %rows = arith.constant 16 : i16
  %bytes = arith.constant 64 : i16
  %stride = arith.constant 64 : i64
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %zero = llvm.call_intrinsic "llvm.x86.tilezero.internal"(%rows, %bytes) : (i16, i16) -> !llvm.x86_amx
  %sum = scf.for %k = %c0 to %steps step %c1 iter_args(%carried = %zero) -> (!llvm.x86_amx) : i64 {
    %a = llvm.call_intrinsic "llvm.x86.tileloadd64.internal"(%rows, %bytes, %x, %stride) : (i16, i16, !llvm.ptr, i64) -> !llvm.x86_amx
    %b = llvm.call_intrinsic "llvm.x86.tileloadd64.internal"(%rows, %bytes, %w, %stride) : (i16, i16, !llvm.ptr, i64) -> !llvm.x86_amx
    %next = llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"(%rows, %bytes, %bytes, %carried, %a, %b) : (i16, i16, i16, !llvm.x86_amx, !llvm.x86_amx, !llvm.x86_amx) -> !llvm.x86_amx
    scf.yield %next : !llvm.x86_amx
  }
  llvm.call_intrinsic "llvm.x86.tilestored64.internal"(%rows, %bytes, %out, %stride, %sum) : (i16, i16, !llvm.ptr, i64, !llvm.x86_amx) -> ()
  return
}

// The loops of one product are there once, for the first and the second values of pairs.
// CHECK: func.func private @moe_emulated_tdpbf16ps
// CHECK: llvm.intr.fma
// CHECK: llvm.intr.fma
// CHECK-NOT: func.func

// -----

// CHECK-LABEL: func.func @clear
// CHECK: llvm.mlir.zero
// CHECK: llvm.store
// CHECK: llvm.intr.memcpy
// DOC: --moe-cpu-emulate-tiles
func.func @clear(%rows: i16, %bytes: i16, %to: !llvm.ptr, %stride: i64) {
  %tile = llvm.call_intrinsic "llvm.x86.tilezero.internal"(%rows, %bytes) : (i16, i16) -> !llvm.x86_amx
  llvm.call_intrinsic "llvm.x86.tilestored64.internal"(%rows, %bytes, %to, %stride, %tile) : (i16, i16, !llvm.ptr, i64, !llvm.x86_amx) -> ()
  return
}
