// RUN: moe-opt %s --moe-cpu-lower-loops | FileCheck %s

// CHECK-LABEL: func.func @sum
// CHECK-SAME: (%[[X:.*]]: memref<?xf32>, %[[N:.*]]: index)
// DOC: --moe-cpu-lower-loops
func.func @sum(%x: memref<?xf32>, %n: index) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  // CHECK: %[[ENTERED:.*]] = arith.cmpi slt, %[[C0:.*]], %[[N]] : index
  // CHECK: cf.cond_br %[[ENTERED]], ^[[BODY:.*]](%[[C0]], %[[ZERO:.*]] : index, f32), ^[[AFTER:.*]](%[[ZERO]] : f32)
  // CHECK: ^[[BODY]](%[[I:.*]]: index, %[[SO_FAR:.*]]: f32):
  // CHECK: %[[NEW:.*]] = arith.addf
  // CHECK: %[[NEXT:.*]] = arith.addi %[[I]], %{{.*}} : index
  // CHECK: %[[AGAIN:.*]] = arith.cmpi slt, %[[NEXT]], %[[N]] : index
  // CHECK: cf.cond_br %[[AGAIN]], ^[[BODY]](%[[NEXT]], %[[NEW]] : index, f32), ^[[AFTER]](%[[NEW]] : f32)
  // CHECK: ^[[AFTER]](%[[RESULT:.*]]: f32):
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%sum = %zero) -> f32 {
    %1 = memref.load %x[%i] : memref<?xf32>
    %2 = arith.addf %sum, %1 : f32
    scf.yield %2 : f32
  }
  return %0 : f32
}

// Loops in conditions in loops, with bounds that are known, and an annotation.
// CHECK-LABEL: func.func @nested
func.func @nested(%x: memref<8x16xf32>, %flag: i1, %value: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  // CHECK-NOT: cmpi
  // CHECK: cf.br ^[[OUTER:.*]](%{{.*}} : index)
  // CHECK: ^[[OUTER]](
  // CHECK: cf.cond_br %{{.*}}, ^[[THEN:.*]], ^[[JOIN:.*]]
  // CHECK: ^[[THEN]]:
  // CHECK: cf.br ^[[INNER:.*]](%{{.*}} : index)
  // CHECK: ^[[INNER]](
  // CHECK: memref.store
  // CHECK: cf.cond_br %{{.*}}, ^[[INNER]](%{{.*}} : index), ^{{.*}} {note}
  // CHECK: cf.cond_br %{{.*}}, ^[[OUTER]](%{{.*}} : index), ^
  scf.for %i = %c0 to %c8 step %c1 {
    scf.if %flag {
      scf.for %j = %c0 to %c16 step %c1 {
        memref.store %value, %x[%i, %j] : memref<8x16xf32>
      } {note}
    }
  }
  return
}
