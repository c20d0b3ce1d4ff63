// RUN: moe-opt %s --moe-lower-arena --canonicalize --cse --split-input-file | FileCheck %s

// %a and %c live in different epochs and share bytes; %b lives beside both.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: %[[X:.*]]: memref<?xf32> {moe.input = 0 : i64}, %{{.*}}: memref<?xf32> {moe.output = 0 : i64}, %[[ARENA:.*]]: memref<?xi8> {moe.arena}
// CHECK: %[[N:.*]] = memref.dim %[[X]], %c0
// CHECK: %[[A:.*]] = memref.view %[[ARENA]][%c0][%[[N]]]
// CHECK: %[[BYTES:.*]] = arith.muli %[[N]], %c4
// CHECK: %[[PADDED:.*]] = arith.addi %[[BYTES]], %c63
// CHECK: %[[NEXT:.*]] = arith.andi %[[PADDED]], %c-64
// CHECK: linalg.exp ins(%[[X]] : memref<?xf32>) outs(%[[A]]
// CHECK: %[[B:.*]] = memref.view %[[ARENA]][%[[NEXT]]][%[[N]]]
// CHECK: linalg.exp ins(%[[A]] : memref<?xf32>) outs(%[[B]]
// CHECK: linalg.exp ins(%[[B]] : memref<?xf32>) outs(%[[A]]
// CHECK-NOT: memref.alloc
// CHECK-LABEL: func.func @moe_shapes
// CHECK-SAME: (%[[IN:.*]]: memref<?xi64>, %{{.*}}: memref<?xi64>)
// CHECK: %[[N64:.*]] = memref.load %[[IN]][%c0]
// CHECK: %[[SIZE:.*]] = arith.index_cast %[[N64]]
// CHECK: %[[B0:.*]] = arith.muli %[[SIZE]], %c4
// CHECK: %[[B1:.*]] = arith.addi %[[B0]], %c63
// CHECK: %[[B2:.*]] = arith.andi %[[B1]], %c-64
// CHECK: %[[TOTAL:.*]] = arith.addi %[[B2]], %[[B2]]
// CHECK: arith.index_cast %[[TOTAL]]
// DOC: --moe-lower-arena --canonicalize --cse
func.func @moe_entry(%x: memref<?xf32> {moe.input = 0 : i64}, %out: memref<?xf32> {moe.output = 0 : i64}) attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%x : memref<?xf32>) outs(%a : memref<?xf32>)
  moe.barrier
  %na = memref.dim %a, %c0 : memref<?xf32>
  %b = memref.alloc(%na) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%b : memref<?xf32>)
  moe.barrier
  %c = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%b : memref<?xf32>) outs(%c : memref<?xf32>)
  linalg.exp ins(%c : memref<?xf32>) outs(%out : memref<?xf32>)
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

// A slot for two sizes is as big as the bigger one at run time.
// CHECK-LABEL: func.func @moe_entry
// CHECK: linalg.exp
// CHECK-LABEL: func.func @moe_shapes
// CHECK: arith.maxsi
func.func @moe_entry(%x: memref<?xf32> {moe.input = 0 : i64}, %y: memref<?xf32> {moe.input = 1 : i64}) attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %m = memref.dim %y, %c0 : memref<?xf32>
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%x : memref<?xf32>) outs(%a : memref<?xf32>)
  moe.barrier
  %b = memref.alloc(%m) : memref<?xf32>
  linalg.exp ins(%y : memref<?xf32>) outs(%b : memref<?xf32>)
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

// Without a barrier between them two buffers never share: a slow thread may be at the first still. A view counts as a use.
// CHECK-LABEL: func.func @moe_entry
// CHECK: memref.view %{{.*}}[%c0][] : memref<?xi8> to memref<16xf32>
// CHECK: memref.view %{{.*}}[%c64][] : memref<?xi8> to memref<16xf32>
// CHECK-LABEL: func.func @moe_shapes
// CHECK: return %c128_i64
func.func @moe_entry(%x: memref<16xf32> {moe.input = 0 : i64}, %y: memref<4x4xf32> {moe.output = 0 : i64}) attributes {moe.entry} {
  %a = memref.alloc() : memref<16xf32>
  %view = memref.expand_shape %a [[0, 1]] output_shape [4, 4] : memref<16xf32> into memref<4x4xf32>
  linalg.exp ins(%x : memref<16xf32>) outs(%a : memref<16xf32>)
  moe.barrier
  linalg.exp ins(%view : memref<4x4xf32>) outs(%y : memref<4x4xf32>)
  %b = memref.alloc() : memref<16xf32>
  linalg.exp ins(%x : memref<16xf32>) outs(%b : memref<16xf32>)
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

// A size that the entry computes has room for its bound, a dim of the input; the view is as long as the size.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: %[[X:[^ ]*]]: memref<?xf32>
// CHECK: %[[N:.*]] = memref.dim %[[X]], %c0
// CHECK: %[[FOUND:.*]] = arith.index_cast
// CHECK: %[[SMALL:.*]] = arith.minsi %[[FOUND]], %[[N]] : index
// CHECK: %[[KEPT:.*]] = arith.minsi %[[SMALL]], %[[N]] {moe.bound}
// CHECK: memref.view %{{.*}}[%c0][%[[KEPT]]] : memref<?xi8> to memref<?xf32>
func.func @moe_entry(%x: memref<?xf32> {moe.input = 0 : i64}, %count: memref<i16> {moe.input = 1 : i64}) attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %v = memref.load %count[] : memref<i16>
  %found = arith.index_cast %v : i16 to index
  %small = arith.minsi %found, %n : index
  %a = memref.alloc(%small) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

// Elements of inputs may be anything: bytes that do not fit are more than any machine has, not few.
// CHECK-LABEL: func.func @moe_shapes
// CHECK: %[[WORD:.*]] = memref.load %{{.*}}[%c0] : memref<?xi64>
// CHECK: %{{.*}}, %[[HIGH:.*]] = arith.mulsi_extended
// CHECK: %[[NONE:.*]] = arith.cmpi eq, %[[HIGH]], %c0_i64
// CHECK: %[[FEW:.*]] = arith.cmpi ult, %[[BYTES:.*]], %c72057594037927936_i64
// CHECK: %[[FITS:.*]] = arith.andi %[[NONE]], %[[FEW]]
// CHECK: arith.select %[[FITS]], %[[BYTES]], %c72057594037927936_i64
func.func @moe_entry(%count: memref<i64> {moe.input = 0 : i64}) attributes {moe.entry} {
  %v = memref.load %count[] : memref<i64>
  %n = arith.index_cast %v : i64 to index
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}
