// System: MegaBlocks (dropless MoE)
// Paper: Gale et al. 2022, MegaBlocks, arXiv 2211.15841, sections 4 and 5
// Ops: score softmax, select top_k 2 of 4, weigh gather, slots dropless padded to blocks of 128 rows, experts gelu_tanh; the same in
//   padded layout
//
// No token is dropped; the rows of each expert begin at a multiple of a block. `padded` gives every expert as many rows as all can need.
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
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?x24xf32> {moe.name = "padded", moe.dims = ["tokens", "24"]},
        tensor<5xi32> {moe.name = "offset", moe.dims = ["5"]}) {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<4x10x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64, pad_to = 128 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x10x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = gelu_tanh>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  // The same with one block of C rows per expert, C enough for all assignments.
  %p_slot, %p_keep, %p_count, %p_offset = moe.slots %token, %expert, %rank, %valid
      {experts = 4 : i64, layout = #moe<slot_layout padded>,
       capacity = #moe.capacity<base = assignments, numerator = 4, denominator = 1, rounding = floor>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %p_rows = moe.dispatch padded %x, %token, %expert, %p_slot, %p_keep, %p_offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<4x?x24xf32>
  %p_y = moe.experts %p_rows, %p_offset gate(%up : tensor<4x10x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = gelu_tanh>} : tensor<4x?x24xf32>, tensor<5xi32> -> tensor<4x?x24xf32>
  %padded = moe.combine %p_y, %token, %expert, %p_slot, %p_keep, %w tokens(%T)
      : tensor<4x?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  return %output, %padded, %offset : tensor<?x24xf32>, tensor<?x24xf32>, tensor<5xi32>
}
