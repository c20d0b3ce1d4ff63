// System: QMoE, ternary weights in a dictionary
// Paper: Frantar, Alistarh 2023, QMoE: Practical Sub-1-Bit Compression, arXiv 2310.16795, section 4
// Ops: score softmax, select top_k 1 of 2, weigh gather, slots dropless, dequant ternary_dict, experts relu
//
// 88.5% of the weights are zero, and each takes 0.88 bits with all that belongs to it. `output` decodes and multiplies, `dense` multiplies with the same
// weights as bf16: they have the same bits. `decoded` is a small weight of odd width, as it comes out of a product with the unit matrix, `numbers`
// the same weight where no kernel reads it. The dictionary is the published one, by its hash.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet --dump-stages-to=stages
// RUN: FileCheck %s --input-file=stages/6-lower.mlir
// RUN: %python %S/Inputs/check.py run %s

// The strings stay strings in the artifact: a panel of 32 columns and 512 values of k takes 1794 bytes on average with where its codes begin and
// its numbers, 0.88 bits for a weight. The codebook is one for all.
// CHECK-DAG: moe.weight @codebook : tensor<131072xui32> {{.*}} section
// CHECK-DAG: moe.weight @up_codes.panels : tensor<2x16x1794xi8> packed(panel32) {{.*}} blocks(<code = ternary, group = 512, scale = bf16, dictionary = 1794>) section
// CHECK-DAG: moe.weight @down_codes.panels : tensor<2x16x1786xi8> packed(panel32) {{.*}} blocks(<code = ternary, group = 512, scale = bf16, dictionary = 1786>) section
// CHECK-DAG: moe.weight @odd_codes.numbers : tensor<11x37xf32> packed(plain) {{.*}} dequant({{.*}}) section
// CHECK-NOT: moe.weight @up_codes : {{.*}} section

!list = tensor<?xi32>
!mask = tensor<?xi1>
!rows = tensor<?x512xf32>
!experts = tensor<2x512x512xf32>
#rows = affine_map<(m, n, k) -> (m, k)>
#weight = affine_map<(m, n, k) -> (n, k)>
#product = affine_map<(m, n, k) -> (m, n)>

moe.weight @router : tensor<2x512xf32> source(#moe.file<"router.bin", offset = 0, length = 4096>)
moe.weight @codebook : tensor<131072xui32> source(#moe.file<"codebook.bin", offset = 0, length = 524288>)
moe.weight @up_codes : tensor<24606xui16> source(#moe.file<"up_codes.bin", offset = 0, length = 49212>)
moe.weight @up_starts : tensor<1025xi32> source(#moe.file<"up_starts.bin", offset = 0, length = 4100>)
moe.weight @up_range : tensor<2x512x2xbf16> source(#moe.file<"up_range.bin", offset = 0, length = 4096>)
moe.weight @up_dense : tensor<2x512x512xbf16> source(#moe.file<"up_dense.bin", offset = 0, length = 1048576>)
moe.weight @down_codes : tensor<24477xui16> source(#moe.file<"down_codes.bin", offset = 0, length = 48954>)
moe.weight @down_starts : tensor<1025xi32> source(#moe.file<"down_starts.bin", offset = 0, length = 4100>)
moe.weight @down_range : tensor<2x512x2xbf16> source(#moe.file<"down_range.bin", offset = 0, length = 4096>)
moe.weight @down_dense : tensor<2x512x512xbf16> source(#moe.file<"down_dense.bin", offset = 0, length = 1048576>)
moe.weight @odd_codes : tensor<73xui16> source(#moe.file<"odd_codes.bin", offset = 0, length = 146>)
moe.weight @odd_starts : tensor<12xi32> source(#moe.file<"odd_starts.bin", offset = 0, length = 48>)
moe.weight @odd_range : tensor<11x2xbf16> source(#moe.file<"odd_range.bin", offset = 0, length = 44>)

func.func @main(%x: !rows {moe.name = "x", moe.dims = ["tokens", "512"]},
                %unit: tensor<37x37xf32> {moe.name = "unit", moe.dims = ["37", "37"]})
    -> (!rows {moe.name = "output", moe.dims = ["tokens", "512"]}, !rows {moe.name = "dense", moe.dims = ["tokens", "512"]},
        tensor<37x11xf32> {moe.name = "decoded", moe.dims = ["37", "11"]}, tensor<11x37xf32> {moe.name = "numbers", moe.dims = ["11", "37"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %codebook = moe.weight_ref @codebook : tensor<131072xui32>
  %router = moe.weight_ref @router : tensor<2x512xf32>
  %T = tensor.dim %x, %c0 : !rows
  %logits_empty = tensor.empty(%T) : tensor<?x2xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x2xf32>) -> tensor<?x2xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : !rows, tensor<2x512xf32>)
      outs(%logits_init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x2xf32> -> tensor<?x2xf32>, tensor<?x2xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x2xf32> {k = 1 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid : tensor<?x2xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 2 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<2xi32>, tensor<3xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : !rows, !list, !list, !list, !mask, tensor<3xi32> -> !rows

  %up_codes = moe.weight_ref @up_codes : tensor<24606xui16>
  %up_starts = moe.weight_ref @up_starts : tensor<1025xi32>
  %up_range = moe.weight_ref @up_range : tensor<2x512x2xbf16>
  %up = moe.dequant %up_codes scales(%up_range : tensor<2x512x2xbf16>) zeros(%up_starts : tensor<1025xi32>)
      codebook(%codebook : tensor<131072xui32>) <format = ternary_dict> : tensor<24606xui16> -> !experts
  %down_codes = moe.weight_ref @down_codes : tensor<24477xui16>
  %down_starts = moe.weight_ref @down_starts : tensor<1025xi32>
  %down_range = moe.weight_ref @down_range : tensor<2x512x2xbf16>
  %down = moe.dequant %down_codes scales(%down_range : tensor<2x512x2xbf16>) zeros(%down_starts : tensor<1025xi32>)
      codebook(%codebook : tensor<131072xui32>) <format = ternary_dict> : tensor<24477xui16> -> !experts
  %y = moe.experts %rows, %offset gate(%up : !experts) down(%down : !experts) {ffn = #moe.ffn<activation = relu>}
      : !rows, tensor<3xi32> -> !rows
  %output = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows

  %up_dense = moe.weight_ref @up_dense : tensor<2x512x512xbf16>
  %down_dense = moe.weight_ref @down_dense : tensor<2x512x512xbf16>
  %y_dense = moe.experts %rows, %offset gate(%up_dense : tensor<2x512x512xbf16>) down(%down_dense : tensor<2x512x512xbf16>)
      {ffn = #moe.ffn<activation = relu>} : !rows, tensor<3xi32> -> !rows
  %dense = moe.combine %y_dense, %token, %expert, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows

  %odd_codes = moe.weight_ref @odd_codes : tensor<73xui16>
  %odd_starts = moe.weight_ref @odd_starts : tensor<12xi32>
  %odd_range = moe.weight_ref @odd_range : tensor<11x2xbf16>
  %odd = moe.dequant %odd_codes scales(%odd_range : tensor<11x2xbf16>) zeros(%odd_starts : tensor<12xi32>)
      codebook(%codebook : tensor<131072xui32>) <format = ternary_dict> : tensor<73xui16> -> tensor<11x37xf32>
  %decoded_empty = tensor.empty() : tensor<37x11xf32>
  %decoded_init = linalg.fill ins(%zero : f32) outs(%decoded_empty : tensor<37x11xf32>) -> tensor<37x11xf32>
  %decoded = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%unit, %odd : tensor<37x37xf32>, tensor<11x37xf32>)
      outs(%decoded_init : tensor<37x11xf32>) -> tensor<37x11xf32>
  return %output, %dense, %decoded, %odd : !rows, !rows, tensor<37x11xf32>, tensor<11x37xf32>
}
