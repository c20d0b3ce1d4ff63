// RUN: moe-opt %s --moe-distribute-heads --canonicalize --cse --moe-verify-distributed | FileCheck %s
// DOC: --moe-distribute-heads
moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)

// Four devices have two of eight query heads each; a rank of n those of 4/n devices. Two of them share a key head: of those ranks that both are have a copy each. The
// columns that make queries are computed for a rank's heads alone, and so is what follows; of a cache, which is a result as a whole, and of sinks a rank reads its own.
// CHECK-LABEL: func.func @attention
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x64xf32>, %{{.*}}: tensor<1x2x?x16xf32>
// CHECK-DAG: %[[R:.*]] = moe.num_ranks
// CHECK-DAG: %[[OWN:.*]] = arith.divui %c4, %[[R]]
// CHECK: %[[W:.*]] = moe.part_experts %{{.*}} {dim = 2 : i64, parts = 4 : i64} : tensor<64x128xf32> -> tensor<4x64x32xf32>
// CHECK: moe.grouped_matmul %[[X]] {{.*}} weight(%[[W]] : tensor<4x64x32xf32>)
// CHECK-NOT: moe.all_gather
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<1x?x?x16xf32>)
// CHECK: %[[CACHE:.*]] = moe.concat axis 2 {{.*}} -> tensor<1x2x?x16xf32>
// CHECK: %[[KEYS:.*]] = tensor.extract_slice %[[CACHE]][0, %{{.*}}, 0, 0] [1, %{{.*}}, %{{.*}}, 16] [1, 1, 1, 1] : tensor<1x2x?x16xf32> to tensor<1x?x?x16xf32>
// CHECK: %[[SINK:.*]] = tensor.extract_slice %{{.*}} : tensor<8xf32> to tensor<?xf32>
// CHECK: %[[PART:.*]]:2 = moe.attention q(%{{.*}} : tensor<1x?x?x16xf32>) k(%[[KEYS]] : tensor<1x?x?x16xf32>) v(%[[KEYS]] : tensor<1x?x?x16xf32>) sink(%[[SINK]] : tensor<?xf32>)
// CHECK: tensor.expand_shape %[[PART]]#0 {{.*}} into tensor<1x?x2x?x16xf32>
// CHECK: %[[ALL:.*]] = moe.all_gather %{{.*}} tokens(%{{.*}}) unit(%{{.*}}) group("mesh") {devices = 4 : i64} : tensor<?x16xf32> -> tensor<?x16xf32>
// CHECK: tensor.expand_shape %[[ALL]] {{.*}} into tensor<4x1x2x?x16xf32>
// CHECK: return %{{.*}}, %[[CACHE]]
moe.weight @wq : tensor<64x128xf32> source(#moe.file<"m.bin", offset = 0, length = 32768>)
func.func @attention(%x: tensor<?x64xf32>, %past: tensor<1x2x?x16xf32>, %new: tensor<1x2x?x16xf32>, %sink: tensor<8xf32>) -> (tensor<1x8x?x16xf32>, tensor<1x2x?x16xf32>) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c255 = arith.constant 255 : index
  %c256 = arith.constant 256 : index
  %start = arith.constant 0.0 : f32
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %P = tensor.dim %past, %c2 : tensor<1x2x?x16xf32>
  %N = tensor.dim %new, %c2 : tensor<1x2x?x16xf32>
  %S = arith.addi %P, %N : index
  %w = moe.weight_ref @wq : tensor<64x128xf32>
  %e = tensor.empty(%T) : tensor<?x128xf32>
  %f = linalg.fill ins(%start : f32) outs(%e : tensor<?x128xf32>) -> tensor<?x128xf32>
  %y = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">>}
      ins(%x, %w : tensor<?x64xf32>, tensor<64x128xf32>) outs(%f : tensor<?x128xf32>) -> tensor<?x128xf32>
  %heads = tensor.expand_shape %y [[0, 1], [2, 3]] output_shape [1, %T, 8, 16] : tensor<?x128xf32> into tensor<1x?x8x16xf32>
  %qe = tensor.empty(%T) : tensor<1x8x?x16xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(b, h, t, d) -> (b, t, h, d)>, affine_map<(b, h, t, d) -> (b, h, t, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%heads : tensor<1x?x8x16xf32>) outs(%qe : tensor<1x8x?x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %in : f32
    linalg.yield %s : f32
  } -> tensor<1x8x?x16xf32>
  %ke = tensor.empty(%S) : tensor<1x2x?x16xf32>
  %k = moe.concat axis 2 ins(%past, %new : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>) outs(%ke : tensor<1x2x?x16xf32>) -> tensor<1x2x?x16xf32>
  %oe = tensor.empty(%T) : tensor<1x8x?x16xf32>
  %more = arith.addi %S, %c255 : index
  %chunks = arith.divui %more, %c256 : index
  %se = tensor.empty(%chunks) : tensor<1x2x?x864xf32>
  %o:2 = moe.attention q(%q : tensor<1x8x?x16xf32>) k(%k : tensor<1x2x?x16xf32>) v(%k : tensor<1x2x?x16xf32>) sink(%sink : tensor<8xf32>) outs(%oe, %se : tensor<1x8x?x16xf32>, tensor<1x2x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">}
      -> tensor<1x8x?x16xf32>, tensor<1x2x?x864xf32>
  return %o#0, %k : tensor<1x8x?x16xf32>, tensor<1x2x?x16xf32>
}

// DOC END
