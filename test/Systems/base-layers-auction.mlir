// System: BASE layers, training: auction
// Paper: Lewis et al. 2021, BASE Layers, arXiv 2103.16716, section 3
// Ops: score sigmoid, choice on logits, select balanced_auction of 3, weigh gather, slots dropless, experts relu
//
// The auction may miss the best sum of affinities by T times its epsilon, here 0.05, as it bids in few rounds; the counts
// are T/E exactly. test/Execute/auction.mlir compares each assignment with the algorithm in numpy.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
#full = affine_map<(t, h) -> (t, h)>

moe.weight @up : tensor<3x10x24xf32> source(#moe.file<"up.bin", offset = 0, length = 2880>)
moe.weight @down : tensor<3x24x10xf32> source(#moe.file<"down.bin", offset = 0, length = 2880>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %affinity: tensor<?x3xf32> {moe.name = "affinity", moe.dims = ["tokens", "3"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?xi32> {moe.name = "chosen", moe.dims = ["tokens"]},
        tensor<3xi32> {moe.name = "count", moe.dims = ["3"]}) {
  %c0 = arith.constant 0 : index
  %up = moe.weight_ref @up : tensor<3x10x24xf32>
  %down = moe.weight_ref @down : tensor<3x24x10xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %scores, %choice = moe.score sigmoid %affinity
        {choice_basis = #moe<choice_basis logits>} : tensor<?x3xf32> -> tensor<?x3xf32>, tensor<?x3xf32>
  %token, %chosen, %rank, %valid, %kth = moe.select balanced_auction %choice : tensor<?x3xf32> {k = 1 : i64, epsilon = 5.0e-02 : f64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %chosen, %rank, %valid
      : tensor<?x3xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %chosen, %rank, %valid {experts = 3 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<3xi32>, tensor<4xi32>
  %rows = moe.dispatch ragged %x, %token, %chosen, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<4xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<3x10x24xf32>) down(%down : tensor<3x24x10xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<4xi32> -> tensor<?x24xf32>
  %mixed = moe.combine %y, %token, %chosen, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  %output_empty = tensor.empty(%T) : tensor<?x24xf32>
  %output = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x, %mixed : tensor<?x24xf32>, tensor<?x24xf32>) outs(%output_empty : tensor<?x24xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.addf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x24xf32>
  return %output, %chosen, %count : tensor<?x24xf32>, tensor<?xi32>, tensor<3xi32>
}
