// System: Mixtral 8x7B
// Paper: Jiang et al. 2024, Mixtral of Experts, arXiv 2401.04088, section 2.1
// Ops: score softmax, select top_k 2 of 8, weigh gather l1, slots dropless, experts gated silu
//
// The released code takes the softmax over all experts and divides the two chosen weights by their sum; the paper takes the softmax over
// the two chosen logits. Both are the same number.
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

moe.weight @router : tensor<8x40xf32> source(#moe.file<"router.bin", offset = 0, length = 1280>)
moe.weight @gate_up : tensor<8x56x40xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 71680>)
moe.weight @down : tensor<8x40x28xf32> source(#moe.file<"down.bin", offset = 0, length = 35840>)

func.func @main(%x: tensor<?x40xf32> {moe.name = "x", moe.dims = ["tokens", "40"]})
    -> (tensor<?x40xf32> {moe.name = "output", moe.dims = ["tokens", "40"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<8x40xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<8x56x40xf32>
  %down = moe.weight_ref @down : tensor<8x40x28xf32>
  %T = tensor.dim %x, %c0 : tensor<?x40xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x8xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x8xf32>) -> tensor<?x8xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : tensor<?x40xf32>, tensor<8x40xf32>)
      outs(%logits_init : tensor<?x8xf32>) -> tensor<?x8xf32>

  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid {norm = #moe<weight_norm l1>}
      : tensor<?x8xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 8 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x40xf32>, !list, !list, !list, !mask, tensor<9xi32> -> tensor<?x40xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<8x56x40xf32>) down(%down : tensor<8x40x28xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x40xf32>, tensor<9xi32> -> tensor<?x40xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x40xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x40xf32>
  return %output : tensor<?x40xf32>
}
