// System: Several dense FFNs merged into one MoE
// Paper: Komatsuzaki et al. 2022, Sparse Upcycling, arXiv 2212.05055, section 3; the merging of several LLaMA FFNs
// Ops: score softmax, select top_k 1 of 4, weigh one, slots dropless, experts gated silu; and the same weights as top_k 2, weigh gather
//   l1 over equal experts
//
// `output`: four different FFNs are stacked; a token goes to one of them with weight 1 and gets what that FFN gives alone. `copies`: four
// copies of one FFN; weights that sum to one give the dense FFN.
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

moe.weight @router : tensor<4x20xf32> source(#moe.file<"router.bin", offset = 0, length = 320>)
moe.weight @gate_up : tensor<4x30x20xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 9600>)
moe.weight @down : tensor<4x20x15xf32> source(#moe.file<"down.bin", offset = 0, length = 4800>)
moe.weight @copied_gate_up : tensor<4x30x20xf32> source(#moe.file<"copied_gate_up.bin", offset = 0, length = 9600>)
moe.weight @copied_down : tensor<4x20x15xf32> source(#moe.file<"copied_down.bin", offset = 0, length = 4800>)

func.func @main(%x: tensor<?x20xf32> {moe.name = "x", moe.dims = ["tokens", "20"]})
    -> (tensor<?x20xf32> {moe.name = "output", moe.dims = ["tokens", "20"]},
        tensor<?x20xf32> {moe.name = "copies", moe.dims = ["tokens", "20"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<4x20xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<4x30x20xf32>
  %down = moe.weight_ref @down : tensor<4x20x15xf32>
  %copied_gate_up = moe.weight_ref @copied_gate_up : tensor<4x30x20xf32>
  %copied_down = moe.weight_ref @copied_down : tensor<4x20x15xf32>
  %T = tensor.dim %x, %c0 : tensor<?x20xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x4xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : tensor<?x20xf32>, tensor<4x20xf32>)
      outs(%logits_init : tensor<?x4xf32>) -> tensor<?x4xf32>

  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 1 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh one %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x20xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<4x30x20xf32>) down(%down : tensor<4x20x15xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x20xf32>, tensor<5xi32> -> tensor<?x20xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>

  %c_scores, %c_choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %c_token, %c_expert, %c_rank, %c_valid, %c_kth = moe.select top_k %c_choice : tensor<?x4xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %c_w = moe.weigh gather %c_scores, %c_token, %c_expert, %c_rank, %c_valid {norm = #moe<weight_norm l1>}
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %c_slot, %c_keep, %c_count, %c_offset = moe.slots %c_token, %c_expert, %c_rank, %c_valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %c_rows = moe.dispatch ragged %x, %c_token, %c_expert, %c_slot, %c_keep, %c_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x20xf32>
  %c_y = moe.experts %c_rows, %c_offset gate(%copied_gate_up : tensor<4x30x20xf32>) down(%copied_down : tensor<4x20x15xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x20xf32>, tensor<5xi32> -> tensor<?x20xf32>
  %copies = moe.combine %c_y, %c_token, %c_expert, %c_slot, %c_keep, %c_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>
  return %output, %copies : tensor<?x20xf32>, tensor<?x20xf32>
}
