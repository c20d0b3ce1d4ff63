// System: Switch Transformer
// Paper: Fedus, Zoph, Shazeer 2021, Switch Transformers, arXiv 2101.03961, sections 2.1 and 2.2
// Ops: score softmax, select top_k 1 of 4, weigh gather, slots with capacity 1.5·T/E, experts relu; stats of first choices to the balance
//   loss
//
// A token over the capacity goes on by the residual alone. The loss is without its coefficient 0.01.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
#full = affine_map<(t, h) -> (t, h)>

moe.weight @up : tensor<4x10x24xf32> source(#moe.file<"up.bin", offset = 0, length = 3840>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)

func.func private @moe.balance_loss(tensor<?xf32>, tensor<?xf32>) -> tensor<f32>

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?xi1> {moe.name = "keep", moe.dims = ["tokens"]},
        tensor<f32> {moe.name = "aux_loss", moe.dims = []}) {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<4x10x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 1 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid
      {experts = 4 : i64, capacity = #moe.capacity<base = tokens, numerator = 3, denominator = 2, rounding = floor>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x10x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %routed = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  %output_empty = tensor.empty(%T) : tensor<?x24xf32>
  %output = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x, %routed : tensor<?x24xf32>, tensor<?x24xf32>) outs(%output_empty : tensor<?x24xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.addf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x24xf32>
  %f, %p = moe.stats %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<4xf32>, tensor<4xf32>
  %f_any = tensor.cast %f : tensor<4xf32> to tensor<?xf32>
  %p_any = tensor.cast %p : tensor<4xf32> to tensor<?xf32>
  %aux_loss = call @moe.balance_loss(%f_any, %p_any) : (tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
  return %output, %keep, %aux_loss : tensor<?x24xf32>, tensor<?xi1>, tensor<f32>
}
