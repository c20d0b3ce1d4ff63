// System: DeepSpeed-MoE (PR-MoE)
// Paper: Rajbhandari et al. 2022, DeepSpeed-MoE, arXiv 2201.05596, section 4.1
// Ops: score softmax, select top_k 1 of 4 and of 8, weigh gather, slots dropless, experts gelu_tanh; a dense FFN is mixed in by a softmax
//   of two
//
// Pyramid: the second layer has twice the experts. Residual: y = a0·MoE(x) + a1·FFN(x) with a = softmax(C·x + c).
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
#column = affine_map<(t, h) -> (h)>
#first = affine_map<(t, h) -> (t, 0)>
#second = affine_map<(t, h) -> (t, 1)>

moe.weight @router1 : tensor<4x20xf32> source(#moe.file<"router1.bin", offset = 0, length = 320>)
moe.weight @up1 : tensor<4x12x20xf32> source(#moe.file<"up1.bin", offset = 0, length = 3840>)
moe.weight @down1 : tensor<4x20x12xf32> source(#moe.file<"down1.bin", offset = 0, length = 3840>)
moe.weight @residual_up1 : tensor<12x20xf32> source(#moe.file<"residual_up1.bin", offset = 0, length = 960>)
moe.weight @residual_down1 : tensor<20x12xf32> source(#moe.file<"residual_down1.bin", offset = 0, length = 960>)
moe.weight @coefficient1 : tensor<2x20xf32> source(#moe.file<"coefficient1.bin", offset = 0, length = 160>)
moe.weight @coefficient_bias1 : tensor<2xf32> source(#moe.file<"coefficient_bias1.bin", offset = 0, length = 8>)
moe.weight @router2 : tensor<8x20xf32> source(#moe.file<"router2.bin", offset = 0, length = 640>)
moe.weight @up2 : tensor<8x12x20xf32> source(#moe.file<"up2.bin", offset = 0, length = 7680>)
moe.weight @down2 : tensor<8x20x12xf32> source(#moe.file<"down2.bin", offset = 0, length = 7680>)
moe.weight @residual_up2 : tensor<12x20xf32> source(#moe.file<"residual_up2.bin", offset = 0, length = 960>)
moe.weight @residual_down2 : tensor<20x12xf32> source(#moe.file<"residual_down2.bin", offset = 0, length = 960>)
moe.weight @coefficient2 : tensor<2x20xf32> source(#moe.file<"coefficient2.bin", offset = 0, length = 160>)
moe.weight @coefficient_bias2 : tensor<2xf32> source(#moe.file<"coefficient_bias2.bin", offset = 0, length = 8>)

func.func @main(%x: tensor<?x20xf32> {moe.name = "x", moe.dims = ["tokens", "20"]})
    -> (tensor<?x20xf32> {moe.name = "output", moe.dims = ["tokens", "20"]},
        tensor<?x2xf32> {moe.name = "share2", moe.dims = ["tokens", "2"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router1 = moe.weight_ref @router1 : tensor<4x20xf32>
  %up1 = moe.weight_ref @up1 : tensor<4x12x20xf32>
  %down1 = moe.weight_ref @down1 : tensor<4x20x12xf32>
  %residual_up1 = moe.weight_ref @residual_up1 : tensor<12x20xf32>
  %residual_down1 = moe.weight_ref @residual_down1 : tensor<20x12xf32>
  %coefficient1 = moe.weight_ref @coefficient1 : tensor<2x20xf32>
  %coefficient_bias1 = moe.weight_ref @coefficient_bias1 : tensor<2xf32>
  %router2 = moe.weight_ref @router2 : tensor<8x20xf32>
  %up2 = moe.weight_ref @up2 : tensor<8x12x20xf32>
  %down2 = moe.weight_ref @down2 : tensor<8x20x12xf32>
  %residual_up2 = moe.weight_ref @residual_up2 : tensor<12x20xf32>
  %residual_down2 = moe.weight_ref @residual_down2 : tensor<20x12xf32>
  %coefficient2 = moe.weight_ref @coefficient2 : tensor<2x20xf32>
  %coefficient_bias2 = moe.weight_ref @coefficient_bias2 : tensor<2xf32>
  %T = tensor.dim %x, %c0 : tensor<?x20xf32>

  // Layer 1: 4 experts.
  %logits1_empty = tensor.empty(%T) : tensor<?x4xf32>
  %logits1_init = linalg.fill ins(%zero : f32) outs(%logits1_empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits1 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router1 : tensor<?x20xf32>, tensor<4x20xf32>)
      outs(%logits1_init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %l1_scores, %l1_choice = moe.score softmax %logits1 : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %l1_token, %l1_expert, %l1_rank, %l1_valid, %l1_kth = moe.select top_k %l1_choice : tensor<?x4xf32> {k = 1 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %l1_w = moe.weigh gather %l1_scores, %l1_token, %l1_expert, %l1_rank, %l1_valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %l1_slot, %l1_keep, %l1_count, %l1_offset = moe.slots %l1_token, %l1_expert, %l1_rank, %l1_valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %l1_rows = moe.dispatch ragged %x, %l1_token, %l1_expert, %l1_slot, %l1_keep, %l1_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x20xf32>
  %l1_y = moe.experts %l1_rows, %l1_offset gate(%up1 : tensor<4x12x20xf32>) down(%down1 : tensor<4x20x12xf32>)
      {ffn = #moe.ffn<activation = gelu_tanh>} : tensor<?x20xf32>, tensor<5xi32> -> tensor<?x20xf32>
  %routed1 = moe.combine %l1_y, %l1_token, %l1_expert, %l1_slot, %l1_keep, %l1_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>
  %inner1_empty = tensor.empty(%T) : tensor<?x12xf32>
  %inner1_init = linalg.fill ins(%zero : f32) outs(%inner1_empty : tensor<?x12xf32>) -> tensor<?x12xf32>
  %inner1 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %residual_up1 : tensor<?x20xf32>, tensor<12x20xf32>)
      outs(%inner1_init : tensor<?x12xf32>) -> tensor<?x12xf32>
  %bent1_empty = tensor.empty(%T) : tensor<?x12xf32>
  %bent1 = linalg.generic {indexing_maps = [#full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%inner1 : tensor<?x12xf32>) outs(%bent1_empty : tensor<?x12xf32>) {
  ^bb0(%a: f32, %o: f32):
    %half = arith.constant 5.0e-01 : f32
    %one = arith.constant 1.0 : f32
    %cubic = arith.constant 4.471500e-02 : f32
    %root = arith.constant 0.797884583 : f32
    %aa = arith.mulf %a, %a : f32
    %aaa = arith.mulf %aa, %a : f32
    %third = arith.mulf %aaa, %cubic : f32
    %sum = arith.addf %a, %third : f32
    %scaled = arith.mulf %sum, %root : f32
    %tanh = math.tanh %scaled : f32
    %plus = arith.addf %tanh, %one : f32
    %ah = arith.mulf %a, %half : f32
    %r = arith.mulf %ah, %plus : f32
    linalg.yield %r : f32
  } -> tensor<?x12xf32>
  %residual1_empty = tensor.empty(%T) : tensor<?x20xf32>
  %residual1_init = linalg.fill ins(%zero : f32) outs(%residual1_empty : tensor<?x20xf32>) -> tensor<?x20xf32>
  %residual1 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%bent1, %residual_down1 : tensor<?x12xf32>, tensor<20x12xf32>)
      outs(%residual1_init : tensor<?x20xf32>) -> tensor<?x20xf32>
  %product1_empty = tensor.empty(%T) : tensor<?x2xf32>
  %product1_init = linalg.fill ins(%zero : f32) outs(%product1_empty : tensor<?x2xf32>) -> tensor<?x2xf32>
  %product1 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %coefficient1 : tensor<?x20xf32>, tensor<2x20xf32>)
      outs(%product1_init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %mixing1_empty = tensor.empty(%T) : tensor<?x2xf32>
  %mixing1 = linalg.generic {indexing_maps = [#full, #column, #full], iterator_types = ["parallel", "parallel"]}
      ins(%product1, %coefficient_bias1 : tensor<?x2xf32>, tensor<2xf32>) outs(%mixing1_empty : tensor<?x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.addf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x2xf32>
  %share1, %share1_choice = moe.score softmax %mixing1 : tensor<?x2xf32> -> tensor<?x2xf32>, tensor<?x2xf32>
  %z_empty = tensor.empty(%T) : tensor<?x20xf32>
  %z = linalg.generic {indexing_maps = [#full, #full, #first, #second, #full], iterator_types = ["parallel", "parallel"]}
      ins(%routed1, %residual1, %share1, %share1 : tensor<?x20xf32>, tensor<?x20xf32>, tensor<?x2xf32>, tensor<?x2xf32>)
        outs(%z_empty : tensor<?x20xf32>) {
  ^bb0(%a: f32, %b: f32, %g: f32, %h: f32, %o: f32):
    %ag = arith.mulf %a, %g : f32
    %bh = arith.mulf %b, %h : f32
    %r = arith.addf %ag, %bh : f32
    linalg.yield %r : f32
  } -> tensor<?x20xf32>

  // Layer 2: 8 experts.
  %logits2_empty = tensor.empty(%T) : tensor<?x8xf32>
  %logits2_init = linalg.fill ins(%zero : f32) outs(%logits2_empty : tensor<?x8xf32>) -> tensor<?x8xf32>
  %logits2 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%z, %router2 : tensor<?x20xf32>, tensor<8x20xf32>)
      outs(%logits2_init : tensor<?x8xf32>) -> tensor<?x8xf32>
  %l2_scores, %l2_choice = moe.score softmax %logits2 : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %l2_token, %l2_expert, %l2_rank, %l2_valid, %l2_kth = moe.select top_k %l2_choice : tensor<?x8xf32> {k = 1 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %l2_w = moe.weigh gather %l2_scores, %l2_token, %l2_expert, %l2_rank, %l2_valid
      : tensor<?x8xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %l2_slot, %l2_keep, %l2_count, %l2_offset = moe.slots %l2_token, %l2_expert, %l2_rank, %l2_valid {experts = 8 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<8xi32>, tensor<9xi32>
  %l2_rows = moe.dispatch ragged %z, %l2_token, %l2_expert, %l2_slot, %l2_keep, %l2_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<9xi32> -> tensor<?x20xf32>
  %l2_y = moe.experts %l2_rows, %l2_offset gate(%up2 : tensor<8x12x20xf32>) down(%down2 : tensor<8x20x12xf32>)
      {ffn = #moe.ffn<activation = gelu_tanh>} : tensor<?x20xf32>, tensor<9xi32> -> tensor<?x20xf32>
  %routed2 = moe.combine %l2_y, %l2_token, %l2_expert, %l2_slot, %l2_keep, %l2_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>
  %inner2_empty = tensor.empty(%T) : tensor<?x12xf32>
  %inner2_init = linalg.fill ins(%zero : f32) outs(%inner2_empty : tensor<?x12xf32>) -> tensor<?x12xf32>
  %inner2 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%z, %residual_up2 : tensor<?x20xf32>, tensor<12x20xf32>)
      outs(%inner2_init : tensor<?x12xf32>) -> tensor<?x12xf32>
  %bent2_empty = tensor.empty(%T) : tensor<?x12xf32>
  %bent2 = linalg.generic {indexing_maps = [#full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%inner2 : tensor<?x12xf32>) outs(%bent2_empty : tensor<?x12xf32>) {
  ^bb0(%a: f32, %o: f32):
    %half = arith.constant 5.0e-01 : f32
    %one = arith.constant 1.0 : f32
    %cubic = arith.constant 4.471500e-02 : f32
    %root = arith.constant 0.797884583 : f32
    %aa = arith.mulf %a, %a : f32
    %aaa = arith.mulf %aa, %a : f32
    %third = arith.mulf %aaa, %cubic : f32
    %sum = arith.addf %a, %third : f32
    %scaled = arith.mulf %sum, %root : f32
    %tanh = math.tanh %scaled : f32
    %plus = arith.addf %tanh, %one : f32
    %ah = arith.mulf %a, %half : f32
    %r = arith.mulf %ah, %plus : f32
    linalg.yield %r : f32
  } -> tensor<?x12xf32>
  %residual2_empty = tensor.empty(%T) : tensor<?x20xf32>
  %residual2_init = linalg.fill ins(%zero : f32) outs(%residual2_empty : tensor<?x20xf32>) -> tensor<?x20xf32>
  %residual2 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%bent2, %residual_down2 : tensor<?x12xf32>, tensor<20x12xf32>)
      outs(%residual2_init : tensor<?x20xf32>) -> tensor<?x20xf32>
  %product2_empty = tensor.empty(%T) : tensor<?x2xf32>
  %product2_init = linalg.fill ins(%zero : f32) outs(%product2_empty : tensor<?x2xf32>) -> tensor<?x2xf32>
  %product2 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%z, %coefficient2 : tensor<?x20xf32>, tensor<2x20xf32>)
      outs(%product2_init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %mixing2_empty = tensor.empty(%T) : tensor<?x2xf32>
  %mixing2 = linalg.generic {indexing_maps = [#full, #column, #full], iterator_types = ["parallel", "parallel"]}
      ins(%product2, %coefficient_bias2 : tensor<?x2xf32>, tensor<2xf32>) outs(%mixing2_empty : tensor<?x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.addf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x2xf32>
  %share2, %share2_choice = moe.score softmax %mixing2 : tensor<?x2xf32> -> tensor<?x2xf32>, tensor<?x2xf32>
  %output_empty = tensor.empty(%T) : tensor<?x20xf32>
  %output = linalg.generic {indexing_maps = [#full, #full, #first, #second, #full], iterator_types = ["parallel", "parallel"]}
      ins(%routed2, %residual2, %share2, %share2 : tensor<?x20xf32>, tensor<?x20xf32>, tensor<?x2xf32>, tensor<?x2xf32>)
        outs(%output_empty : tensor<?x20xf32>) {
  ^bb0(%a: f32, %b: f32, %g: f32, %h: f32, %o: f32):
    %ag = arith.mulf %a, %g : f32
    %bh = arith.mulf %b, %h : f32
    %r = arith.addf %ag, %bh : f32
    linalg.yield %r : f32
  } -> tensor<?x20xf32>
  return %output, %share2 : tensor<?x20xf32>, tensor<?x2xf32>
}
