// System: DeepSeek-V3
// Paper: DeepSeek-AI 2024, DeepSeek-V3, arXiv 2412.19437, section 2.1.2
// Ops: score sigmoid with a bias to the choice, select top_k 4 of 16 in the best 2 of 4 groups (sum of two, others masked with -inf),
//   weigh gather l1 plus 1e-20 times 2.5, slots dropless, experts gated silu; a shared FFN is added
//
// The bias balances the load without a loss: it counts for the choice and not for the weight.
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

moe.weight @router : tensor<16x24xf32> source(#moe.file<"router.bin", offset = 0, length = 1536>)
moe.weight @bias : tensor<16xf32> source(#moe.file<"bias.bin", offset = 0, length = 64>)
moe.weight @gate_up : tensor<16x20x24xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 30720>)
moe.weight @down : tensor<16x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 15360>)
moe.weight @shared_gate : tensor<12x24xf32> source(#moe.file<"shared_gate.bin", offset = 0, length = 1152>)
moe.weight @shared_up : tensor<12x24xf32> source(#moe.file<"shared_up.bin", offset = 0, length = 1152>)
moe.weight @shared_down : tensor<24x12xf32> source(#moe.file<"shared_down.bin", offset = 0, length = 1152>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %small_logits: tensor<?x4xf32> {moe.name = "small_logits", moe.dims = ["cases", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?xi32> {moe.name = "small_expert", moe.dims = ["?"]},
        tensor<?x4xf32> {moe.name = "small_choice", moe.dims = ["cases", "4"]},
        tensor<?xf32> {moe.name = "small_w", moe.dims = ["?"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<16x24xf32>
  %bias = moe.weight_ref @bias : tensor<16xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<16x20x24xf32>
  %down = moe.weight_ref @down : tensor<16x24x10xf32>
  %shared_gate = moe.weight_ref @shared_gate : tensor<12x24xf32>
  %shared_up = moe.weight_ref @shared_up : tensor<12x24xf32>
  %shared_down = moe.weight_ref @shared_down : tensor<24x12xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x16xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x16xf32>) -> tensor<?x16xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : tensor<?x24xf32>, tensor<16x24xf32>)
      outs(%logits_init : tensor<?x16xf32>) -> tensor<?x16xf32>

  %scores, %choice = moe.score sigmoid %logits bias(%bias : tensor<16xf32>) : tensor<?x16xf32> -> tensor<?x16xf32>, tensor<?x16xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x16xf32>
        {k = 4 : i64, groups = #moe.groups<count = 4, keep = 2, top_r = 2, mask = neg_inf>}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
        {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode add>, epsilon = 1.0e-20 : f64, scale = 2.5 : f64}
      : tensor<?x16xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 16 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<16xi32>, tensor<17xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<17xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<16x20x24xf32>) down(%down : tensor<16x24x10xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x24xf32>, tensor<17xi32> -> tensor<?x24xf32>
  %routed = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  %gate_empty = tensor.empty(%T) : tensor<?x12xf32>
  %gate_init = linalg.fill ins(%zero : f32) outs(%gate_empty : tensor<?x12xf32>) -> tensor<?x12xf32>
  %gate = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %shared_gate : tensor<?x24xf32>, tensor<12x24xf32>)
      outs(%gate_init : tensor<?x12xf32>) -> tensor<?x12xf32>
  %raise_empty = tensor.empty(%T) : tensor<?x12xf32>
  %raise_init = linalg.fill ins(%zero : f32) outs(%raise_empty : tensor<?x12xf32>) -> tensor<?x12xf32>
  %raise = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %shared_up : tensor<?x24xf32>, tensor<12x24xf32>)
      outs(%raise_init : tensor<?x12xf32>) -> tensor<?x12xf32>
  %activated_empty = tensor.empty(%T) : tensor<?x12xf32>
  %activated = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%gate, %raise : tensor<?x12xf32>, tensor<?x12xf32>) outs(%activated_empty : tensor<?x12xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %negative = arith.negf %a : f32
    %exp = math.exp %negative : f32
    %divisor = arith.addf %exp, %one : f32
    %silu = arith.divf %a, %divisor : f32
    %r = arith.mulf %silu, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x12xf32>
  %shared_empty = tensor.empty(%T) : tensor<?x24xf32>
  %shared_init = linalg.fill ins(%zero : f32) outs(%shared_empty : tensor<?x24xf32>) -> tensor<?x24xf32>
  %shared = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%activated, %shared_down : tensor<?x12xf32>, tensor<24x12xf32>)
      outs(%shared_init : tensor<?x24xf32>) -> tensor<?x24xf32>
  %output_empty = tensor.empty(%T) : tensor<?x24xf32>
  %output = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%routed, %shared : tensor<?x24xf32>, tensor<?x24xf32>) outs(%output_empty : tensor<?x24xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.addf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x24xf32>

  // The router alone, on 4 experts in 2 groups.
  %small_bias = arith.constant dense<[-3.0e-01, 0.0, 0.0, 1.0e-01]> : tensor<4xf32>
  %s_scores, %small_choice = moe.score sigmoid %small_logits bias(%small_bias : tensor<4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>,
        tensor<?x4xf32>
  %s_token, %small_expert, %s_rank, %s_valid, %s_kth = moe.select top_k %small_choice : tensor<?x4xf32>
        {k = 2 : i64, groups = #moe.groups<count = 2, keep = 1, top_r = 2, mask = neg_inf>}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %small_w = moe.weigh gather %s_scores, %s_token, %small_expert, %s_rank, %s_valid
        {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode add>, epsilon = 1.0e-20 : f64, scale = 2.5 : f64}
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  return %output, %small_expert, %small_choice, %small_w : tensor<?x24xf32>, tensor<?xi32>, tensor<?x4xf32>, tensor<?xf32>
}
