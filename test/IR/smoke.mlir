// RUN: moe-opt %s | moe-opt | FileCheck %s
// CHECK-LABEL: func.func @r
// CHECK: moe.route_permute

moe.weight @w : tensor<8x96x64xf32> source(#moe.file<"m.onnx", offset = 128, length = 196608>)
moe.weight @w.p : tensor<8x3x64x32xf32> packed(gate_up16) from([@w]) order(out_in) gate(halves)
func.func @main(%x: tensor<?x8xf32>, %k: tensor<1xi64>) -> tensor<?x2xf32> {
  %w = moe.weight_ref @w : tensor<8x96x64xf32>
  %n = moe.absent : none
  %v, %i = moe.onnx "TopK"(%x, %k) version 11 {axis = -1 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  return %v : tensor<?x2xf32>
}
func.func @r(%z: tensor<?x8xf32>, %a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>) {
  %r, %w, %off = moe.route_permute logits(%z : tensor<?x8xf32>)
        outs(%a, %b, %c : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>)
        {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>}
        -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>
  return
}
