// System: GShard
// Paper: Lepikhin et al. 2020, GShard, arXiv 2006.16668, algorithm 1
// Ops: score softmax, select top_k 2 of 4, weigh gather l1 plus 1e-9, filter bernoulli 0.5 from the second choice on, slots rank_major
//   with capacity 2·T/E, experts relu; stats of first choices to the balance loss
//
// The second expert is taken with twice the probability of its weight, by the coin `u`. Weights are normalised before coin and drop.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>

moe.weight @up : tensor<4x10x24xf32> source(#moe.file<"up.bin", offset = 0, length = 3840>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)

func.func private @moe.balance_loss(tensor<?xf32>, tensor<?xf32>) -> tensor<f32>

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]},
                %u: tensor<?x2xf32> {moe.name = "u", moe.dims = ["tokens", "2"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?xi1> {moe.name = "keep", moe.dims = ["?"]},
        tensor<f32> {moe.name = "aux_loss", moe.dims = []}) {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<4x10x24xf32>
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
      {theta = 5.0e-01 : f64, from_rank = 1 : i64}
      : !list, !list, !list, !mask, tensor<?xf32> -> !mask
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %kept
      {experts = 4 : i64, order = #moe<slot_order rank_major>, capacity = #moe.capacity<base = assignments, numerator = 1,
        denominator = 1, rounding = floor>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x10x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  %f, %p = moe.stats %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<4xf32>, tensor<4xf32>
  %f_any = tensor.cast %f : tensor<4xf32> to tensor<?xf32>
  %p_any = tensor.cast %p : tensor<4xf32> to tensor<?xf32>
  %aux_loss = call @moe.balance_loss(%f_any, %p_any) : (tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
  return %output, %keep, %aux_loss : tensor<?x24xf32>, tensor<?xi1>, tensor<f32>
}
