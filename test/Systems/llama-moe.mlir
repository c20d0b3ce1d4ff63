// System: LLaMA-MoE
// Paper: Zhu et al. 2024, LLaMA-MoE, arXiv 2406.16554, section 3
// Ops: score identity, select top_k 2 of 4, weigh softmax_selected times E/K, slots dropless, experts gated silu; and select all, weigh
//   one
//
// The experts are the neurons of one dense FFN, each neuron in one expert. `output` is the layer, with the gate tanh between two products.
// `all` is the sum over all experts with weight 1: it must be the dense FFN, which the oracle computes as one.
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

moe.weight @gate1 : tensor<4x24xf32> source(#moe.file<"gate1.bin", offset = 0, length = 384>)
moe.weight @gate2 : tensor<4x4xf32> source(#moe.file<"gate2.bin", offset = 0, length = 64>)
moe.weight @gate_up : tensor<4x20x24xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 7680>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?x24xf32> {moe.name = "all", moe.dims = ["tokens", "24"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %gate1 = moe.weight_ref @gate1 : tensor<4x24xf32>
  %gate2 = moe.weight_ref @gate2 : tensor<4x4xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<4x20x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %inner_empty = tensor.empty(%T) : tensor<?x4xf32>
  %inner_init = linalg.fill ins(%zero : f32) outs(%inner_empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %inner = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %gate1 : tensor<?x24xf32>, tensor<4x24xf32>)
      outs(%inner_init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %bent_empty = tensor.empty(%T) : tensor<?x4xf32>
  %bent = linalg.generic {indexing_maps = [#full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%inner : tensor<?x4xf32>) outs(%bent_empty : tensor<?x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<?x4xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x4xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%bent, %gate2 : tensor<?x4xf32>, tensor<4x4xf32>)
      outs(%logits_init : tensor<?x4xf32>) -> tensor<?x4xf32>

  %scores, %choice = moe.score identity %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh softmax_selected %scores, %token, %expert, %rank, %valid {scale = 2.0 : f64}
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<4x20x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  %all_scores, %all_choice = moe.score identity %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %all_token, %all_expert, %all_rank, %all_valid, %all_kth = moe.select all %all_choice : tensor<?x4xf32>
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %all_w = moe.weigh one %all_scores, %all_token, %all_expert, %all_rank, %all_valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %all_slot, %all_keep, %all_count, %all_offset = moe.slots %all_token, %all_expert, %all_rank, %all_valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %all_rows = moe.dispatch ragged %x, %all_token, %all_expert, %all_slot, %all_keep, %all_offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %all_y = moe.experts %all_rows, %all_offset gate(%gate_up : tensor<4x20x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %all = moe.combine %all_y, %all_token, %all_expert, %all_slot, %all_keep, %all_w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  return %output, %all : tensor<?x24xf32>, tensor<?x24xf32>
}
