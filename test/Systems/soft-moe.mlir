// System: Soft MoE
// Paper: Puigcerver et al. 2023, From Sparse to Soft Mixtures of Experts, arXiv 2308.00951, section 2.1
// Ops: score softmax over tokens, product with x, experts gelu_tanh on 2 slots each, score softmax over slots, product with the experts'
//   results
//
// No token is chosen: every slot is a mixture of all tokens, every token's result one of all slots.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

moe.weight @up : tensor<2x10x24xf32> source(#moe.file<"up.bin", offset = 0, length = 1920>)
moe.weight @down : tensor<2x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 1920>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<4x24xf32> {moe.name = "slots", moe.dims = ["4", "24"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %up = moe.weight_ref @up : tensor<2x10x24xf32>
  %down = moe.weight_ref @down : tensor<2x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %dispatch, %unused0 = moe.score softmax %logits {axis = #moe<score_axis token>} : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %combine, %unused1 = moe.score softmax %logits {axis = #moe<score_axis slot>, slots_per_expert = 2 : i64}
      : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %slots_empty = tensor.empty() : tensor<4x24xf32>
  %slots_init = linalg.fill ins(%zero : f32) outs(%slots_empty : tensor<4x24xf32>) -> tensor<4x24xf32>
  %slots = linalg.matmul indexing_maps = [affine_map<(s, h, t) -> (t, s)>, affine_map<(s, h, t) -> (t, h)>, affine_map<(s, h, t) -> (s,
        h)>]
      ins(%dispatch, %x : tensor<?x4xf32>, tensor<?x24xf32>) outs(%slots_init : tensor<4x24xf32>) -> tensor<4x24xf32>
  %offset = arith.constant dense<[0, 2, 4]> : tensor<3xi32>
  %rows = tensor.expand_shape %slots [[0, 1], [2]] output_shape [2, 2, 24] : tensor<4x24xf32> into tensor<2x2x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<2x10x24xf32>) down(%down : tensor<2x24x10xf32>)
      {ffn = #moe.ffn<activation = gelu_tanh>} : tensor<2x2x24xf32>, tensor<3xi32> -> tensor<2x2x24xf32>
  %results = tensor.collapse_shape %y [[0, 1], [2]] : tensor<2x2x24xf32> into tensor<4x24xf32>
  %output_empty = tensor.empty(%T) : tensor<?x24xf32>
  %output_init = linalg.fill ins(%zero : f32) outs(%output_empty : tensor<?x24xf32>) -> tensor<?x24xf32>
  %output = linalg.matmul ins(%combine, %results : tensor<?x4xf32>,
        tensor<4x24xf32>) outs(%output_init : tensor<?x24xf32>) -> tensor<?x24xf32>
  return %output, %slots : tensor<?x24xf32>, tensor<4x24xf32>
}
