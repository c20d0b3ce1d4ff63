// System: gpt-oss
// Paper: OpenAI 2025, gpt-oss-120b and gpt-oss-20b Model Card, arXiv 2508.10925, section 2.1
// Ops: score identity, select top_k 4 of 6, weigh softmax_selected, slots dropless, experts gated silu, interleaved, alpha 1.702, up
//   offset 1, limit 7, with biases
//
// The router has a bias that counts for choice and weights.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
#rows = affine_map<(m, n, k) -> (m, k)>
#weight = affine_map<(m, n, k) -> (n, k)>
#product = affine_map<(m, n, k) -> (m, n)>
#full = affine_map<(t, h) -> (t, h)>
#column = affine_map<(t, h) -> (h)>

moe.weight @router : tensor<6x28xf32> source(#moe.file<"router.bin", offset = 0, length = 672>)
moe.weight @router_bias : tensor<6xf32> source(#moe.file<"router_bias.bin", offset = 0, length = 24>)
moe.weight @gate_up : tensor<6x28x28xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 18816>)
moe.weight @gate_up_bias : tensor<6x28xf32> source(#moe.file<"gate_up_bias.bin", offset = 0, length = 672>)
moe.weight @down : tensor<6x28x14xf32> source(#moe.file<"down.bin", offset = 0, length = 9408>)
moe.weight @down_bias : tensor<6x28xf32> source(#moe.file<"down_bias.bin", offset = 0, length = 672>)

func.func @main(%x: tensor<?x28xf32> {moe.name = "x", moe.dims = ["tokens", "28"]})
    -> (tensor<?x28xf32> {moe.name = "output", moe.dims = ["tokens", "28"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<6x28xf32>
  %router_bias = moe.weight_ref @router_bias : tensor<6xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<6x28x28xf32>
  %gate_up_bias = moe.weight_ref @gate_up_bias : tensor<6x28xf32>
  %down = moe.weight_ref @down : tensor<6x28x14xf32>
  %down_bias = moe.weight_ref @down_bias : tensor<6x28xf32>
  %T = tensor.dim %x, %c0 : tensor<?x28xf32>
  %product_empty = tensor.empty(%T) : tensor<?x6xf32>
  %product_init = linalg.fill ins(%zero : f32) outs(%product_empty : tensor<?x6xf32>) -> tensor<?x6xf32>
  %product = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : tensor<?x28xf32>, tensor<6x28xf32>)
      outs(%product_init : tensor<?x6xf32>) -> tensor<?x6xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x6xf32>
  %logits = linalg.generic {indexing_maps = [#full, #column, #full], iterator_types = ["parallel", "parallel"]}
      ins(%product, %router_bias : tensor<?x6xf32>, tensor<6xf32>) outs(%logits_empty : tensor<?x6xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.addf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x6xf32>

  %scores, %choice = moe.score identity %logits : tensor<?x6xf32> -> tensor<?x6xf32>, tensor<?x6xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x6xf32> {k = 4 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh softmax_selected %scores, %token, %expert, %rank, %valid
      : tensor<?x6xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 6 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<6xi32>, tensor<7xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x28xf32>, !list, !list, !list, !mask, tensor<7xi32> -> tensor<?x28xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<6x28x28xf32>) gate_bias(%gate_up_bias : tensor<6x28xf32>)
      down(%down : tensor<6x28x14xf32>) down_bias(%down_bias : tensor<6x28xf32>)
      {ffn = #moe.ffn<activation = silu, gate = interleaved, alpha = 1.702, up_offset = 1.0, limit = 7.0>}
      : tensor<?x28xf32>, tensor<7xi32> -> tensor<?x28xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x28xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x28xf32>
  return %output : tensor<?x28xf32>
}
