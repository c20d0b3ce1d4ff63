// System: Top-p (dynamic) routing
// Paper: Huang et al. 2024, Harder Tasks Need More Experts, arXiv 2403.07652, section 3
// Ops: score softmax, select top_p 0.75 of up to 4, weigh gather, slots dropless, experts gated silu
//
// As many of the best experts as it takes to be above probability p. `sizes` says how many.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
#full = affine_map<(t, h) -> (t, h)>
#token = affine_map<(t, h) -> (t)>

moe.weight @gate_up : tensor<4x20x24xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 7680>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?xi32> {moe.name = "sizes", moe.dims = ["tokens"]}) {
  %c0 = arith.constant 0 : index
  %gate_up = moe.weight_ref @gate_up : tensor<4x20x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_p %choice : tensor<?x4xf32> {k = 4 : i64, threshold = 7.5e-01 : f64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<4x20x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  %by_token = tensor.expand_shape %valid [[0, 1]] output_shape [%T, 4] : !mask into tensor<?x4xi1>
  %none = arith.constant 0 : i32
  %sizes_empty = tensor.empty(%T) : !list
  %sizes_init = linalg.fill ins(%none : i32) outs(%sizes_empty : !list) -> !list
  %sizes = linalg.generic {indexing_maps = [#full, #token], iterator_types = ["parallel", "reduction"]}
      ins(%by_token : tensor<?x4xi1>) outs(%sizes_init : !list) {
  ^bb0(%a: i1, %sum: i32):
    %number = arith.extui %a : i1 to i32
    %r = arith.addi %sum, %number : i32
    linalg.yield %r : i32
  } -> !list
  return %output, %sizes : tensor<?x24xf32>, tensor<?xi32>
}
