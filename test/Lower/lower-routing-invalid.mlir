// RUN: moe-opt %s --moe-lower-routing --split-input-file --verify-diagnostics

// A capacity needs a number of tokens, which lists alone do not say.
func.func @main(%t: tensor<?xi32>, %v: tensor<?xi1>) -> tensor<?xi32> attributes {moe.entry} {
  // expected-error @below {{op 'moe.slots': expected assignments of moe.select or moe.assign, which say the number of tokens that the capacity needs}}
  %slot, %keep, %count, %offset = moe.slots %t, %t, %t, %v
      {experts = 8 : i64, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %slot : tensor<?xi32>
}

// -----

// Rows for slots from nowhere have no known number.
func.func @main(%x: tensor<?x4xf32>, %t: tensor<?xi32>, %keep: tensor<?xi1>, %offset: tensor<9xi32>) -> tensor<?x4xf32> attributes {moe.entry} {
  // expected-error @below {{op 'moe.dispatch': expected slots of a moe.slots with ragged layout, or a static number of rows}}
  %rows = moe.dispatch ragged %x, %t, %t, %t, %keep, %offset
      : tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x4xf32>
  return %rows : tensor<?x4xf32>
}

// -----

// So do groups, of a list that nobody has made.
func.func @main(%t: tensor<?xi32>, %v: tensor<?xi1>, %x: tensor<?x4xf32>) -> tensor<?xi32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %S = tensor.dim %x, %c0 : tensor<?x4xf32>
  // expected-error @below {{op 'moe.slots': expected assignments of moe.select or moe.assign, which say the number of tokens that the grouping needs}}
  %slot, %keep, %count, %offset = moe.slots %t, %t, %t, %v groups_of(%S) {experts = 8 : i64}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %slot : tensor<?xi32>
}

// -----

// Every thread runs the entry from its first op to its last: nothing of a layer may be in a loop.
func.func @main(%z: tensor<?x8xf32>, %n: index) -> tensor<?x8xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %result = scf.for %i = %c0 to %n step %c1 iter_args(%x = %z) -> tensor<?x8xf32> {
    // expected-error @below {{op 'moe.score' is nested or outside of the entry, expected it at the entry's top level}}
    %s, %c = moe.score sigmoid %x : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
    scf.yield %s : tensor<?x8xf32>
  }
  return %result : tensor<?x8xf32>
}

// -----

// expected-error @below {{no function with attribute 'moe.entry'}}
module {
}
