// RUN: moe-opt %s --split-input-file --moe-fuse-route-permute | FileCheck %s

// A recognised router, gated experts with one gate and up tensor, and the plan of the experts.

// CHECK-LABEL: func.func @router(
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x64xf32>, %[[Z:[^:]+]]: tensor<?x8xf32>
// CHECK: %[[T:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK: %[[C2:.*]] = arith.constant 2 : index
// CHECK: %[[S:.*]] = arith.muli %[[T]], %[[C2]] : index
// CHECK: %[[R0:.*]] = tensor.empty(%[[S]]) : tensor<?xi32>
// CHECK: %[[W0:.*]] = tensor.empty(%[[S]]) : tensor<?xf32>
// CHECK: %[[O0:.*]] = tensor.empty() : tensor<9xi32>
// CHECK: %[[C0:.*]] = tensor.empty(%[[S]]) : tensor<?xi32>
// CHECK: %[[CW0:.*]] = tensor.empty(%[[S]]) : tensor<?xf32>
// CHECK: %[[R:.*]]:5 = moe.route_permute logits(%[[Z]] : tensor<?x8xf32>) outs(%[[R0]], %[[W0]], %[[O0]], %[[C0]], %[[CW0]] :
// CHECK-SAME: router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>
// CHECK: %[[H0:.*]] = tensor.empty(%[[S]]) : tensor<?x96xf32>
// CHECK: %[[H:.*]] = moe.grouped_matmul %[[X]] rows(%[[R]]#0 : tensor<?xi32>) offsets(%[[R]]#2 : tensor<9xi32>)
// CHECK-SAME: weight(%{{.*}} : tensor<8x192x64xf32>) outs(%[[H0]] : tensor<?x96xf32>)
// CHECK-SAME: ffn = #moe.ffn<activation = silu, gate = halves>
// CHECK-SAME: origin = #moe.origin<"layer0", "mlir">
// CHECK-SAME: plan = #moe.plan<packing = gate_up16, activations = "f32">
// CHECK: %[[Y0:.*]] = tensor.empty(%[[T]]) : tensor<?x64xf32>
// CHECK: %[[Y:.*]] = moe.grouped_matmul %[[H]] offsets(%[[R]]#2 : tensor<9xi32>) weight(%{{.*}} : tensor<8x64x96xf32>)
// CHECK-SAME: combine(%[[R]]#0, %[[R]]#1 : tensor<?xi32>, tensor<?xf32>) outs(%[[Y0]] : tensor<?x64xf32>)
// CHECK-NOT: ffn
// CHECK-SAME: plan = #moe.plan<packing = panel32, activations = "f32">
// CHECK-NEXT: return %[[Y]]
// DOC: --moe-fuse-route-permute
moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
func.func @router(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<8x64x96xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v {norm = #moe<weight_norm l1>}
    : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<8x192x64xf32>) down(%w2 : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">,
     plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// -----

// A router that was not recognised: indices and weights come from elsewhere; separate gate and up, in_out, biases, static T, K = 1.

// CHECK-LABEL: func.func @assigned(
// CHECK-SAME: %[[X:[^:]+]]: tensor<6x64xf32>, %[[I:[^:]+]]: tensor<6x1xi64>, %[[V:[^:]+]]: tensor<?xf32>
// CHECK-NOT: muli
// CHECK: %[[W:.*]] = tensor.expand_shape %{{.*}} {{\[\[}}0, 1]] output_shape [6, 1] : tensor<6xf32> into tensor<6x1xf32>
// CHECK: %[[R:.*]]:3 = moe.route_permute indices(%[[I]] : tensor<6x1xi64>) weights(%[[W]] : tensor<6x1xf32>)
// CHECK-SAME: {experts = 4 : i64} -> tensor<6xi32>, tensor<6xf32>, tensor<5xi32>
// CHECK: %[[H:.*]] = moe.grouped_matmul %[[X]] rows(%[[R]]#0 : tensor<6xi32>) offsets(%[[R]]#2 : tensor<5xi32>)
// CHECK-SAME: weight(%{{.*}} : tensor<4x64x24xf32>) bias(%{{.*}} : tensor<4x24xf32>) up(%{{.*}} : tensor<4x64x24xf32>) up_bias(%{{.*}} : tensor<4x24xf32>)
// CHECK-SAME: outs(%{{.*}} : tensor<6x24xf32>)
// CHECK-SAME: order = #moe<weight_order in_out>
// CHECK: %[[Y:.*]] = moe.grouped_matmul %[[H]] {{.*}} bias(%{{.*}} : tensor<4x64xf32>) combine(
// CHECK-SAME: order = #moe<weight_order in_out>
// CHECK: %[[C:.*]] = tensor.cast %[[Y]] : tensor<?x64xf32> to tensor<?x?xf32>
// CHECK-NEXT: return %[[C]]
func.func @assigned(%x: tensor<6x64xf32>, %indices: tensor<6x1xi64>, %weights: tensor<?xf32>, %w1: tensor<4x64x24xf32>, %b1: tensor<4x24xf32>,
    %w2: tensor<4x24x64xf32>, %b2: tensor<4x64xf32>) -> tensor<?x?xf32> {
  %T = arith.constant 6 : index
  %t, %e, %r, %v = moe.assign %indices : tensor<6x1xi64> -> tensor<6xi32>, tensor<6xi32>, tensor<6xi32>, tensor<6xi1>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 4 : i64}
    : tensor<6xi32>, tensor<6xi32>, tensor<6xi32>, tensor<6xi1> -> tensor<6xi32>, tensor<6xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off
    : tensor<6x64xf32>, tensor<6xi32>, tensor<6xi32>, tensor<6xi32>, tensor<6xi1>, tensor<5xi32> -> tensor<6x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<4x64x24xf32>) gate_bias(%b1 : tensor<4x24xf32>) up(%w1 : tensor<4x64x24xf32>)
    up_bias(%b1 : tensor<4x24xf32>) down(%w2 : tensor<4x24x64xf32>) down_bias(%b2 : tensor<4x64xf32>)
    {ffn = #moe.ffn<activation = silu, gate = separate>, order = #moe<weight_order in_out>} : tensor<6x64xf32>, tensor<5xi32> -> tensor<6x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %weights tokens(%T)
    : tensor<6x64xf32>, tensor<6xi32>, tensor<6xi32>, tensor<6xi32>, tensor<6xi1>, tensor<?xf32> -> tensor<?x?xf32>
  return %out : tensor<?x?xf32>
}

// -----

// Weights that a graph flattened from T×K are read as that matrix; all experts of all tokens in rank-major order.

// CHECK-LABEL: func.func @flattened(
// CHECK-SAME: %{{[^:]+}}: tensor<?x64xf32>, %[[I:[^:]+]]: tensor<?x2xi32>, %[[V:[^:]+]]: tensor<?x2xf32>
// CHECK-NOT: expand_shape
// CHECK: moe.route_permute indices(%[[I]] : tensor<?x2xi32>) weights(%[[V]] : tensor<?x2xf32>)
// CHECK: moe.route_permute logits(%{{.*}} : tensor<?x4xf32>)
// CHECK-SAME: router = #moe.router<function = identity, k = 4, source = softmax_selected, norm = none, scale = 2.500000e+00 : f64>
func.func @flattened(%x: tensor<?x64xf32>, %indices: tensor<?x2xi32>, %weights: tensor<?x2xf32>, %logits: tensor<?x4xf32>, %T: index,
    %w1: tensor<4x24x64xf32>, %w2: tensor<4x64x24xf32>) -> tensor<?x64xf32> {
  %t, %e, %r, %v = moe.assign %indices : tensor<?x2xi32> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %w = tensor.collapse_shape %weights [[0, 1]] : tensor<?x2xf32> into tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 4 : i64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %off gate(%w1 : tensor<4x24x64xf32>) down(%w2 : tensor<4x64x24xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x64xf32>, tensor<5xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>

  %s1, %c1 = moe.score identity %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %t1, %e1, %r1, %v1, %kth = moe.select all %c1 : tensor<?x4xf32> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %g1 = moe.weigh softmax_selected %logits, %t1, %e1, %r1, %v1 {scale = 2.5 : f64}
    : tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot1, %keep1, %count1, %off1 = moe.slots %t1, %e1, %r1, %v1 {experts = 4 : i64, order = #moe<slot_order rank_major>}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows1 = moe.dispatch ragged %out, %t1, %e1, %slot1, %keep1, %off1
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x64xf32>
  %y1 = moe.experts %rows1, %off1 gate(%w1 : tensor<4x24x64xf32>) down(%w2 : tensor<4x64x24xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x64xf32>, tensor<5xi32> -> tensor<?x64xf32>
  %out1 = moe.combine %y1, %t1, %e1, %slot1, %keep1, %g1 tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out1 : tensor<?x64xf32>
}
