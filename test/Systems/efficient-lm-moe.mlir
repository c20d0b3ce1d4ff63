// System: Efficient large-scale language modelling with MoE
// Paper: Artetxe et al. 2021, arXiv 2112.10684, section 2.2 (fairseq top-2)
// Ops: score softmax, select top_k 2 of 4, slots rank_major with capacity ceil(T/E), weigh gather l1 after the drop clamped to the f32
//   epsilon, experts gelu_erf with biases
//
// Weights are normalised over the choices that were kept: a token that lost its second expert gives its first the weight 1.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>

moe.weight @up : tensor<4x10x24xf32> source(#moe.file<"up.bin", offset = 0, length = 3840>)
moe.weight @up_bias : tensor<4x10xf32> source(#moe.file<"up_bias.bin", offset = 0, length = 160>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)
moe.weight @down_bias : tensor<4x24xf32> source(#moe.file<"down_bias.bin", offset = 0, length = 384>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?xf32> {moe.name = "w", moe.dims = ["?"]}) {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<4x10x24xf32>
  %up_bias = moe.weight_ref @up_bias : tensor<4x10xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %down_bias = moe.weight_ref @down_bias : tensor<4x24xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid
      {experts = 4 : i64, order = #moe<slot_order rank_major>, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1,
        rounding = floor, pre_ceil = true>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid keep(%keep : !mask)
        {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode clamp>, epsilon = 1.1920928955078125e-07 : f64}
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x10x24xf32>) gate_bias(%up_bias : tensor<4x10xf32>)
      down(%down : tensor<4x24x10xf32>) down_bias(%down_bias : tensor<4x24xf32>)
      {ffn = #moe.ffn<activation = gelu_erf>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  return %output, %w : tensor<?x24xf32>, tensor<?xf32>
}
