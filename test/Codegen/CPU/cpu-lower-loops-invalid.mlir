// RUN: moe-opt %s --moe-cpu-lower-loops | FileCheck %s
// Nothing is taken as known of bounds that are not, or that say that the body never runs; numbers without a sign are compared as such, and a start that
// is negative is below an end only for one of the two comparisons.

// CHECK-LABEL: func.func @never
func.func @never(%x: memref<?xf32>, %value: f32) {
  %c4 = arith.constant 4 : index
  %c1 = arith.constant 1 : index
  // CHECK: arith.cmpi slt
  // CHECK-NEXT: cf.cond_br
  scf.for %i = %c4 to %c1 step %c1 {
    memref.store %value, %x[%i] : memref<?xf32>
  }
  return
}

// CHECK-LABEL: func.func @without_sign
func.func @without_sign(%x: memref<?xf32>, %value: f32, %n: index) {
  %minus = arith.constant -1 : index
  %c1 = arith.constant 1 : index
  // CHECK: arith.cmpi ult
  // CHECK-NEXT: cf.cond_br
  // CHECK: arith.cmpi ult
  // CHECK-NEXT: cf.cond_br
  scf.for unsigned %i = %minus to %c1 step %c1 {
    memref.store %value, %x[%i] : memref<?xf32>
  }
  return
}

// What else there is of structure goes the usual way.
// CHECK-LABEL: func.func @other
func.func @other(%n: i64) -> i64 {
  // CHECK-NOT: scf.
  %0 = scf.while (%i = %n) : (i64) -> i64 {
    %zero = arith.constant 0 : i64
    %more = arith.cmpi sgt, %i, %zero : i64
    scf.condition(%more) %i : i64
  } do {
  ^bb0(%i: i64):
    %one = arith.constant 1 : i64
    %less = arith.subi %i, %one : i64
    scf.yield %less : i64
  }
  return %0 : i64
}
