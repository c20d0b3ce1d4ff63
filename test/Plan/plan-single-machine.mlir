// RUN: moe-opt %s --moe-plan-single-machine --moe-verify-planned | FileCheck %s
// RUN: moe-opt %s --moe-plan-single-machine=activations=f32 --moe-verify-planned | FileCheck %s
// RUN: moe-opt %s --moe-plan-single-machine=memory-nodes=2 --moe-verify-planned | FileCheck %s --check-prefixes=CHECK,NODES
// RUN: moe-opt %s --moe-plan-single-machine | FileCheck %s --check-prefix=ONE
// RUN: not moe-opt %s --moe-plan-single-machine=memory-nodes=0 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not moe-opt %s --moe-plan-single-machine=memory-nodes=65 2>&1 | FileCheck %s --check-prefix=MANY
// NODES: module attributes {moe.memory_nodes = 2 : i64}
// ONE-NOT: moe.memory_nodes
// NONE: error: memory-nodes: expected 1 to 64, found 0
// MANY: error: memory-nodes: expected 1 to 64, found 65

moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
moe.weight @w16 : tensor<64x96xf16> source(#moe.file<"m.onnx", offset = 24576, length = 12288>)
moe.weight @i : tensor<64x96xi32> source(#moe.file<"m.onnx", offset = 36864, length = 24576>)

// CHECK-LABEL: func.func @products
func.func @products(%x: tensor<?x64xf32>, %b: tensor<64x96xf32>, %y: tensor<?x96xf32>) -> (tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>) {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %w16 = moe.weight_ref @w16 : tensor<64x96xf16>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">} ins(%{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<64x96xf32>)
  %0 = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">} ins(%{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<64x96xf16>)
  %1 = linalg.matmul ins(%x, %w16 : tensor<?x64xf32>, tensor<64x96xf16>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  // A right side that is not stored has no plan.
  // CHECK: linalg.matmul ins(
  %2 = linalg.matmul ins(%x, %b : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %0, %1, %2 : tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>
}

// Products in other types are no kernels: they stay loops and have no plan.
// CHECK-LABEL: func.func @integers
func.func @integers(%x: tensor<?x64xi32>, %y: tensor<?x96xi32>) -> tensor<?x96xi32> {
  %w = moe.weight_ref @i : tensor<64x96xi32>
  // CHECK: linalg.matmul ins(
  %0 = linalg.matmul ins(%x, %w : tensor<?x64xi32>, tensor<64x96xi32>) outs(%y : tensor<?x96xi32>) -> tensor<?x96xi32>
  return %0 : tensor<?x96xi32>
}

// CHECK-LABEL: func.func @experts
func.func @experts(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) {
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "f32">
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = gate_up16, activations = "f32">
  %1 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) up(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = separate>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // Experts with a region are no kernel.
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = plain, activations = "f32">
  %2 = moe.experts %x, %off : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
  ^bb0(%rows: tensor<?x64xf32>):
    moe.yield %rows : tensor<?x64xf32>
  }
  return %0, %1, %2 : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>
}

// DOC: --moe-plan-single-machine
moe.weight @router : tensor<64x8xf32> source(#moe.file<"m.onnx", offset = 61440, length = 2048>)
// CHECK-LABEL: func.func @layer
func.func @layer(%x: tensor<?x64xf32>, %z: tensor<?x8xf32>, %rows: tensor<?x64xf32>, %offset: tensor<9xi32>,
    %gate_up: tensor<8x192x64xf32>, %down: tensor<8x64x96xf32>) -> (tensor<?x8xf32>, tensor<?x64xf32>) {
  %w = moe.weight_ref @router : tensor<64x8xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
  %logits = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x8xf32>) outs(%z : tensor<?x8xf32>) -> tensor<?x8xf32>
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = gate_up16, activations = "f32">
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<8x192x64xf32>) down(%down : tensor<8x64x96xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %logits, %y : tensor<?x8xf32>, tensor<?x64xf32>
}
