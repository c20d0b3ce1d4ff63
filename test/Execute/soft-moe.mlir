// Soft MoE: slots are mixtures of all tokens, outputs mixtures of all slots, around padded experts; no selection. And experts that compute a
// region: of padded and of ragged rows, one of them a mixture itself. The numbers are numpy's (Inputs/routing.py).
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/routing.py soft-moe %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --test-data %t/test_data_set_0 --threads 2
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 1
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 3
// RUN: moe-compile %s --compile-to=fuse -o - | FileCheck %s

// Slices of the stored weight are stored weights, for products of both layers.
// CHECK-COUNT-3: moe.weight @scale.{{[012]}}
// CHECK-NOT: moe.weight @scale.
// CHECK-COUNT-3: moe.weight_ref @scale.{{[012]}}
// CHECK-NOT: moe.experts

moe.weight @gate : tensor<4x20x24xf32> source(#moe.file<"weights.bin", offset = 0, length = 7680>)
moe.weight @down : tensor<4x24x20xf32> source(#moe.file<"weights.bin", offset = 7680, length = 7680>)
moe.weight @scale : tensor<3x24x24xf32> source(#moe.file<"weights.bin", offset = 15360, length = 6912>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]}, %z: tensor<?x8xf32> {moe.name = "z", moe.dims = ["tokens", "8"]},
    %q: tensor<?x3xf32> {moe.name = "q", moe.dims = ["tokens", "3"]})
    -> (tensor<?x24xf32> {moe.name = "soft"}, tensor<?x24xf32> {moe.name = "region"}, tensor<?x24xf32> {moe.name = "padded_region"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %x, %c0 : tensor<?x24xf32>
  %gate = moe.weight_ref @gate : tensor<4x20x24xf32>
  %down = moe.weight_ref @down : tensor<4x24x20xf32>
  %scale = moe.weight_ref @scale : tensor<3x24x24xf32>

  // 4 experts of 2 slots: dispatch by a softmax over tokens, combine by one over slots.
  %dispatch, %d = moe.score softmax %z {axis = #moe<score_axis token>} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %combine, %c = moe.score softmax %z {axis = #moe<score_axis slot>, slots_per_expert = 2 : i64} : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %e0 = tensor.empty() : tensor<8x24xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<8x24xf32>) -> tensor<8x24xf32>
  %slots = linalg.matmul indexing_maps = [affine_map<(s, h, t) -> (t, s)>, affine_map<(s, h, t) -> (t, h)>, affine_map<(s, h, t) -> (s, h)>]
      ins(%dispatch, %x : tensor<?x8xf32>, tensor<?x24xf32>) outs(%f0 : tensor<8x24xf32>) -> tensor<8x24xf32>
  %rows = tensor.expand_shape %slots [[0, 1], [2]] output_shape [4, 2, 24] : tensor<8x24xf32> into tensor<4x2x24xf32>
  %offset = arith.constant dense<[0, 2, 4, 6, 8]> : tensor<5xi32>
  %y = moe.experts %rows, %offset gate(%gate : tensor<4x20x24xf32>) down(%down : tensor<4x24x20xf32>) {ffn = #moe.ffn<activation = gelu_erf>}
      : tensor<4x2x24xf32>, tensor<5xi32> -> tensor<4x2x24xf32>
  %flat = tensor.collapse_shape %y [[0, 1], [2]] : tensor<4x2x24xf32> into tensor<8x24xf32>
  %e1 = tensor.empty(%tokens) : tensor<?x24xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x24xf32>) -> tensor<?x24xf32>
  %soft = linalg.matmul ins(%combine, %flat : tensor<?x8xf32>, tensor<8x24xf32>) outs(%f1 : tensor<?x24xf32>) -> tensor<?x24xf32>

  // An expert is x + tanh(x·W), on ragged rows and on padded ones.
  %scores, %choice = moe.score softmax %q : tensor<?x3xf32> -> tensor<?x3xf32>, tensor<?x3xf32>
  %t, %e, %r, %v, %k = moe.select top_k %choice : tensor<?x3xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v : tensor<?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 3 : i64}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<3xi32>, tensor<4xi32>
  %ragged = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off
      : tensor<?x24xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<4xi32> -> tensor<?x24xf32>
  %ye = moe.experts %ragged, %off parameters(%scale : tensor<3x24x24xf32>) : tensor<?x24xf32>, tensor<4xi32> -> tensor<?x24xf32> {
  ^bb0(%mine: tensor<?x24xf32>, %matrix: tensor<24x24xf32>):
    %i0 = arith.constant 0 : index
    %n = tensor.dim %mine, %i0 : tensor<?x24xf32>
    %none = arith.constant 0.0 : f32
    %me = tensor.empty(%n) : tensor<?x24xf32>
    %mf = linalg.fill ins(%none : f32) outs(%me : tensor<?x24xf32>) -> tensor<?x24xf32>
    %product = linalg.matmul ins(%mine, %matrix : tensor<?x24xf32>, tensor<24x24xf32>) outs(%mf : tensor<?x24xf32>) -> tensor<?x24xf32>
    %th = linalg.tanh ins(%product : tensor<?x24xf32>) outs(%me : tensor<?x24xf32>) -> tensor<?x24xf32>
    %sum = linalg.add ins(%mine, %th : tensor<?x24xf32>, tensor<?x24xf32>) outs(%me : tensor<?x24xf32>) -> tensor<?x24xf32>
    moe.yield %sum : tensor<?x24xf32>
  }
  %region = moe.combine %ye, %t, %e, %slot, %keep, %w tokens(%tokens)
      : tensor<?x24xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x24xf32>

  %ps, %pk, %pc, %po = moe.slots %t, %e, %r, %v
      {experts = 3 : i64, layout = #moe<slot_layout padded>, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<3xi32>, tensor<4xi32>
  %prows = moe.dispatch padded %x, %t, %e, %ps, %pk, %po
      : tensor<?x24xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<4xi32> -> tensor<3x?x24xf32>
  %py = moe.experts %prows, %po parameters(%scale : tensor<3x24x24xf32>) : tensor<3x?x24xf32>, tensor<4xi32> -> tensor<3x?x24xf32> {
  ^bb0(%mine: tensor<?x24xf32>, %matrix: tensor<24x24xf32>):
    %i0 = arith.constant 0 : index
    %n = tensor.dim %mine, %i0 : tensor<?x24xf32>
    %none = arith.constant 0.0 : f32
    %me = tensor.empty(%n) : tensor<?x24xf32>
    %mf = linalg.fill ins(%none : f32) outs(%me : tensor<?x24xf32>) -> tensor<?x24xf32>
    %product = linalg.matmul ins(%mine, %matrix : tensor<?x24xf32>, tensor<24x24xf32>) outs(%mf : tensor<?x24xf32>) -> tensor<?x24xf32>
    %th = linalg.tanh ins(%product : tensor<?x24xf32>) outs(%me : tensor<?x24xf32>) -> tensor<?x24xf32>
    %sum = linalg.add ins(%mine, %th : tensor<?x24xf32>, tensor<?x24xf32>) outs(%me : tensor<?x24xf32>) -> tensor<?x24xf32>
    moe.yield %sum : tensor<?x24xf32>
  }
  %padded = moe.combine %py, %t, %e, %ps, %pk, %w tokens(%tokens)
      : tensor<3x?x24xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x24xf32>
  return %soft, %region, %padded : tensor<?x24xf32>, tensor<?x24xf32>, tensor<?x24xf32>
}
