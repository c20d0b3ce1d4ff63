// RUN: split-file %s %t
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding=mesh=node=2,rank 2>&1 | FileCheck %s --check-prefix=SIZES
// SIZES: error: mesh: expected axes and their sizes, as in node=2,rank=4, or a JSON file, found 'node=2,rank'
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding=mesh=%t/none.json 2>&1 | FileCheck %s --check-prefix=FILE
// FILE: error: mesh: {{.*}}none.json: No such file or directory
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 expert-parallel=3" 2>&1 | FileCheck %s --check-prefix=DIVISOR
// DIVISOR: error: expert-parallel: expected a divisor of 4 devices, found 3
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="expert-parallel=2" 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: profile, expert-parallel, pin, replan-from and plan-report need a mesh
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 profile=%t/load.json" 2>&1 | FileCheck %s --check-prefix=PROFILE
// PROFILE: error: op 'moe.experts' of layer 'layer0' is not in the profile, which has layers 'other'
// RUN: not moe-opt %t/mesh.mlir --moe-plan-sharding="mesh=rank=4" 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: the model has a mesh already; --mesh would give another
// RUN: not moe-opt %t/full.mlir --moe-plan-sharding 2>&1 | FileCheck %s --check-prefix=MEMORY
// MEMORY: error: no sharding over the mesh: no plan fits: expected at most 1048576 bytes on a device, found
// RUN: not moe-opt %t/pinned.mlir --moe-plan-sharding 2>&1 | FileCheck %s --check-prefix=PINNED
// PINNED: error: op 'moe.experts' of layer 'layer0': plan of layer0: expected ep · etp · edp to be 8 devices, found 4
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 exchange=ring" 2>&1 | FileCheck %s --check-prefix=WAY
// WAY: error: exchange: expected auto, direct, two_level or two_level_dedup, found ring
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 exchange-chunks=-1" 2>&1 | FileCheck %s --check-prefix=CHUNKS
// CHUNKS: error: exchange-chunks: expected at least 1, or 0 to choose, found -1
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=node=3,rank=4 expert-split=3" 2>&1 | FileCheck %s --check-prefix=SPLIT
// SPLIT: error: expert-split: expected a divisor of the 4 devices of a node, or 0 to choose, found 3
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 between-layers=some" 2>&1 | FileCheck %s --check-prefix=BETWEEN
// BETWEEN: error: between-layers: expected auto, whole, batch, columns or heads, found some
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 plan-keys=-1" 2>&1 | FileCheck %s --check-prefix=KEYS
// KEYS: error: plan-keys: expected at least 1, or 0 for the tokens of a sequence, found -1
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 plan-sequences=2000" 2>&1 | FileCheck %s --check-prefix=SEQUENCES
// SEQUENCES: error: plan-sequences: expected 1 to 1024 (plan-tokens), found 2000
// RUN: sed 's/tensor<?x64/tensor<4x64/g;s/tensor<?x8/tensor<4x8/g;s/tensor<?x2/tensor<4x2/g;s/tensor<?x/tensor<8x/g' %t/layer.mlir > %t/static.mlir
// RUN: not moe-opt %t/static.mlir --moe-plan-sharding="mesh=rank=4 between-layers=batch" 2>&1 | FileCheck %s --check-prefix=STATIC
// STATIC: error: between-layers: expected several devices and an input whose first dim is dynamic to share out by, found 4 devices and no such input

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

//--- mesh.mlir
moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
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
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

//--- full.mlir
moe.mesh @mesh axes([#moe.axis<name = "rank", size = 1, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
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

//--- pinned.mlir
moe.mesh @mesh axes([#moe.axis<name = "rank", size = 8, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
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
     plan = #moe.plan<packing = gate_up16, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = [], ep = 4, edp = 1, slots = [7, 6, 5, 4, 3, 2, 1, 0], algorithm = "direct", equality = "bitwise", pinned = true>>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

//--- load.json
{"version": 1, "layers": [{"name": "other", "experts": 8, "top_k": 2, "windows": [[20, 20, 20, 20, 20, 20, 20, 20]]}]}
