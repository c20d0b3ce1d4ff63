// System: Chinese-Mixtral-8x7B
// Paper: HIT-SCIR 2024, Chinese-Mixtral-8x7B (model card), with Dettmers et al. 2023, QLoRA, arXiv 2305.14314, sections 3 and 4
// Ops: score softmax, select top_k 2 of 4, weigh gather l1, slots dropless, dequant nf4 in a region of experts with low-rank side branches
//
// Mixtral whose vocabulary has grown: the embedding and the head have rows for new ids (here 96), the layer between is the same. The
// projections of the experts are frozen in nf4, and each has a trained addition of rank 8 beside it, times alpha / r = 2.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>
!rows = tensor<?x128xf32>
!hidden = tensor<?x64xf32>
#rows = affine_map<(m, n, k) -> (m, k)>
#weight = affine_map<(m, n, k) -> (n, k)>
#product = affine_map<(m, n, k) -> (m, n)>
#full = affine_map<(t, h) -> (t, h)>
#token = affine_map<(t, h) -> (t)>

moe.weight @embedding : tensor<96x128xf32> source(#moe.file<"embedding.bin", offset = 0, length = 49152>)
moe.weight @head : tensor<96x128xf32> source(#moe.file<"head.bin", offset = 0, length = 49152>)
moe.weight @router : tensor<4x128xf32> source(#moe.file<"router.bin", offset = 0, length = 2048>)
moe.weight @gate_codes : tensor<4x64x64xui8> source(#moe.file<"gate_codes.bin", offset = 0, length = 16384>)
moe.weight @gate_absmax : tensor<4x64x2xf32> source(#moe.file<"gate_absmax.bin", offset = 0, length = 2048>)
moe.weight @gate_a : tensor<4x8x128xf32> source(#moe.file<"gate_a.bin", offset = 0, length = 16384>)
moe.weight @gate_b : tensor<4x64x8xf32> source(#moe.file<"gate_b.bin", offset = 0, length = 8192>)
moe.weight @up_codes : tensor<4x64x64xui8> source(#moe.file<"up_codes.bin", offset = 0, length = 16384>)
moe.weight @up_absmax : tensor<4x64x2xf32> source(#moe.file<"up_absmax.bin", offset = 0, length = 2048>)
moe.weight @up_a : tensor<4x8x128xf32> source(#moe.file<"up_a.bin", offset = 0, length = 16384>)
moe.weight @up_b : tensor<4x64x8xf32> source(#moe.file<"up_b.bin", offset = 0, length = 8192>)
moe.weight @down_codes : tensor<4x128x32xui8> source(#moe.file<"down_codes.bin", offset = 0, length = 16384>)
moe.weight @down_absmax : tensor<4x128x1xf32> source(#moe.file<"down_absmax.bin", offset = 0, length = 2048>)
moe.weight @down_a : tensor<4x8x64xf32> source(#moe.file<"down_a.bin", offset = 0, length = 8192>)
moe.weight @down_b : tensor<4x128x8xf32> source(#moe.file<"down_b.bin", offset = 0, length = 16384>)

// x · (dequantised weight)ᵀ + 2 · x · aᵀ · bᵀ.
func.func private @widen(%x: tensor<?x128xf32>, %codes: tensor<64x64xui8>, %absmax: tensor<64x2xf32>, %a: tensor<8x128xf32>,
                            %b: tensor<64x8xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %scaling = arith.constant 2.0 : f32
  %R = tensor.dim %x, %c0 : tensor<?x128xf32>
  %w = moe.dequant %codes scales(%absmax : tensor<64x2xf32>) <format = nf4, group_size = 64> : tensor<64x64xui8> -> tensor<64x128xf32>
  %empty = tensor.empty(%R) : tensor<?x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %base = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %w : tensor<?x128xf32>, tensor<64x128xf32>)
      outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  %narrow_empty = tensor.empty(%R) : tensor<?x8xf32>
  %narrow_init = linalg.fill ins(%zero : f32) outs(%narrow_empty : tensor<?x8xf32>) -> tensor<?x8xf32>
  %narrow = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %a : tensor<?x128xf32>, tensor<8x128xf32>)
      outs(%narrow_init : tensor<?x8xf32>) -> tensor<?x8xf32>
  %side = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%narrow, %b : tensor<?x8xf32>, tensor<64x8xf32>)
      outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  %sum = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%base, %side : tensor<?x64xf32>, tensor<?x64xf32>) outs(%empty : tensor<?x64xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %scaled = arith.mulf %q, %scaling : f32
    %r = arith.addf %p, %scaled : f32
    linalg.yield %r : f32
  } -> tensor<?x64xf32>
  return %sum : tensor<?x64xf32>
}

// x · (dequantised weight)ᵀ + 2 · x · aᵀ · bᵀ.
func.func private @narrow(%x: tensor<?x64xf32>, %codes: tensor<128x32xui8>, %absmax: tensor<128x1xf32>, %a: tensor<8x64xf32>,
                            %b: tensor<128x8xf32>) -> tensor<?x128xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %scaling = arith.constant 2.0 : f32
  %R = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w = moe.dequant %codes scales(%absmax : tensor<128x1xf32>) <format = nf4, group_size = 64> : tensor<128x32xui8> -> tensor<128x64xf32>
  %empty = tensor.empty(%R) : tensor<?x128xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x128xf32>) -> tensor<?x128xf32>
  %base = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %w : tensor<?x64xf32>, tensor<128x64xf32>)
      outs(%init : tensor<?x128xf32>) -> tensor<?x128xf32>
  %narrow_empty = tensor.empty(%R) : tensor<?x8xf32>
  %narrow_init = linalg.fill ins(%zero : f32) outs(%narrow_empty : tensor<?x8xf32>) -> tensor<?x8xf32>
  %narrow = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %a : tensor<?x64xf32>, tensor<8x64xf32>)
      outs(%narrow_init : tensor<?x8xf32>) -> tensor<?x8xf32>
  %side = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%narrow, %b : tensor<?x8xf32>, tensor<128x8xf32>)
      outs(%init : tensor<?x128xf32>) -> tensor<?x128xf32>
  %sum = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%base, %side : tensor<?x128xf32>, tensor<?x128xf32>) outs(%empty : tensor<?x128xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %scaled = arith.mulf %q, %scaling : f32
    %r = arith.addf %p, %scaled : f32
    linalg.yield %r : f32
  } -> tensor<?x128xf32>
  return %sum : tensor<?x128xf32>
}

func.func @main(%ids: !list {moe.name = "ids", moe.dims = ["tokens"]})
    -> (tensor<?x96xf32> {moe.name = "logits", moe.dims = ["tokens", "96"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %embedding = moe.weight_ref @embedding : tensor<96x128xf32>
  %head = moe.weight_ref @head : tensor<96x128xf32>
  %router = moe.weight_ref @router : tensor<4x128xf32>
  %gate_codes = moe.weight_ref @gate_codes : tensor<4x64x64xui8>
  %gate_absmax = moe.weight_ref @gate_absmax : tensor<4x64x2xf32>
  %gate_a = moe.weight_ref @gate_a : tensor<4x8x128xf32>
  %gate_b = moe.weight_ref @gate_b : tensor<4x64x8xf32>
  %up_codes = moe.weight_ref @up_codes : tensor<4x64x64xui8>
  %up_absmax = moe.weight_ref @up_absmax : tensor<4x64x2xf32>
  %up_a = moe.weight_ref @up_a : tensor<4x8x128xf32>
  %up_b = moe.weight_ref @up_b : tensor<4x64x8xf32>
  %down_codes = moe.weight_ref @down_codes : tensor<4x128x32xui8>
  %down_absmax = moe.weight_ref @down_absmax : tensor<4x128x1xf32>
  %down_a = moe.weight_ref @down_a : tensor<4x8x64xf32>
  %down_b = moe.weight_ref @down_b : tensor<4x128x8xf32>
  %T = tensor.dim %ids, %c0 : !list
  %x_empty = tensor.empty(%T) : !rows
  %x = linalg.generic {indexing_maps = [#token, #full], iterator_types = ["parallel", "parallel"]} ins(%ids : !list) outs(%x_empty : !rows) {
  ^bb0(%id: i32, %o: f32):
    %row = arith.index_cast %id : i32 to index
    %column = linalg.index 1 : index
    %r = tensor.extract %embedding[%row, %column] : tensor<96x128xf32>
    linalg.yield %r : f32
  } -> !rows
  %z_empty = tensor.empty(%T) : tensor<?x4xf32>
  %z_init = linalg.fill ins(%zero : f32) outs(%z_empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %router : !rows, tensor<4x128xf32>)
      outs(%z_init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %scores, %choice = moe.score softmax %z : tensor<?x4xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 2 : i64}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %token, %expert, %rank, %valid {norm = #moe<weight_norm l1>}
      : tensor<?x4xf32>, !list, !list, !list, !mask -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : !rows, !list, !list, !list, !mask, tensor<5xi32> -> !rows
  %y = moe.experts %rows, %offset
      parameters(%gate_codes, %gate_absmax, %gate_a, %gate_b, %up_codes, %up_absmax, %up_a, %up_b, %down_codes, %down_absmax, %down_a, %down_b
        : tensor<4x64x64xui8>, tensor<4x64x2xf32>, tensor<4x8x128xf32>, tensor<4x64x8xf32>, tensor<4x64x64xui8>, tensor<4x64x2xf32>,
        tensor<4x8x128xf32>, tensor<4x64x8xf32>, tensor<4x128x32xui8>, tensor<4x128x1xf32>, tensor<4x8x64xf32>, tensor<4x128x8xf32>)
      : !rows, tensor<5xi32> -> !rows {
  ^bb0(%h: !rows,
       %g_codes: tensor<64x64xui8>, %g_absmax: tensor<64x2xf32>, %g_a: tensor<8x128xf32>, %g_b: tensor<64x8xf32>,
       %u_codes: tensor<64x64xui8>, %u_absmax: tensor<64x2xf32>, %u_a: tensor<8x128xf32>, %u_b: tensor<64x8xf32>,
       %d_codes: tensor<128x32xui8>, %d_absmax: tensor<128x1xf32>, %d_a: tensor<8x64xf32>, %d_b: tensor<128x8xf32>):
    %gate = func.call @widen(%h, %g_codes, %g_absmax, %g_a, %g_b)
        : (!rows, tensor<64x64xui8>, tensor<64x2xf32>, tensor<8x128xf32>, tensor<64x8xf32>) -> !hidden
    %wide = func.call @widen(%h, %u_codes, %u_absmax, %u_a, %u_b)
        : (!rows, tensor<64x64xui8>, tensor<64x2xf32>, tensor<8x128xf32>, tensor<64x8xf32>) -> !hidden
    %R = tensor.dim %h, %c0 : !rows
    %act_empty = tensor.empty(%R) : !hidden
    %act = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
        ins(%gate, %wide : !hidden, !hidden) outs(%act_empty : !hidden) {
    ^bb1(%g: f32, %u: f32, %o: f32):
      %one = arith.constant 1.0 : f32
      %minus = arith.negf %g : f32
      %power = math.exp %minus : f32
      %divisor = arith.addf %power, %one : f32
      %silu = arith.divf %g, %divisor : f32
      %r = arith.mulf %silu, %u : f32
      linalg.yield %r : f32
    } -> !hidden
    %result = func.call @narrow(%act, %d_codes, %d_absmax, %d_a, %d_b)
        : (!hidden, tensor<128x32xui8>, tensor<128x1xf32>, tensor<8x64xf32>, tensor<128x8xf32>) -> !rows
    moe.yield %result : !rows
  }
  %routed = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T) : !rows, !list, !list, !list, !mask, tensor<?xf32> -> !rows
  %sum = linalg.generic {indexing_maps = [#full, #full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x, %routed : !rows, !rows) outs(%x_empty : !rows) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %r = arith.addf %p, %q : f32
    linalg.yield %r : f32
  } -> !rows
  %logits_empty = tensor.empty(%T) : tensor<?x96xf32>
  %logits_init = linalg.fill ins(%zero : f32) outs(%logits_empty : tensor<?x96xf32>) -> tensor<?x96xf32>
  %logits = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%sum, %head : !rows, tensor<96x128xf32>)
      outs(%logits_init : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %logits : tensor<?x96xf32>
}
