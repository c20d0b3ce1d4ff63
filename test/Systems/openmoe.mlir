// System: OpenMoE
// Paper: Xue et al. 2024, OpenMoE, arXiv 2402.01739, section 3
// Ops: score softmax, select top_k 2 of 4, weigh gather, slots rank_major with capacity 1.25·k·T/E, even and at least 4, experts gated
//   silu; router z-loss
//
// The raw probabilities are the weights.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>

moe.weight @gate_up : tensor<4x20x24xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 7680>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)

func.func private @moe.router_z_loss(tensor<?x?xf32>) -> tensor<f32>

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<f32> {moe.name = "z_loss", moe.dims = []}) {
  %c0 = arith.constant 0 : index
  %gate_up = moe.weight_ref @gate_up : tensor<4x20x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid
      {experts = 4 : i64, order = #moe<slot_order rank_major>, capacity = #moe.capacity<base = assignments, numerator = 5,
        denominator = 4, rounding = floor, minimum = 4, multiple_of = 2>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<4x20x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  %logits_any = tensor.cast %logits : tensor<?x4xf32> to tensor<?x?xf32>
  %z_loss = call @moe.router_z_loss(%logits_any) : (tensor<?x?xf32>) -> tensor<f32>
  return %output, %z_loss : tensor<?x24xf32>, tensor<f32>
}
