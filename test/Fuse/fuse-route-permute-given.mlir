// Routers that the kernel cannot compute from logits: their ops stay, and it is given what they chose, with its weights, as matrices.
// RUN: moe-opt %s --moe-fuse-route-permute | FileCheck %s --implicit-check-not=moe.slots --implicit-check-not=moe.combine --implicit-check-not=moe.experts
func.func private @use2(%c: tensor<?x8xf32>)

// CHECK-LABEL: func.func @noise(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @noise(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>, %n: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits noise(%n : tensor<?x8xf32>) {noise_to = #moe<noise_target choice>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @bias(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @bias(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>, %n: tensor<8xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits bias(%n : tensor<8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @padded_tokens(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @padded_tokens(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>, %n: tensor<?xi1>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits valid(%n : tensor<?xi1>) : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @temperature(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @temperature(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits {temperature = 2.0 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @token_axis(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @token_axis(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits {axis = #moe<score_axis token>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @function(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @function(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score sqrt_softplus %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @basis(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @basis(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits {choice_basis = #moe<choice_basis logits>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @choice(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @choice(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %scores : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @groups(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @groups(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {groups = #moe.groups<count = 4, keep = 2, top_r = 1, mask = neg_inf>, k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @epsilon(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @epsilon(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v {epsilon = 1.0e-20 : f64, epsilon_mode = #moe<epsilon_mode add>, norm = #moe<weight_norm l1>} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @lp(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @lp(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v {norm = #moe<weight_norm lp>, p = 2.0 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @sparse_mixer(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @sparse_mixer(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh sparse_mixer %scores, %t, %e, %r, %v {jitter = 1.0e-02 : f64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @other_scores(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @other_scores(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %logits, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @not_logits(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @not_logits(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh softmax_selected %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @given_weights(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %{{.*}} {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @given_weights(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>, %n: tensor<?xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %n tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @scores_used(
// CHECK: moe.score
// CHECK: %{{.*}}, %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = moe.select
// CHECK: %[[W:.*]] = moe.weigh
// CHECK: %[[EM:.*]] = tensor.expand_shape %[[E]] {{.*}} : tensor<?xi32> into tensor<?x2xi32>
// CHECK: %[[WM:.*]] = tensor.expand_shape %[[W]] {{.*}} : tensor<?xf32> into tensor<?x2xf32>
// CHECK: moe.route_permute indices(%[[EM]] : tensor<?x2xi32>) weights(%[[WM]] : tensor<?x2xf32>)
func.func @scores_used(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %T: index, %w1: tensor<8x96x64xf32>, %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  func.call @use2(%scores) : (tensor<?x8xf32>) -> ()
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}
