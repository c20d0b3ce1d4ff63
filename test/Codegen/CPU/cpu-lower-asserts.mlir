// RUN: moe-opt %s --moe-cpu-lower-asserts | FileCheck %s

// The case below the marker is the example in docs/Passes.md (tools/dev/gen-docs): keep it small.
// CHECK-LABEL: func.func @moe_entry(
// CHECK: cf.cond_br %{{.*}}, ^[[NEXT:.*]], ^[[LEAVE:.*]]
// CHECK: ^[[NEXT]]:
// CHECK: memref.store
// CHECK: cf.cond_br %{{.*}}, ^[[REST:.*]], ^[[LEAVE]]
// CHECK: ^[[REST]]:
// CHECK-NEXT: return
// CHECK: ^[[LEAVE]]:
// CHECK-NEXT: return
// DOC: --moe-cpu-lower-asserts
func.func @moe_entry(%x: memref<?xi64>, %a: i1, %b: i1) attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %v = memref.load %x[%c0] : memref<?xi64>
  cf.assert %a, "rows and weights differ"
  memref.store %v, %x[%c0] : memref<?xi64>
  cf.assert %b, "columns differ"
  return
}
