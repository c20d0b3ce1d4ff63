// System: Dense-to-sparse gate (EvoMoE)
// Paper: Nie et al. 2021, EvoMoE, arXiv 2112.14397, section 3.2
// Ops: score softmax with Gumbel noise to both and temperature 2, select threshold 0.15 of up to 4, weigh gather, slots dropless, experts
//   relu; inference: select top_k 1
//
// All experts whose gate is above the threshold, with the gates as they are. As the temperature falls in training, fewer are.
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
                %gumbel: tensor<?x4xf32> {moe.name = "gumbel", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?x4xf32> {moe.name = "gates", moe.dims = ["tokens", "4"]},
        tensor<4xi32> {moe.name = "count", moe.dims = ["4"]},
        tensor<?x24xf32> {moe.name = "inference", moe.dims = ["tokens", "24"]}) {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<4x10x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %gates, %choice = moe.score softmax %logits noise(%gumbel : tensor<?x4xf32>)
        {noise_to = #moe<noise_target both>, temperature = 2.0 : f64} : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select threshold %choice : tensor<?x4xf32> {k = 4 : i64, threshold = 1.5e-01 : f64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %gates, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x10x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  // Inference: the best expert alone.
  %i_scores, %i_choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %i_token, %i_expert, %i_rank, %i_valid, %i_kth = moe.select top_k %i_choice : tensor<?x4xf32> {k = 1 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %i_w = moe.weigh gather %i_scores, %i_token, %i_expert, %i_rank, %i_valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %i_slot, %i_keep, %i_count, %i_offset = moe.slots %i_token, %i_expert, %i_rank, %i_valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %i_rows = moe.dispatch ragged %x, %i_token, %i_expert, %i_slot, %i_keep, %i_offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %i_y = moe.experts %i_rows, %i_offset gate(%up : tensor<4x10x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %inference = moe.combine %i_y, %i_token, %i_expert, %i_slot, %i_keep, %i_w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  return %output, %gates, %count, %inference : tensor<?x24xf32>, tensor<?x4xf32>, tensor<4xi32>, tensor<?x24xf32>
}
