// A plan for new loads keeps what it can of the plan before.
// RUN: split-file %s %t
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=%t/mesh.json expert-parallel=4 profile=%t/monday.json" -o %t/old.mlir
// RUN: FileCheck %s --check-prefix=OLD --input-file=%t/old.mlir
// OLD: slots = [[SLOTS:\[.*\]]], algorithm

// The same loads, and such as do not matter: nothing moves.
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=%t/mesh.json expert-parallel=4 profile=%t/monday.json replan-from=%t/old.mlir" -o %t/same.mlir 2>&1 | FileCheck %s --check-prefix=SAME
// SAME: remark: op 'moe.experts' of layer 'layer0': 8 experts over 4 devices {{.*}}; bitwise; 0 of 16 slots get other weights, the plan before would take [[US:[0-9.]+]] us
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=%t/mesh.json expert-parallel=4 profile=%t/little.json replan-from=%t/old.mlir" -o %t/little.mlir 2>&1 | FileCheck %s --check-prefix=SAME
// RUN: %python %S/Inputs/compare_slots.py %t/old.mlir %t/same.mlir %t/little.mlir

// Another hot expert: some slots change, most do not.
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=%t/mesh.json expert-parallel=4 profile=%t/tuesday.json replan-from=%t/old.mlir" 2>&1 | FileCheck %s --check-prefix=MOVE
// MOVE: remark: {{.*}}; {{[1-8]}} of {{12|16}} slots get other weights, the plan before would take {{[0-9.]+}} us
// MOVE: ep = 4, {{.*}}solver = "replanned"

// Another number of devices for the experts: all may move.
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=%t/mesh.json expert-parallel=2 profile=%t/monday.json replan-from=%t/old.mlir" 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: remark: {{.*}} 8 experts over {{.*}}; shared out in another way than before, which would take {{[0-9.]+}} us

// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 replan-from=%t/none.mlir" 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: replan-from: {{.*}}none.mlir: No such file or directory
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 replan-from=%t/monday.json" 2>&1 | FileCheck %s --check-prefix=KIND
// KIND: error: replan-from: {{.*}}monday.json: expected a planned model as MLIR (moe-compile --compile-to=plan): {{.+}}
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 replan-from=%t/layer.mlir" 2>&1 | FileCheck %s --check-prefix=UNPLANNED
// UNPLANNED: error: replan-from: {{.*}}layer.mlir: expected layers with a sharding, found none
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="replan-from=%t/layer.mlir" 2>&1 | FileCheck %s --check-prefix=MESH
// MESH: error: profile, expert-parallel, pin, replan-from and plan-report need a mesh

//--- mesh.json
{"version": 1, "axes": [{"name": "rank", "size": 4, "link": {"alpha_us": 2, "gbps": 0.01, "per_msg_us": 0.5}}],
 "device": {"tflops": {"f32": 0.01}, "mem_gbps": 1, "mem_mib": 1}}
//--- monday.json
{"version": 1, "layers": [{"name": "layer0", "experts": 8, "top_k": 2, "windows": [[90, 80, 20, 20, 20, 10, 10, 10]]}]}
//--- little.json
{"version": 1, "layers": [{"name": "layer0", "experts": 8, "top_k": 2, "windows": [[90.1, 79.9, 20, 20, 20, 10, 10, 10]]}]}
//--- tuesday.json
{"version": 1, "layers": [{"name": "layer0", "experts": 8, "top_k": 2, "windows": [[90, 20, 20, 20, 20, 80, 10, 10]]}]}
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

