// Who computes what lies between the layers: priced both ways where there are several sequences, obeyed where it is asked for.
// RUN: moe-opt %s --moe-plan-sharding="mesh=rank=4 plan-sequences=64 plan-tokens=65536 explain=true" 2>&1 | FileCheck %s --check-prefix=SPLIT
// SPLIT: remark: between the layers each device computes its own of 64 sequences: with the layers [[SPLIT:[0-9.]+]] us expected, [[WHOLE:[0-9.]+]] us if all computed everything; bitwise
// SPLIT: note: 1 products with stored weights take {{[0-9.]+}} us by sequences, gathering 256 bytes of results a token, and {{[0-9.]+}} us whole
// SPLIT: func.func @layer{{.*}}moe.batch_split = #moe.batch_split<mesh = @mesh, devices = 4, sequences = 64, us = {{[0-9.e+]+}} : f64, whole_us = {{[0-9.e+]+}} : f64>

// One sequence is one device's: it would have all tokens to send.
// RUN: moe-opt %s --moe-plan-sharding="mesh=rank=4" 2>&1 | FileCheck %s --check-prefix=ONE
// ONE-NOT: between the layers
// ONE-NOT: moe.batch_split
// RUN: moe-opt %s --moe-plan-sharding="mesh=rank=4 plan-sequences=64 between-layers=whole" 2>&1 | FileCheck %s --check-prefix=ONE
// RUN: moe-opt %s --moe-plan-sharding="mesh=rank=4 plan-sequences=64 between-layers=batch" 2>&1 | FileCheck %s --check-prefix=ASKED
// ASKED: moe.batch_split = #moe.batch_split<mesh = @mesh

// Or the devices share the columns of products: all that can be where that is asked for, left to the planner where it gains.
// RUN: moe-opt %s --moe-plan-sharding="mesh=rank=4 between-layers=columns explain=true" 2>&1 | FileCheck %s --check-prefix=COLUMNS
// COLUMNS: remark: between the layers 4 devices share the columns of 1 product: [[SHARED:[0-9.]+]] us expected, [[ALL:[0-9.]+]] us if every device computed all; bitwise
// COLUMNS: note: of 'tensor<64x64xf32>': [[SHARED]] us, [[ALL]] us whole
// COLUMNS: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32", sharding = <mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">>}
// RUN: moe-opt %s --moe-plan-sharding="mesh=rank=4 plan-tokens=4" 2>&1 | FileCheck %s --check-prefix=SMALL
// SMALL-NOT: share the columns
// RUN: moe-opt %S/Inputs/vocabulary.mlir --moe-plan-sharding="mesh=rank=4 plan-tokens=4" 2>&1 | FileCheck %s --check-prefix=HEAD
// HEAD: remark: between the layers 4 devices share the columns of 1 product
// RUN: moe-opt %S/Inputs/vocabulary.mlir --moe-plan-sharding="mesh=rank=4 plan-tokens=4 between-layers=whole" 2>&1 | FileCheck %s --check-prefix=NONE
// NONE-NOT: share the columns
// RUN: moe-opt %S/Inputs/vocabulary.mlir --moe-plan-sharding="mesh=rank=3 plan-tokens=4 between-layers=columns" 2>&1 | FileCheck %s --check-prefix=THREE
// THREE: remark: between the layers no product has columns that 3 devices could share

// Attention is shared out by heads where that is asked for, or gains: 268 MB of keys and values at 20 GB/s take 13.4 ms. The product that makes queries needs no gather then.
// RUN: moe-opt %S/Inputs/attention.mlir --moe-plan-sharding="mesh=rank=4 between-layers=heads plan-tokens=4 explain=true" 2>&1 | FileCheck %s --check-prefix=HEADS
// HEADS: remark: between the layers 4 devices share the heads of 1 attention: [[SHARED:[0-9.]+]] us expected, [[ALL:[0-9.]+]] us if every device computed all; bitwise
// HEADS: note: of 'tensor<1x8x?x128xf32>' and keys 'tensor<1x4x?x128xf32>': [[SHARED]] us, [[ALL]] us whole, for 4 keys
// HEADS: remark: between the layers 4 devices share the columns of 2 products
// HEADS: moe.attention {{.*}}moe.sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">
// RUN: moe-opt %S/Inputs/attention.mlir --moe-plan-sharding="mesh=rank=4 plan-tokens=4 plan-keys=65536" 2>&1 | FileCheck %s --check-prefix=CACHE
// CACHE: remark: between the layers 4 devices share the heads of 1 attention: 33{{[0-9]{2}\.[0-9]}} us expected, 13422.8 us if every device computed all; bitwise
// RUN: moe-opt %S/Inputs/attention.mlir --moe-plan-sharding="mesh=rank=4 plan-tokens=4" 2>&1 | FileCheck %s --check-prefix=SHORT
// RUN: moe-opt %S/Inputs/attention.mlir --moe-plan-sharding="mesh=rank=4 plan-tokens=4 plan-keys=65536 between-layers=columns" 2>&1 | FileCheck %s --check-prefix=SHORT
// SHORT-NOT: share the heads
// SHORT-NOT: tensor<1x4x?x6240xf32>) {moe.sharding
// RUN: moe-opt %S/Inputs/attention.mlir --moe-plan-sharding="mesh=rank=3 between-layers=heads" 2>&1 | FileCheck %s --check-prefix=ODD
// ODD: remark: between the layers no attention has heads that 3 devices could share: its 8 query heads are not a multiple of the 3 devices

moe.weight @wo : tensor<64x64xf32> source(#moe.file<"m.onnx", offset = 589824, length = 16384>)
moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
func.func @layer(%a: tensor<?x64xf32>, %logits: tensor<?x8xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %a, %c0 : tensor<?x64xf32>
  %zero = arith.constant 0.0 : f32
  %wo = moe.weight_ref @wo : tensor<64x64xf32>
  %empty = tensor.empty(%T) : tensor<?x64xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %x = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">} ins(%a, %wo : tensor<?x64xf32>, tensor<64x64xf32>) outs(%fill : tensor<?x64xf32>) -> tensor<?x64xf32>
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
