// System: Expert choice routing
// Paper: Zhou et al. 2022, Mixture-of-Experts with Expert Choice Routing, arXiv 2202.09368, section 3.2
// Ops: score softmax, select top_k by the experts with capacity T/E rounded half to even, weigh gather, slots dropless, experts relu
//
// Every expert takes its C best tokens; a token may have any number of experts. `chosen` are the tokens of each expert, best first.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>

moe.weight @up : tensor<4x10x24xf32> source(#moe.file<"up.bin", offset = 0, length = 3840>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]},
                %probabilities: tensor<?x4xf32> {moe.name = "probabilities", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?xi32> {moe.name = "chosen", moe.dims = ["?"]}) {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<4x10x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32>
      {side = #moe<select_side expert>, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = half_even>}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x10x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  // The choice alone, on given probabilities.
  %p_scores, %p_choice = moe.score identity %probabilities : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %chosen, %p_expert, %p_rank, %p_valid, %p_kth = moe.select top_k %p_choice : tensor<?x4xf32>
      {side = #moe<select_side expert>, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = half_even>}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  return %output, %chosen : tensor<?x24xf32>, tensor<?xi32>
}
