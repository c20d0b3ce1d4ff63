// Hand vectors of the semantics (test/Systems/Inputs/moe_vectors.json) that the systems of test/Systems do not read, or not all of: fixture F1, 6
// tokens of 4 experts, through plans, weights, choices and losses, and numbers through activations. Inputs/check_vectors.py reads the keys, gives
// the inputs and compares; it also writes a model of the capacity rules, with an attribute for each but one: "seed002 kB/N" is a real number (1.5,
// 2.5) for which no rounding is stated, and a capacity is a whole one.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check_vectors.py write-capacities capacities.mlir
// RUN: moe-compile capacities.mlir -o capacities --quiet
// RUN: %python %S/Inputs/check_vectors.py compare model capacities | FileCheck %s
//
// CHECK-COUNT-22: {{.+}}: agrees
// CHECK-NOT: {{.}}

!matrix = tensor<?x4xf32>
!kth = tensor<?x2xf32>
!list = tensor<?xi32>
!mask = tensor<?xi1>
!gates = tensor<?xf32>
!offset = tensor<5xi32>
!count = tensor<4xi32>
!column = tensor<?x1xf32>
// 2 slots, or 3, for 6 tokens and 4 experts.
#two = #moe.capacity<base = tokens, numerator = 4, denominator = 3, rounding = floor>
#three = #moe.capacity<base = tokens, numerator = 2, denominator = 1, rounding = floor>
#each = affine_map<(e) -> (e)>

// An expert of one number: act(1 · x) · 1.
moe.weight @one : tensor<1x1x1xf32> source(dense<1.0> : tensor<1x1x1xf32>)
// 1 for the gate, 0 for what it multiplies.
moe.weight @gate_alone : tensor<1x2x1xf32> source(dense<[[[1.0], [0.0]]]> : tensor<1x2x1xf32>)
// A pair is (gate, up) as it is.
moe.weight @pair : tensor<1x2x2xf32> source(dense<[[[1.0, 0.0], [0.0, 1.0]]]> : tensor<1x2x2xf32>)

func.func private @moe.balance_loss(tensor<?xf32>, tensor<?xf32>) -> tensor<f32>

func.func @main(%p: !matrix {moe.name = "p", moe.dims = ["tokens", "4"]}, %logits: !matrix {moe.name = "logits", moe.dims = ["tokens", "4"]},
    %bias: tensor<4xf32> {moe.name = "bias"}, %mix: tensor<1x2xf32> {moe.name = "mix"},
    %points: !column {moe.name = "points", moe.dims = ["points", "1"]}, %pairs: tensor<?x2xf32> {moe.name = "pairs", moe.dims = ["pairs", "2"]})
    -> (!list {moe.name = "expert1"}, !mask {moe.name = "position1_keep"}, !list {moe.name = "position1_slot"}, !list {moe.name = "position1_all"},
        !offset {moe.name = "position1_offset"}, !mask {moe.name = "bpr1_keep"}, !list {moe.name = "bpr1_slot"}, !list {moe.name = "bpr1_all"},
        !offset {moe.name = "bpr1_offset"}, !list {moe.name = "expert2"}, !mask {moe.name = "position2_keep"}, !list {moe.name = "position2_slot"},
        !list {moe.name = "position2_all"}, !offset {moe.name = "position2_offset"}, !mask {moe.name = "bpr2_keep"}, !list {moe.name = "bpr2_slot"},
        !list {moe.name = "bpr2_all"}, !offset {moe.name = "bpr2_offset"}, !list {moe.name = "bpr_place"}, !gates {moe.name = "w_l1"},
        !gates {moe.name = "w_raw_kept"}, !list {moe.name = "probs_slot"}, tensor<4xf32> {moe.name = "f_norm"}, tensor<f32> {moe.name = "balance"},
        !matrix {moe.name = "over_tokens"}, !list {moe.name = "side_token"}, !list {moe.name = "side_expert"}, !mask {moe.name = "side_valid"},
        !gates {moe.name = "side_w"}, !matrix {moe.name = "dts_1.0"}, !matrix {moe.name = "dts_2.0"}, !matrix {moe.name = "dts_0.5"},
        !matrix {moe.name = "dts_0.1"}, !list {moe.name = "top_p_expert"}, !mask {moe.name = "top_p_valid"}, !gates {moe.name = "top_p_w"},
        tensor<1x2xf32> {moe.name = "mixed"}, !list {moe.name = "ernie_expert"}, !gates {moe.name = "ernie_w"}, !column {moe.name = "clamped"},
        !column {moe.name = "act_gelu_erf"}, !column {moe.name = "act_gelu_tanh"}, !column {moe.name = "act_silu"},
        !column {moe.name = "act_relu2"}, !column {moe.name = "act_quick_gelu"}, !column {moe.name = "gated_quick_gelu"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i64
  %E = arith.constant 4.0 : f32
  %T = tensor.dim %p, %c0 : !matrix

  // Plans, for one choice and for two: by position, and by the gate of a token's first choice (batch-prioritized). The dropless plans, one after the
  // other expert by expert, say what number an assignment has whether there is a slot for it or not.
  %t1, %e1, %r1, %v1, %k1 = moe.select top_k %p : !matrix {k = 1 : i64} -> !list, !list, !list, !mask, !kth
  %t2, %e2, %r2, %v2, %k2 = moe.select top_k %p : !matrix {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %gate = moe.weigh gather %p, %t1, %e1, %r1, %v1 : !matrix, !list, !list, !list, !mask -> !gates
  %both_init = tensor.empty(%T) : tensor<?x2xf32>
  %both = linalg.broadcast ins(%gate : !gates) outs(%both_init : tensor<?x2xf32>) dimensions = [1]
  %gate2 = tensor.collapse_shape %both [[0, 1]] : tensor<?x2xf32> into !gates
  %s0, %h0, %c00, %o0 = moe.slots %t1, %e1, %r1, %v1
      {experts = 4 : i64, order = #moe<slot_order rank_major>, layout = #moe<slot_layout padded>, capacity = #two}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s1, %h1, %c01, %o1 = moe.slots %t1, %e1, %r1, %v1 {experts = 4 : i64, order = #moe<slot_order rank_major>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s2, %h2, %c02, %o2 = moe.slots %t1, %e1, %r1, %v1 priority(%gate : !gates)
      {experts = 4 : i64, order = #moe<slot_order rank_major>, layout = #moe<slot_layout padded>, capacity = #two}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s3, %h3, %c03, %o3 = moe.slots %t1, %e1, %r1, %v1 priority(%gate : !gates) {experts = 4 : i64, order = #moe<slot_order rank_major>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s4, %h4, %c04, %o4 = moe.slots %t2, %e2, %r2, %v2
      {experts = 4 : i64, order = #moe<slot_order rank_major>, layout = #moe<slot_layout padded>, capacity = #two}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s5, %h5, %c05, %o5 = moe.slots %t2, %e2, %r2, %v2 {experts = 4 : i64, order = #moe<slot_order rank_major>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s6, %h6, %c06, %o6 = moe.slots %t2, %e2, %r2, %v2 priority(%gate2 : !gates)
      {experts = 4 : i64, order = #moe<slot_order rank_major>, layout = #moe<slot_layout padded>, capacity = #two}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset
  %s7, %h7, %c07, %o7 = moe.slots %t2, %e2, %r2, %v2 priority(%gate2 : !gates) {experts = 4 : i64, order = #moe<slot_order rank_major>}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset

  // All tokens to one expert: the slots are the order of the tokens.
  %ids_empty = tensor.empty(%T) : tensor<?x1xi64>
  %ids = linalg.fill ins(%zero : i64) outs(%ids_empty : tensor<?x1xi64>) -> tensor<?x1xi64>
  %t3, %e3, %r3, %v3 = moe.assign %ids : tensor<?x1xi64> -> !list, !list, !list, !mask
  %s8, %h8, %c08, %o8 = moe.slots %t3, %e3, %r3, %v3 priority(%gate : !gates) {experts = 1 : i64, order = #moe<slot_order rank_major>}
      : !list, !list, !list, !mask -> !list, !mask, tensor<1xi32>, tensor<2xi32>

  // Weights before the drop, raw ones of what is kept, and each expert's best assignments.
  %w_l1 = moe.weigh gather %p, %t2, %e2, %r2, %v2 {norm = #moe<weight_norm l1>, epsilon_mode = #moe<epsilon_mode add>, epsilon = 1.0e-9 : f64}
      : !matrix, !list, !list, !list, !mask -> !gates
  %w_raw_kept = moe.weigh gather %p, %t2, %e2, %r2, %v2 keep(%h4 : !mask) : !matrix, !list, !list, !list, !mask -> !gates
  %w_raw = moe.weigh gather %p, %t2, %e2, %r2, %v2 : !matrix, !list, !list, !list, !mask -> !gates
  %s9, %h9, %c09, %o9 = moe.slots %t2, %e2, %r2, %v2 priority(%w_raw : !gates)
      {experts = 4 : i64, order = #moe<slot_order per_expert>, layout = #moe<slot_layout padded>, capacity = #three}
      : !list, !list, !list, !mask -> !list, !mask, !count, !offset

  // Balance: f of both choices by the number of assignments, times E, and E · Σ f · P.
  %f, %mean = moe.stats %p, %t2, %e2, %r2, %v2 {source = #moe<stats_source all>, norm = #moe<stats_norm assignments>}
      : !matrix, !list, !list, !list, !mask -> tensor<4xf32>, tensor<4xf32>
  %f_empty = tensor.empty() : tensor<4xf32>
  %f_norm = linalg.generic {indexing_maps = [#each, #each], iterator_types = ["parallel"]} ins(%f : tensor<4xf32>) outs(%f_empty : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %scaled = arith.mulf %a, %E : f32
    linalg.yield %scaled : f32
  } -> tensor<4xf32>
  %f_any = tensor.cast %f : tensor<4xf32> to tensor<?xf32>
  %mean_any = tensor.cast %mean : tensor<4xf32> to tensor<?xf32>
  %balance = call @moe.balance_loss(%f_any, %mean_any) : (tensor<?xf32>, tensor<?xf32>) -> tensor<f32>

  // Scores over tokens, and experts that choose by them.
  %over_tokens, %over_choice = moe.score softmax %logits {axis = #moe<score_axis token>} : !matrix -> !matrix, !matrix
  %t4, %e4, %r4, %v4, %k4 = moe.select top_k %over_choice : !matrix {side = #moe<select_side expert>, capacity = #two}
      -> !list, !list, !list, !mask, !kth
  %side_w = moe.weigh gather %over_tokens, %t4, %e4, %r4, %v4 : !matrix, !list, !list, !list, !mask -> !gates

  // Temperatures, top-p, the mix of a residual layer, a bias that counts for the choice alone.
  %dts1, %x1 = moe.score softmax %logits : !matrix -> !matrix, !matrix
  %dts2, %x2 = moe.score softmax %logits {temperature = 2.0 : f64} : !matrix -> !matrix, !matrix
  %dts3, %x3 = moe.score softmax %logits {temperature = 0.5 : f64} : !matrix -> !matrix, !matrix
  %dts4, %x4 = moe.score softmax %logits {temperature = 0.1 : f64} : !matrix -> !matrix, !matrix
  %t5, %e5, %r5, %v5, %k5 = moe.select top_p %p : !matrix {k = 4 : i64, threshold = 0.6 : f64} -> !list, !list, !list, !mask, !kth
  %top_p_w = moe.weigh gather %p, %t5, %e5, %r5, %v5 : !matrix, !list, !list, !list, !mask -> !gates
  %mixed, %x5 = moe.score softmax %mix : tensor<1x2xf32> -> tensor<1x2xf32>, tensor<1x2xf32>
  %ernie, %biased = moe.score softmax %logits bias(%bias : tensor<4xf32>) : !matrix -> !matrix, !matrix
  %t6, %e6, %r6, %v6, %k6 = moe.select top_k %biased : !matrix {k = 2 : i64} -> !list, !list, !list, !mask, !kth
  %ernie_w = moe.weigh gather %ernie, %t6, %e6, %r6, %v6 : !matrix, !list, !list, !list, !mask -> !gates

  // Activations. x · sigmoid(1.702 · x) is silu with an alpha: alone, or as the gate of 0 + 1.
  %one = moe.weight_ref @one : tensor<1x1x1xf32>
  %gate_alone = moe.weight_ref @gate_alone : tensor<1x2x1xf32>
  %pair = moe.weight_ref @pair : tensor<1x2x2xf32>
  %none = arith.constant 0 : i32
  %N = tensor.dim %points, %c0 : !column
  %n = arith.index_cast %N : index to i32
  %rows = tensor.from_elements %none, %n : tensor<2xi32>
  %M = tensor.dim %pairs, %c0 : tensor<?x2xf32>
  %m = arith.index_cast %M : index to i32
  %pair_rows = tensor.from_elements %none, %m : tensor<2xi32>
  %gelu_erf = moe.experts %points, %rows gate(%one : tensor<1x1x1xf32>) down(%one : tensor<1x1x1xf32>) {ffn = #moe.ffn<activation = gelu_erf>}
      : !column, tensor<2xi32> -> !column
  %gelu_tanh = moe.experts %points, %rows gate(%one : tensor<1x1x1xf32>) down(%one : tensor<1x1x1xf32>) {ffn = #moe.ffn<activation = gelu_tanh>}
      : !column, tensor<2xi32> -> !column
  %silu = moe.experts %points, %rows gate(%one : tensor<1x1x1xf32>) down(%one : tensor<1x1x1xf32>) {ffn = #moe.ffn<activation = silu>}
      : !column, tensor<2xi32> -> !column
  %relu2 = moe.experts %points, %rows gate(%one : tensor<1x1x1xf32>) down(%one : tensor<1x1x1xf32>) {ffn = #moe.ffn<activation = relu2>}
      : !column, tensor<2xi32> -> !column
  %quick = moe.experts %points, %rows gate(%one : tensor<1x1x1xf32>) down(%one : tensor<1x1x1xf32>)
      {ffn = #moe.ffn<activation = silu, alpha = 1.702 : f64>} : !column, tensor<2xi32> -> !column
  %gated_quick = moe.experts %points, %rows gate(%gate_alone : tensor<1x2x1xf32>) down(%one : tensor<1x1x1xf32>)
      {ffn = #moe.ffn<activation = silu, gate = halves, alpha = 1.702 : f64, up_offset = 1.0 : f64>} : !column, tensor<2xi32> -> !column
  %clamped = moe.experts %pairs, %pair_rows gate(%pair : tensor<1x2x2xf32>) down(%one : tensor<1x1x1xf32>)
      {ffn = #moe.ffn<activation = silu, gate = interleaved, alpha = 1.702 : f64, up_offset = 1.0 : f64, limit = 7.0 : f64>}
      : tensor<?x2xf32>, tensor<2xi32> -> !column
  return %e1, %h0, %s0, %s1, %o1, %h2, %s2, %s3, %o3, %e2, %h4, %s4, %s5, %o5, %h6, %s6, %s7, %o7, %s8, %w_l1, %w_raw_kept, %s9, %f_norm, %balance,
      %over_tokens, %t4, %e4, %v4, %side_w, %dts1, %dts2, %dts3, %dts4, %e5, %v5, %top_p_w, %mixed, %e6, %ernie_w, %clamped, %gelu_erf, %gelu_tanh,
      %silu, %relu2, %quick, %gated_quick
      : !list, !mask, !list, !list, !offset, !mask, !list, !list, !offset, !list, !mask, !list, !list, !offset, !mask, !list, !list, !offset, !list,
        !gates, !gates, !list, tensor<4xf32>, tensor<f32>, !matrix, !list, !list, !mask, !gates, !matrix, !matrix, !matrix, !matrix, !list, !mask,
        !gates, tensor<1x2xf32>, !list, !gates, !column, !column, !column, !column, !column, !column, !column
}
