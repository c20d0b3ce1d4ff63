// System: Hierarchical mixture of experts
// Paper: Jordan, Jacobs 1994, Neural Computation 6(2); Shazeer et al. 2017, arXiv 1701.06538, appendix B
// Ops: per group: score softmax, select all of 3, weigh gather, slots dropless, experts relu; the primary softmax mixes the groups. Experts
//   with a region that is such a chain, select all or top_k 1 of 2. Flat: score identity of the product gates, select all of 6
//
// An expert of the primary mixture is a mixture. `nested` computes that, `experts` as moe.experts of regions that are mixtures, `flat` one
// mixture with the products of the gates: they are equal. `sparse` has only the best of the primary experts.
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
#first = affine_map<(t, h) -> (t, 0)>
#second = affine_map<(t, h) -> (t, 1)>
#group = affine_map<(t, i, j) -> (t, i)>
#member = affine_map<(t, i, j) -> (t, j)>
#triple = affine_map<(t, i, j) -> (t, i, j)>

moe.weight @primary : tensor<2x20xf32> source(#moe.file<"primary.bin", offset = 0, length = 160>)
moe.weight @secondary0 : tensor<3x20xf32> source(#moe.file<"secondary0.bin", offset = 0, length = 240>)
moe.weight @secondary1 : tensor<3x20xf32> source(#moe.file<"secondary1.bin", offset = 0, length = 240>)
moe.weight @up0 : tensor<3x9x20xf32> source(#moe.file<"up0.bin", offset = 0, length = 2160>)
moe.weight @down0 : tensor<3x20x9xf32> source(#moe.file<"down0.bin", offset = 0, length = 2160>)
moe.weight @up1 : tensor<3x9x20xf32> source(#moe.file<"up1.bin", offset = 0, length = 2160>)
moe.weight @down1 : tensor<3x20x9xf32> source(#moe.file<"down1.bin", offset = 0, length = 2160>)
moe.weight @up : tensor<6x9x20xf32> source(#moe.file<"up.bin", offset = 0, length = 4320>)
moe.weight @down : tensor<6x20x9xf32> source(#moe.file<"down.bin", offset = 0, length = 4320>)

moe.weight @secondary_of : tensor<2x3x20xf32> source(#moe.file<"secondary_of.bin", offset = 0, length = 480>)
moe.weight @up_of : tensor<2x3x9x20xf32> source(#moe.file<"up_of.bin", offset = 0, length = 4320>)
moe.weight @down_of : tensor<2x3x20x9xf32> source(#moe.file<"down_of.bin", offset = 0, length = 4320>)

// A mixture of 3 experts.
func.func private @mixture(%x: tensor<?x20xf32>, %gating: tensor<3x20xf32>, %up: tensor<3x9x20xf32>, %down: tensor<3x20x9xf32>) -> tensor<?x20xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %T = tensor.dim %x, %c0 : tensor<?x20xf32>
  %empty = tensor.empty(%T) : tensor<?x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x3xf32>) -> tensor<?x3xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %gating : tensor<?x20xf32>, tensor<3x20xf32>)
      outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x3xf32> -> tensor<?x3xf32>, tensor<?x3xf32>
  %token, %expert, %rank, %valid, %kth = moe.select all %choice : tensor<?x3xf32> -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid : tensor<?x3xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 3 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<3xi32>, tensor<4xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<4xi32> -> tensor<?x20xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<3x9x20xf32>) down(%down : tensor<3x20x9xf32>) {ffn = #moe.ffn<activation = relu>}
      : tensor<?x20xf32>, tensor<4xi32> -> tensor<?x20xf32>
  %mixed = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>
  return %mixed : tensor<?x20xf32>
}

func.func @main(%x: tensor<?x20xf32> {moe.name = "x", moe.dims = ["tokens", "20"]})
    -> (tensor<?x20xf32> {moe.name = "nested", moe.dims = ["tokens", "20"]},
        tensor<?x20xf32> {moe.name = "flat", moe.dims = ["tokens", "20"]},
        tensor<?x6xf32> {moe.name = "gates", moe.dims = ["tokens", "6"]},
        tensor<?x20xf32> {moe.name = "experts", moe.dims = ["tokens", "20"]},
        tensor<?x20xf32> {moe.name = "sparse", moe.dims = ["tokens", "20"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %primary = moe.weight_ref @primary : tensor<2x20xf32>
  %secondary0 = moe.weight_ref @secondary0 : tensor<3x20xf32>
  %secondary1 = moe.weight_ref @secondary1 : tensor<3x20xf32>
  %up0 = moe.weight_ref @up0 : tensor<3x9x20xf32>
  %down0 = moe.weight_ref @down0 : tensor<3x20x9xf32>
  %up1 = moe.weight_ref @up1 : tensor<3x9x20xf32>
  %down1 = moe.weight_ref @down1 : tensor<3x20x9xf32>
  %up = moe.weight_ref @up : tensor<6x9x20xf32>
  %down = moe.weight_ref @down : tensor<6x20x9xf32>
  %T = tensor.dim %x, %c0 : tensor<?x20xf32>
  %primary_logits_empty = tensor.empty(%T) : tensor<?x2xf32>
  %primary_logits_init = linalg.fill ins(%zero : f32) outs(%primary_logits_empty : tensor<?x2xf32>) -> tensor<?x2xf32>
  %primary_logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %primary : tensor<?x20xf32>, tensor<2x20xf32>)
      outs(%primary_logits_init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %primary_gates, %primary_gates_choice = moe.score softmax %primary_logits : tensor<?x2xf32> -> tensor<?x2xf32>, tensor<?x2xf32>

  %logits0_empty = tensor.empty(%T) : tensor<?x3xf32>
  %logits0_init = linalg.fill ins(%zero : f32) outs(%logits0_empty : tensor<?x3xf32>) -> tensor<?x3xf32>
  %logits0 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %secondary0 : tensor<?x20xf32>, tensor<3x20xf32>)
      outs(%logits0_init : tensor<?x3xf32>) -> tensor<?x3xf32>
  %g0_scores, %g0_choice = moe.score softmax %logits0 : tensor<?x3xf32> -> tensor<?x3xf32>, tensor<?x3xf32>
  %g0_token, %g0_expert, %g0_rank, %g0_valid, %g0_kth = moe.select all %g0_choice : tensor<?x3xf32>
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %g0_w = moe.weigh gather %g0_scores, %g0_token, %g0_expert, %g0_rank, %g0_valid
      : tensor<?x3xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %g0_slot, %g0_keep, %g0_count, %g0_offset = moe.slots %g0_token, %g0_expert, %g0_rank, %g0_valid {experts = 3 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<3xi32>, tensor<4xi32>
  %g0_rows = moe.dispatch ragged %x, %g0_token, %g0_expert, %g0_slot, %g0_keep, %g0_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<4xi32> -> tensor<?x20xf32>
  %g0_y = moe.experts %g0_rows, %g0_offset gate(%up0 : tensor<3x9x20xf32>) down(%down0 : tensor<3x20x9xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x20xf32>, tensor<4xi32> -> tensor<?x20xf32>
  %mixture0 = moe.combine %g0_y, %g0_token, %g0_expert, %g0_slot, %g0_keep, %g0_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>

  %logits1_empty = tensor.empty(%T) : tensor<?x3xf32>
  %logits1_init = linalg.fill ins(%zero : f32) outs(%logits1_empty : tensor<?x3xf32>) -> tensor<?x3xf32>
  %logits1 = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %secondary1 : tensor<?x20xf32>, tensor<3x20xf32>)
      outs(%logits1_init : tensor<?x3xf32>) -> tensor<?x3xf32>
  %g1_scores, %g1_choice = moe.score softmax %logits1 : tensor<?x3xf32> -> tensor<?x3xf32>, tensor<?x3xf32>
  %g1_token, %g1_expert, %g1_rank, %g1_valid, %g1_kth = moe.select all %g1_choice : tensor<?x3xf32>
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %g1_w = moe.weigh gather %g1_scores, %g1_token, %g1_expert, %g1_rank, %g1_valid
      : tensor<?x3xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %g1_slot, %g1_keep, %g1_count, %g1_offset = moe.slots %g1_token, %g1_expert, %g1_rank, %g1_valid {experts = 3 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<3xi32>, tensor<4xi32>
  %g1_rows = moe.dispatch ragged %x, %g1_token, %g1_expert, %g1_slot, %g1_keep, %g1_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<4xi32> -> tensor<?x20xf32>
  %g1_y = moe.experts %g1_rows, %g1_offset gate(%up1 : tensor<3x9x20xf32>) down(%down1 : tensor<3x20x9xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x20xf32>, tensor<4xi32> -> tensor<?x20xf32>
  %mixture1 = moe.combine %g1_y, %g1_token, %g1_expert, %g1_slot, %g1_keep, %g1_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>
  %nested_empty = tensor.empty(%T) : tensor<?x20xf32>
  %nested = linalg.generic {indexing_maps = [#full, #full, #first, #second, #full], iterator_types = ["parallel", "parallel"]}
      ins(%mixture0, %mixture1, %primary_gates, %primary_gates : tensor<?x20xf32>, tensor<?x20xf32>, tensor<?x2xf32>,
        tensor<?x2xf32>) outs(%nested_empty : tensor<?x20xf32>) {
  ^bb0(%a: f32, %b: f32, %g: f32, %h: f32, %o: f32):
    %ag = arith.mulf %a, %g : f32
    %bh = arith.mulf %b, %h : f32
    %r = arith.addf %ag, %bh : f32
    linalg.yield %r : f32
  } -> tensor<?x20xf32>

  %gates0, %gates0_choice = moe.score softmax %logits0 : tensor<?x3xf32> -> tensor<?x3xf32>, tensor<?x3xf32>
  %gates1, %gates1_choice = moe.score softmax %logits1 : tensor<?x3xf32> -> tensor<?x3xf32>, tensor<?x3xf32>
  %pairs_empty = tensor.empty(%T) : tensor<?x2x3xf32>
  %pairs = linalg.generic {indexing_maps = [#group, #member, #member, #triple], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%primary_gates, %gates0, %gates1 : tensor<?x2xf32>, tensor<?x3xf32>, tensor<?x3xf32>) outs(%pairs_empty : tensor<?x2x3xf32>) {
  ^bb0(%g: f32, %a: f32, %b: f32, %o: f32):
    %number = linalg.index 1 : index
    %is_first = arith.cmpi eq, %number, %c0 : index
    %inner = arith.select %is_first, %a, %b : f32
    %r = arith.mulf %g, %inner : f32
    linalg.yield %r : f32
  } -> tensor<?x2x3xf32>
  %gates = tensor.collapse_shape %pairs [[0], [1, 2]] : tensor<?x2x3xf32> into tensor<?x6xf32>
  %f_scores, %f_choice = moe.score identity %gates : tensor<?x6xf32> -> tensor<?x6xf32>, tensor<?x6xf32>
  %f_token, %f_expert, %f_rank, %f_valid, %f_kth = moe.select all %f_choice : tensor<?x6xf32>
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %f_w = moe.weigh gather %f_scores, %f_token, %f_expert, %f_rank, %f_valid
      : tensor<?x6xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %f_slot, %f_keep, %f_count, %f_offset = moe.slots %f_token, %f_expert, %f_rank, %f_valid {experts = 6 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<6xi32>, tensor<7xi32>
  %f_rows = moe.dispatch ragged %x, %f_token, %f_expert, %f_slot, %f_keep, %f_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<7xi32> -> tensor<?x20xf32>
  %f_y = moe.experts %f_rows, %f_offset gate(%up : tensor<6x9x20xf32>) down(%down : tensor<6x20x9xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x20xf32>, tensor<7xi32> -> tensor<?x20xf32>
  %flat = moe.combine %f_y, %f_token, %f_expert, %f_slot, %f_keep, %f_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>

  %secondary_of = moe.weight_ref @secondary_of : tensor<2x3x20xf32>
  %up_of = moe.weight_ref @up_of : tensor<2x3x9x20xf32>
  %down_of = moe.weight_ref @down_of : tensor<2x3x20x9xf32>
  %experts_token, %experts_expert, %experts_rank, %experts_valid, %experts_kth = moe.select all %primary_gates_choice : tensor<?x2xf32>
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %experts_w = moe.weigh gather %primary_gates, %experts_token, %experts_expert, %experts_rank, %experts_valid
      : tensor<?x2xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %experts_slot, %experts_keep, %experts_count, %experts_offset = moe.slots %experts_token, %experts_expert, %experts_rank, %experts_valid {experts = 2 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<2xi32>, tensor<3xi32>
  %experts_rows = moe.dispatch ragged %x, %experts_token, %experts_expert, %experts_slot, %experts_keep, %experts_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<3xi32> -> tensor<?x20xf32>
  %experts_y = moe.experts %experts_rows, %experts_offset parameters(%secondary_of, %up_of, %down_of : tensor<2x3x20xf32>, tensor<2x3x9x20xf32>, tensor<2x3x20x9xf32>)
      : tensor<?x20xf32>, tensor<3xi32> -> tensor<?x20xf32> {
  ^bb0(%mine: tensor<?x20xf32>, %my_gates: tensor<3x20xf32>, %my_up: tensor<3x9x20xf32>, %my_down: tensor<3x20x9xf32>):
    %mixed = func.call @mixture(%mine, %my_gates, %my_up, %my_down)
        : (tensor<?x20xf32>, tensor<3x20xf32>, tensor<3x9x20xf32>, tensor<3x20x9xf32>) -> tensor<?x20xf32>
    moe.yield %mixed : tensor<?x20xf32>
  }
  %experts = moe.combine %experts_y, %experts_token, %experts_expert, %experts_slot, %experts_keep, %experts_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>
  %sparse_token, %sparse_expert, %sparse_rank, %sparse_valid, %sparse_kth = moe.select top_k %primary_gates_choice : tensor<?x2xf32> {k = 1 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %sparse_w = moe.weigh gather %primary_gates, %sparse_token, %sparse_expert, %sparse_rank, %sparse_valid
      : tensor<?x2xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %sparse_slot, %sparse_keep, %sparse_count, %sparse_offset = moe.slots %sparse_token, %sparse_expert, %sparse_rank, %sparse_valid {experts = 2 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<2xi32>, tensor<3xi32>
  %sparse_rows = moe.dispatch ragged %x, %sparse_token, %sparse_expert, %sparse_slot, %sparse_keep, %sparse_offset
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<3xi32> -> tensor<?x20xf32>
  %sparse_y = moe.experts %sparse_rows, %sparse_offset parameters(%secondary_of, %up_of, %down_of : tensor<2x3x20xf32>, tensor<2x3x9x20xf32>, tensor<2x3x20x9xf32>)
      : tensor<?x20xf32>, tensor<3xi32> -> tensor<?x20xf32> {
  ^bb0(%mine: tensor<?x20xf32>, %my_gates: tensor<3x20xf32>, %my_up: tensor<3x9x20xf32>, %my_down: tensor<3x20x9xf32>):
    %mixed = func.call @mixture(%mine, %my_gates, %my_up, %my_down)
        : (tensor<?x20xf32>, tensor<3x20xf32>, tensor<3x9x20xf32>, tensor<3x20x9xf32>) -> tensor<?x20xf32>
    moe.yield %mixed : tensor<?x20xf32>
  }
  %sparse = moe.combine %sparse_y, %sparse_token, %sparse_expert, %sparse_slot, %sparse_keep, %sparse_w tokens(%T)
      : tensor<?x20xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x20xf32>
  return %nested, %flat, %gates, %experts, %sparse
      : tensor<?x20xf32>, tensor<?x20xf32>, tensor<?x6xf32>, tensor<?x20xf32>, tensor<?x20xf32>
}
