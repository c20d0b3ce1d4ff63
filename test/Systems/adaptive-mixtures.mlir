// System: Adaptive Mixtures of Local Experts
// Paper: Jacobs, Jordan, Nowlan, Hinton 1991, Neural Computation 3(1), section 1
// Ops: score softmax, select all of 4, weigh gather, slots dropless, experts relu with biases
//
// Dense: every expert sees every token and the gating network's softmax mixes them.
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

moe.weight @gating : tensor<4x24xf32> source(#moe.file<"gating.bin", offset = 0, length = 384>)
moe.weight @up : tensor<4x12x24xf32> source(#moe.file<"up.bin", offset = 0, length = 4608>)
moe.weight @up_bias : tensor<4x12xf32> source(#moe.file<"up_bias.bin", offset = 0, length = 192>)
moe.weight @down : tensor<4x24x12xf32> source(#moe.file<"down.bin", offset = 0, length = 4608>)
moe.weight @down_bias : tensor<4x24xf32> source(#moe.file<"down_bias.bin", offset = 0, length = 384>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %gating = moe.weight_ref @gating : tensor<4x24xf32>
  %up = moe.weight_ref @up : tensor<4x12x24xf32>
  %up_bias = moe.weight_ref @up_bias : tensor<4x12xf32>
  %down = moe.weight_ref @down : tensor<4x24x12xf32>
  %down_bias = moe.weight_ref @down_bias : tensor<4x24xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x4xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %gating : tensor<?x24xf32>, tensor<4x24xf32>)
      outs(%logits_init : tensor<?x4xf32>) -> tensor<?x4xf32>

  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select all %choice : tensor<?x4xf32>
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x12x24xf32>) gate_bias(%up_bias : tensor<4x12xf32>)
      down(%down : tensor<4x24x12xf32>) down_bias(%down_bias : tensor<4x24xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  return %output : tensor<?x24xf32>
}
