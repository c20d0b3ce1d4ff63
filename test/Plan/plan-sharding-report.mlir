// The page of a plan: parsed, counted, the same each time.
// RUN: split-file %s %t
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=node=2,rank=4 expert-parallel=4 profile=%t/load.json plan-report=%t/plan.html" -o /dev/null
// RUN: %python %S/Inputs/check_report.py %t/plan.html 4 3 4 | FileCheck %s --check-prefix=PARSED
// PARSED: {{[0-9]+}} candidates, {{[2-9]}} kinds of reasons
// RUN: FileCheck %s --input-file=%t/plan.html
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=node=2,rank=4 expert-parallel=4 profile=%t/load.json plan-report=%t/again.html" -o /dev/null && diff %t/plan.html %t/again.html
// CHECK: <h1>How experts are spread</h1>
// CHECK: <p>8 devices; numbers: assumed.</p>
// CHECK: <tr><td>node</td><td>2</td><td>30.00</td>
// CHECK: <p>All layers together: [[US:[0-9.]+]] us expected;
// CHECK-SAME: Loads: sha256:
// CHECK: <h2>layer&lt;0&gt;</h2>
// CHECK: Chosen: ep4 etp1 edp2 slots3 direct chunks1, [[US]] us.
// CHECK: <svg class="placement"
// CHECK: <title>device 0, expert {{[0-7]}}: {{[0-9.]+}} % of the load</title>
// CHECK: <svg class="traffic"
// CHECK: <title>0 to 1: {{[0-9.]+}} {{[KM]}}iB</title>
// CHECK: <svg class="timeline"
// CHECK: <title>dispatch: 0.0 to
// CHECK: <title>gather:
// CHECK: <td>the distribute stage cannot run it yet</td>

// Experts on all devices: nothing is sent.
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 expert-parallel=1 plan-report=%t/copies.html" -o /dev/null
// RUN: %python %S/Inputs/check_report.py %t/copies.html 1 8 0

// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 plan-report=%t/none/plan.html" 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: plan-report: {{.*}}none/plan.html: No such file or directory
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="plan-report=%t/plan.html" 2>&1 | FileCheck %s --check-prefix=MESH
// MESH: error: profile, expert-parallel, pin, replan-from and plan-report need a mesh

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
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer<0>", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

//--- load.json
{"version": 1, "layers": [{"name": "layer<0>", "experts": 8, "top_k": 2, "windows": [[90, 20, 20, 20, 20, 10, 10, 10]]}]}
