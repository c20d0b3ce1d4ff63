// System: ST-MoE
// Paper: Zoph et al. 2022, ST-MoE, arXiv 2202.08906, sections 2 and 3
// Ops: score softmax, select top_k 2 of 4, weigh gather l1 plus 1e-9, filter bernoulli 0.2 from the second choice on, slots rank_major
//   with capacity 1.25·T/E and at least 4, experts gated gelu_tanh; router z-loss
//
// `dropped` counts the assignments that found no slot.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
#each = affine_map<(t) -> (t)>
#whole = affine_map<(t) -> ()>

moe.weight @gate_up : tensor<4x20x24xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 7680>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)

func.func private @moe.router_z_loss(tensor<?x?xf32>) -> tensor<f32>

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]},
                %u: tensor<?x2xf32> {moe.name = "u", moe.dims = ["tokens", "2"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<f32> {moe.name = "z_loss", moe.dims = []},
        tensor<i32> {moe.name = "dropped", moe.dims = []}) {
  %c0 = arith.constant 0 : index
  %gate_up = moe.weight_ref @gate_up : tensor<4x20x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
        {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode add>, epsilon = 1.0e-09 : f64}
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %coins = tensor.collapse_shape %u [[0, 1]] : tensor<?x2xf32> into tensor<?xf32>
  %kept = moe.filter bernoulli %token, %expert, %rank, %valid value(%w) uniform(%coins : tensor<?xf32>)
      {theta = 2.0e-01 : f64, from_rank = 1 : i64}
      : !list, !list, !list, !mask, tensor<?xf32> -> !mask
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %kept
      {experts = 4 : i64, order = #moe<slot_order rank_major>, capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4,
        rounding = floor, minimum = 4>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<4x20x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = gelu_tanh, gate = halves>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  %logits_any = tensor.cast %logits : tensor<?x4xf32> to tensor<?x?xf32>
  %z_loss = call @moe.router_z_loss(%logits_any) : (tensor<?x?xf32>) -> tensor<f32>
  %start = arith.constant dense<0> : tensor<i32>
  %dropped = linalg.generic {indexing_maps = [#each, #each, #whole], iterator_types = ["reduction"]}
      ins(%kept, %keep : !mask, !mask) outs(%start : tensor<i32>) {
  ^bb0(%a: i1, %b: i1, %sum: i32):
    %true = arith.constant true
    %lost = arith.xori %b, %true : i1
    %both = arith.andi %a, %lost : i1
    %number = arith.extui %both : i1 to i32
    %r = arith.addi %sum, %number : i32
    linalg.yield %r : i32
  } -> tensor<i32>
  return %output, %z_loss, %dropped : tensor<?x24xf32>, tensor<f32>, tensor<i32>
}
