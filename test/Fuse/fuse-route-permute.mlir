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
// CHECK: %[[R:.*]]:3 = moe.route_permute logits(%[[Z]] : tensor<?x8xf32>) outs(%[[R0]], %[[W0]], %[[O0]] :
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
