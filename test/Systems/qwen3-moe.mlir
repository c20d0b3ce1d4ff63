// System: Qwen3-MoE
// Paper: Yang et al. 2025, Qwen3 Technical Report, arXiv 2505.09388, section 2
// Ops: score softmax, select top_k 4 of 10, weigh gather l1, slots dropless, experts gated silu
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

moe.weight @router : tensor<10x24xf32> source(#moe.file<"router.bin", offset = 0, length = 960>)
moe.weight @gate_up : tensor<10x20x24xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 19200>)
moe.weight @down : tensor<10x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 9600>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<10x24xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<10x20x24xf32>
  %down = moe.weight_ref @down : tensor<10x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x10xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x10xf32>) -> tensor<?x10xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : tensor<?x24xf32>, tensor<10x24xf32>)
      outs(%logits_init : tensor<?x10xf32>) -> tensor<?x10xf32>

  %scores, %choice = moe.score softmax %logits : tensor<?x10xf32> -> tensor<?x10xf32>, tensor<?x10xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x10xf32> {k = 4 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid {norm = #moe<weight_norm l1>}
      : tensor<?x10xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 10 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<10xi32>, tensor<11xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<11xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<10x20x24xf32>) down(%down : tensor<10x24x10xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x24xf32>, tensor<11xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  return %output : tensor<?x24xf32>
}
