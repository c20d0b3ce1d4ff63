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

// Of the caches of a model, which nobody reads but attention, a rank takes and gives its own heads: their number is the caller's, and nothing is gathered of new rows. The
// second layer's keys are normed for all heads by somebody else: that cache stays whole, as is one that is no input.
// CHECK-LABEL: func.func @decode
// CHECK-SAME: %[[PK:[^:]+]]: tensor<1x?x?x16xf32> {moe.dims = ["1", "?", "past", "16"], moe.name = "past_k", moe.part = array<i64: 1, 2, 1>}
// CHECK-SAME: %[[PV:[^:]+]]: tensor<1x?x?x16xf32> {moe.part = array<i64: 1, 2, 1>}, %[[OTHER:[^:]+]]: tensor<1x2x?x16xf32>
// CHECK-SAME: -> (tensor<1x8x?x16xf32>, tensor<1x?x?x16xf32> {moe.part = array<i64: 1, 2, 1>}, tensor<1x?x?x16xf32> {moe.dims = ["1", "?", "total", "16"], moe.part = array<i64: 1, 2, 1>}, tensor<1x8x?x16xf32>, tensor<1x2x?x16xf32>)
// CHECK: %[[NEW:.*]] = tensor.extract_slice %{{.*}} : tensor<1x2x?x16xf32> to tensor<1x?x?x16xf32>
// CHECK: %[[HEADS:.*]] = tensor.dim %[[PK]], %c1
// CHECK: %[[INTO:.*]] = tensor.empty(%[[HEADS]], %{{.*}}) : tensor<1x?x?x16xf32>
// CHECK: %[[K:.*]] = moe.concat axis 2 ins(%[[PK]], %[[NEW]] : tensor<1x?x?x16xf32>, tensor<1x?x?x16xf32>) outs(%[[INTO]] :
// CHECK: %[[V:.*]] = moe.append past(%[[PV]] : tensor<1x?x?x16xf32>) new(%[[NEW]] :
// CHECK: moe.attention {{.*}} k(%[[K]] : tensor<1x?x?x16xf32>) v(%[[V]] : tensor<1x?x?x16xf32>)
// CHECK: %[[WHOLE:.*]] = moe.concat axis 2 ins(%[[OTHER]], {{.*}} -> tensor<1x2x?x16xf32>
// CHECK: tensor.extract_slice %[[WHOLE]]
// CHECK: return %{{.*}}, %[[K]], %[[V]], %{{.*}}, %[[WHOLE]]
func.func @decode(%q: tensor<1x8x?x16xf32>, %past_k: tensor<1x2x?x16xf32> {moe.dims = ["1", "2", "past", "16"], moe.name = "past_k"}, %past_v: tensor<1x2x?x16xf32>, %other: tensor<1x2x?x16xf32>,
                  %new: tensor<1x2x?x16xf32>, %at: tensor<1xi64>)
    -> (tensor<1x8x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32> {moe.dims = ["1", "2", "total", "16"]}, tensor<1x8x?x16xf32>, tensor<1x2x?x16xf32>) attributes {moe.entry} {
  %c2 = arith.constant 2 : index
  %c255 = arith.constant 255 : index
  %c256 = arith.constant 256 : index
  %T = tensor.dim %q, %c2 : tensor<1x8x?x16xf32>
  %P = tensor.dim %past_k, %c2 : tensor<1x2x?x16xf32>
  %N = tensor.dim %new, %c2 : tensor<1x2x?x16xf32>
  %S = arith.addi %P, %N : index
  %ke = tensor.empty(%S) : tensor<1x2x?x16xf32>
  %k = moe.concat axis 2 ins(%past_k, %new : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>) outs(%ke : tensor<1x2x?x16xf32>) -> tensor<1x2x?x16xf32>
  %ve = tensor.empty(%S) : tensor<1x2x?x16xf32>
  %v = moe.append past(%past_v : tensor<1x2x?x16xf32>) new(%new : tensor<1x2x?x16xf32>) at(%at : tensor<1xi64>) outs(%ve : tensor<1x2x?x16xf32>) -> tensor<1x2x?x16xf32>
  %oe = tensor.empty(%T) : tensor<1x8x?x16xf32>
  %more = arith.addi %S, %c255 : index
  %chunks = arith.divui %more, %c256 : index
  %se = tensor.empty(%chunks) : tensor<1x2x?x864xf32>
  %o:2 = moe.attention q(%q : tensor<1x8x?x16xf32>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) outs(%oe, %se : tensor<1x8x?x16xf32>, tensor<1x2x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">}
      -> tensor<1x8x?x16xf32>, tensor<1x2x?x864xf32>
  %ge = tensor.empty(%S) : tensor<1x2x?x16xf32>
  %g = moe.concat axis 2 ins(%other, %new : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>) outs(%ge : tensor<1x2x?x16xf32>) -> tensor<1x2x?x16xf32>
  %flat = tensor.collapse_shape %g [[0, 1, 2], [3]] : tensor<1x2x?x16xf32> into tensor<?x16xf32>
  %ne = tensor.empty(%S) : tensor<1x2x?x16xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (c, d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%flat : tensor<?x16xf32>) outs(%ne : tensor<1x2x?x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<1x2x?x16xf32>
  %pe = tensor.empty(%T) : tensor<1x8x?x16xf32>
  %te = tensor.empty(%chunks) : tensor<1x2x?x864xf32>
  %p:2 = moe.attention q(%q : tensor<1x8x?x16xf32>) k(%g : tensor<1x2x?x16xf32>) v(%n : tensor<1x2x?x16xf32>) outs(%pe, %te : tensor<1x8x?x16xf32>, tensor<1x2x?x864xf32>)
      {scale = 2.5e-01 : f64, moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">}
      -> tensor<1x8x?x16xf32>, tensor<1x2x?x864xf32>
  return %o#0, %k, %v, %p#0, %g : tensor<1x8x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x8x?x16xf32>, tensor<1x2x?x16xf32>
}

// DOC END
