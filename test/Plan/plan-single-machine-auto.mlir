// RUN: moe-opt %s --moe-plan-single-machine --moe-verify-planned | FileCheck %s

// Left to the plan, products of bf16 are in bf16, also where the rows were widened; one whose weight has more bits is not.
moe.weight @b : tensor<64x96xbf16> source(#moe.file<"m.onnx", offset = 0, length = 12288>)
moe.weight @f : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
#same = affine_map<(a, b) -> (a, b)>
// CHECK-LABEL: func.func @halves
func.func @halves(%x: tensor<6x64xbf16>, %e: tensor<6x64xf32>, %y: tensor<6x96xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xbf16>,
    %d: tensor<8x64x96xbf16>, %h: tensor<6x64xf16>, %gh: tensor<8x96x64xf16>, %dh: tensor<8x64x96xf16>)
    -> (tensor<6x96xf32>, tensor<6x96xf32>, tensor<6x64xbf16>, tensor<6x64xf16>) {
  %b = moe.weight_ref @b : tensor<64x96xbf16>
  %f = moe.weight_ref @f : tensor<64x96xf32>
  %wide = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<6x64xbf16>) outs(%e : tensor<6x64xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %r = arith.extf %a : bf16 to f32
    linalg.yield %r : f32
  } -> tensor<6x64xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "bf16">}
  %0 = linalg.matmul ins(%wide, %b : tensor<6x64xf32>, tensor<64x96xbf16>) outs(%y : tensor<6x96xf32>) -> tensor<6x96xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
  %1 = linalg.matmul ins(%wide, %f : tensor<6x64xf32>, tensor<64x96xf32>) outs(%y : tensor<6x96xf32>) -> tensor<6x96xf32>
  // Experts round what is between their products only where that is asked for.
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "f32">
  %2 = moe.experts %x, %off gate(%g : tensor<8x96x64xbf16>) down(%d : tensor<8x64x96xbf16>) {ffn = #moe.ffn<activation = relu>}
    : tensor<6x64xbf16>, tensor<9xi32> -> tensor<6x64xbf16>
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "f32">
  %3 = moe.experts %h, %off gate(%gh : tensor<8x96x64xf16>) down(%dh : tensor<8x64x96xf16>) {ffn = #moe.ffn<activation = relu>}
    : tensor<6x64xf16>, tensor<9xi32> -> tensor<6x64xf16>
  return %0, %1, %2, %3 : tensor<6x96xf32>, tensor<6x96xf32>, tensor<6x64xbf16>, tensor<6x64xf16>
}
