// RUN: moe-opt %s --moe-cpu-lower-run-loops | FileCheck %s

// The inner loop's end leads to its own head; index arithmetic that is used behind the loop comes before it.
// CHECK-LABEL: func.func @moe_entry(
// CHECK: arith.addi
// CHECK: cf.br ^[[HEAD:.*]]
// CHECK: ^[[HEAD]]:
// CHECK: %[[FLAG:.*]] = memref.load %arg0[]
// CHECK: cf.cond_br %[[FLAG]], ^[[BODY:.*]], ^[[REST:.*]]
// CHECK: ^[[BODY]]:
// CHECK: cf.br ^[[INNER:.*]]
// CHECK: ^[[INNER]]:
// CHECK: memref.load %arg1[]
// CHECK: cf.cond_br %{{.*}}, ^[[INNERBODY:.*]], ^[[BEHIND:.*]]
// CHECK: ^[[INNERBODY]]:
// CHECK: memref.store
// CHECK: cf.br ^[[INNER]]
// CHECK: ^[[BEHIND]]:
// CHECK: cf.br ^[[HEAD]]
// CHECK: ^[[REST]]:
// CHECK: memref.store
// CHECK: return
// DOC: --moe-cpu-lower-run-loops
func.func @moe_entry(%more: memref<i1>, %again: memref<i1>, %x: memref<?xindex>, %i: index) attributes {moe.entry} {
  moe.loop_begin 0 from(%more : memref<i1>)
  moe.loop_begin 1 from(%again : memref<i1>)
  %j = arith.addi %i, %i : index
  memref.store %j, %x[%i] : memref<?xindex>
  moe.loop_end 1
  moe.loop_end 0
  memref.store %j, %x[%j] : memref<?xindex>
  return
}
