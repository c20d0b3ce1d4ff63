// RUN: moe-opt %s --moe-lower-threads --split-input-file | FileCheck %s

// Row-wise ops give row i to the same thread: no barrier. A transposed read does not.
// CHECK-LABEL: func.func @moe_entry
// CHECK: linalg.exp
// CHECK-NOT: moe.barrier
// CHECK: linalg.log
// CHECK: moe.barrier
// CHECK-NEXT: linalg.transpose
// CHECK-NOT: moe.barrier
// CHECK: return
// DOC: --moe-lower-threads
func.func @moe_entry(%x: memref<?x?xf32>, %out: memref<?x?xf32>, %n: index, %m: index) attributes {moe.entry} {
  %a = memref.alloc(%n, %m) : memref<?x?xf32>
  %b = memref.alloc(%n, %m) : memref<?x?xf32>
  linalg.exp ins(%x : memref<?x?xf32>) outs(%a : memref<?x?xf32>)
  linalg.log ins(%a : memref<?x?xf32>) outs(%b : memref<?x?xf32>)
  linalg.transpose ins(%b : memref<?x?xf32>) outs(%out : memref<?x?xf32>) permutation = [1, 0]
  return
}

// -----

// Writing what another thread may still read needs a barrier as well; a kernel's threads may touch everything.
// CHECK-LABEL: func.func @moe_entry
// CHECK: linalg.transpose
// CHECK: moe.barrier
// CHECK-NEXT: linalg.exp
// CHECK: moe.barrier
// CHECK-NEXT: moe.grouped_matmul
// CHECK-NOT: moe.barrier
// CHECK: return
moe.weight @w : tensor<64x64xf32> source(#moe.file<"w", offset = 0, length = 16384>)
func.func @moe_entry(%x: memref<64x64xf32>, %out: memref<64x64xf32>) attributes {moe.entry} {
  %a = memref.alloc() : memref<64x64xf32>
  %b = memref.alloc() : memref<64x64xf32>
  %w = moe.weight_ref @w : memref<64x64xf32>
  linalg.transpose ins(%a : memref<64x64xf32>) outs(%b : memref<64x64xf32>) permutation = [1, 0]
  linalg.exp ins(%x : memref<64x64xf32>) outs(%a : memref<64x64xf32>)
  moe.grouped_matmul %a weight(%w : memref<64x64xf32>) outs(%out : memref<64x64xf32>) : memref<64x64xf32>
  return
}

// -----

// Rows seen through reshapes are the same rows.
// CHECK-LABEL: func.func @moe_entry
// CHECK-NOT: moe.barrier
// CHECK: return
func.func @moe_entry(%x: memref<?x4x?xf32>, %out: memref<?x?xf32>, %n: index, %m: index) attributes {moe.entry} {
  %a = memref.alloc(%n, %m) : memref<?x4x?xf32>
  %flat = memref.collapse_shape %a [[0, 1], [2]] : memref<?x4x?xf32> into memref<?x?xf32>
  linalg.exp ins(%x : memref<?x4x?xf32>) outs(%a : memref<?x4x?xf32>)
  linalg.exp ins(%flat : memref<?x?xf32>) outs(%out : memref<?x?xf32>)
  return
}

// -----

// Two ops of thread 0 need none between them, a split op behind them does.
// CHECK-LABEL: func.func @moe_entry
// CHECK: linalg.exp
// CHECK-NEXT: linalg.log
// CHECK-NEXT: moe.barrier
// CHECK-NEXT: linalg.broadcast
func.func @moe_entry(%x: memref<8xf32>, %out: memref<8x?xf32>) attributes {moe.entry} {
  %a = memref.alloc() : memref<8xf32>
  %b = memref.alloc() : memref<8xf32>
  linalg.exp ins(%x : memref<8xf32>) outs(%a : memref<8xf32>)
  linalg.log ins(%a : memref<8xf32>) outs(%b : memref<8xf32>)
  linalg.broadcast ins(%b : memref<8xf32>) outs(%out : memref<8x?xf32>) dimensions = [1]
  return
}

// -----

// A past and its present may be one buffer: a read of the past before the present is written.
// CHECK-LABEL: func.func @moe_entry
// CHECK: linalg.transpose
// CHECK: moe.barrier
// CHECK-NEXT: moe.concat
func.func @moe_entry(%past: memref<?x8xf32, strided<[?, 1]>> {moe.input = 0 : i64, moe.past_of = 0 : i64}, %new: memref<1x8xf32> {moe.input = 1 : i64},
    %present: memref<?x8xf32, strided<[?, 1]>> {moe.output = 0 : i64, moe.present_of = 0 : i64}, %out: memref<8x?xf32> {moe.output = 1 : i64}) attributes {moe.entry} {
  linalg.transpose ins(%past : memref<?x8xf32, strided<[?, 1]>>) outs(%out : memref<8x?xf32>) permutation = [1, 0]
  moe.concat axis 0 ins(%past, %new : memref<?x8xf32, strided<[?, 1]>>, memref<1x8xf32>) outs(%present : memref<?x8xf32, strided<[?, 1]>>)
  return
}

// -----

// The sum starts from the constant itself: the fill is gone.
// CHECK-LABEL: func.func @moe_entry
// CHECK-NOT: linalg.fill
// CHECK: linalg.reduce
// CHECK-SAME: moe.init = [0.000000e+00 : f32]
func.func @moe_entry(%x: memref<?x?xf32>, %out: memref<?xf32>) attributes {moe.entry} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : memref<?xf32>)
  linalg.reduce {arith.addf} ins(%x : memref<?x?xf32>) outs(%out : memref<?xf32>) dimensions = [1]
  return
}

// -----

// A condition on values that threads have just written waits for the barrier that the transposed read needs.
// CHECK-LABEL: func.func @moe_entry
// CHECK: linalg.generic
// CHECK-NOT: moe.require_range
// CHECK: moe.barrier
// CHECK-NEXT: moe.require_range
// CHECK-NEXT: linalg.transpose
// CHECK-NOT: moe.barrier
// CHECK: return
#id = affine_map<(i, j) -> (i, j)>
func.func @moe_entry(%x: memref<?x?xi64>, %out: memref<?x?xi64>, %n: index, %m: index) attributes {moe.entry} {
  %a = memref.alloc(%n, %m) : memref<?x?xi64>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<?x?xi64>) outs(%a : memref<?x?xi64>) {
  ^bb0(%v: i64, %o: i64):
    linalg.yield %v : i64
  }
  moe.require_range %a, %n, %m, "an id" number 0 : memref<?x?xi64>
  linalg.transpose ins(%a : memref<?x?xi64>) outs(%out : memref<?x?xi64>) permutation = [1, 0]
  return
}

// -----

// Without such a barrier one comes at the end; where the values are overwritten before, one comes there, and another behind the check.
// CHECK-LABEL: func.func @moe_entry
// CHECK: linalg.generic
// CHECK: moe.barrier
// CHECK-NEXT: moe.require_range {{.*}} "first"
// CHECK-NEXT: moe.barrier
// CHECK-NEXT: linalg.generic
// CHECK: moe.barrier
// CHECK-NEXT: moe.require_range {{.*}} "second"
// CHECK-NEXT: return
#id = affine_map<(i, j) -> (i, j)>
func.func @moe_entry(%x: memref<?x?xi64>, %n: index, %m: index) attributes {moe.entry} {
  %a = memref.alloc(%n, %m) : memref<?x?xi64>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<?x?xi64>) outs(%a : memref<?x?xi64>) {
  ^bb0(%v: i64, %o: i64):
    linalg.yield %v : i64
  }
  moe.require_range %a, %n, %m, "first" number 0 : memref<?x?xi64>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<?x?xi64>) outs(%a : memref<?x?xi64>) {
  ^bb0(%v: i64, %o: i64):
    %w = arith.addi %v, %v : i64
    linalg.yield %w : i64
  }
  moe.require_range %a, %n, %m, "second" number 1 : memref<?x?xi64>
  return
}
