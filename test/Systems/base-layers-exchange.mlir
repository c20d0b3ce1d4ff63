// System: BASE layers, communication: shuffle, two exchanges, groups
// Paper: Lewis et al. 2021, BASE Layers, arXiv 2103.16716, sections 3.1 and 3.2
// Ops: all_to_all of shuffled tokens, score sigmoid, choice on logits, select balanced_exact of 3 with groups_of a worker's tokens or top_k 1, weigh gather,
//   slots dropless, all_to_all of rows around experts relu, and both ways back
//
// Two workers' tokens are shuffled and exchanged, each worker solves the assignment of what it then has, rows go to their experts and back, and
// tokens to where they were. On one machine an exchange is the identity: `greedy`, which went all that way, has the bits of `plain`, which
// stayed.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
!rows = tensor<?x24xf32>
!scores = tensor<?x3xf32>
#rows = affine_map<(m, n, k) -> (m, k)>
#weight = affine_map<(m, n, k) -> (n, k)>
#product = affine_map<(m, n, k) -> (m, n)>
#full = affine_map<(t, h) -> (t, h)>
#token = affine_map<(t, h) -> (t)>

moe.weight @centroids : tensor<3x24xf32> source(#moe.file<"centroids.bin", offset = 0, length = 288>)
moe.weight @up : tensor<3x10x24xf32> source(#moe.file<"up.bin", offset = 0, length = 2880>)
moe.weight @down : tensor<3x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 2880>)

// Row t of the result is row order[t].
func.func private @move(%x: !rows, %order: !list) -> !rows {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : !rows
  %empty = tensor.empty(%T) : !rows
  %moved = linalg.generic {indexing_maps = [#token, #full], iterator_types = ["parallel", "parallel"]}
      ins(%order : !list) outs(%empty : !rows) {
  ^bb0(%from: i32, %o: f32):
    %row = arith.index_cast %from : i32 to index
    %column = linalg.index 1 : index
    %r = tensor.extract %x[%row, %column] : !rows
    linalg.yield %r : f32
  } -> !rows
  return %moved : !rows
}

// The affinities of tokens to experts, as scores to choose by and as weights.
func.func private @affinities(%h: !rows) -> (!scores, !scores) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %centroids = moe.weight_ref @centroids : tensor<3x24xf32>
  %T = tensor.dim %h, %c0 : !rows
  %empty = tensor.empty(%T) : !scores
  %init = linalg.fill ins(%zero : f32) outs(%empty : !scores) -> !scores
  %affinity = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%h, %centroids : !rows, tensor<3x24xf32>)
      outs(%init : !scores) -> !scores
  %scores, %choice = moe.score sigmoid %affinity {choice_basis = #moe<choice_basis logits>} : !scores -> !scores, !scores
  return %scores, %choice : !scores, !scores
}

// h + weight · FFN of the one expert of each token. Rows are exchanged between workers on their way to the experts and back.
func.func private @mix(%h: !rows, %scores: !scores, %token: !list, %expert: !list, %rank: !list, %valid: !mask) -> !rows {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<3x10x24xf32>
  %down = moe.weight_ref @down : tensor<3x24x10xf32>
  %T = tensor.dim %h, %c0 : !rows
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 3 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<3xi32>, tensor<4xi32>
  %rows = moe.dispatch ragged %h, %token, %expert, %slot, %keep, %offset : !rows, !list, !list, !list, !mask, tensor<4xi32> -> !rows
  %mine = tensor.extract_slice %offset[3] [1] [1] : tensor<4xi32> to tensor<1xi32>
  %received = moe.all_to_all %rows group("experts") send(%mine : tensor<1xi32>) receive(%mine : tensor<1xi32>) : !rows -> !rows
  %y = moe.experts %received, %offset gate(%up : tensor<3x10x24xf32>) down(%down : tensor<3x24x10xf32>)
      {ffn = #moe.ffn<activation = relu>} : !rows, tensor<4xi32> -> !rows
  %back = moe.all_to_all %y group("experts") send(%mine : tensor<1xi32>) receive(%mine : tensor<1xi32>) : !rows -> !rows
  %mixed = moe.combine %back, %token, %expert, %slot, %keep, %w tokens(%T)
      : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows
  %empty = tensor.empty(%T) : !rows
  %sum = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%h, %mixed : !rows, !rows) outs(%empty : !rows) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.addf %a, %b : f32
    linalg.yield %r : f32
  } -> !rows
  return %sum : !rows
}

func.func private @greedy(%h: !rows) -> !rows {
  %scores, %choice = call @affinities(%h) : (!rows) -> (!scores, !scores)
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : !scores {k = 1 : i64} -> !list, !list, !list, !mask, tensor<?x2xf32>
  %y = call @mix(%h, %scores, %token, %expert, %rank, %valid) : (!rows, !scores, !list, !list, !list, !mask) -> !rows
  return %y : !rows
}

// In groups of the `worker` tokens that each worker has.
func.func private @balanced(%h: !rows, %worker: index) -> (!rows, !list) {
  %scores, %choice = call @affinities(%h) : (!rows) -> (!scores, !scores)
  %token, %expert, %rank, %valid, %kth = moe.select balanced_exact %choice : !scores groups_of(%worker)
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %y = call @mix(%h, %scores, %token, %expert, %rank, %valid) : (!rows, !scores, !list, !list, !list, !mask) -> !rows
  return %y, %expert : !rows, !list
}

func.func @main(%x: tensor<2x?x24xf32> {moe.name = "x", moe.dims = ["2", "tokens", "24"]},
                %order: tensor<2x?xi32> {moe.name = "order", moe.dims = ["2", "tokens"]},
                %inverse: tensor<2x?xi32> {moe.name = "inverse", moe.dims = ["2", "tokens"]})
    -> (!rows {moe.name = "plain", moe.dims = ["?", "24"]}, !rows {moe.name = "greedy", moe.dims = ["?", "24"]},
        !rows {moe.name = "balanced", moe.dims = ["?", "24"]}, !list {moe.name = "chosen", moe.dims = ["?"]}) {
  %c1 = arith.constant 1 : index
  %S = tensor.dim %x, %c1 : tensor<2x?x24xf32>
  %flat = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x?x24xf32> into !rows
  %there = tensor.collapse_shape %order [[0, 1]] : tensor<2x?xi32> into !list
  %home = tensor.collapse_shape %inverse [[0, 1]] : tensor<2x?xi32> into !list
  %plain = call @greedy(%flat) : (!rows) -> !rows

  %shuffled = call @move(%flat, %there) : (!rows, !list) -> !rows
  %h = moe.all_to_all %shuffled group("workers") : !rows -> !rows
  %greedy_there = call @greedy(%h) : (!rows) -> !rows
  %greedy_back = moe.all_to_all %greedy_there group("workers") : !rows -> !rows
  %greedy = call @move(%greedy_back, %home) : (!rows, !list) -> !rows

  %balanced_there, %chosen = call @balanced(%h, %S) : (!rows, index) -> (!rows, !list)
  %balanced_back = moe.all_to_all %balanced_there group("workers") : !rows -> !rows
  %balanced = call @move(%balanced_back, %home) : (!rows, !list) -> !rows
  return %plain, %greedy, %balanced, %chosen : !rows, !rows, !rows, !list
}
