// RUN: moe-opt %s --moe-lower-checks --split-input-file --verify-diagnostics

func.func @constant_out_of_range() attributes {moe.entry} {
  %zero = arith.constant 0 : index
  %four = arith.constant 4 : index
  %ids = arith.constant dense<[0, 4]> : tensor<2xi64>
  // expected-error @below {{node 'pick': an index: expected 0 to 3, found 4 (element 1)}}
  moe.require_range %ids, %zero, %four, "node 'pick': an index" : tensor<2xi64>
  return
}

// -----

// expected-error @below {{no function with attribute 'moe.entry'}}
module {
}
