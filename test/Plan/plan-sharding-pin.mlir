// Parts of a layer's sharding are pinned, the rest is searched.
// RUN: split-file %s %t
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=node=2,rank=4 plan-tokens=65536 pin=layer0=ep4" 2>&1 | FileCheck %s --check-prefix=EP
// EP: sharding = <mesh = @mesh, axes = ["rank"], ep = 4, edp = 2, slots =
// EP-SAME: solver = "exact"
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 pin=layer0=ep4:slots3 explain=true" 2>&1 | FileCheck %s --check-prefix=SLOTS
// SLOTS: remark: {{.*}} 8 experts over 4 devices (rank), 3 a device;
// SLOTS: note: chosen: ep4 etp1 edp1 slots3
// SLOTS: note: next best: ep{{[12]}}
// SLOTS: ep = 4, edp = 1, slots = [{{[0-7, ]+}}], algorithm

// Each expert on two devices, and on as many as is fastest: with few tokens reading weights is what takes time.
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 pin=layer0=ep2:etp2" 2>&1 | FileCheck %s --check-prefix=PARTS
// PARTS: remark: {{.*}} 8 experts over 4 devices (rank), each cut into 2 parts, 4 a device;{{.*}} tolerance
// PARTS: axes = ["rank"], ep = 2, edp = 1, slots = [{{[0-7, ]+}}], algorithm = "direct", equality = "tolerance",{{.*}} etp = 2
// RUN: moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 expert-split=0 plan-tokens=4 explain=true" 2>&1 | FileCheck %s --check-prefix=CHOSEN
// CHOSEN: note: chosen: ep{{[1-4]}} etp{{[1-4]}}
// RUN: sed 's/#moe.plan<packing = gate_up16, activations = "f32">/#moe.plan<packing = gate_up16, activations = "f32", sharding = <mesh = @mesh, axes = ["rank"], ep = 1, edp = 1, slots = [0, 1, 2, 3, 4, 5, 6, 7], algorithm = "direct", equality = "tolerance", etp = 4, pinned = true>>/' %t/layer.mlir > %t/given.mlir
// RUN: moe-opt %t/given.mlir --moe-plan-sharding=mesh=rank=4 2>&1 | FileCheck %s --check-prefix=GIVEN
// GIVEN: remark: {{.*}}, pinned: 8 experts over 4 devices (rank), each cut into 4 parts, 8 a device

// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 pin=layer0=ep4:etp4" 2>&1 | FileCheck %s --check-prefix=MANY
// MANY: error: no sharding over the mesh: {{.*}}, experts cut into 4
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 pin=layer1=ep4" 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: pin: expected a layer that is free to be spread, found 'layer1'
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 pin=layer0=four" 2>&1 | FileCheck %s --check-prefix=SYNTAX
// SYNTAX: error: pin: expected NAME=ep4, NAME=etp2, NAME=slots3 or several, NAME=ep4:slots3, found 'layer0=four'
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 pin=layer0=ep3" 2>&1 | FileCheck %s --check-prefix=DIVISOR
// DIVISOR: error: no sharding over the mesh: layer layer0: expected a number of devices that divides 4 and slots that hold all experts, found ep 3 and slots 0 pinned
// RUN: not moe-opt %t/layer.mlir --moe-plan-sharding="mesh=rank=4 pin=layer0=ep4:slots1" 2>&1 | FileCheck %s --check-prefix=ROOM
// ROOM: error: {{.*}} found ep 4 and slots 1 pinned

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

