// One function per rule of the attributes, named by its label.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{expected a count of groups >= 1, got 0}}
func.func private @groups_c1() attributes {a = #moe.groups<count = 0, keep = 1, top_r = 1, mask = zero>}

// -----

// expected-error @below {{expected 1 <= keep <= count (4), got 5}}
func.func private @groups_c2() attributes {a = #moe.groups<count = 4, keep = 5, top_r = 1, mask = zero>}

// -----

// expected-error @below {{expected top_r >= 1, got 0}}
func.func private @groups_c3() attributes {a = #moe.groups<count = 4, keep = 2, top_r = 0, mask = neg_inf>}

// -----

// expected-error @below {{expected a denominator in 1 to 2147483647, got 0}}
func.func private @capacity_c1() attributes {a = #moe.capacity<base = tokens, numerator = 5, denominator = 0, rounding = ceil>}

// -----

// expected-error @below {{expected a numerator in 1 to 2147483647, got 4294967296}}
func.func private @capacity_c1_great() attributes {a = #moe.capacity<base = tokens, numerator = 4294967296, denominator = 1, rounding = ceil>}

// -----

// expected-error @below {{expected minimum in 0 to 2147483647, got -1}}
func.func private @capacity_c2() attributes {a = #moe.capacity<base = assignments, numerator = 5, denominator = 4, rounding = floor, minimum = -1>}

// -----

// expected-error @below {{expected a maximum of 0 or in minimum (8) to 2147483647, got 4}}
func.func private @capacity_c3() attributes {a = #moe.capacity<base = assignments, numerator = 5, denominator = 4, rounding = floor, minimum = 8, maximum = 4>}

// -----

// expected-error @below {{expected multiple_of in 1 to 65536, got 0}}
func.func private @capacity_c4() attributes {a = #moe.capacity<base = tokens, numerator = 5, denominator = 4, rounding = half_even, multiple_of = 0>}

// -----

// expected-error @below {{expected a group >= 1, got 0}}
func.func private @blocks_c1() attributes {a = #moe.blocks<code = int4, group = 0, scale = f32>}

// -----

// expected-error @below {{expected a scale of f32, f16 or bf16, got 'f64'}}
func.func private @blocks_c2() attributes {a = #moe.blocks<code = int4, group = 32, scale = f64>}

// -----

// expected-error @below {{expected no zero or, for integers, one of f32 or i8, got 'i8' (e2m1)}}
func.func private @blocks_c3() attributes {a = #moe.blocks<code = e2m1, group = 32, scale = bf16, zero = i8>}

// -----

// expected-error @below {{expected ::moe::GroupMask to be one of: neg_inf, zero}}
// expected-error @below {{failed to parse Moe_GroupsAttr parameter 'mask'}}
func.func private @enum() attributes {a = #moe.groups<count = 4, keep = 2, top_r = 1, mask = one>}

// -----

// expected-error @below {{expected quads only for integers, got nf4}}
func.func private @blocks_c4() attributes {a = #moe.blocks<code = nf4, group = 32, scale = f32, quads = true>}

// -----

// expected-error @below {{expected no dictionary or, for ternary, one of at least 1 byte for a panel, got 96 (int4)}}
func.func private @blocks_c5() attributes {a = #moe.blocks<code = int4, group = 32, scale = f32, dictionary = 96>}

// -----

// expected-error @below {{expected finite positive scales, got 0.000000e+00}}
func.func private @steps_c1() attributes {a = #moe.steps<at = input, lower = 0, upper = 255, scales = [1.0, 0.0], zeros = [0, 0]>}

// -----

// expected-error @below {{expected as many zeros as scales, 2, got 1}}
func.func private @steps_c1_zeros() attributes {a = #moe.steps<at = input, lower = 0, upper = 255, scales = [1.0, 1.0], zeros = [0]>}

// -----

// expected-error @below {{expected -32768 <= lower < upper <= 65535, got 7 and 7}}
func.func private @steps_c2() attributes {a = #moe.steps<at = gate, lower = 7, upper = 7, scales = [1.0], zeros = [7]>}

// -----

// expected-error @below {{expected zeros of -128 to 127, got 128}}
func.func private @steps_c2_zeros() attributes {a = #moe.steps<at = gate, lower = -128, upper = 127, scales = [1.0], zeros = [128]>}

// -----

// expected-error @below {{expected no zeros and codes of 0 to 255 where there are no scales}}
func.func private @steps_c3() attributes {a = #moe.steps<at = result, lower = -128, upper = 127>}
