// Two layers that no single kernel expresses: a capacity with padded rows, and ragged rows with a capacity, weights after the drop and the
// token itself where nothing survives. The numbers are numpy's (Inputs/routing.py), and do not depend on the number of threads.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/routing.py capacity-layer %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --test-data %t/test_data_set_0 --threads 1
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 2
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 1
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 3

moe.weight @router : tensor<6x40xf32> source(#moe.file<"weights.bin", offset = 0, length = 960>)
moe.weight @gate_up : tensor<6x48x40xf32> source(#moe.file<"weights.bin", offset = 960, length = 46080>)
moe.weight @down : tensor<6x40x24xf32> source(#moe.file<"weights.bin", offset = 47040, length = 23040>)

func.func @main(%x: tensor<?x40xf32> {moe.name = "hidden", moe.dims = ["tokens", "40"]})
    -> (tensor<?x40xf32> {moe.name = "padded"}, tensor<?x40xf32> {moe.name = "ragged"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %router = moe.weight_ref @router : tensor<6x40xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<6x48x40xf32>
  %down = moe.weight_ref @down : tensor<6x40x24xf32>
  %tokens = tensor.dim %x, %c0 : tensor<?x40xf32>
  %empty = tensor.empty(%tokens) : tensor<?x6xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x6xf32>) -> tensor<?x6xf32>
  %logits = linalg.matmul
      indexing_maps = [affine_map<(t, e, h) -> (t, h)>, affine_map<(t, e, h) -> (e, h)>, affine_map<(t, e, h) -> (t, e)>]
      ins(%x, %router : tensor<?x40xf32>, tensor<6x40xf32>) outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>

  %scores, %choice = moe.score softmax %logits : tensor<?x6xf32> -> tensor<?x6xf32>, tensor<?x6xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x6xf32> {k = 2 : i64}
      -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>

  // ceil(T·K·3/(4·E)) slots per expert, first choices first.
  %w = moe.weigh gather %scores, %t, %e, %r, %v {norm = #moe<weight_norm l1>}
      : tensor<?x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v
      {experts = 6 : i64, order = #moe<slot_order rank_major>, layout = #moe<slot_layout padded>,
       capacity = #moe.capacity<base = assignments, numerator = 3, denominator = 4, rounding = ceil>}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<6xi32>, tensor<7xi32>
  %rows = moe.dispatch padded %x, %t, %e, %slot, %keep, %offset
      : tensor<?x40xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<7xi32> -> tensor<6x?x40xf32>
  %y = moe.experts %rows, %offset gate(%gate_up : tensor<6x48x40xf32>) down(%down : tensor<6x40x24xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<6x?x40xf32>, tensor<7xi32> -> tensor<6x?x40xf32>
  %padded = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%tokens)
      : tensor<6x?x40xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x40xf32>

  // floor(T/E) slots per expert, at least one; tokens claim them by their first choice's score.
  %slot2, %keep2, %count2, %offset2 = moe.slots %t, %e, %r, %v
      {experts = 6 : i64, pad_to = 4 : i64, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = floor, minimum = 1>}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<6xi32>, tensor<7xi32>
  %w2 = moe.weigh gather %scores, %t, %e, %r, %v keep(%keep2 : tensor<?xi1>)
      {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode clamp>, epsilon = 1.1920929e-07 : f64}
      : tensor<?x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %rows2 = moe.dispatch ragged %x, %t, %e, %slot2, %keep2, %offset2
      : tensor<?x40xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<7xi32> -> tensor<?x40xf32>
  %y2 = moe.experts %rows2, %offset2 gate(%gate_up : tensor<6x48x40xf32>) down(%down : tensor<6x40x24xf32>)
      {ffn = #moe.ffn<activation = gelu_tanh, gate = interleaved>} : tensor<?x40xf32>, tensor<7xi32> -> tensor<?x40xf32>
  %ragged = moe.combine %y2, %t, %e, %slot2, %keep2, %w2 tokens(%tokens) dropped_to(%x : tensor<?x40xf32>) {dropped = #moe<dropped identity>}
      : tensor<?x40xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x40xf32>
  return %padded, %ragged : tensor<?x40xf32>, tensor<?x40xf32>
}
