// RUN: moe-opt %s --moe-import-infer-types --split-input-file --verify-diagnostics

func.func @unknown_op(%x: tensor<?xf32>) -> tensor<f32> {
  // expected-error @unknown {{node 'n' (my.domain.Frobnicate, version 3): there is no rule to infer its shape; the op is not supported}}
  %y = moe.onnx "Frobnicate"(%x) domain "my.domain" version 3 {} : (tensor<?xf32>) -> tensor<f32> loc("n")
  return %y : tensor<f32>
}

// -----

func.func @inner_dims(%a: tensor<?x3xf32>, %b: tensor<4x?xf32>) -> tensor<f32> {
  // expected-error @+1 {{inner dims of the product: expected equal sizes, found 3 and 4}}
  %y = moe.onnx "MatMul"(%a, %b) version 13 {} : (tensor<?x3xf32>, tensor<4x?xf32>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// n and n + 1 are never equal.
func.func @never_equal(%x: tensor<?x2xf32> {moe.dims = ["n", "2"]}, %row: tensor<1x2xf32>) -> tensor<f32> {
  %more = moe.onnx "Concat"(%x, %row) version 13 {axis = 0 : i64} : (tensor<?x2xf32>, tensor<1x2xf32>) -> tensor<f32>
  // expected-error @+1 {{broadcasting: expected equal sizes, found n and n + 1}}
  %y = moe.onnx "Add"(%x, %more) version 14 {} : (tensor<?x2xf32>, tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @reshape_twice_inferred(%x: tensor<?x4xf32>) -> tensor<f32> {
  %to = arith.constant dense<-1> : tensor<2xi64>
  // expected-error @+1 {{expected at most one -1 in the shape, found two}}
  %y = moe.onnx "Reshape"(%x, %to) version 14 {} : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @reshape_elements(%x: tensor<6xf32>) -> tensor<f32> {
  %to = arith.constant dense<[4, -1]> : tensor<2xi64>
  // expected-error @+1 {{expected a shape that divides 6 elements, found 4 beside the -1}}
  %y = moe.onnx "Reshape"(%x, %to) version 14 {} : (tensor<6xf32>, tensor<2xi64>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @axis(%x: tensor<2x3xf32>) -> tensor<f32> {
  // expected-error @+1 {{expected axis from -2 to 1, found 2}}
  %y = moe.onnx "Softmax"(%x) version 13 {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @missing_input(%x: tensor<2x3xf32>) -> tensor<f32> {
  %none = moe.absent : none
  // expected-error @+1 {{input 1 is required, but the node does not have it}}
  %y = moe.onnx "MatMul"(%x, %none) version 13 {} : (tensor<2x3xf32>, none) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @old_broadcasting(%x: tensor<2x3xf32>) -> tensor<f32> {
  // expected-error @+1 {{expected version 7 of the op or later; convert the model to a newer opset}}
  %y = moe.onnx "Add"(%x, %x) version 6 {broadcast = 1 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @element_types(%x: tensor<2xf32>, %i: tensor<2xi64>) -> tensor<f32> {
  // expected-error @+1 {{expected inputs 0 and 1 of one element type, found 'f32' and 'i64'}}
  %y = moe.onnx "Add"(%x, %i) version 14 {} : (tensor<2xf32>, tensor<2xi64>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @index_out_of_range(%x: tensor<2xf32>) -> tensor<f32> {
  %i = arith.constant dense<2> : tensor<i64>
  // expected-error @+1 {{expected indices from -2 to 1, found 2}}
  %y = moe.onnx "Gather"(%x, %i) version 13 {} : (tensor<2xf32>, tensor<i64>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// What the exporter makes of PyTorch's squeeze(0) on two choices per token, which is nothing there.
func.func @squeezed_choices(%mask: tensor<2x?xf32>) -> tensor<?xf32> {
  %axis = arith.constant dense<0> : tensor<1xi64>
  // expected-error @+1 {{squeezed dim 0: expected the size 1, found 2 in dims [2, argument 0.dim1]; PyTorch's squeeze(dim) leaves such a dim alone, and its exporter writes a Squeeze all the same}}
  %y = moe.onnx "Squeeze"(%mask, %axis) version 13 {} : (tensor<2x?xf32>, tensor<1xi64>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
