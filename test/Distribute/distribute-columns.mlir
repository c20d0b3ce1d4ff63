// RUN: moe-opt %s --moe-distribute-columns --moe-verify-distributed | FileCheck %s
// DOC: --moe-distribute-columns
moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)

// Four devices have eight columns each. Of R ranks each computes those of 4/R devices, for all T rows, and gathers the rest; columns are put side by side.
// CHECK-LABEL: func.func @head_product
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x64xf32>
// CHECK: %[[T:.*]] = tensor.dim %[[X]]
// CHECK: %[[R:.*]] = moe.num_ranks
// CHECK: %[[OWN:.*]] = arith.divui %{{.*}}, %[[R]]
// CHECK: %[[SLOTS:.*]] = arith.muli %[[OWN]], %[[T]]
// CHECK: %[[ROWS:.*]] = linalg.generic
// CHECK: } -> tensor<?xi32>
// CHECK: %[[OFFSETS:.*]] = linalg.generic
// CHECK: } -> tensor<5xi32>
// CHECK: %[[W:.*]] = moe.part_experts %{{.*}} {dim = 2 : i64, parts = 4 : i64} : tensor<64x32xf32> -> tensor<4x64x8xf32>
// CHECK: %[[PART:.*]] = moe.grouped_matmul %[[X]] rows(%[[ROWS]] : tensor<?xi32>) offsets(%[[OFFSETS]] : tensor<5xi32>) weight(%[[W]] : tensor<4x64x8xf32>)
// CHECK-SAME: order = #moe<weight_order in_out>
// CHECK: %[[ALL:.*]] = moe.all_gather %[[PART]] tokens(%{{.*}}) unit(%{{.*}}) group("mesh") {devices = 4 : i64} : tensor<?x8xf32> -> tensor<?x8xf32>
// CHECK: %[[BLOCKS:.*]] = tensor.expand_shape %[[ALL]] {{.*}} into tensor<4x?x8xf32>
// CHECK: linalg.transpose ins(%[[BLOCKS]] : tensor<4x?x8xf32>) {{.*}} permutation = [1, 0, 2]
// CHECK: tensor.collapse_shape {{.*}} into tensor<?x32xf32>
// CHECK-NOT: linalg.matmul
moe.weight @head : tensor<64x32xf32> source(#moe.file<"m.bin", offset = 0, length = 8192>)
func.func @head_product(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f32
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w = moe.weight_ref @head : tensor<64x32xf32>
  %e = tensor.empty(%T) : tensor<?x32xf32>
  %f = linalg.fill ins(%start : f32) outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %y = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">>}
      ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// DOC END
