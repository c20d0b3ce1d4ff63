// System: KeepTopK with Gaussian noise and CV loss
// Paper: Shazeer et al. 2017, arXiv 1701.06538, equation 5, in the form without a softmax over the kept logits
// Ops: score identity with normal noise to the choice, select top_k 2 of 4, weigh gather, slots dropless, experts relu; importance of the
//   full softmax to CV²
//
// The noise decides who is chosen; the weights are the clean logits themselves. The loss is on all probabilities, not on the chosen ones.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>

moe.weight @up : tensor<4x10x24xf32> source(#moe.file<"up.bin", offset = 0, length = 3840>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)

func.func private @moe.importance(tensor<?x?xf32>) -> tensor<?xf32>
func.func private @moe.cv_squared(tensor<?xf32>) -> tensor<f32>

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]},
                %noise: tensor<?x4xf32> {moe.name = "noise", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<f32> {moe.name = "cv_loss", moe.dims = []}) {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<4x10x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score identity %logits noise(%noise : tensor<?x4xf32>)
        {noise_to = #moe<noise_target choice>} : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x10x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  %probabilities, %unused = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %any = tensor.cast %probabilities : tensor<?x4xf32> to tensor<?x?xf32>
  %importance = call @moe.importance(%any) : (tensor<?x?xf32>) -> tensor<?xf32>
  %cv_loss = call @moe.cv_squared(%importance) : (tensor<?xf32>) -> tensor<f32>
  return %output, %cv_loss : tensor<?x24xf32>, tensor<f32>
}
