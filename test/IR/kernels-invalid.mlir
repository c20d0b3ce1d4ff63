// One function per rule of the kernel ops, named by its label.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @route_permute_c1(%z: tensor<?x8xf32>, %a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>) {
  // expected-error @below {{expected either logits and router, or indices}}
  %o:3 = moe.route_permute logits(%z : tensor<?x8xf32>) outs(%a, %b, %c : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>) {experts = 8 : i64} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>
  return
}

// -----

func.func @route_permute_c1_both(%z: tensor<?x8xf32>, %a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>, %i: tensor<?x2xi64>) {
  // expected-error @below {{expected either logits and router, or indices}}
  %o:5 = moe.route_permute logits(%z : tensor<?x8xf32>) indices(%i : tensor<?x2xi64>) outs(%a, %b, %c, %a, %b : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>) {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
  return
}

// -----

func.func @route_permute_c2(%z: tensor<?x8xf32>, %a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>) {
  // expected-error @below {{expected experts >= 1, got 0}}
  %o:5 = moe.route_permute logits(%z : tensor<?x8xf32>) outs(%a, %b, %c, %a, %b : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>) {experts = 0 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
  return
}

// -----

func.func @route_permute_c3(%z: tensor<?x8xf32>, %a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>) {
  // expected-error @below {{expected dim 1 of logits to be 4 (experts), got 8}}
  %o:5 = moe.route_permute logits(%z : tensor<?x8xf32>) outs(%a, %b, %c, %a, %b : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>) {experts = 4 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
  return
}

// -----

func.func @route_permute_c3_element(%a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>, %l: tensor<?x8xf16>) {
  // expected-error @below {{expected logits of f32}}
  %o:5 = moe.route_permute logits(%l : tensor<?x8xf16>) outs(%a, %b, %c, %a, %b : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>) {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
  return
}

// -----

func.func @route_permute_c3_router(%z: tensor<?x8xf32>, %a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>) {
  // expected-error @below {{expected 1 <= k <= experts (8), got 16}}
  %o:5 = moe.route_permute logits(%z : tensor<?x8xf32>) outs(%a, %b, %c, %a, %b : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>) {experts = 8 : i64, router = #moe.router<function = softmax, k = 16, source = gather, norm = l1>} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
  return
}

// -----

func.func @route_permute_c4(%a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>, %i: tensor<?x2xi64>, %w: tensor<?x3xf32>) {
  // expected-error @below {{expected weights with the sizes of indices}}
  %o:3 = moe.route_permute indices(%i : tensor<?x2xi64>) weights(%w : tensor<?x3xf32>) outs(%a, %b, %c : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>) {experts = 8 : i64} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>
  return
}

// -----

func.func @route_permute_c4_element(%a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>, %i: tensor<?x2xf32>) {
  // expected-error @below {{expected indices of i32 or i64}}
  %o:3 = moe.route_permute indices(%i : tensor<?x2xf32>) weights(%i : tensor<?x2xf32>) outs(%a, %b, %c : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>) {experts = 8 : i64} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>
  return
}

// -----

func.func @route_permute_c5(%z: tensor<?x8xf32>, %a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<8xi32>) {
  // expected-error @below {{expected offsets of length 9 (experts + 1), got 8}}
  %o:5 = moe.route_permute logits(%z : tensor<?x8xf32>) outs(%a, %b, %c, %a, %b : tensor<?xi32>, tensor<?xf32>, tensor<8xi32>, tensor<?xi32>, tensor<?xf32>) {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>} -> tensor<?xi32>, tensor<?xf32>, tensor<8xi32>, tensor<?xi32>, tensor<?xf32>
  return
}

// -----

func.func @route_permute_c5_number(%z: tensor<?x8xf32>, %a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>) {
  // expected-error @below {{expected 5 outs (rows, slot weights, offsets, chosen, chosen weights), and at most places behind them, got 2}}
  %o:2 = moe.route_permute logits(%z : tensor<?x8xf32>) outs(%a, %b : tensor<?xi32>, tensor<?xf32>) {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>} -> tensor<?xi32>, tensor<?xf32>
  return
}

// -----

func.func @route_permute_c5_slots(%l: tensor<6x8xf32>, %a: tensor<10xi32>, %b: tensor<10xf32>, %c: tensor<9xi32>) {
  // expected-error @below {{expected rows of length 12 (tokens times choices), got 10}}
  %o:5 = moe.route_permute logits(%l : tensor<6x8xf32>) outs(%a, %b, %c, %a, %b : tensor<10xi32>, tensor<10xf32>, tensor<9xi32>, tensor<10xi32>, tensor<10xf32>) {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>} -> tensor<10xi32>, tensor<10xf32>, tensor<9xi32>, tensor<10xi32>, tensor<10xf32>
  return
}

// -----

func.func @grouped_matmul_c1(%g: tensor<96x64xf32>, %y: tensor<?x96xf32>, %q: tensor<64xf32>) {
  // expected-error @below {{expected x of rank 2}}
  %o = moe.grouped_matmul %q weight(%g : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c1_rows(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %y: tensor<?x96xf32>, %q: tensor<?xi64>) {
  // expected-error @below {{expected rows of i32}}
  %o = moe.grouped_matmul %x rows(%q : tensor<?xi64>) offsets(%off : tensor<9xi32>) weight(%g : tensor<8x96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c2(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %g: tensor<96x64xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected offsets where there are rows or combine, got none}}
  %o = moe.grouped_matmul %x rows(%t : tensor<?xi32>) weight(%g : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c3(%x: tensor<?x64xf32>, %g: tensor<8x96x64xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected a weight of rank 2}}
  %o = moe.grouped_matmul %x weight(%g : tensor<8x96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c3_experts(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<96x64xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected a weight of experts of rank 3}}
  %o = moe.grouped_matmul %x offsets(%off : tensor<9xi32>) weight(%g : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c3_packed(%x: tensor<?x64xf32>, %g: tensor<1x6x64x16xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected dim 3 of weight to be 32 (columns of a panel), got 16}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x6x64x16xf32>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c3_pairs_rank(%x: tensor<?x64xbf16>, %g: tensor<1x3x64x32xbf16>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected a packed weight of rank 5}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x64x32xbf16>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xbf16> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c3_pairs_element(%x: tensor<?x64xbf16>, %g: tensor<1x3x32x32x2xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected a packed weight of bf16 where x is}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x32x32x2xf32>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xbf16> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c3_pairs_columns(%x: tensor<?x64xbf16>, %g: tensor<1x3x32x16x2xbf16>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected dim 3 of weight to be 32 (columns of a panel), got 16}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x32x16x2xbf16>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xbf16> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c3_pairs_depth(%x: tensor<?x64xbf16>, %g: tensor<1x3x32x32x4xbf16>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected dim 4 of weight to be 2 (values of k of a pair), got 4}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x32x32x4xbf16>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xbf16> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c3_pairs_f32(%x: tensor<?x64xf32>, %g: tensor<1x3x32x32x2xbf16>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected a packed weight of rank 4 or 3}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x32x32x2xbf16>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c4_pairs(%x: tensor<?x63xbf16>, %g: tensor<1x3x31x32x2xbf16>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected dim 2 of weight to be 32 (pairs of k for the columns of x), got 31}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x31x32x2xbf16>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x63xbf16> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c3_element(%x: tensor<?x64xf32>, %g: tensor<96x64xi8>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected a weight of floats}}
  %o = moe.grouped_matmul %x weight(%g : tensor<96x64xi8>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c4(%x: tensor<?x64xf32>, %g: tensor<96x64xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected a weight for 64 columns of x, got 96}}
  %o = moe.grouped_matmul %x weight(%g : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) {order = #moe<weight_order in_out>} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c4_offsets(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<4x96x64xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected offsets of length 5 (experts + 1), got 9}}
  %o = moe.grouped_matmul %x offsets(%off : tensor<9xi32>) weight(%g : tensor<4x96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c4_dense(%x: tensor<?x64xf32>, %g: tensor<8x3x64x32xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected a weight of one expert where there are no offsets, got 8}}
  %o = moe.grouped_matmul %x weight(%g : tensor<8x3x64x32xf32>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c5(%x: tensor<?x64xf32>, %g: tensor<96x64xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected up exactly where the weight is plain and the gate layout separate, got none}}
  %o = moe.grouped_matmul %x weight(%g : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) {ffn = #moe.ffn<activation = silu, gate = separate>} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c5_type(%x: tensor<?x64xf32>, %g: tensor<96x64xf32>, %y: tensor<?x96xf32>, %u: tensor<64x96xf32>) {
  // expected-error @below {{expected up of the weight's type}}
  %o = moe.grouped_matmul %x weight(%g : tensor<96x64xf32>) up(%u : tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) {ffn = #moe.ffn<activation = silu, gate = separate>} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c6(%x: tensor<?x64xf32>, %g: tensor<1x3x64x32xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected columns exactly where the weight is packed, got none}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x64x32xf32>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c6_panels(%x: tensor<?x64xf32>, %g: tensor<1x3x64x32xf32>, %y: tensor<?x97xf32>) {
  // expected-error @below {{expected dim 1 of weight to be 4 (panels for 97 columns), got 3}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x64x32xf32>) outs(%y : tensor<?x97xf32>) {packing = #moe<packing_family panel32>, columns = 97 : i64} : tensor<?x64xf32> -> tensor<?x97xf32>
  return
}

// -----

func.func @grouped_matmul_c6_pairs(%x: tensor<?x64xf32>, %g: tensor<1x3x64x32xf32>, %y: tensor<?x20xf32>) {
  // expected-error @below {{expected dim 1 of weight to be 2 (panels for 40 columns), got 3}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x64x32xf32>) outs(%y : tensor<?x20xf32>) {ffn = #moe.ffn<activation = silu, gate = halves>, packing = #moe<packing_family gate_up16>, columns = 40 : i64} : tensor<?x64xf32> -> tensor<?x20xf32>
  return
}

// -----

func.func @grouped_matmul_c7(%x: tensor<?x64xf32>, %g: tensor<1x3x64x32xf32>, %y: tensor<?x48xf32>) {
  // expected-error @below {{expected packing gate_up16 exactly for a packed weight of a gated ffn, got panel32 and gate halves}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x64x32xf32>) outs(%y : tensor<?x48xf32>) {ffn = #moe.ffn<activation = silu, gate = halves>, packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xf32> -> tensor<?x48xf32>
  return
}

// -----

func.func @grouped_matmul_c7_plan(%x: tensor<?x64xf32>, %g: tensor<1x3x64x32xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected order out_in and no plan where the weight is packed}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x64x32xf32>) outs(%y : tensor<?x96xf32>) {plan = #moe.plan<packing = panel32, activations = "f32">, packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c8(%x: tensor<?x64xf32>, %g: tensor<96x64xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected dim 1 of the result to be 48 (columns of the product), got 96}}
  %o = moe.grouped_matmul %x weight(%g : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c8_even(%x: tensor<?x64xf32>, %g: tensor<95x64xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected an even number of gate and up columns, got 95}}
  %o = moe.grouped_matmul %x weight(%g : tensor<95x64xf32>) outs(%y : tensor<?x96xf32>) {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c9(%x: tensor<?x64xf32>, %g: tensor<96x64xf32>, %y: tensor<?x96xf32>, %b: tensor<64xf32>) {
  // expected-error @below {{expected dim 0 of bias to be 96 (columns of its weight), got 64}}
  %o = moe.grouped_matmul %x weight(%g : tensor<96x64xf32>) bias(%b : tensor<64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c9_experts(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %y: tensor<?x96xf32>, %b: tensor<96xf32>) {
  // expected-error @below {{expected bias of rank 2}}
  %o = moe.grouped_matmul %x offsets(%off : tensor<9xi32>) weight(%g : tensor<8x96x64xf32>) bias(%b : tensor<96xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c9_up(%x: tensor<?x64xf32>, %g: tensor<96x64xf32>, %y: tensor<?x96xf32>, %b: tensor<96xf32>) {
  // expected-error @below {{expected up_bias only where the gate layout is separate, got none}}
  %o = moe.grouped_matmul %x weight(%g : tensor<96x64xf32>) up_bias(%b : tensor<96xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c12(%x: tensor<?x512xf32>, %g: tensor<1x3x1217xi8>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected codebook exactly where the blocks have a dictionary}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x1217xi8>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = ternary, group = 512, scale = bf16, dictionary = 1217>} : tensor<?x512xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c12_type(%x: tensor<?x512xf32>, %g: tensor<1x3x1217xi8>, %d: tensor<18xi16>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected codebook of 32-bit integers, got 'tensor<18xi16>'}}
  %o = moe.grouped_matmul %x weight(%g : tensor<1x3x1217xi8>) codebook(%d : tensor<18xi16>) outs(%y : tensor<?x96xf32>) {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = ternary, group = 512, scale = bf16, dictionary = 1217>} : tensor<?x512xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c10(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %t: tensor<?xi32>, %w: tensor<?xf32>, %g: tensor<8x96x64xf32>, %y: tensor<?x96xf32>) {
  // expected-error @below {{expected either ffn or combine, got both}}
  %o = moe.grouped_matmul %x offsets(%off : tensor<9xi32>) weight(%g : tensor<8x96x64xf32>) combine(%t, %w : tensor<?xi32>, tensor<?xf32>) outs(%y : tensor<?x96xf32>) {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c10_length(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %y: tensor<?x96xf32>, %m: tensor<12xi32>, %n: tensor<10xf32>) {
  // expected-error @below {{expected combine_weights of length 12 (that of combine_rows), got 10}}
  %o = moe.grouped_matmul %x offsets(%off : tensor<9xi32>) weight(%g : tensor<8x96x64xf32>) combine(%m, %n : tensor<12xi32>, tensor<10xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return
}

// -----

func.func @grouped_matmul_c11(%g: tensor<96x64xf32>, %y: tensor<5x96xf32>, %q: tensor<6x64xf32>) {
  // expected-error @below {{expected dim 0 of the result to be 6 (slots), got 5}}
  %o = moe.grouped_matmul %q weight(%g : tensor<96x64xf32>) outs(%y : tensor<5x96xf32>) : tensor<6x64xf32> -> tensor<5x96xf32>
  return
}

// -----

func.func @grouped_matmul_c8_memref(%q: memref<?x64xf32>, %g: memref<96x64xf32>, %y: memref<?x64xf32>) {
  // expected-error @below {{expected dim 1 of the result to be 96 (columns of the product), got 64}}
  moe.grouped_matmul %q weight(%g : memref<96x64xf32>) outs(%y : memref<?x64xf32>) : memref<?x64xf32>
  return
}

// -----

func.func @grouped_matmul_c13_quads(%x: tensor<?x160xi8>, %w: tensor<1x2x2560xi8>, %y: tensor<?x80xi8>) {
  // expected-error @below {{expected out_blocks with quads, and blocks with quads beside them}}
  %o = moe.grouped_matmul %x weight(%w : tensor<1x2x2560xi8>) outs(%y : tensor<?x80xi8>) {packing = #moe<packing_family panel32>, columns = 64 : i64, blocks = #moe.blocks<code = int4, group = 32, scale = f32, quads = true>, out_blocks = #moe.blocks<code = int4, group = 32, scale = f32>} : tensor<?x160xi8> -> tensor<?x80xi8>
  return
}

// -----

func.func @grouped_matmul_c13_part(%x: tensor<?x160xi8>, %w: tensor<1x2x2560xi8>, %y: tensor<?x80xi8>) {
  // expected-error @below {{expected out_blocks with a group that is a multiple of 32 and divides the 64 columns of the product, got 48}}
  %o = moe.grouped_matmul %x weight(%w : tensor<1x2x2560xi8>) outs(%y : tensor<?x80xi8>) {packing = #moe<packing_family panel32>, columns = 64 : i64, blocks = #moe.blocks<code = int4, group = 32, scale = f32, quads = true>, out_blocks = #moe.blocks<code = int4, group = 48, scale = f32, quads = true>} : tensor<?x160xi8> -> tensor<?x80xi8>
  return
}

// -----

func.func @grouped_matmul_c13_group(%x: tensor<?x160xi8>, %w: tensor<1x2x2560xi8>, %y: tensor<?x80xi8>) {
  // expected-error @below {{expected out_blocks with a group that is a multiple of 32 and divides the 64 columns of the product, got 128}}
  %o = moe.grouped_matmul %x weight(%w : tensor<1x2x2560xi8>) outs(%y : tensor<?x80xi8>) {packing = #moe<packing_family panel32>, columns = 64 : i64, blocks = #moe.blocks<code = int4, group = 32, scale = f32, quads = true>, out_blocks = #moe.blocks<code = int4, group = 128, scale = f32, quads = true>} : tensor<?x160xi8> -> tensor<?x80xi8>
  return
}

// -----

func.func @grouped_matmul_c13_bytes(%x: tensor<?x160xi8>, %w: tensor<1x2x2560xi8>, %y: tensor<?x72xi8>) {
  // expected-error @below {{bytes of a row}}
  %o = moe.grouped_matmul %x weight(%w : tensor<1x2x2560xi8>) outs(%y : tensor<?x72xi8>) {packing = #moe<packing_family panel32>, columns = 64 : i64, blocks = #moe.blocks<code = int4, group = 32, scale = f32, quads = true>, out_blocks = #moe.blocks<code = int4, group = 32, scale = f32, quads = true>} : tensor<?x160xi8> -> tensor<?x72xi8>
  return
}

// -----

func.func @concat_c1(%x: tensor<?x64xf32>) {
  // expected-error @below {{expected at least one input and one of outs, got 0 and 1}}
  %o = "moe.concat"(%x) <{axis = 0 : i64, operandSegmentSizes = array<i32: 0, 1>}> : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return
}

// -----

func.func @concat_c2(%x: tensor<?x64xf32>) {
  // expected-error @below {{expected 0 <= axis < rank (2), got 2}}
  %o = moe.concat axis 2 ins(%x : tensor<?x64xf32>) outs(%x : tensor<?x64xf32>) -> tensor<?x64xf32>
  return
}

// -----

func.func @concat_c3(%x: tensor<?x64xf32>, %q: tensor<?x64xf16>) {
  // expected-error @below {{expected input 0 of rank 2 and 'f32'}}
  %o = moe.concat axis 0 ins(%q : tensor<?x64xf16>) outs(%x : tensor<?x64xf32>) -> tensor<?x64xf32>
  return
}

// -----

func.func @concat_c4(%x: tensor<?x64xf32>, %q: tensor<?x32xf32>) {
  // expected-error @below {{expected dim 1 of input 0 to be 64 (that of the output), got 32}}
  %o = moe.concat axis 0 ins(%q : tensor<?x32xf32>) outs(%x : tensor<?x64xf32>) -> tensor<?x64xf32>
  return
}

// -----

func.func @concat_c5(%q: tensor<3x64xf32>, %p: tensor<4x64xf32>, %y: tensor<8x64xf32>) {
  // expected-error @below {{expected dim 0 of the output to be 7 (sum of the inputs), got 8}}
  %o = moe.concat axis 0 ins(%q, %p : tensor<3x64xf32>, tensor<4x64xf32>) outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
  return
}

// -----

// routine-c1
func.func @arguments(%x: tensor<?xf32>, %n: index) {
  // expected-error @below {{expected a body of 4 arguments, got 2}}
  %0 = moe.routine "r" items(%n) ins(%x : tensor<?xf32>) outs(%x : tensor<?xf32>) -> tensor<?xf32> {
  ^bb0(%in: memref<?xf32>, %out: memref<?xf32>):
  }
  return
}

// -----

// routine-c1
func.func @layout(%x: tensor<?xf32>) {
  // expected-error @below {{expected argument 0 of the body of type 'memref<?xf32>', got 'memref<?xf32, strided<[2]>>'}}
  %0 = moe.routine "r" outs(%x : tensor<?xf32>) -> tensor<?xf32> {
  ^bb0(%out: memref<?xf32, strided<[2]>>):
  }
  return
}

// -----

// routine-c2
func.func @outs() {
  // expected-error @below {{expected at least one of outs, got none}}
  "moe.routine"() <{name = "r", operandSegmentSizes = array<i32: 0, 0, 0>}> ({
  ^bb0:
  }) : () -> ()
  return
}

// -----

func.func @attention_c1(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>) {
  // expected-error @below {{expected two of outs (result, scratch), got 1}}
  %r:1 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) outs(%o : tensor<1x4x?x16xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>
  return
}

// -----

func.func @attention_c1_element(%q: tensor<1x4x?x16xf64>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>) {
  // expected-error @below {{expected q of f32, f16 or bf16, got 'tensor<1x4x?x16xf64>'}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf64>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c2(%q: tensor<1x4x?x?xf32>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>) {
  // expected-error @below {{expected q with 1 to 512 static columns, got 'tensor<1x4x?x?xf32>'}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x?xf32>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c2_depth(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>) {
  // expected-error @below {{expected dim 3 of k to be 16 (columns of q), got 8}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x2x?x8xf32>) v(%v : tensor<1x2x?x16xf32>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c3(%q: tensor<1x4x?x16xf32>, %k: tensor<1x3x?x16xf32>, %v: tensor<1x3x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>) {
  // expected-error @below {{expected heads of q that are a multiple of those of k}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x3x?x16xf32>) v(%v : tensor<1x3x?x16xf32>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c4(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>, %m: tensor<1x2x?x?xi1>) {
  // expected-error @below {{expected dim 1 of mask to be 4 (1 or that of the scores), got 2}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) mask(%m : tensor<1x2x?x?xi1>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c4_keys(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x8x16xf32>, %v: tensor<1x2x8x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>, %m: tensor<1x1x1x9xf32>) {
  // expected-error @below {{expected a mask for at most 8 keys, got 9}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x2x8x16xf32>) v(%v : tensor<1x2x8x16xf32>) mask(%m : tensor<1x1x1x9xf32>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c5(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>, %c: tensor<1xi64>, %n: index) {
  // expected-error @below {{expected either counts or before, got both}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) counts(%c : tensor<1xi64>) before(%n) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c5_sink(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>, %s: tensor<2xf32>) {
  // expected-error @below {{expected sink of length 4 (query heads), got 2}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) sink(%s : tensor<2xf32>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c6(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>) {
  // expected-error @below {{expected left and right of at least -1, got -2 and -1}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64, left = -2 : i64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c6_softcap(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x864xf32>) {
  // expected-error @below {{expected a softcap that is not negative, got}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64, softcap = -1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_c7(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %o: tensor<1x4x?x16xf32>, %e: tensor<1x2x?x800xf32>) {
  // expected-error @below {{expected dim 3 of the scratch to be 864 (partial results of a tile), got 800}}
  %r:2 = moe.attention q(%q : tensor<1x4x?x16xf32>) k(%k : tensor<1x2x?x16xf32>) v(%v : tensor<1x2x?x16xf32>) outs(%o, %e : tensor<1x4x?x16xf32>, tensor<1x2x?x800xf32>) {scale = 1.0 : f64} -> tensor<1x4x?x16xf32>, tensor<1x2x?x800xf32>
  return
}

// -----

func.func @append_c1(%p: tensor<1x2x?x8xf32>, %n: tensor<1x2x1x8xf16>, %at: tensor<1xi64>) {
  // expected-error @below {{expected new of 'f32', that of past, got 'tensor<1x2x1x8xf16>'}}
  %0 = moe.append past(%p : tensor<1x2x?x8xf32>) new(%n : tensor<1x2x1x8xf16>) at(%at : tensor<1xi64>) outs(%p : tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  return
}

// -----

func.func @append_c1_at(%p: tensor<1x2x?x8xf32>, %n: tensor<1x2x1x8xf32>, %at: tensor<1xi32>) {
  // expected-error @below {{expected at of i64, got 'tensor<1xi32>'}}
  %0 = moe.append past(%p : tensor<1x2x?x8xf32>) new(%n : tensor<1x2x1x8xf32>) at(%at : tensor<1xi32>) outs(%p : tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  return
}

// -----

func.func @append_c2(%p: tensor<1x2x?x8xf32>, %n: tensor<1x3x1x8xf32>, %at: tensor<1xi64>) {
  // expected-error @below {{expected dim 1 of new to be 2 (that of past), got 3}}
  %0 = moe.append past(%p : tensor<1x2x?x8xf32>) new(%n : tensor<1x3x1x8xf32>) at(%at : tensor<1xi64>) outs(%p : tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  return
}

// -----

// sum_slots-c1
func.func @sum_slots_c1(%y: tensor<6x8xf32>, %p: tensor<6xi32>, %w: tensor<6xf32>, %o: tensor<3x9xf32>) {
  // expected-error @below {{expected dim 1 of outs to be 8 (columns of y), got 9}}
  %0 = moe.sum_slots %y places(%p : tensor<6xi32>) weights(%w : tensor<6xf32>) outs(%o : tensor<3x9xf32>) : tensor<6x8xf32> -> tensor<3x9xf32>
  return
}

// -----

// sum_slots-c2
func.func @sum_slots_c2(%y: tensor<6x8xf32>, %p: tensor<6xi64>, %w: tensor<6xf32>, %o: tensor<3x8xf32>) {
  // expected-error @below {{expected places of i32, got 'tensor<6xi64>'}}
  %0 = moe.sum_slots %y places(%p : tensor<6xi64>) weights(%w : tensor<6xf32>) outs(%o : tensor<3x8xf32>) : tensor<6x8xf32> -> tensor<3x8xf32>
  return
}

// -----

// sum_slots-c2
func.func @sum_slots_c2_weights(%y: tensor<6x8xf32>, %p: tensor<6xi32>, %w: tensor<5xf32>, %o: tensor<3x8xf32>) {
  // expected-error @below {{expected weights of length 6 (rows of y), got 5}}
  %0 = moe.sum_slots %y places(%p : tensor<6xi32>) weights(%w : tensor<5xf32>) outs(%o : tensor<3x8xf32>) : tensor<6x8xf32> -> tensor<3x8xf32>
  return
}
