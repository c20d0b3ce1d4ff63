// What a route_permute and two products cannot say stays as it is, and the remark says what it was.
// RUN: moe-opt %s --moe-fuse-route-permute --verify-diagnostics | FileCheck %s
// CHECK-NOT: moe.route_permute

func.func private @use(%c: tensor<8xi32>)
func.func private @use2(%c: tensor<?x8xf32>)

func.func @capacity(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = ceil>, experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: moe.slots has a capacity; expected dropless}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @group_size(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64, group_size = 16 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: moe.slots has groups of tokens}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @filtered(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %f = moe.filter greater_than %t, %e, %r, %v value(%w) {theta = 2.0e-01 : f64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %f {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: a moe.filter drops assignments before moe.slots}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @weights_in(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off weights(%w : tensor<?xf32>) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: moe.dispatch scales rows by weights}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @mode(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select threshold %choice : tensor<?x8xf32> {threshold = 2.0e-02 : f64, k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: the select mode threshold has no kernel}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @side(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>, side = #moe<select_side expert>} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: the experts choose in moe.select; expected side token}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @after_drop(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v keep(%keep : tensor<?xi1>) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: moe.weigh normalises after the drop}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @other_lists(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: moe.slots, moe.dispatch and moe.combine do not use the same assignments}}
  %out = moe.combine %y, %r, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @other_slots(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>, %n: tensor<9xi32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %n gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: moe.dispatch, moe.experts and moe.combine do not use the same moe.slots}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @region(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
  ^bb0(%a: tensor<?x64xf32>):
    moe.yield %a : tensor<?x64xf32>
  }
  // expected-remark @below {{the layer is not fused: moe.experts computes a region instead of an ffn with gate and down weights}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @no_experts(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-remark @below {{the layer is not fused: the rows of moe.combine do not come from moe.experts with an ffn (experts of a region are ordinary code)}}
  %out = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

func.func @slots_used(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  func.call @use(%count) : (tensor<8xi32>) -> ()
  // expected-remark @below {{the layer is not fused: a result of moe.slots is used by func.call outside of the layer}}
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

