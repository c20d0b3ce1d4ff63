// System: DeepSeek-V2
// Paper: DeepSeek-AI 2024, DeepSeek-V2, arXiv 2405.04434, sections 2.2.1 and 2.2.2
// Ops: score softmax, select top_k 2 of 4 in the best of 2 groups (greatest expert, others masked with 0), weigh gather times 16, slots
//   dropless, experts gated silu; a shared FFN is added
//
// A token's experts are on few devices: only the best groups of experts take part. The weights are not normalised but scaled.
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

moe.weight @gate_up : tensor<4x20x24xf32> source(#moe.file<"gate_up.bin", offset = 0, length = 7680>)
moe.weight @down : tensor<4x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 3840>)
moe.weight @shared_gate : tensor<12x24xf32> source(#moe.file<"shared_gate.bin", offset = 0, length = 1152>)
moe.weight @shared_up : tensor<12x24xf32> source(#moe.file<"shared_up.bin", offset = 0, length = 1152>)
moe.weight @shared_down : tensor<24x12xf32> source(#moe.file<"shared_down.bin", offset = 0, length = 1152>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %logits: tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?xi32> {moe.name = "expert", moe.dims = ["?"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %gate_up = moe.weight_ref @gate_up : tensor<4x20x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x10xf32>
  %shared_gate = moe.weight_ref @shared_gate : tensor<12x24xf32>
  %shared_up = moe.weight_ref @shared_up : tensor<12x24xf32>
  %shared_down = moe.weight_ref @shared_down : tensor<24x12xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32>
        {k = 2 : i64, groups = #moe.groups<count = 2, keep = 1, top_r = 1, mask = zero>}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid {scale = 1.6e+01 : f64}
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<4x20x24xf32>) down(%down : tensor<4x24x10xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
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
  return %output, %expert : tensor<?x24xf32>, tensor<?xi32>
}
