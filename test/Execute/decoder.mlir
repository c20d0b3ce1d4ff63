// A whole Mixtral-style decoder of two layers written by hand: embedding, RMSNorm, rotary grouped-query attention, MoE, head. One function
// is the layer, called twice. The numbers are numpy's (Inputs/reference.py).
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/reference.py decoder %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --test-data %t/test_data_set_0
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 2

// Vocabulary 64, hidden 32, 4 heads and 2 key/value heads of 8, 4 experts of 48, top-2.

#th = affine_map<(t, h) -> (t, h)>
#t = affine_map<(t, h) -> (t)>
#h = affine_map<(t, h) -> (h)>
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>

moe.weight @embedding : tensor<64x32xf32> source(#moe.file<"weights.bin", offset = 0, length = 8192>)
moe.weight @head : tensor<64x32xf32> source(#moe.file<"weights.bin", offset = 8192, length = 8192>)
moe.weight @norms : tensor<5x32xf32> source(#moe.file<"weights.bin", offset = 16384, length = 640>)
moe.weight @q0 : tensor<32x32xf32> source(#moe.file<"weights.bin", offset = 17024, length = 4096>)
moe.weight @k0 : tensor<16x32xf32> source(#moe.file<"weights.bin", offset = 21120, length = 2048>)
moe.weight @v0 : tensor<16x32xf32> source(#moe.file<"weights.bin", offset = 23168, length = 2048>)
moe.weight @o0 : tensor<32x32xf32> source(#moe.file<"weights.bin", offset = 25216, length = 4096>)
moe.weight @router0 : tensor<4x32xf32> source(#moe.file<"weights.bin", offset = 29312, length = 512>)
moe.weight @gate_up0 : tensor<4x96x32xf32> source(#moe.file<"weights.bin", offset = 29824, length = 49152>)
moe.weight @down0 : tensor<4x32x48xf32> source(#moe.file<"weights.bin", offset = 78976, length = 24576>)
moe.weight @q1 : tensor<32x32xf32> source(#moe.file<"weights.bin", offset = 103552, length = 4096>)
moe.weight @k1 : tensor<16x32xf32> source(#moe.file<"weights.bin", offset = 107648, length = 2048>)
moe.weight @v1 : tensor<16x32xf32> source(#moe.file<"weights.bin", offset = 109696, length = 2048>)
moe.weight @o1 : tensor<32x32xf32> source(#moe.file<"weights.bin", offset = 111744, length = 4096>)
moe.weight @router1 : tensor<4x32xf32> source(#moe.file<"weights.bin", offset = 115840, length = 512>)
moe.weight @gate_up1 : tensor<4x96x32xf32> source(#moe.file<"weights.bin", offset = 116352, length = 49152>)
moe.weight @down1 : tensor<4x32x48xf32> source(#moe.file<"weights.bin", offset = 165504, length = 24576>)

func.func private @rms_norm(%x: tensor<?x32xf32>, %w: tensor<32xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %width = arith.constant 32.0 : f32
  %eps = arith.constant 1.0e-5 : f32
  %tokens = tensor.dim %x, %c0 : tensor<?x32xf32>
  %sum_empty = tensor.empty(%tokens) : tensor<?xf32>
  %sum_init = linalg.fill ins(%zero : f32) outs(%sum_empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#th, #t], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x32xf32>) outs(%sum_init : tensor<?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %square = arith.mulf %a, %a : f32
    %next = arith.addf %acc, %square : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %empty = tensor.empty(%tokens) : tensor<?x32xf32>
  %y = linalg.generic {indexing_maps = [#th, #t, #h, #th], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum, %w : tensor<?x32xf32>, tensor<?xf32>, tensor<32xf32>) outs(%empty : tensor<?x32xf32>) {
  ^bb0(%a: f32, %s: f32, %g: f32, %o: f32):
    %mean = arith.divf %s, %width : f32
    %guarded = arith.addf %mean, %eps : f32
    %root = math.sqrt %guarded : f32
    %scaled = arith.divf %a, %root : f32
    %r = arith.mulf %scaled, %g : f32
    linalg.yield %r : f32
  } -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// x·wᵀ for the 32-wide and the 16-wide projections.
func.func private @project32(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %x, %c0 : tensor<?x32xf32>
  %empty = tensor.empty(%tokens) : tensor<?x32xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x32xf32>) -> tensor<?x32xf32>
  %y = linalg.matmul indexing_maps = [#lhs, #rhs, #out] ins(%x, %w : tensor<?x32xf32>, tensor<32x32xf32>)
      outs(%init : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
func.func private @project16(%x: tensor<?x32xf32>, %w: tensor<16x32xf32>) -> tensor<?x16xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %x, %c0 : tensor<?x32xf32>
  %empty = tensor.empty(%tokens) : tensor<?x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x16xf32>) -> tensor<?x16xf32>
  %y = linalg.matmul indexing_maps = [#lhs, #rhs, #out] ins(%x, %w : tensor<?x32xf32>, tensor<16x32xf32>)
      outs(%init : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// Rotary embedding of tokens × heads × 8: element d < 4 turns with element d + 4 by the angle position · 10000^(-d/4).
func.func private @rotate(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %tokens = tensor.dim %x, %c0 : tensor<?x?x8xf32>
  %heads = tensor.dim %x, %c1 : tensor<?x?x8xf32>
  %frequencies = arith.constant dense<[1.0, 0.1, 0.01, 0.001]> : tensor<4xf32>
  %empty = tensor.empty(%tokens, %heads) : tensor<?x?x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(t, n, d) -> (t, n, d)>, affine_map<(t, n, d) -> (t, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<?x?x8xf32>) outs(%empty : tensor<?x?x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %n = linalg.index 1 : index
    %d = linalg.index 2 : index
    %pair = arith.remui %d, %c4 : index
    %is_low = arith.cmpi ult, %d, %c4 : index
    %up = arith.addi %d, %c4 : index
    %down = arith.subi %d, %c4 : index
    %other = arith.select %is_low, %up, %down : index
    %b = tensor.extract %x[%t, %n, %other] : tensor<?x?x8xf32>
    %f = tensor.extract %frequencies[%pair] : tensor<4xf32>
    %ti = arith.index_cast %t : index to i64
    %tf = arith.sitofp %ti : i64 to f32
    %angle = arith.mulf %tf, %f : f32
    %cos = math.cos %angle : f32
    %sin = math.sin %angle : f32
    %nb = arith.negf %b : f32
    %signed = arith.select %is_low, %nb, %b : f32
    %ac = arith.mulf %a, %cos : f32
    %bs = arith.mulf %signed, %sin : f32
    %r = arith.addf %ac, %bs : f32
    linalg.yield %r : f32
  } -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// Causal attention of one sequence: query head n reads key/value head n / 2.
func.func private @attention(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x8xf32>) -> tensor<?x4x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %minus_infinity = arith.constant 0xFF800000 : f32
  %scale = arith.constant 0.353553385 : f32
  %tokens = tensor.dim %q, %c0 : tensor<?x4x8xf32>
  %s_empty = tensor.empty(%tokens, %tokens) : tensor<4x?x?xf32>
  %s_init = linalg.fill ins(%zero : f32) outs(%s_empty : tensor<4x?x?xf32>) -> tensor<4x?x?xf32>
  %dots = linalg.generic {indexing_maps = [affine_map<(n, i, j, d) -> (i, n, d)>, affine_map<(n, i, j, d) -> (j, n floordiv 2, d)>,
                                           affine_map<(n, i, j, d) -> (n, i, j)>],
                          iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<?x4x8xf32>, tensor<?x2x8xf32>) outs(%s_init : tensor<4x?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %acc, %p : f32
    linalg.yield %r : f32
  } -> tensor<4x?x?xf32>
  %masked = linalg.generic {indexing_maps = [affine_map<(n, i, j) -> (n, i, j)>, affine_map<(n, i, j) -> (n, i, j)>],
                            iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%dots : tensor<4x?x?xf32>) outs(%s_empty : tensor<4x?x?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %seen = arith.cmpi ule, %j, %i : index
    %scaled = arith.mulf %a, %scale : f32
    %r = arith.select %seen, %scaled, %minus_infinity : f32
    linalg.yield %r : f32
  } -> tensor<4x?x?xf32>
  %row_empty = tensor.empty(%tokens) : tensor<4x?xf32>
  %max_init = linalg.fill ins(%minus_infinity : f32) outs(%row_empty : tensor<4x?xf32>) -> tensor<4x?xf32>
  %max = linalg.generic {indexing_maps = [affine_map<(n, i, j) -> (n, i, j)>, affine_map<(n, i, j) -> (n, i)>],
                         iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%masked : tensor<4x?x?xf32>) outs(%max_init : tensor<4x?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.maximumf %a, %acc : f32
    linalg.yield %r : f32
  } -> tensor<4x?xf32>
  %exp = linalg.generic {indexing_maps = [affine_map<(n, i, j) -> (n, i, j)>, affine_map<(n, i, j) -> (n, i)>,
                                          affine_map<(n, i, j) -> (n, i, j)>],
                         iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%masked, %max : tensor<4x?x?xf32>, tensor<4x?xf32>) outs(%s_empty : tensor<4x?x?xf32>) {
  ^bb0(%a: f32, %m: f32, %o: f32):
    %shifted = arith.subf %a, %m : f32
    %r = math.exp %shifted : f32
    linalg.yield %r : f32
  } -> tensor<4x?x?xf32>
  %sum_init = linalg.fill ins(%zero : f32) outs(%row_empty : tensor<4x?xf32>) -> tensor<4x?xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(n, i, j) -> (n, i, j)>, affine_map<(n, i, j) -> (n, i)>],
                         iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%exp : tensor<4x?x?xf32>) outs(%sum_init : tensor<4x?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %a, %acc : f32
    linalg.yield %r : f32
  } -> tensor<4x?xf32>
  %y_empty = tensor.empty(%tokens) : tensor<?x4x8xf32>
  %y_init = linalg.fill ins(%zero : f32) outs(%y_empty : tensor<?x4x8xf32>) -> tensor<?x4x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, n, d, j) -> (n, i, j)>, affine_map<(i, n, d, j) -> (n, i)>,
                                        affine_map<(i, n, d, j) -> (j, n floordiv 2, d)>, affine_map<(i, n, d, j) -> (i, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%exp, %sum, %v : tensor<4x?x?xf32>, tensor<4x?xf32>, tensor<?x2x8xf32>) outs(%y_init : tensor<?x4x8xf32>) {
  ^bb0(%e: f32, %s: f32, %b: f32, %acc: f32):
    %p = arith.divf %e, %s : f32
    %pv = arith.mulf %p, %b : f32
    %r = arith.addf %acc, %pv : f32
    linalg.yield %r : f32
  } -> tensor<?x4x8xf32>
  return %y : tensor<?x4x8xf32>
}

func.func private @add(%a: tensor<?x32xf32>, %b: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %tokens = tensor.dim %a, %c0 : tensor<?x32xf32>
  %empty = tensor.empty(%tokens) : tensor<?x32xf32>
  %y = linalg.add ins(%a, %b : tensor<?x32xf32>, tensor<?x32xf32>) outs(%empty : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

func.func private @layer(%x: tensor<?x32xf32>, %norm1: tensor<32xf32>, %norm2: tensor<32xf32>, %wq: tensor<32x32xf32>, %wk: tensor<16x32xf32>,
                         %wv: tensor<16x32xf32>, %wo: tensor<32x32xf32>, %wr: tensor<4x32xf32>, %gate_up: tensor<4x96x32xf32>,
                         %down: tensor<4x32x48xf32>) -> tensor<?x32xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %x, %c0 : tensor<?x32xf32>
  %n1 = call @rms_norm(%x, %norm1) : (tensor<?x32xf32>, tensor<32xf32>) -> tensor<?x32xf32>
  %q = call @project32(%n1, %wq) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %k = call @project16(%n1, %wk) : (tensor<?x32xf32>, tensor<16x32xf32>) -> tensor<?x16xf32>
  %v = call @project16(%n1, %wv) : (tensor<?x32xf32>, tensor<16x32xf32>) -> tensor<?x16xf32>
  %q3 = tensor.expand_shape %q [[0], [1, 2]] output_shape [%tokens, 4, 8] : tensor<?x32xf32> into tensor<?x4x8xf32>
  %k3 = tensor.expand_shape %k [[0], [1, 2]] output_shape [%tokens, 2, 8] : tensor<?x16xf32> into tensor<?x2x8xf32>
  %v3 = tensor.expand_shape %v [[0], [1, 2]] output_shape [%tokens, 2, 8] : tensor<?x16xf32> into tensor<?x2x8xf32>
  %qd = tensor.cast %q3 : tensor<?x4x8xf32> to tensor<?x?x8xf32>
  %kd = tensor.cast %k3 : tensor<?x2x8xf32> to tensor<?x?x8xf32>
  %qrd = call @rotate(%qd) : (tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %krd = call @rotate(%kd) : (tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %qr = tensor.cast %qrd : tensor<?x?x8xf32> to tensor<?x4x8xf32>
  %kr = tensor.cast %krd : tensor<?x?x8xf32> to tensor<?x2x8xf32>
  %a3 = call @attention(%qr, %kr, %v3) : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>) -> tensor<?x4x8xf32>
  %a = tensor.collapse_shape %a3 [[0], [1, 2]] : tensor<?x4x8xf32> into tensor<?x32xf32>
  %o = call @project32(%a, %wo) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %x1 = call @add(%x, %o) : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %n2 = call @rms_norm(%x1, %norm2) : (tensor<?x32xf32>, tensor<32xf32>) -> tensor<?x32xf32>
  %empty = tensor.empty(%tokens) : tensor<?x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits = linalg.matmul indexing_maps = [#lhs, #rhs, #out] ins(%n2, %wr : tensor<?x32xf32>, tensor<4x32xf32>)
      outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = moe.layer %n2, %logits gate(%gate_up : tensor<4x96x32xf32>) down(%down : tensor<4x32x48xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = silu, gate = halves>)
      : tensor<?x32xf32>, tensor<?x4xf32> -> tensor<?x32xf32>
  %x2 = call @add(%x1, %y) : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  return %x2 : tensor<?x32xf32>
}

func.func @main(%ids: tensor<?xi64> {moe.name = "ids", moe.dims = ["tokens"]})
    -> (tensor<?x64xf32> {moe.name = "logits", moe.dims = ["tokens", "64"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %embedding = moe.weight_ref @embedding : tensor<64x32xf32>
  %head = moe.weight_ref @head : tensor<64x32xf32>
  %norms = moe.weight_ref @norms : tensor<5x32xf32>
  %norm0 = tensor.extract_slice %norms[0, 0] [1, 32] [1, 1] : tensor<5x32xf32> to tensor<32xf32>
  %norm1 = tensor.extract_slice %norms[1, 0] [1, 32] [1, 1] : tensor<5x32xf32> to tensor<32xf32>
  %norm2 = tensor.extract_slice %norms[2, 0] [1, 32] [1, 1] : tensor<5x32xf32> to tensor<32xf32>
  %norm3 = tensor.extract_slice %norms[3, 0] [1, 32] [1, 1] : tensor<5x32xf32> to tensor<32xf32>
  %norm4 = tensor.extract_slice %norms[4, 0] [1, 32] [1, 1] : tensor<5x32xf32> to tensor<32xf32>
  %wq0 = moe.weight_ref @q0 : tensor<32x32xf32>
  %wk0 = moe.weight_ref @k0 : tensor<16x32xf32>
  %wv0 = moe.weight_ref @v0 : tensor<16x32xf32>
  %wo0 = moe.weight_ref @o0 : tensor<32x32xf32>
  %wr0 = moe.weight_ref @router0 : tensor<4x32xf32>
  %gu0 = moe.weight_ref @gate_up0 : tensor<4x96x32xf32>
  %d0 = moe.weight_ref @down0 : tensor<4x32x48xf32>
  %wq1 = moe.weight_ref @q1 : tensor<32x32xf32>
  %wk1 = moe.weight_ref @k1 : tensor<16x32xf32>
  %wv1 = moe.weight_ref @v1 : tensor<16x32xf32>
  %wo1 = moe.weight_ref @o1 : tensor<32x32xf32>
  %wr1 = moe.weight_ref @router1 : tensor<4x32xf32>
  %gu1 = moe.weight_ref @gate_up1 : tensor<4x96x32xf32>
  %d1 = moe.weight_ref @down1 : tensor<4x32x48xf32>

  %tokens = tensor.dim %ids, %c0 : tensor<?xi64>
  %x_empty = tensor.empty(%tokens) : tensor<?x32xf32>
  %x0 = linalg.generic {indexing_maps = [#t, #th], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<?xi64>) outs(%x_empty : tensor<?x32xf32>) {
  ^bb0(%id: i64, %o: f32):
    %row = arith.index_cast %id : i64 to index
    %column = linalg.index 1 : index
    %r = tensor.extract %embedding[%row, %column] : tensor<64x32xf32>
    linalg.yield %r : f32
  } -> tensor<?x32xf32>
  %x1 = call @layer(%x0, %norm0, %norm1, %wq0, %wk0, %wv0, %wo0, %wr0, %gu0, %d0)
      : (tensor<?x32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<16x32xf32>, tensor<16x32xf32>, tensor<32x32xf32>,
         tensor<4x32xf32>, tensor<4x96x32xf32>, tensor<4x32x48xf32>) -> tensor<?x32xf32>
  %x2 = call @layer(%x1, %norm2, %norm3, %wq1, %wk1, %wv1, %wo1, %wr1, %gu1, %d1)
      : (tensor<?x32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<16x32xf32>, tensor<16x32xf32>, tensor<32x32xf32>,
         tensor<4x32xf32>, tensor<4x96x32xf32>, tensor<4x32x48xf32>) -> tensor<?x32xf32>
  %xn = call @rms_norm(%x2, %norm4) : (tensor<?x32xf32>, tensor<32xf32>) -> tensor<?x32xf32>
  %l_empty = tensor.empty(%tokens) : tensor<?x64xf32>
  %l_init = linalg.fill ins(%zero : f32) outs(%l_empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %logits = linalg.matmul indexing_maps = [#lhs, #rhs, #out] ins(%xn, %head : tensor<?x32xf32>, tensor<64x32xf32>)
      outs(%l_init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}
