// System: DeepSeekMoE
// Paper: Dai et al. 2024, DeepSeekMoE, arXiv 2401.06066, sections 3.1 and 3.2
// Ops: score softmax, select top_k 6 of 16, weigh gather, slots dropless, experts gated silu; the shared experts are one dense FFN that
//   is added
//
// Fine-grained experts: many narrow ones, more of them per token. Two shared experts of width 8 are one FFN of width 16; the oracle adds
// two.
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

moe.weight @router : tensor<16x32xf32> source(#moe.file<"router.bin", offset = 0, length = 2048>)
moe.weight @gate_up : tensor<16x16x32xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 32768>)
moe.weight @down : tensor<16x32x8xf32> source(#moe.file<"down.bin", offset = 0, length = 16384>)
moe.weight @shared_gate : tensor<16x32xf32> source(#moe.file<"shared_gate.bin", offset = 0, length = 2048>)
moe.weight @shared_up : tensor<16x32xf32> source(#moe.file<"shared_up.bin", offset = 0, length = 2048>)
moe.weight @shared_down : tensor<32x16xf32> source(#moe.file<"shared_down.bin", offset = 0, length = 2048>)

func.func @main(%x: tensor<?x32xf32> {moe.name = "x", moe.dims = ["tokens", "32"]})
    -> (tensor<?x32xf32> {moe.name = "output", moe.dims = ["tokens", "32"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<16x32xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<16x16x32xf32>
  %down = moe.weight_ref @down : tensor<16x32x8xf32>
  %shared_gate = moe.weight_ref @shared_gate : tensor<16x32xf32>
  %shared_up = moe.weight_ref @shared_up : tensor<16x32xf32>
  %shared_down = moe.weight_ref @shared_down : tensor<32x16xf32>
  %T = tensor.dim %x, %c0 : tensor<?x32xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x16xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x16xf32>) -> tensor<?x16xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : tensor<?x32xf32>, tensor<16x32xf32>)
      outs(%logits_init : tensor<?x16xf32>) -> tensor<?x16xf32>

  %scores, %choice = moe.score softmax %logits : tensor<?x16xf32> -> tensor<?x16xf32>, tensor<?x16xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x16xf32> {k = 6 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x16xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 16 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<16xi32>, tensor<17xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x32xf32>, !list, !list, !list, !mask, tensor<17xi32> -> tensor<?x32xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<16x16x32xf32>) down(%down : tensor<16x32x8xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x32xf32>, tensor<17xi32> -> tensor<?x32xf32>
  %routed = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x32xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x32xf32>

  %gate_empty = tensor.empty(%T) : tensor<?x16xf32>
  %gate_init = linalg.fill ins(%zero : f32) outs(%gate_empty : tensor<?x16xf32>) -> tensor<?x16xf32>
  %gate = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %shared_gate : tensor<?x32xf32>, tensor<16x32xf32>)
      outs(%gate_init : tensor<?x16xf32>) -> tensor<?x16xf32>
  %up_empty = tensor.empty(%T) : tensor<?x16xf32>
  %up_init = linalg.fill ins(%zero : f32) outs(%up_empty : tensor<?x16xf32>) -> tensor<?x16xf32>
  %up = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %shared_up : tensor<?x32xf32>, tensor<16x32xf32>)
      outs(%up_init : tensor<?x16xf32>) -> tensor<?x16xf32>
  %activated_empty = tensor.empty(%T) : tensor<?x16xf32>
  %activated = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%gate, %up : tensor<?x16xf32>, tensor<?x16xf32>) outs(%activated_empty : tensor<?x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %negative = arith.negf %a : f32
    %exp = math.exp %negative : f32
    %divisor = arith.addf %exp, %one : f32
    %silu = arith.divf %a, %divisor : f32
    %r = arith.mulf %silu, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x16xf32>
  %shared_empty = tensor.empty(%T) : tensor<?x32xf32>
  %shared_init = linalg.fill ins(%zero : f32) outs(%shared_empty : tensor<?x32xf32>) -> tensor<?x32xf32>
  %shared = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%activated, %shared_down : tensor<?x16xf32>, tensor<32x16xf32>)
      outs(%shared_init : tensor<?x32xf32>) -> tensor<?x32xf32>
  %output_empty = tensor.empty(%T) : tensor<?x32xf32>
  %output = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%routed, %shared : tensor<?x32xf32>, tensor<?x32xf32>) outs(%output_empty : tensor<?x32xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.addf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x32xf32>
  return %output : tensor<?x32xf32>
}
