// A Mixtral layer written by hand: router product and moe.layer, any number of tokens. The numbers are numpy's (Inputs/reference.py).
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/reference.py layer %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --test-data %t/test_data_set_0
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 3
// RUN: moe-compile %s --compile-to=fuse -o - | FileCheck %s

// CHECK-COUNT-1: moe.route_permute
// CHECK-COUNT-2: moe.grouped_matmul {{.*}}offsets
// CHECK-NOT: moe.route_permute

moe.weight @router : tensor<8x64xf32> source(#moe.file<"weights.bin", offset = 0, length = 2048>)
moe.weight @gate_up : tensor<8x96x64xf32> source(#moe.file<"weights.bin", offset = 2048, length = 196608>)
moe.weight @down : tensor<8x64x48xf32> source(#moe.file<"weights.bin", offset = 198656, length = 98304>)

func.func @main(%x: tensor<?x64xf32> {moe.name = "hidden", moe.dims = ["tokens", "64"]})
    -> (tensor<?x64xf32> {moe.name = "output", moe.dims = ["tokens", "64"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<8x64xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<8x96x64xf32>
  %down = moe.weight_ref @down : tensor<8x64x48xf32>
  %tokens = tensor.dim %x, %c0 : tensor<?x64xf32>
  %empty = tensor.empty(%tokens) : tensor<?x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x8xf32>) -> tensor<?x8xf32>
  %logits = linalg.matmul
      indexing_maps = [affine_map<(t, e, h) -> (t, h)>, affine_map<(t, e, h) -> (e, h)>, affine_map<(t, e, h) -> (t, e)>]
      ins(%x, %router : tensor<?x64xf32>, tensor<8x64xf32>) outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = moe.layer %x, %logits gate(%gate_up : tensor<8x96x64xf32>) down(%down : tensor<8x64x48xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = silu, gate = halves>)
      {origin = #moe.origin<"layer", "mlir">} : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
