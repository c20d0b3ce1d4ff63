// RUN: moe-opt %s --moe-plan-single-machine=activations=bf16 --moe-verify-planned --verify-diagnostics | FileCheck %s

moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
moe.weight @w16 : tensor<64x96xf16> source(#moe.file<"m.onnx", offset = 24576, length = 12288>)
moe.weight @codes : tensor<64x96xi8> source(#moe.file<"m.onnx", offset = 36864, length = 6144>)
moe.weight @scales : tensor<64xf32> source(#moe.file<"m.onnx", offset = 43008, length = 256>)
moe.weight @router : tensor<64x8xf32> source(#moe.file<"m.onnx", offset = 61440, length = 2048>)

// CHECK-LABEL: func.func @products
func.func @products(%x: tensor<?x64xf32>, %y: tensor<?x96xf32>) -> (tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>) {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %w16 = moe.weight_ref @w16 : tensor<64x96xf16>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "bf16">} ins(%{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<64x96xf32>)
  %0 = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "bf16">} ins(%{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<64x96xf16>)
  %1 = linalg.matmul ins(%x, %w16 : tensor<?x64xf32>, tensor<64x96xf16>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  %codes = moe.weight_ref @codes : tensor<64x96xi8>
  %scales = moe.weight_ref @scales : tensor<64xf32>
  %q = moe.dequant %codes scales(%scales : tensor<64xf32>) <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
  // expected-remark @below {{op 'linalg.matmul' keeps activations in f32: its weights are quantised; bf16 kernels take those of f32, f16 or bf16}}
  %2 = linalg.matmul ins(%x, %q : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %0, %1, %2 : tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>
}

// CHECK-LABEL: func.func @experts
func.func @experts(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>, %q: tensor<8x64x96xi8>,
    %s: tensor<8x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) {
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "bf16">
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = gate_up16, activations = "bf16">
  %1 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) up(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = separate>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // One quantised weight of a layer keeps both products in f32.
  %w = moe.dequant %q scales(%s : tensor<8x64xf32>) <format = int8_channel> : tensor<8x64x96xi8> -> tensor<8x64x96xf32>
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "f32">
  // expected-remark @below {{op 'moe.experts' of layer 'block.3' keeps activations in f32: its weights are quantised; bf16 kernels take those of f32, f16 or bf16}}
  %2 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%w : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = relu>, origin = #moe.origin<"block.3", "mlir">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // Experts with a region are no kernel.
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = plain, activations = "f32">
  %3 = moe.experts %x, %off : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32> {
  ^bb0(%rows: tensor<?x64xf32>):
    moe.yield %rows : tensor<?x64xf32>
  }
  return %0, %1, %2, %3 : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>
}

// The product before a router stays f32, also behind an op that is not elementwise; the one whose result is its rows does not.
// CHECK-LABEL: func.func @routed
func.func @routed(%x: tensor<?x96xf32>, %y: tensor<?x64xf32>, %z: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %w = moe.weight_ref @router : tensor<64x8xf32>
  %w0 = moe.weight_ref @w : tensor<64x96xf32>
  // CHECK: linalg.matmul indexing_maps = {{.*}} {moe.plan = #moe.plan<packing = panel32, activations = "bf16">}
  %rows = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w0 : tensor<?x96xf32>, tensor<64x96xf32>) outs(%y : tensor<?x64xf32>) -> tensor<?x64xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
  %logits = linalg.matmul ins(%rows, %w : tensor<?x64xf32>, tensor<64x8xf32>) outs(%z : tensor<?x8xf32>) -> tensor<?x8xf32>
  %soft = linalg.softmax dimension(1) ins(%logits : tensor<?x8xf32>) outs(%z : tensor<?x8xf32>) -> tensor<?x8xf32>
  %scores, %choice = moe.score identity %soft : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return %scores, %choice : tensor<?x8xf32>, tensor<?x8xf32>
}
