// System: Phi-3.5-MoE
// Paper: Abdin et al. 2024, Phi-3 Technical Report, arXiv 2404.14219, section 2; Liu et al. 2024, GRIN, arXiv 2409.12136, section 2.2
// Ops: score identity, select sparse_mixer 2 of 4 with jitter 0.01, weigh sparse_mixer, slots dropless, experts gated silu
//
// Two rounds of top-1: in each, experts far below the best are masked, and the weight is the softmax over those that are left.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>

moe.weight @gate_up : tensor<4x20x24xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 7680>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?xi32> {moe.name = "expert", moe.dims = ["?"]},
        tensor<?xf32> {moe.name = "w", moe.dims = ["?"]}) {
  %c0 = arith.constant 0 : index
  %gate_up = moe.weight_ref @gate_up : tensor<4x20x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score identity %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select sparse_mixer %choice : tensor<?x4xf32> {k = 2 : i64, jitter = 1.0e-02 : f64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh sparse_mixer %scores, %token, %expert, %rank, %valid {jitter = 1.0e-02 : f64}
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<4x20x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  return %output, %expert, %w : tensor<?x24xf32>, tensor<?xi32>, tensor<?xf32>
}
