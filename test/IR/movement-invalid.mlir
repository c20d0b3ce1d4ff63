// One function per rule of dispatch, compact, combine, stats and all_to_all, named by its label.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @dispatch_c1(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %t: tensor<12xi32>, %v: tensor<12xi1>, %w: tensor<11xf32>) {
  // expected-error @below {{expected weights of length 12 (that of token), got 11}}
  %a = moe.dispatch ragged %x, %t, %t, %t, %v, %off weights(%w : tensor<11xf32>) : tensor<?x64xf32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi1>, tensor<9xi32> -> tensor<12x64xf32>
  return
}

// -----

func.func @dispatch_c2(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %off: tensor<9xi32>) {
  // expected-error @below {{expected padded rows of rank 3}}
  %a = moe.dispatch padded %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @dispatch_c2_ragged(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %off: tensor<9xi32>) {
  // expected-error @below {{expected ragged rows of rank 2}}
  %a = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<8x?x64xf32>
  return
}

// -----

func.func @dispatch_c3(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %off: tensor<9xi32>) {
  // expected-error @below {{expected rows of 'f32' (that of x), got 'f16'}}
  %a = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf16>
  return
}

// -----

func.func @dispatch_c3_columns(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %off: tensor<9xi32>) {
  // expected-error @below {{expected dim 1 of rows to be 64 (columns of x), got 32}}
  %a = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x32xf32>
  return
}

// -----

func.func @dispatch_c4(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %off: tensor<1xi32>) {
  // expected-error @below {{expected offset of length >= 2 (experts + 1), got 1}}
  %a = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<1xi32> -> tensor<?x64xf32>
  return
}

// -----

func.func @dispatch_c4_padded(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %off: tensor<9xi32>) {
  // expected-error @below {{expected dim 0 of rows to be 8 (experts), got 4}}
  %a = moe.dispatch padded %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<4x?x64xf32>
  return
}

// -----

func.func @combine_c1(%x: tensor<?x64xf32>, %T: index, %t: tensor<12xi32>, %v: tensor<12xi1>, %w: tensor<11xf32>) {
  // expected-error @below {{expected weights of length 12 (that of token), got 11}}
  %a = moe.combine %x, %t, %t, %t, %v, %w tokens(%T) : tensor<?x64xf32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi1>, tensor<11xf32> -> tensor<6x64xf32>
  return
}

// -----

func.func @combine_c2(%t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %w: tensor<?xf32>, %T: index, %y: tensor<?xf32>) {
  // expected-error @below {{expected rows of rank 2 or 3}}
  %a = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @combine_c3(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %w: tensor<?xf32>, %T: index) {
  // expected-error @below {{expected dim 1 of the result to be 64 (columns of rows), got 32}}
  %a = moe.combine %x, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @combine_c3_element(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %w: tensor<?xf32>, %T: index) {
  // expected-error @below {{expected a result of 'f32' (that of rows) or f32, got 'bf16'}}
  %a = moe.combine %x, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xbf16>
  return
}

// -----

func.func @combine_c4(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %w: tensor<?xf32>, %T: index) {
  // expected-error @below {{expected x exactly where dropped is identity, got none}}
  %a = moe.combine %x, %t, %e, %slot, %keep, %w tokens(%T) {dropped = #moe<dropped identity>} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @combine_c4_sizes(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %w: tensor<?xf32>, %T: index, %y: tensor<?x32xf32>) {
  // expected-error @below {{expected x with the sizes of the result}}
  %a = moe.combine %x, %t, %e, %slot, %keep, %w tokens(%T) dropped_to(%y : tensor<?x32xf32>) {dropped = #moe<dropped identity>} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @stats_c1(%z: tensor<?x8xf32>, %t: tensor<12xi32>, %v: tensor<11xi1>) {
  // expected-error @below {{expected valid of length 12 (that of token), got 11}}
  %a:2 = moe.stats %z, %t, %t, %t, %v : tensor<?x8xf32>, tensor<12xi32>, tensor<12xi32>, tensor<12xi32>, tensor<11xi1> -> tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @stats_c2(%t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %n: tensor<5xi1>, %y: tensor<6x8xf32>) {
  // expected-error @below {{expected token_valid of length 6 (tokens), got 5}}
  %a:2 = moe.stats %y, %t, %e, %r, %v token_valid(%n : tensor<5xi1>) : tensor<6x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @stats_c3(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected dim 0 of fraction to be 8 (experts), got 4}}
  %a:2 = moe.stats %z, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<4xf32>, tensor<8xf32>
  return
}

// -----

func.func @stats_c3_grouped(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected fraction of rank 2}}
  %a:2 = moe.stats %z, %t, %e, %r, %v {group_size = 4 : i64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @stats_c4(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>) {
  // expected-error @below {{expected group_size >= 1, got -4}}
  %a:2 = moe.stats %z, %t, %e, %r, %v {group_size = -4 : i64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @stats_c4_both(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %n: index) {
  // expected-error @below {{expected group_size or groups_of, got both}}
  %a:2 = moe.stats %z, %t, %e, %r, %v groups_of(%n) {group_size = 4 : i64} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @all_to_all_c1(%x: tensor<?x64xf32>, %s: tensor<4xi32>) {
  // expected-error @below {{expected both send and receive or neither, got only send}}
  %a = moe.all_to_all %x group("ep") send(%s : tensor<4xi32>) : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @all_to_all_c1_length(%x: tensor<?x64xf32>, %s: tensor<4xi32>, %n: tensor<5xi32>) {
  // expected-error @below {{expected receive of length 4 (that of send), got 5}}
  %a = moe.all_to_all %x group("ep") send(%s : tensor<4xi32>) receive(%n : tensor<5xi32>) : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @all_to_all_c2(%x: tensor<?x64xf32>) {
  // expected-error @below {{expected the name of a group, got an empty string}}
  %a = moe.all_to_all %x group("") : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @all_to_all_c3(%x: tensor<?x64xf32>) {
  // expected-error @below {{expected 0 <= split_dim < rank (2), got 2}}
  %a = moe.all_to_all %x group("ep") {split_dim = 2 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @all_to_all_c4(%x: tensor<?x64xf32>) {
  // expected-error @below {{expected dim 1 of the result to be 64 (that of the buffer), got 32}}
  %a = moe.all_to_all %x group("ep") : tensor<?x64xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @all_to_all_c4_element(%x: tensor<?x64xf32>) {
  // expected-error @below {{expected a result of 'f32' (that of the buffer), got 'f16'}}
  %a = moe.all_to_all %x group("ep") : tensor<?x64xf32> -> tensor<?x64xf16>
  return
}

// -----

func.func @compact_c1(%flags: tensor<12xi1>) {
  // expected-error @below {{expected position of length 12 (that of flags), got 11}}
  %p, %n = moe.compact %flags : tensor<12xi1> -> tensor<11xi64>, tensor<i64>
  return
}
