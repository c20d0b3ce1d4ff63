// System: Sparsely-gated MoE with noisy top-k gating
// Paper: Shazeer et al. 2017, Outrageously Large Neural Networks, arXiv 1701.06538, section 2.1, equations 3 to 11 and appendix A
// Ops: score identity with normal noise to both, select top_k 2 of 5, weigh softmax_selected, slots dropless, experts relu; importance
//   and load losses
//
// The noise is `epsilon` times softplus(x·W_noise) + 0.01, as in the released code. The losses are the squared coefficients of variation
// of importance and load.
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

moe.weight @gating : tensor<5x24xf32> source(#moe.file<"gating.bin", offset = 0, length = 480>)
moe.weight @noise_gating : tensor<5x24xf32> source(#moe.file<"noise_gating.bin", offset = 0, length = 480>)
moe.weight @up : tensor<5x10x24xf32> source(#moe.file<"up.bin", offset = 0, length = 4800>)
moe.weight @down : tensor<5x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 4800>)

func.func private @moe.cv_squared(tensor<?xf32>) -> tensor<f32>
func.func private @moe.importance_of_assignments(tensor<?xi32>, tensor<?xi1>, tensor<?xf32>, index) -> tensor<?xf32>
func.func private @moe.load(tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x2xf32>)
    -> tensor<?xf32>

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %epsilon: tensor<?x5xf32> {moe.name = "epsilon", moe.dims = ["tokens", "5"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<f32> {moe.name = "importance_loss", moe.dims = []},
        tensor<f32> {moe.name = "load_loss", moe.dims = []},
        tensor<5xf32> {moe.name = "load", moe.dims = ["5"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %gating = moe.weight_ref @gating : tensor<5x24xf32>
  %noise_gating = moe.weight_ref @noise_gating : tensor<5x24xf32>
  %up = moe.weight_ref @up : tensor<5x10x24xf32>
  %down = moe.weight_ref @down : tensor<5x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x5xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x5xf32>) -> tensor<?x5xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %gating : tensor<?x24xf32>, tensor<5x24xf32>)
      outs(%logits_init : tensor<?x5xf32>) -> tensor<?x5xf32>
  %spread_empty = tensor.empty(%T) : tensor<?x5xf32>
  %spread_init = linalg.fill ins(%zero : f32) outs(%spread_empty : tensor<?x5xf32>) -> tensor<?x5xf32>
  %spread = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %noise_gating : tensor<?x24xf32>, tensor<5x24xf32>)
      outs(%spread_init : tensor<?x5xf32>) -> tensor<?x5xf32>
  %deviation_empty = tensor.empty(%T) : tensor<?x5xf32>
  %deviation = linalg.generic {indexing_maps = [#full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%spread : tensor<?x5xf32>) outs(%deviation_empty : tensor<?x5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %none = arith.constant 0.0 : f32
    %hundredth = arith.constant 1.0e-02 : f32
    %size = math.absf %a : f32
    %minus = arith.negf %size : f32
    %exp = math.exp %minus : f32
    %log = math.log1p %exp : f32
    %positive = arith.maximumf %a, %none : f32
    %softplus = arith.addf %positive, %log : f32
    %r = arith.addf %softplus, %hundredth : f32
    linalg.yield %r : f32
  } -> tensor<?x5xf32>
  %noise_empty = tensor.empty(%T) : tensor<?x5xf32>
  %noise = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%epsilon, %deviation : tensor<?x5xf32>, tensor<?x5xf32>) outs(%noise_empty : tensor<?x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.mulf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x5xf32>

  %scores, %choice = moe.score identity %logits noise(%noise : tensor<?x5xf32>)
        {noise_to = #moe<noise_target both>} : tensor<?x5xf32> -> tensor<?x5xf32>, tensor<?x5xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x5xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh softmax_selected %scores, %token, %expert, %rank, %valid
      : tensor<?x5xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 5 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<5xi32>, tensor<6xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<6xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<5x10x24xf32>) down(%down : tensor<5x24x10xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<6xi32> -> tensor<?x24xf32>
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>

  %E = arith.constant 5 : index
  %importance = call @moe.importance_of_assignments(%expert, %valid, %w, %E) : (!list, !mask, tensor<?xf32>, index) -> tensor<?xf32>
  %importance_loss = call @moe.cv_squared(%importance) : (tensor<?xf32>) -> tensor<f32>
  %logits_any = tensor.cast %logits : tensor<?x5xf32> to tensor<?x?xf32>
  %scores_any = tensor.cast %scores : tensor<?x5xf32> to tensor<?x?xf32>
  %deviation_any = tensor.cast %deviation : tensor<?x5xf32> to tensor<?x?xf32>
  %load_any = call @moe.load(%logits_any, %scores_any, %deviation_any, %kth)
      : (tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x2xf32>) -> tensor<?xf32>
  %load_loss = call @moe.cv_squared(%load_any) : (tensor<?xf32>) -> tensor<f32>
  %load = tensor.cast %load_any : tensor<?xf32> to tensor<5xf32>
  return %output, %importance_loss, %load_loss, %load : tensor<?x24xf32>, tensor<f32>, tensor<f32>, tensor<5xf32>
}
