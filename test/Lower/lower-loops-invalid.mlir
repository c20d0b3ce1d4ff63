// RUN: moe-opt %s --moe-lower-loops --canonicalize --cse --split-input-file --verify-diagnostics | FileCheck %s

// Cases that must not become vectors.

// A column read: a step of j is a stride.
// CHECK-LABEL: func.func @moe_entry
// CHECK-NOT: vector<
// CHECK: return
func.func @moe_entry(%x: memref<?x?xf32>, %out: memref<?x?xf32>) attributes {moe.entry} {
  linalg.transpose ins(%x : memref<?x?xf32>) outs(%out : memref<?x?xf32>) permutation = [1, 0]
  return
}

// -----

// An i1 has a byte in memory and a bit in a vector.
// CHECK-LABEL: func.func @moe_entry
// CHECK-NOT: vector<
// CHECK: return
func.func @moe_entry(%x: memref<?x?xi1>, %out: memref<?x?xi1>) attributes {moe.entry} {
  linalg.copy ins(%x : memref<?x?xi1>) outs(%out : memref<?x?xi1>)
  return
}

// -----

// The last dim of the view is strided.
// CHECK-LABEL: func.func @moe_entry
// CHECK-NOT: vector<
// CHECK: return
func.func @moe_entry(%x: memref<?xf32, strided<[2]>>, %out: memref<?xf32>) attributes {moe.entry} {
  linalg.exp ins(%x : memref<?xf32, strided<[2]>>) outs(%out : memref<?xf32>)
  return
}

// -----

// A reduction whose combination is not known to be associative stays in order, on scalars.
// CHECK-LABEL: func.func @moe_entry
// CHECK-NOT: vector<
// CHECK: scf.for {{.*}} iter_args(%[[ACC:.*]] =
// CHECK: arith.subf
// CHECK: return
func.func @moe_entry(%x: memref<?x?xf32>, %out: memref<?xf32>) attributes {moe.entry} {
  linalg.reduce {arith.subf} ins(%x : memref<?x?xf32>) outs(%out : memref<?xf32>) dimensions = [1]
  return
}

// -----

// A little work is done by thread 0 alone, and so is a store.
// CHECK-LABEL: func.func @moe_entry
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %{{.*}}, %c0
// CHECK: scf.if %[[FIRST]] {
// CHECK: math.exp
// CHECK: }
// CHECK: scf.if %[[FIRST]] {
// CHECK-NEXT: memref.store
// CHECK-NEXT: }
func.func @moe_entry(%x: memref<4xf32>, %out: memref<4xf32>, %n: memref<1xi64>) attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %seven = arith.constant 7 : i64
  linalg.exp ins(%x : memref<4xf32>) outs(%out : memref<4xf32>)
  memref.store %seven, %n[%c0] : memref<1xi64>
  return
}

// -----

// expected-error @below {{no function with attribute 'moe.entry'}}
module {
}

// -----

// Tensors: the pass has come too early.
func.func @tensors(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {moe.entry} {
  // expected-error @below {{works on tensors, expected memrefs; loops are made after moe-lower-bufferize}}
  %y = linalg.exp ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
