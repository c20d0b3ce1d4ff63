// RUN: moe-opt %s --moe-lower-threads --split-input-file --verify-diagnostics | FileCheck %s

// The fill is read before the buffer is overwritten: it stays.
// CHECK-LABEL: func.func @moe_entry
// CHECK: linalg.fill
// CHECK-NOT: moe.init
func.func @moe_entry(%x: memref<?x?xf32>, %copy: memref<?xf32>, %out: memref<?xf32>) attributes {moe.entry} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : memref<?xf32>)
  linalg.copy ins(%out : memref<?xf32>) outs(%copy : memref<?xf32>)
  linalg.reduce {arith.addf} ins(%x : memref<?x?xf32>) outs(%out : memref<?xf32>) dimensions = [1]
  return
}

// -----

// Only a part of the filled buffer is overwritten: the fill stays.
// CHECK-LABEL: func.func @moe_entry
// CHECK: linalg.fill
// CHECK-NOT: moe.init
func.func @moe_entry(%x: memref<4x?xf32>, %out: memref<8xf32>) attributes {moe.entry} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : memref<8xf32>)
  %half = memref.subview %out[0] [4] [1] : memref<8xf32> to memref<4xf32, strided<[1]>>
  linalg.reduce {arith.addf} ins(%x : memref<4x?xf32>) outs(%half : memref<4xf32, strided<[1]>>) dimensions = [1]
  return
}

// -----

func.func @moe_entry(%x: memref<?xf32>, %flag: i1) attributes {moe.entry} {
  // expected-error @below {{'scf.if' op is not supported at the top level of the entry}}
  scf.if %flag {
    linalg.exp ins(%x : memref<?xf32>) outs(%x : memref<?xf32>)
  }
  return
}

// -----

func.func @moe_entry(%x: memref<?xcomplex<f32>>, %y: memref<?xcomplex<f32>>) attributes {moe.entry} {
  // expected-error @below {{has an operand of type 'memref<?xcomplex<f32>>', expected memrefs of integers or floats}}
  linalg.copy ins(%x : memref<?xcomplex<f32>>) outs(%y : memref<?xcomplex<f32>>)
  return
}
