// System: Switch Transformer with 2048 experts (Switch-C)
// Paper: Fedus, Zoph, Shazeer 2021, Switch Transformers, arXiv 2101.03961, section 5.6
// Ops: score softmax, select top_k 1 of 2048, weigh gather, slots with capacity 2·T/E and at least 2, experts relu
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

moe.weight @router : tensor<2048x8xf32> source(#moe.file<"router.bin", offset = 0, length = 65536>)
moe.weight @up : tensor<2048x4x8xf32> source(#moe.file<"up.bin", offset = 0, length = 262144>)
moe.weight @down : tensor<2048x8x4xf32> source(#moe.file<"down.bin", offset = 0, length = 262144>)

func.func @main(%x: tensor<?x8xf32> {moe.name = "x", moe.dims = ["tokens", "8"]})
    -> (tensor<?x8xf32> {moe.name = "output", moe.dims = ["tokens", "8"]},
        tensor<?xi1> {moe.name = "keep", moe.dims = ["tokens"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<2048x8xf32>
  %up = moe.weight_ref @up : tensor<2048x4x8xf32>
  %down = moe.weight_ref @down : tensor<2048x8x4xf32>
  %T = tensor.dim %x, %c0 : tensor<?x8xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x2048xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x2048xf32>) -> tensor<?x2048xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : tensor<?x8xf32>, tensor<2048x8xf32>)
      outs(%logits_init : tensor<?x2048xf32>) -> tensor<?x2048xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x2048xf32> -> tensor<?x2048xf32>, tensor<?x2048xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x2048xf32> {k = 1 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x2048xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid
      {experts = 2048 : i64, capacity = #moe.capacity<base = tokens, numerator = 2, denominator = 1, rounding = floor, minimum = 2>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<2048xi32>, tensor<2049xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x8xf32>, !list, !list, !list, !mask, tensor<2049xi32> -> tensor<?x8xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<2048x4x8xf32>) down(%down : tensor<2048x8x4xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x8xf32>, tensor<2049xi32> -> tensor<?x8xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x8xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x8xf32>
  return %output, %keep : tensor<?x8xf32>, tensor<?xi1>
}
