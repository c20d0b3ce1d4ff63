// System: Switch Transformer in bf16 with selective precision
// Paper: Fedus, Zoph, Shazeer 2021, Switch Transformers, arXiv 2101.03961, section 2.4
// Ops: router in f32 on widened rows; score softmax, select top_k 1 of 4, weigh gather, slots with capacity 1.25·T/E, experts relu in bf16
//
// Hidden states and expert weights are bf16, inputs and output too. What the router reads is widened first: its weight, logits, softmax and
// gate are f32, as the IR shows. The choices are those of exact arithmetic; the result differs from it by its own rounding.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet --dump-stages-to=stages
// RUN: FileCheck %s --input-file=stages/5-fuse.mlir
// RUN: %python %S/Inputs/check.py run %s

// CHECK: %[[ROUTER:.+]] = moe.weight_ref @router : tensor<4x24xf32>
// CHECK: %[[LOGITS:.+]] = moe.grouped_matmul {{.*}}%[[ROUTER]]{{.*}} -> tensor<?x4xf32>
// CHECK: moe.score softmax %[[LOGITS]] : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
// CHECK: moe.weigh gather {{.*}} -> tensor<?xf32>
// CHECK: moe.grouped_matmul {{.*}}tensor<4x10x24xbf16>
// CHECK: arith.truncf {{.*}} : f32 to bf16

!list = tensor<?xi32>
!mask = tensor<?xi1>
#rows = affine_map<(m, n, k) -> (m, k)>
#weight = affine_map<(m, n, k) -> (n, k)>
#product = affine_map<(m, n, k) -> (m, n)>
#full = affine_map<(t, h) -> (t, h)>

moe.weight @router : tensor<4x24xf32> source(#moe.file<"router.bin", offset = 0, length = 384>)
moe.weight @up : tensor<4x10x24xbf16> source(#moe.file<"up.bin", offset = 0, length = 1920>)
moe.weight @down : tensor<4x24x10xbf16> source(#moe.file<"down.bin", offset = 0, length = 1920>)

func.func @main(%x: tensor<?x24xbf16> {moe.name = "x", moe.dims = ["tokens", "24"]})
    -> (tensor<?x24xbf16> {moe.name = "output", moe.dims = ["tokens", "24"]},
        tensor<?x4xf32> {moe.name = "scores", moe.dims = ["tokens", "4"]},
        tensor<?xi1> {moe.name = "keep", moe.dims = ["tokens"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<4x24xf32>
  %up = moe.weight_ref @up : tensor<4x10x24xbf16>
  %down = moe.weight_ref @down : tensor<4x24x10xbf16>
  %T = tensor.dim %x, %c0 : tensor<?x24xbf16>
  %wide_empty = tensor.empty(%T) : tensor<?x24xf32>
  %wide = linalg.generic {indexing_maps = [#full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x24xbf16>) outs(%wide_empty : tensor<?x24xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %r = arith.extf %a : bf16 to f32
    linalg.yield %r : f32
  } -> tensor<?x24xf32>
  %logits_empty = tensor.empty(%T) : tensor<?x4xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%wide, %router : tensor<?x24xf32>, tensor<4x24xf32>)
      outs(%logits_init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 1 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid
      {experts = 4 : i64, capacity = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = floor>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %wide, %token, %expert, %slot, %keep, %offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %y = moe.experts %rows, %offset gate(%up : tensor<4x10x24xbf16>) down(%down : tensor<4x24x10xbf16>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x24xf32>
  %routed = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x24xf32>
  %output_empty = tensor.empty(%T) : tensor<?x24xbf16>
  %output = linalg.generic {indexing_maps = [#full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%routed : tensor<?x24xf32>) outs(%output_empty : tensor<?x24xbf16>) {
  ^bb0(%a: f32, %o: bf16):
    %r = arith.truncf %a : f32 to bf16
    linalg.yield %r : bf16
  } -> tensor<?x24xbf16>
  return %output, %scores, %keep : tensor<?x24xbf16>, tensor<?x4xf32>, !mask
}
