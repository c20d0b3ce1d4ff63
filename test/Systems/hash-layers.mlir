// System: Hash layers
// Paper: Roller et al. 2021, Hash Layers for Large Sparse Models, arXiv 2106.04426, section 3
// Ops: select table, weights 1, slots dropless, experts relu with biases
//
// The token's id decides, by a table that is made beforehand and is an input here: random, balanced by frequency, clustered, dispersed.
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
                %ids: tensor<?xi32> {moe.name = "ids", moe.dims = ["tokens"]},
                %table: tensor<32x1xi32> {moe.name = "table", moe.dims = ["32", "1"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<4xi32> {moe.name = "count", moe.dims = ["4"]}) {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<4x10x24xf32>
  %up_bias = moe.weight_ref @up_bias : tensor<4x10xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %down_bias = moe.weight_ref @down_bias : tensor<4x24xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %token, %expert, %rank, %valid, %kth = moe.select table ids(%ids : !list) table(%table : tensor<32x1xi32>)
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %one = arith.constant 1.0 : f32
  %w_empty = tensor.empty(%T) : tensor<?xf32>
  %w = linalg.fill ins(%one : f32) outs(%w_empty : tensor<?xf32>) -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x10x24xf32>) gate_bias(%up_bias : tensor<4x10xf32>)
      down(%down : tensor<4x24x10xf32>) down_bias(%down_bias : tensor<4x24xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  return %output, %count : tensor<?x24xf32>, tensor<4xi32>
}
