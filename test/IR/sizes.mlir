// Sizes of results as index arithmetic on the operands: what is asked for here no longer asks the op.
// RUN: moe-opt %s --resolve-ranked-shaped-type-result-dims --canonicalize --cse | FileCheck %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
!scores = tensor<?x?xf32>
!kth = tensor<?x?xf32>

// CHECK-LABEL: func.func @noise
// CHECK-NEXT: return %arg2
func.func @noise(%seed: i64, %offset: i64, %n: index) -> index {
  %c0 = arith.constant 0 : index
  %x = moe.noise normal seed(%seed) offset(%offset) sizes(%n) : tensor<?x8xf32>
  %d = tensor.dim %x, %c0 : tensor<?x8xf32>
  return %d : index
}

// CHECK-LABEL: func.func @score
// CHECK: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK: %[[E:.+]] = tensor.dim %arg0, %c1
// CHECK: return %[[T]], %[[E]]
func.func @score(%z: !scores) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %s, %c = moe.score softmax %z : !scores -> !scores, !scores
  %T = tensor.dim %s, %c0 : !scores
  %E = tensor.dim %c, %c1 : !scores
  return %T, %E : index, index
}

// CHECK-LABEL: func.func @top_k
// CHECK: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK: %[[N:.+]] = arith.muli %[[T]], %c3
// CHECK: return %[[N]], %[[N]], %[[T]], %c2
func.func @top_k(%c: !scores) -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores {k = 3 : i64} -> !list, !list, !list, !mask, !kth
  %a = tensor.dim %t, %c0 : !list
  %b = tensor.dim %v, %c0 : !mask
  %d = tensor.dim %k, %c0 : !kth
  %f = tensor.dim %k, %c1 : !kth
  return %a, %b, %d, %f : index, index, index, index
}

// CHECK-LABEL: func.func @all
// CHECK: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK: %[[E:.+]] = tensor.dim %arg0, %c1
// CHECK: %[[N:.+]] = arith.muli %[[T]], %[[E]]
// CHECK: return %[[N]]
func.func @all(%c: !scores) -> index {
  %c0 = arith.constant 0 : index
  %t, %e, %r, %v, %k = moe.select all %c : !scores -> !list, !list, !list, !mask, !kth
  %a = tensor.dim %t, %c0 : !list
  return %a : index
}

// CHECK-LABEL: func.func @table
// CHECK: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK: %[[N:.+]] = arith.muli %[[T]], %c2
// CHECK: return %[[N]]
func.func @table(%ids: !list, %table: tensor<?x2xi32>) -> index {
  %c0 = arith.constant 0 : index
  %t, %e, %r, %v, %k = moe.select table ids(%ids : !list) table(%table : tensor<?x2xi32>) {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %a = tensor.dim %t, %c0 : !list
  return %a : index
}

// E experts take ceil(2·T / E) tokens each.
// CHECK-LABEL: func.func @expert_side
// CHECK-DAG: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK-DAG: %[[E:.+]] = tensor.dim %arg0, %c1
// CHECK: %[[D:.+]] = arith.muli %[[T]], %c2
// CHECK: %[[C:.+]] = arith.ceildivui %[[D]], %[[E]]
// CHECK: %[[M:.+]] = arith.maxsi %[[C]], %c0
// CHECK: %[[N:.+]] = arith.muli %[[E]], %[[M]]
// CHECK: return %[[N]]
func.func @expert_side(%c: !scores) -> index {
  %c0 = arith.constant 0 : index
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores
      {side = #moe<select_side expert>, capacity = #moe.capacity<base = tokens, numerator = 2, denominator = 1, rounding = ceil>}
      -> !list, !list, !list, !mask, !kth
  %a = tensor.dim %t, %c0 : !list
  return %a : index
}

// In groups of n tokens: as many times E experts, each the ceil(2·min(n, T) / E) best of a group.
// CHECK-LABEL: func.func @expert_side_groups
// CHECK-DAG: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK-DAG: %[[E:.+]] = tensor.dim %arg0, %c1
// CHECK-DAG: %[[SOME:.+]] = arith.maxsi %arg1, %c1
// CHECK-DAG: %[[SIZE:.+]] = arith.minsi %[[SOME]], %c2147483647
// CHECK-DAG: %[[G:.+]] = arith.ceildivui %[[T]], %[[SIZE]]
// CHECK-DAG: %[[TOKENS:.+]] = arith.minsi %[[T]], %[[SIZE]]
// CHECK-DAG: %[[D:.+]] = arith.muli %[[TOKENS]], %c2
// CHECK-DAG: %[[C:.+]] = arith.ceildivui %[[D]], %[[E]]
// CHECK-DAG: %[[M:.+]] = arith.maxsi %[[C]], %c0
// CHECK-DAG: %[[N:.+]] = arith.muli %[[E]], %[[M]]
// CHECK: %[[ALL:.+]] = arith.muli %[[G]], %[[N]]
// CHECK: return %[[ALL]]
func.func @expert_side_groups(%c: !scores, %n: index) -> index {
  %c0 = arith.constant 0 : index
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores groups_of(%n)
      {side = #moe<select_side expert>, capacity = #moe.capacity<base = tokens, numerator = 2, denominator = 1, rounding = ceil>}
      -> !list, !list, !list, !mask, !kth
  %a = tensor.dim %t, %c0 : !list
  return %a : index
}

// CHECK-LABEL: func.func @assign
// CHECK: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK: %[[N:.+]] = arith.muli %[[T]], %c2
// CHECK: return %[[N]]
func.func @assign(%i: tensor<?x2xi64>) -> index {
  %c0 = arith.constant 0 : index
  %t, %e, %r, %v = moe.assign %i : tensor<?x2xi64> -> !list, !list, !list, !mask
  %a = tensor.dim %e, %c0 : !list
  return %a : index
}

// CHECK-LABEL: func.func @lists
// CHECK-DAG: %[[N:.+]] = tensor.dim %arg1, %c0
// CHECK-DAG: %[[V:.+]] = tensor.dim %arg4, %c0
// CHECK: return %[[V]], %[[N]], %[[N]], %c5
func.func @lists(%s: !scores, %t: !list, %e: !list, %r: !list, %v: !mask, %value: tensor<?xf32>) -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %kept = moe.filter greater_than %t, %e, %r, %v value(%value) {theta = 0.5 : f64} : !list, !list, !list, !mask, tensor<?xf32> -> !mask
  %w = moe.weigh gather %s, %t, %e, %r, %v : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64} : !list, !list, !list, !mask -> !list, !mask, !list, !list
  %a = tensor.dim %kept, %c0 : !mask
  %b = tensor.dim %w, %c0 : tensor<?xf32>
  %c = tensor.dim %slot, %c0 : !list
  %d = tensor.dim %offset, %c0 : !list
  return %a, %b, %c, %d : index, index, index, index
}

// Blocks of 16 need 4 · 15 rows more at most.
// CHECK-LABEL: func.func @ragged
// CHECK: %[[T:.+]] = tensor.dim %arg1, %c0
// CHECK: %[[N:.+]] = arith.muli %[[T]], %c2
// CHECK: %[[R:.+]] = arith.addi %[[N]], %c60
// CHECK: %[[H:.+]] = tensor.dim %arg0, %c1
// CHECK: return %[[R]], %[[H]], %arg2, %[[H]]
func.func @ragged(%x: tensor<?x?xf32>, %c: !scores, %T: index) -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %w = moe.weigh gather %c, %t, %e, %r, %v : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64, pad_to = 16 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset : tensor<?x?xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x?xf32>
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x?xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x?xf32>
  %a = tensor.dim %rows, %c0 : tensor<?x?xf32>
  %b = tensor.dim %rows, %c1 : tensor<?x?xf32>
  %d = tensor.dim %y, %c0 : tensor<?x?xf32>
  %f = tensor.dim %y, %c1 : tensor<?x?xf32>
  return %a, %b, %d, %f : index, index, index, index
}

// CHECK-LABEL: func.func @padded
// CHECK: %[[T:.+]] = tensor.dim %arg1, %c0
// CHECK: %[[N:.+]] = arith.muli %[[T]], %c5
// CHECK: %[[Q:.+]] = arith.divsi %[[N]], %c16
// CHECK: %[[C:.+]] = arith.maxsi %[[Q]], %c4
// CHECK: return %c4, %[[C]], %[[C]], %c24
func.func @padded(%x: tensor<?x8xf32>, %c: !scores, %w1: tensor<4x10x8xf32>, %w2: tensor<4x24x10xf32>) -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores {k = 1 : i64} -> !list, !list, !list, !mask, !kth
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64, layout = #moe<slot_layout padded>,
      capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = floor, minimum = 4>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch padded %x, %t, %e, %slot, %keep, %offset : tensor<?x8xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x?x8xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x10x8xf32>) down(%w2 : tensor<4x24x10xf32>) {ffn = #moe.ffn<activation = relu>}
      : tensor<?x?x8xf32>, tensor<5xi32> -> tensor<?x?x?xf32>
  %a = tensor.dim %rows, %c0 : tensor<?x?x8xf32>
  %b = tensor.dim %rows, %c1 : tensor<?x?x8xf32>
  %d = tensor.dim %y, %c1 : tensor<?x?x?xf32>
  %f = tensor.dim %y, %c2 : tensor<?x?x?xf32>
  return %a, %b, %d, %f : index, index, index, index
}

// Each sequence of S tokens has its own C slots of an expert: ceil(T / S)·C rows.
// CHECK-LABEL: func.func @padded_groups
// CHECK-DAG: %[[T:.+]] = tensor.dim %arg1, %c0
// CHECK-DAG: %[[SOME:.+]] = arith.maxsi %arg2, %c1
// CHECK-DAG: %[[SIZE:.+]] = arith.minsi %[[SOME]], %c2147483647
// CHECK-DAG: %[[G:.+]] = arith.ceildivui %[[T]], %[[SIZE]]
// CHECK-DAG: %[[TOKENS:.+]] = arith.minsi %[[T]], %[[SIZE]]
// CHECK-DAG: %[[Q:.+]] = arith.divsi %[[TOKENS]], %c4
// CHECK-DAG: %[[C:.+]] = arith.maxsi %[[Q]], %c0
// CHECK: %[[ROWS:.+]] = arith.muli %[[G]], %[[C]]
// CHECK: return %c4, %[[ROWS]]
func.func @padded_groups(%x: tensor<?x8xf32>, %c: !scores, %S: index) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores {k = 1 : i64} -> !list, !list, !list, !mask, !kth
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v groups_of(%S) {experts = 4 : i64, layout = #moe<slot_layout padded>,
      capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = floor>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch padded %x, %t, %e, %slot, %keep, %offset : tensor<?x8xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x?x8xf32>
  %a = tensor.dim %rows, %c0 : tensor<?x?x8xf32>
  %b = tensor.dim %rows, %c1 : tensor<?x?x8xf32>
  return %a, %b : index, index
}

// Slots that come from elsewhere say nothing of the rows: the question stays.
// CHECK-LABEL: func.func @unknown_slots
// CHECK: %[[R:.+]] = moe.dispatch
// CHECK: tensor.dim %[[R]], %c0
func.func @unknown_slots(%x: tensor<?x8xf32>, %t: !list, %slot: !list, %keep: !mask, %offset: tensor<5xi32>) -> index {
  %c0 = arith.constant 0 : index
  %rows = moe.dispatch ragged %x, %t, %t, %slot, %keep, %offset : tensor<?x8xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x8xf32>
  %a = tensor.dim %rows, %c0 : tensor<?x8xf32>
  return %a : index
}

// CHECK-LABEL: func.func @stats
// CHECK: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK: %[[G:.+]] = arith.ceildivui %[[T]], %c32
// CHECK: return %[[G]]
func.func @stats(%s: !scores, %t: !list, %e: !list, %r: !list, %v: !mask) -> index {
  %c0 = arith.constant 0 : index
  %f, %p = moe.stats %s, %t, %e, %r, %v {group_size = 32 : i64} : !scores, !list, !list, !list, !mask -> tensor<?x?xf32>, tensor<?x?xf32>
  %a = tensor.dim %p, %c0 : tensor<?x?xf32>
  return %a : index
}

// CHECK-LABEL: func.func @stats_groups
// CHECK-DAG: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK-DAG: %[[SOME:.+]] = arith.maxsi %arg5, %c1
// CHECK-DAG: %[[SIZE:.+]] = arith.minsi %[[SOME]], %c2147483647
// CHECK: %[[G:.+]] = arith.ceildivui %[[T]], %[[SIZE]]
// CHECK: return %[[G]]
func.func @stats_groups(%s: !scores, %t: !list, %e: !list, %r: !list, %v: !mask, %n: index) -> index {
  %c0 = arith.constant 0 : index
  %f, %p = moe.stats %s, %t, %e, %r, %v groups_of(%n) : !scores, !list, !list, !list, !mask -> tensor<?x?xf32>, tensor<?x?xf32>
  %a = tensor.dim %p, %c0 : tensor<?x?xf32>
  return %a : index
}

// CHECK-LABEL: func.func @dequant
// CHECK: return %c8, %c96
func.func @dequant(%codes: tensor<8x64x48xi8>, %scales: tensor<8x64x3xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %w = moe.dequant %codes scales(%scales : tensor<8x64x3xf32>) <format = int4_group, group_size = 32> : tensor<8x64x48xi8> -> tensor<8x64x96xf32>
  %a = tensor.dim %w, %c0 : tensor<8x64x96xf32>
  %b = tensor.dim %w, %c2 : tensor<8x64x96xf32>
  return %a, %b : index, index
}

// An even exchange keeps the sizes.
// CHECK-LABEL: func.func @exchange
// CHECK: %[[R:.+]] = tensor.dim %arg0, %c0
// CHECK: %[[H:.+]] = tensor.dim %arg0, %c1
// CHECK: return %[[R]], %[[H]]
func.func @exchange(%rows: tensor<?x?xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %y = moe.all_to_all %rows group("experts") : tensor<?x?xf32> -> tensor<?x?xf32>
  %a = tensor.dim %y, %c0 : tensor<?x?xf32>
  %b = tensor.dim %y, %c1 : tensor<?x?xf32>
  return %a, %b : index, index
}

// With counts, how many rows come is not known before: the question stays.
// CHECK-LABEL: func.func @exchange_counts
// CHECK: %[[Y:.+]] = moe.all_to_all
// CHECK: tensor.dim %[[Y]], %c0
func.func @exchange_counts(%rows: tensor<?x?xf32>, %n: tensor<4xi32>) -> index {
  %c0 = arith.constant 0 : index
  %y = moe.all_to_all %rows group("experts") send(%n : tensor<4xi32>) receive(%n : tensor<4xi32>) : tensor<?x?xf32> -> tensor<?x?xf32>
  %a = tensor.dim %y, %c0 : tensor<?x?xf32>
  return %a : index
}

// So it does for rows of any width whose slots nobody knows, and for slots of experts that choose where a capacity counts choices.
// CHECK-LABEL: func.func @unknown_slots_and_width
// CHECK: %[[R:.+]] = moe.dispatch
// CHECK: tensor.dim %[[R]], %c0
func.func @unknown_slots_and_width(%x: tensor<?x?xf32>, %t: !list, %slot: !list, %keep: !mask, %offset: tensor<5xi32>) -> index {
  %c0 = arith.constant 0 : index
  %rows = moe.dispatch ragged %x, %t, %t, %slot, %keep, %offset : tensor<?x?xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x?xf32>
  %a = tensor.dim %rows, %c0 : tensor<?x?xf32>
  return %a : index
}

// CHECK-LABEL: func.func @unknown_choices
// CHECK: %[[R:.+]] = moe.dispatch
// CHECK: tensor.dim %[[R]], %c1
func.func @unknown_choices(%x: tensor<?x?xf32>, %c: !scores) -> index {
  %c1 = arith.constant 1 : index
  %t, %e, %r, %v, %k = moe.select top_k %c : !scores
      {side = #moe<select_side expert>, capacity = #moe.capacity<base = tokens, numerator = 2, denominator = 1, rounding = ceil>}
      -> !list, !list, !list, !mask, !kth
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 4 : i64, layout = #moe<slot_layout padded>,
      capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 1, rounding = floor>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch padded %x, %t, %e, %slot, %keep, %offset : tensor<?x?xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x?x?xf32>
  %a = tensor.dim %rows, %c1 : tensor<?x?x?xf32>
  return %a : index
}

// CHECK-LABEL: func.func @layer
// CHECK: %[[T:.+]] = tensor.dim %arg0, %c0
// CHECK: return %[[T]], %c24
func.func @layer(%x: tensor<?x8xf32>, %z: tensor<?x4xf32>, %w1: tensor<4x10x8xf32>, %w2: tensor<4x24x10xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %y = moe.layer %x, %z gate(%w1 : tensor<4x10x8xf32>) down(%w2 : tensor<4x24x10xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>) : tensor<?x8xf32>, tensor<?x4xf32> -> tensor<?x?xf32>
  %a = tensor.dim %y, %c0 : tensor<?x?xf32>
  %b = tensor.dim %y, %c1 : tensor<?x?xf32>
  return %a, %b : index, index
}
