// RUN: moe-opt %s --moe-lower-routing --split-input-file | FileCheck %s

// DOC: --moe-lower-routing
// An op that looks at each assignment by itself is split over threads.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[RANK:[^ :]+]]: tensor<?xi32>, %[[VALID:[^ :]+]]: tensor<?xi1>, %[[W:[^ :]+]]: tensor<?xf32>
// CHECK: %[[N:.*]] = tensor.dim %[[RANK]]
// CHECK: %[[KEPT:.*]] = moe.routine "moe.filter" items(%[[N]]) ins(%[[RANK]], %[[VALID]], %[[W]] : {{.*}}) outs({{.*}} : tensor<?xi1>)
// CHECK-NEXT: ^bb0(%[[BEGIN:.*]]: index, %[[END:.*]]: index, {{.*}}: memref<?xi32>, %[[V:.*]]: memref<?xi1>, %[[VALUE:.*]]: memref<?xf32>, %[[OUT:.*]]: memref<?xi1>)
// CHECK: scf.for %[[I:.*]] = %[[BEGIN]] to %[[END]]
// CHECK: %[[X:.*]] = memref.load %[[VALUE]][%[[I]]]
// CHECK: arith.cmpf olt, %{{.*}}, %[[X]]
// CHECK: memref.store %{{.*}}, %[[OUT]][%[[I]]]
// CHECK: return %[[KEPT]]
func.func @main(%rank: tensor<?xi32>, %valid: tensor<?xi1>, %w: tensor<?xf32>) -> tensor<?xi1> attributes {moe.entry} {
  %kept = moe.filter greater_than %rank, %rank, %rank, %valid value(%w) {theta = 0.2 : f64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  return %kept : tensor<?xi1>
}

// -----

// Lists from different inputs: their lengths are checked on entry.
// CHECK-LABEL: func.func @main
// CHECK: moe.require_equal %{{.*}}, %{{.*}}, "op 'moe.filter': the lengths of the lists must be equal"
func.func @main(%token: tensor<?xi32>, %valid: tensor<?xi1>, %w: tensor<?xf32>) -> tensor<?xi1> attributes {moe.entry} {
  %kept = moe.filter greater_than %token, %token, %token, %valid value(%w) {theta = 0.2 : f64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  return %kept : tensor<?xi1>
}

// -----

// Slots depend on an order: one thread. The capacity ceil(T·K·5/(4·E)), here a multiple of 4, is computed in the entry.
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[K:.*]] = arith.constant 2 : index
// CHECK: moe.routine "moe.select" items
// CHECK: %[[N:.*]] = arith.muli %{{.*}}, %c5 : index
// CHECK: arith.ceildivui %[[N]]
// CHECK: %[[MULTIPLE:.*]] = arith.muli %{{.*}}, %{{.*}} : index
// CHECK: moe.routine "moe.slots" ins(
// CHECK-NOT: items
// CHECK: arith.cmpi slt
// CHECK: return
func.func @main(%choice: tensor<?x8xf32>) -> tensor<?xi32> attributes {moe.entry} {
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
      -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v
      {experts = 8 : i64, capacity = #moe.capacity<base = assignments, numerator = 5, denominator = 4, rounding = ceil, multiple_of = 4>}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %slot : tensor<?xi32>
}
