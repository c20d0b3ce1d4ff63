// System: Conditional computation in deep networks
// Paper: Eigen, Ranzato, Sutskever 2013, Learning Factored Representations in a Deep Mixture of Experts, arXiv 1312.4314, section 3
// Ops: twice: score softmax, select all, weigh gather, slots dropless, experts relu
//
// Two dense mixtures, one on the result of the other: z1 = sum g1(x) f1(x), z2 = sum g2(z1) f2(z1).
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

moe.weight @gating1 : tensor<3x20xf32> source(#moe.file<"gating1.bin", offset = 0, length = 240>)
moe.weight @up1 : tensor<3x9x20xf32> source(#moe.file<"up1.bin", offset = 0, length = 2160>)
moe.weight @down1 : tensor<3x20x9xf32> source(#moe.file<"down1.bin", offset = 0, length = 2160>)
moe.weight @gating2 : tensor<5x20xf32> source(#moe.file<"gating2.bin", offset = 0, length = 400>)
moe.weight @up2 : tensor<5x9x20xf32> source(#moe.file<"up2.bin", offset = 0, length = 3600>)
moe.weight @down2 : tensor<5x20x9xf32> source(#moe.file<"down2.bin", offset = 0, length = 3600>)

func.func @main(%x: tensor<?x20xf32> {moe.name = "x", moe.dims = ["tokens", "20"]})
    -> (tensor<?x20xf32> {moe.name = "output", moe.dims = ["tokens", "20"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %gating1 = moe.weight_ref @gating1 : tensor<3x20xf32>
  %up1 = moe.weight_ref @up1 : tensor<3x9x20xf32>
  %down1 = moe.weight_ref @down1 : tensor<3x20x9xf32>
  %gating2 = moe.weight_ref @gating2 : tensor<5x20xf32>
  %up2 = moe.weight_ref @up2 : tensor<5x9x20xf32>
  %down2 = moe.weight_ref @down2 : tensor<5x20x9xf32>
  %T = tensor.dim %x, %c0 : tensor<?x20xf32>
  %logits1_empty = tensor.empty(%T) : tensor<?x3xf32>
  %logits1_init = linalg.fill ins(%zero : f32) outs(%logits1_empty : tensor<?x3xf32>) -> tensor<?x3xf32>
  %logits1 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %gating1 : tensor<?x20xf32>, tensor<3x20xf32>)
      outs(%logits1_init : tensor<?x3xf32>) -> tensor<?x3xf32>

  %a_scores, %a_choice = moe.score softmax %logits1 : tensor<?x3xf32> -> tensor<?x3xf32>, tensor<?x3xf32>
  %a_token, %a_expert, %a_rank, %a_valid, %a_kth = moe.select all %a_choice : tensor<?x3xf32>
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %a_w = moe.weigh gather %a_scores, %a_token, %a_expert, %a_rank, %a_valid
      : tensor<?x3xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %a_slot, %a_keep, %a_count, %a_offset = moe.slots %a_token, %a_expert, %a_rank, %a_valid {experts = 3 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<3xi32>, tensor<4xi32>
  %a_rows = moe.dispatch ragged %x, %a_token, %a_expert, %a_slot, %a_keep, %a_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<4xi32> -> tensor<?x20xf32>
  %a_y = moe.experts %a_rows, %a_offset gate(%up1 : tensor<3x9x20xf32>) down(%down1 : tensor<3x20x9xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x20xf32>, tensor<4xi32> -> tensor<?x20xf32>
  %z1 = moe.combine %a_y, %a_token, %a_expert, %a_slot, %a_keep, %a_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>

  %logits2_empty = tensor.empty(%T) : tensor<?x5xf32>
  %logits2_init = linalg.fill ins(%zero : f32) outs(%logits2_empty : tensor<?x5xf32>) -> tensor<?x5xf32>
  %logits2 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%z1, %gating2 : tensor<?x20xf32>, tensor<5x20xf32>)
      outs(%logits2_init : tensor<?x5xf32>) -> tensor<?x5xf32>

  %b_scores, %b_choice = moe.score softmax %logits2 : tensor<?x5xf32> -> tensor<?x5xf32>, tensor<?x5xf32>
  %b_token, %b_expert, %b_rank, %b_valid, %b_kth = moe.select all %b_choice : tensor<?x5xf32>
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %b_w = moe.weigh gather %b_scores, %b_token, %b_expert, %b_rank, %b_valid
      : tensor<?x5xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %b_slot, %b_keep, %b_count, %b_offset = moe.slots %b_token, %b_expert, %b_rank, %b_valid {experts = 5 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<5xi32>, tensor<6xi32>
  %b_rows = moe.dispatch ragged %z1, %b_token, %b_expert, %b_slot, %b_keep, %b_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<6xi32> -> tensor<?x20xf32>
  %b_y = moe.experts %b_rows, %b_offset gate(%up2 : tensor<5x9x20xf32>) down(%down2 : tensor<5x20x9xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x20xf32>, tensor<6xi32> -> tensor<?x20xf32>
  %output = moe.combine %b_y, %b_token, %b_expert, %b_slot, %b_keep, %b_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>
  return %output : tensor<?x20xf32>
}
