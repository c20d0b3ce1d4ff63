// RUN: split-file %s %t
// Many tokens and room for all experts: copies on each device, nothing travels. Few tokens, for which reading weights is the work: experts are shared out.
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=node=2,rank=4 plan-tokens=65536" 2>&1 | FileCheck %s --check-prefix=COPIES
// RUN: moe-opt %t/small.mlir --moe-plan-sharding | FileCheck %s
// RUN: moe-opt %t/small.mlir --moe-plan-sharding=explain=true -o /dev/null 2>&1 | FileCheck %s --check-prefix=WHY
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 expert-parallel=4 profile=%t/load.json" | FileCheck %s --check-prefix=LOAD
// RUN: moe-opt %t/pinned.mlir --moe-plan-sharding | FileCheck %s --check-prefix=PINNED
// Without a mesh nothing changes.
// RUN: moe-opt %t/layer.mlir -o %t/plain.mlir && moe-opt %t/layer.mlir --moe-plan-sharding | diff %t/plain.mlir -

// COPIES: remark: op 'moe.experts' of layer 'layer0': 8 experts over 1 device, a copy of all on each of 8, 8 a device; {{.*}} us expected for 8192 tokens a device:
// COPIES: moe.mesh @mesh axes([#moe.axis<name = "node", size = 2, {{.*}}>, #moe.axis<name = "rank", size = 4,
// COPIES: sharding = <mesh = @mesh, axes = [], ep = 1, edp = 8, slots = [{{[0-9, ]+}}], algorithm = "direct", equality = "bitwise",

// A device with one MiB does not hold all experts.
// CHECK: moe.experts {{.*}}sharding = <mesh = @mesh, axes = ["node", "rank"], ep = 8, edp = 1, slots = [{{[0-9, ]+}}], algorithm = "direct", equality = "bitwise",
// CHECK-SAME: estimate = <total_us = {{[^,]+}}, {{.*}}tokens = 128, dispatch_bytes = {{[0-9]+}}, {{.*}}solver = "exact", profile = "none", gather_us = {{[0-9.e+]+}} : f64>

// WHY: remark: op 'moe.experts' of layer 'layer0': 8 experts over 8 devices (node, rank), 1 a device;
// WHY: note: chosen: ep8 etp1 edp1 slots1 direct
// WHY: note: next best: ep4 etp1 edp2 {{.*}} us, +{{.*}} % of the chosen one's time
// WHY: note: then: ep2
// WHY: note: then: ep1 {{.*}} a device, more than there is

// The expert that most tokens choose has most slots.
// LOAD: ep = 4, edp = 1, slots = [1, 0, 3, 0, 3, 6, 2, 4, 7, 0, 5, 1], {{.*}}solver = "exact", profile = "sha256:{{[0-9a-f]+}}"

// What the user wants of the way that rows travel: over two levels, a token once to a node, in four parts.
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=node=2,rank=4 expert-parallel=8 exchange=two_level_dedup exchange-chunks=4" | FileCheck %s --check-prefix=WAY
// WAY: ep = 8, edp = 1, slots = [{{[0-9, ]+}}], algorithm = "two_level", equality = "bitwise", chunks = 4, per_node = 4, dedup = "node"

// PINNED: sharding = <mesh = @mesh, axes = ["rank"], ep = 4, edp = 2, slots = [7, 6, 5, 4, 3, 2, 1, 0], algorithm = "direct", equality = "bitwise", pinned = true,
// PINNED-SAME: solver = "pinned"

//--- layer.mlir
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
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

//--- small.mlir
// DOC: --moe-plan-sharding
moe.mesh @mesh axes([#moe.axis<name = "node", size = 2, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>, #moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1, comm_compute_slowdown = 0.0>)
moe.weight @w1 : tensor<8x384x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 786432>)
moe.weight @w2 : tensor<8x64x192xf32> source(#moe.file<"m.onnx", offset = 786432, length = 393216>)
func.func @layer(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x384x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<8x64x192xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v {norm = #moe<weight_norm l1>}
    : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 8 : i64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<8x384x64xf32>) down(%w2 : tensor<8x64x192xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}
// DOC END

//--- pinned.mlir
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
     plan = #moe.plan<packing = gate_up16, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = [], ep = 4, edp = 2, slots = [7, 6, 5, 4, 3, 2, 1, 0], algorithm = "direct", equality = "bitwise", pinned = true>>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

//--- load.json
{"version": 1, "layers": [{"name": "layer0", "experts": 8, "top_k": 2, "windows": [[90, 20, 20, 20, 20, 10, 10, 10], [80, 30, 20, 20, 20, 10, 10, 10]]}]}
