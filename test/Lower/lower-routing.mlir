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

// Slots are found by counting: chunks of the order count their experts, thread 0 sums over the chunks, chunks place what they have. The capacity ceil(T·K·5/(4·E)), here a multiple of 4, is computed in the entry.
// CHECK-LABEL: func.func @main
// CHECK: moe.routine "moe.select" items
// CHECK: %[[N:.*]] = arith.muli %{{.*}}, %c5 : index
// CHECK: arith.ceildivui %[[N]]
// CHECK: %[[C:.*]] = arith.muli %{{.*}}, %{{.*}} : index
// CHECK: %[[CHUNKS:.*]] = arith.maxsi %{{.*}}, %c1
// CHECK: %[[COUNTS:.*]]:2 = moe.routine "moe.slots" items(%[[CHUNKS]])
// CHECK: %[[SUMS:.*]]:5 = moe.routine "moe.slots" ins(%[[COUNTS]]#1
// CHECK: moe.routine "moe.slots" items(%[[CHUNKS]]) ins(%{{.*}}, %[[COUNTS]]#0, %[[SUMS]]#0, %[[SUMS]]#1, %[[SUMS]]#4, %[[C]]
// CHECK-NOT: moe.routine
// CHECK: return
func.func @main(%choice: tensor<?x8xf32>) -> tensor<?xi32> attributes {moe.entry} {
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
      -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v
      {experts = 8 : i64, capacity = #moe.capacity<base = assignments, numerator = 5, denominator = 4, rounding = ceil, multiple_of = 4>}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %slot : tensor<?xi32>
}

// -----

// A priority is an order that must be sorted for: 16 runs by themselves, then four rounds of merges, all split over threads.
// CHECK-LABEL: func.func @main
// CHECK: moe.routine "moe.select" items
// CHECK: %[[RUNS:.*]]:2 = moe.routine "moe.slots" items(%c16
// CHECK: %[[PAIRS:.*]] = moe.routine "moe.slots" items(%c16{{.*}}%[[RUNS]]#0
// CHECK: %[[FOURS:.*]] = moe.routine "moe.slots" items(%c16{{.*}}%[[PAIRS]]
// CHECK: %[[EIGHTS:.*]] = moe.routine "moe.slots" items(%c16{{.*}}%[[FOURS]]
// CHECK: %[[ORDER:.*]] = moe.routine "moe.slots" items(%c16{{.*}}%[[EIGHTS]]
// CHECK: moe.routine "moe.slots" items({{.*}}%[[ORDER]]
func.func @main(%choice: tensor<?x8xf32>, %gate: tensor<?xf32>) -> tensor<?xi32> attributes {moe.entry} {
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
      -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v priority(%gate : tensor<?xf32>) {experts = 8 : i64}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %slot : tensor<?xi32>
}

// -----

// In groups, sums are split by experts; only the offsets of E experts are thread 0's.
// CHECK-LABEL: func.func @main
// CHECK: %[[COUNTS:.*]]:2 = moe.routine "moe.slots" items
// CHECK: %[[SUMS:.*]]:4 = moe.routine "moe.slots" items(%{{.*}}) ins(%[[COUNTS]]#1
// CHECK: %[[OFFSET:.*]] = moe.routine "moe.slots" ins(%[[SUMS]]#3
// CHECK: moe.routine "moe.slots" items({{.*}}%[[COUNTS]]#0, %[[SUMS]]#0, %[[SUMS]]#1, %[[OFFSET]]
func.func @main(%choice: tensor<?x8xf32>) -> tensor<?xi32> attributes {moe.entry} {
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
      -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 8 : i64, group_size = 16 : i64}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %slot : tensor<?xi32>
}

// -----

// Each sequence is assigned by itself: as many at once as there are groups, 64 at most.
// CHECK-LABEL: func.func @main
// CHECK: %[[S:.*]] = tensor.dim %{{.*}}, %c1
// CHECK: %[[SOME:.*]] = arith.maxsi %[[S]], %c1
// CHECK: %[[SIZE:.*]] = arith.minsi %[[SOME]], %c2147483647
// CHECK: %[[G:.*]] = arith.ceildivui %{{.*}}, %[[SIZE]]
// CHECK: %[[FEW:.*]] = arith.minsi %[[G]], %c64
// CHECK: %[[LANES:.*]] = arith.maxsi %[[FEW]], %c1
// CHECK: moe.routine "moe.select" items(%[[LANES]]) {{.*}} outs({{.*}} : tensor<?xi32>, tensor<?x8xi64>, tensor<?x2x8xi32>, tensor<?x8x8xi64>
func.func @main(%x: tensor<?x?x8xf32>) -> tensor<?xi32> attributes {moe.entry} {
  %c1 = arith.constant 1 : index
  %S = tensor.dim %x, %c1 : tensor<?x?x8xf32>
  %choice = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x?x8xf32> into tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select balanced_exact %choice : tensor<?x8xf32> groups_of(%S)
      -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  return %e : tensor<?xi32>
}
