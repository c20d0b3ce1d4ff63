// RUN: moe-opt %s --moe-lower-shapes --split-input-file --verify-diagnostics

func.func @main(%n: tensor<i16>) -> tensor<?xf32> attributes {moe.entry} {
  // expected-note @below {{decided here, by 'tensor.extract'}}
  %v = tensor.extract %n[] : tensor<i16>
  %i = arith.index_cast %v : i16 to index
  %e = tensor.empty(%i) : tensor<?xf32>
  // expected-error @below {{dim 0 of output 0 depends on data and has no bound, expected a function of the input dims}}
  return %e : tensor<?xf32>
}

// -----

func.func @main(%n: tensor<i16>, %x: tensor<4xf32>) -> tensor<4xf32> attributes {moe.entry} {
  %c4 = arith.constant 4 : index
  // expected-note @below {{decided here, by 'tensor.extract'}}
  %v = tensor.extract %n[] : tensor<i16>
  %i = arith.index_cast %v : i16 to index
  // expected-error @below {{a condition on shapes depends on data}}
  moe.require_equal %i, %c4, "four"
  return %x : tensor<4xf32>
}

// -----

// expected-error @below {{input 'x' has type 'memref<4xf32>', expected a ranked tensor}}
func.func @main(%x: memref<4xf32> {moe.name = "x"}) attributes {moe.entry} {
  return
}

// -----

// expected-error @below {{no function with attribute 'moe.entry'}}
module {
}

// -----

func.func @one() attributes {moe.entry} {
  return
}
// expected-error @below {{second function with attribute 'moe.entry'; expected one}}
func.func @two() attributes {moe.entry} {
  return
}
