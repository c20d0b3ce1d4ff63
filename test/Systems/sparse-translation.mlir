// System: Tricks for sparse translation models
// Paper: Dua et al. 2021, Tricks for Training Sparse Translation Models, arXiv 2110.08246, section 3.2
// Ops: score softmax, select top_k 2 of 6, weigh gather l1, slots dropless, experts relu with biases; the same with scale 0.8
//
// Dense pre-training: all experts start as copies of the dense FFN, so the layer must give what the dense FFN gives. `scaled`: experts
// whose outputs were masked in training with probability 0.2 and no rescaling count 0.8 in inference.
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

moe.weight @router : tensor<6x24xf32> source(#moe.file<"router.bin", offset = 0, length = 576>)
moe.weight @up : tensor<6x18x24xf32> source(#moe.file<"up.bin", offset = 0, length = 10368>)
moe.weight @up_bias : tensor<6x18xf32> source(#moe.file<"up_bias.bin", offset = 0, length = 432>)
moe.weight @down : tensor<6x24x18xf32> source(#moe.file<"down.bin", offset = 0, length = 10368>)
moe.weight @down_bias : tensor<6x24xf32> source(#moe.file<"down_bias.bin", offset = 0, length = 576>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?x24xf32> {moe.name = "scaled", moe.dims = ["tokens", "24"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<6x24xf32>
  %up = moe.weight_ref @up : tensor<6x18x24xf32>
  %up_bias = moe.weight_ref @up_bias : tensor<6x18xf32>
  %down = moe.weight_ref @down : tensor<6x24x18xf32>
  %down_bias = moe.weight_ref @down_bias : tensor<6x24xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x6xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x6xf32>) -> tensor<?x6xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : tensor<?x24xf32>, tensor<6x24xf32>)
      outs(%logits_init : tensor<?x6xf32>) -> tensor<?x6xf32>

  %scores, %choice = moe.score softmax %logits : tensor<?x6xf32> -> tensor<?x6xf32>, tensor<?x6xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x6xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid {norm = #moe<weight_norm l1>}
      : tensor<?x6xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 6 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<6xi32>, tensor<7xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<7xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<6x18x24xf32>) gate_bias(%up_bias : tensor<6x18xf32>)
      down(%down : tensor<6x24x18xf32>) down_bias(%down_bias : tensor<6x24xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<7xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  %s_scores, %s_choice = moe.score softmax %logits : tensor<?x6xf32> -> tensor<?x6xf32>, tensor<?x6xf32>
  %s_token, %s_expert, %s_rank, %s_valid, %s_kth = moe.select top_k %s_choice : tensor<?x6xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %s_w = moe.weigh gather %s_scores, %s_token, %s_expert, %s_rank, %s_valid {norm = #moe<weight_norm l1>, scale = 8.0e-01 : f64}
      : tensor<?x6xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %s_slot, %s_keep, %s_count, %s_offset = moe.slots %s_token, %s_expert, %s_rank, %s_valid {experts = 6 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<6xi32>, tensor<7xi32>
  %s_rows = moe.dispatch ragged %x, %s_token, %s_expert, %s_slot, %s_keep, %s_offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<7xi32> -> tensor<?x24xf32>
  %s_y = moe.experts %s_rows, %s_offset gate(%up : tensor<6x18x24xf32>) gate_bias(%up_bias : tensor<6x18xf32>)
      down(%down : tensor<6x24x18xf32>) down_bias(%down_bias : tensor<6x24xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<7xi32> -> tensor<?x24xf32>
  %scaled = moe.combine %s_y, %s_token, %s_expert, %s_slot, %s_keep, %s_w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  return %output, %scaled : tensor<?x24xf32>, tensor<?x24xf32>
}
