// RUN: moe-opt %s --moe-distribute-experts --moe-verify-distributed | FileCheck %s
// The routing of the layer becomes the kernel that it is without a mesh, its sums those of that kernel.
// RUN: moe-opt %s --moe-distribute-pipeline --moe-fuse-pipeline | FileCheck %s --check-prefix=FUSED

// Eight experts over groups of four devices, two groups: rows go out, results come back by the counts of the other direction.
// DOC: --moe-distribute-experts
// CHECK-LABEL: func.func @layer
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x64xf32>
// CHECK-NOT: moe.dispatch
// CHECK: %[[ROWS:.*]], %[[W:.*]], %[[OFF:.*]] = moe.slot_rows
// CHECK: %[[ST:.*]], %[[SS:.*]], %[[SEND:.*]], %[[RECV:.*]], %[[PLACE:.*]], %[[ORIGIN:.*]], %[[MINE:.*]] = moe.shard_slots %[[ROWS]], %[[OFF]]
// CHECK: %[[OUT:.*]] = moe.take_rows %[[X]], %[[ST]]
// CHECK: %[[IN:.*]] = moe.all_to_all %[[OUT]] group("mesh") send(%[[SEND]] : tensor<8xi32>) receive(%[[RECV]] : tensor<8xi32>) {bounded}
// CHECK: %[[LOCAL:.*]] = moe.take_rows %[[IN]], %[[PLACE]]
// CHECK: %[[Y:.*]] = moe.experts %[[LOCAL]], %[[MINE]]
// CHECK: %[[ORDERED:.*]] = moe.take_rows %[[Y]], %[[ORIGIN]]
// CHECK: %[[BACK:.*]] = moe.all_to_all %[[ORDERED]] group("mesh") send(%[[RECV]] : tensor<8xi32>) receive(%[[SEND]] : tensor<8xi32>) {bounded}
// CHECK: %[[OWN:.*]] = moe.sum_rows %[[BACK]], %[[SS]], %[[ROWS]], %[[W]]
// CHECK: %[[ALL:.*]] = moe.all_gather %[[OWN]] group("mesh") {devices = 8 : i64}
// CHECK-NOT: moe.combine
// CHECK: return %[[ALL]]

// FUSED-LABEL: func.func @layer
// FUSED: moe.route_permute
// FUSED-NOT: moe.slot_rows
// FUSED: moe.all_to_all
// FUSED: moe.grouped_matmul
// FUSED: moe.grouped_matmul
// FUSED: moe.all_to_all
// FUSED: moe.sum_rows {{.*}} fused
moe.mesh @mesh axes([#moe.axis<name = "node", size = 2, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>, #moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
func.func @layer(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<8x64x96xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v {norm = #moe<weight_norm l1>}
    : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 8 : i64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<8x192x64xf32>) down(%w2 : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">,
     plan = #moe.plan<packing = gate_up16, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 2, slots = [0, 1, 2, 3, 4, 5, 6, 7], algorithm = "direct", equality = "bitwise">>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}
