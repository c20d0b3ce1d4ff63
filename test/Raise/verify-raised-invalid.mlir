// RUN: moe-opt %s --moe-verify-raised --split-input-file --verify-diagnostics

// DOC: --moe-verify-raised
func.func @left_over(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]})
    -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  // expected-error @below {{is left after the raise stage}}
  %n = moe.absent : none
  // expected-error @below {{is left after the raise stage}}
  %0 = moe.onnx "Relu"(%x) version 14 {} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-error @below {{argument 0 of the entry function has no 'moe.name'}}
func.func @no_name(%x: tensor<4xf32>) -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  return %x : tensor<4xf32>
}

// -----

// expected-error @below {{result 'y' of the entry function has no 'moe.dims' of 1 strings}}
func.func @no_dims(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]}) -> (tensor<4xf32> {moe.name = "y"}) attributes {moe.entry} {
  return %x : tensor<4xf32>
}

// -----

// expected-error @below {{has 0 functions with 'moe.entry', expected one}}
module {
  func.func @helper() { return }
}

// -----

func.func @unranked(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]})
    -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  // expected-error @below {{has a result of type 'tensor<*xf32>', expected a ranked tensor}}
  %0 = tensor.cast %x : tensor<4xf32> to tensor<*xf32>
  return %x : tensor<4xf32>
}

// -----

func.func @again(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]}) -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  // expected-error @below {{calls 'again', which calls itself; a function is inlined where it is called}}
  %0 = call @again(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @branch(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]}) -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %yes = arith.constant true
  // expected-error @below {{is not supported on tensors: a model has no loops and branches but in regions of linalg ops}}
  %0 = scf.if %yes -> tensor<4xf32> {
    scf.yield %x : tensor<4xf32>
  } else {
    scf.yield %x : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}
