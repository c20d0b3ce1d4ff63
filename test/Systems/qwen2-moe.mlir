// System: Qwen2-MoE (Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B)
// Paper: Yang et al. 2024, Qwen2 Technical Report, arXiv 2407.10671, section 2.2.2
// Ops: score softmax, select top_k 4 of 10, weigh gather, slots dropless, experts gated silu; a dense FFN times sigmoid(w·x) is added
//
// The weights are the raw probabilities (norm_topk_prob is false); the shared expert has a sigmoid gate of its own.
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
#full = affine_map<(t, h) -> (t, h)>
#single = affine_map<(t, h) -> (t, 0)>

moe.weight @router : tensor<10x24xf32> source(#moe.file<"router.bin", offset = 0, length = 960>)
moe.weight @gate_up : tensor<10x20x24xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 19200>)
moe.weight @down : tensor<10x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 9600>)
moe.weight @shared_gate_up : tensor<68x24xf32> source(#moe.file<"shared_gate_up.bin", offset = 0, length = 6528>)
moe.weight @shared_down : tensor<24x34xf32> source(#moe.file<"shared_down.bin", offset = 0, length = 3264>)
moe.weight @shared_router : tensor<1x24xf32> source(#moe.file<"shared_router.bin", offset = 0, length = 96>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<10x24xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<10x20x24xf32>
  %down = moe.weight_ref @down : tensor<10x24x10xf32>
  %shared_gate_up = moe.weight_ref @shared_gate_up : tensor<68x24xf32>
  %shared_down = moe.weight_ref @shared_down : tensor<24x34xf32>
  %shared_router = moe.weight_ref @shared_router : tensor<1x24xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x10xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x10xf32>) -> tensor<?x10xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : tensor<?x24xf32>, tensor<10x24xf32>)
      outs(%logits_init : tensor<?x10xf32>) -> tensor<?x10xf32>

  %scores, %choice = moe.score softmax %logits : tensor<?x10xf32> -> tensor<?x10xf32>, tensor<?x10xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x10xf32> {k = 4 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x10xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 10 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<10xi32>, tensor<11xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<11xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<10x20x24xf32>) down(%down : tensor<10x24x10xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x24xf32>, tensor<11xi32> -> tensor<?x24xf32>
  %routed = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  %hidden_empty = tensor.empty(%T) : tensor<?x68xf32>
  %hidden_init = linalg.fill ins(%zero : f32) outs(%hidden_empty : tensor<?x68xf32>) -> tensor<?x68xf32>
  %hidden = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %shared_gate_up : tensor<?x24xf32>, tensor<68x24xf32>)
      outs(%hidden_init : tensor<?x68xf32>) -> tensor<?x68xf32>
  %gate = tensor.extract_slice %hidden[0, 0] [%T, 34] [1, 1] : tensor<?x68xf32> to tensor<?x34xf32>
  %up = tensor.extract_slice %hidden[0, 34] [%T, 34] [1, 1] : tensor<?x68xf32> to tensor<?x34xf32>
  %activated_empty = tensor.empty(%T) : tensor<?x34xf32>
  %activated = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%gate, %up : tensor<?x34xf32>, tensor<?x34xf32>) outs(%activated_empty : tensor<?x34xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %negative = arith.negf %a : f32
    %exp = math.exp %negative : f32
    %divisor = arith.addf %exp, %one : f32
    %silu = arith.divf %a, %divisor : f32
    %r = arith.mulf %silu, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x34xf32>
  %shared_empty = tensor.empty(%T) : tensor<?x24xf32>
  %shared_init = linalg.fill ins(%zero : f32) outs(%shared_empty : tensor<?x24xf32>) -> tensor<?x24xf32>
  %shared = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%activated, %shared_down : tensor<?x34xf32>, tensor<24x34xf32>)
      outs(%shared_init : tensor<?x24xf32>) -> tensor<?x24xf32>
  %shared_logit_empty = tensor.empty(%T) : tensor<?x1xf32>
  %shared_logit_init = linalg.fill ins(%zero : f32) outs(%shared_logit_empty : tensor<?x1xf32>) -> tensor<?x1xf32>
  %shared_logit = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %shared_router : tensor<?x24xf32>, tensor<1x24xf32>)
      outs(%shared_logit_init : tensor<?x1xf32>) -> tensor<?x1xf32>
  %output_empty = tensor.empty(%T) : tensor<?x24xf32>
  %output = linalg.generic {indexing_maps = [#full, #full, #single, #full], iterator_types = ["parallel", "parallel"]}
      ins(%routed, %shared, %shared_logit : tensor<?x24xf32>, tensor<?x24xf32>, tensor<?x1xf32>) outs(%output_empty : tensor<?x24xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %negative = arith.negf %c : f32
    %exp = math.exp %negative : f32
    %divisor = arith.addf %exp, %one : f32
    %gated = arith.divf %b, %divisor : f32
    %r = arith.addf %a, %gated : f32
    linalg.yield %r : f32
  } -> tensor<?x24xf32>
  return %output : tensor<?x24xf32>
}
