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
// CHECK: %[[FLIGHT:.*]] = moe.all_to_all_start %[[OUT]] group("mesh") send(%[[SEND]] : tensor<8xi32>) receive(%[[RECV]] : tensor<8xi32>) : tensor<?x64xf32>
// CHECK: %[[IN:.*]] = moe.all_to_all_wait %[[FLIGHT]], %[[OUT]]
// CHECK: %[[LOCAL:.*]] = moe.take_rows %[[IN]], %[[PLACE]]
// CHECK: %[[Y:.*]] = moe.experts %[[LOCAL]], %[[MINE]]
// CHECK: %[[ORDERED:.*]] = moe.take_rows %[[Y]], %[[ORIGIN]]
// CHECK: %[[RETURN:.*]] = moe.all_to_all_start %[[ORDERED]] group("mesh") send(%[[RECV]] : tensor<8xi32>) receive(%[[SEND]] : tensor<8xi32>)
// CHECK: %[[BACK:.*]] = moe.all_to_all_wait %[[RETURN]], %[[ORDERED]]
// CHECK: %[[OWN:.*]] = moe.sum_rows %[[BACK]], %[[SS]], %[[ROWS]], %[[W]]
// CHECK: %[[ALL:.*]] = moe.all_gather %[[OWN]] group("mesh") {devices = 8 : i64}
// CHECK-NOT: moe.combine
// CHECK: %[[BOTH:.*]] = arith.addf %[[ALL]]
// CHECK: return %[[BOTH]]

// In two chunks over two levels: both are sent off before the experts wait for the first, whose results go back before those of the second are computed. What a
// shared expert computes, which the model has behind the layer, comes while the rows travel.
// RUN: sed 's/equality = "bitwise">/equality = "bitwise", chunks = 2, per_node = 4>/;s/"direct"/"two_level"/' %s > %t.mlir
// RUN: moe-opt %t.mlir --moe-distribute-experts --moe-verify-distributed | FileCheck %s --check-prefix=CHUNKS
// CHUNKS-LABEL: func.func @layer
// CHUNKS: %[[MOST:.*]] = arith.muli
// CHUNKS: moe.shard_slots {{.*}} most(%[[MOST]]) {{.*}}chunks = 2
// CHUNKS: %[[F0:.*]] = moe.all_to_all_start {{.*}}per_node = 4
// CHUNKS: moe.shard_slots {{.*}} most(%[[MOST]]) {{.*}}{chunk = 1 : i64}
// CHUNKS: %[[F1:.*]] = moe.all_to_all_start
// CHUNKS: linalg.matmul
// CHUNKS: moe.all_to_all_wait %[[F0]]
// CHUNKS: moe.experts
// CHUNKS: %[[B0:.*]] = moe.all_to_all_start
// CHUNKS: moe.all_to_all_wait %[[F1]]
// CHUNKS: moe.experts
// CHUNKS: %[[B1:.*]] = moe.all_to_all_start
// CHUNKS: moe.all_to_all_wait %[[B0]]
// CHUNKS: %[[S0:.*]] = moe.sum_rows {{.*}} {chunks = 2 : i64, devices = 8 : i64}
// CHUNKS: moe.all_to_all_wait %[[B1]]
// CHUNKS: moe.sum_rows {{.*}} into(%[[S0]] : tensor<?x64xf32>) {chunk = 1 : i64, chunks = 2 : i64, devices = 8 : i64}
// CHUNKS: moe.all_gather

// A token crosses once to a node: the exchange knows whose rows it sends, on the way to the experts alone.
// RUN: sed 's/equality = "bitwise">/equality = "bitwise", per_node = 4, dedup = "node">/;s/"direct"/"two_level"/' %s | moe-opt --moe-distribute-experts | FileCheck %s --check-prefix=ONCE
// ONCE: %[[TOKEN:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} = moe.shard_slots
// ONCE: moe.all_to_all_start {{.*}} token(%[[TOKEN]] : tensor<?xi32>) {per_node = 4 : i64}
// ONCE: moe.experts
// ONCE-NOT: token(
// ONCE: moe.all_to_all_start

// FUSED-LABEL: func.func @layer
// FUSED: moe.route_permute
// FUSED-NOT: moe.slot_rows
// FUSED: moe.all_to_all_start
// FUSED: moe.grouped_matmul
// FUSED: moe.grouped_matmul
// FUSED: moe.all_to_all_start
// FUSED: moe.sum_rows {{.*}} fused
moe.mesh @mesh axes([#moe.axis<name = "node", size = 2, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>, #moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
moe.weight @w3 : tensor<64x64xf32> source(#moe.file<"m.onnx", offset = 589824, length = 16384>)
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
  %shared = moe.weight_ref @w3 : tensor<64x64xf32>
  %room = tensor.empty(%T) : tensor<?x64xf32>
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%room : tensor<?x64xf32>) -> tensor<?x64xf32>
  %always = linalg.matmul ins(%x, %shared : tensor<?x64xf32>, tensor<64x64xf32>) outs(%zeros : tensor<?x64xf32>) -> tensor<?x64xf32>
  %both = arith.addf %out, %always : tensor<?x64xf32>
  return %both : tensor<?x64xf32>
}
