// RUN: moe-opt %s --moe-lower-entry --split-input-file --verify-diagnostics

// expected-error @below {{entry has type 'index' in its signature, expected ranked tensors}}
func.func @main(%n: index) attributes {moe.entry} {
  return
}

// -----

// expected-error @below {{entry has type 'tensor<*xf32>' in its signature, expected ranked tensors}}
func.func @main(%x: tensor<*xf32>) attributes {moe.entry} {
  return
}

// -----

// expected-error @below {{expected one block in the function with attribute 'moe.entry', found 0}}
func.func private @main(tensor<4xf32>) attributes {moe.entry}
