// RUN: moe-opt %s --moe-raise-onnx --split-input-file --verify-diagnostics

func.func @no_conversion(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]})
    -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  // expected-error @below {{there is no rule to infer its shape; the op is not supported}}
  %0 = moe.onnx "Wobble"(%x) version 7 {} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @size_from_data(%n: tensor<1xf32> {moe.name = "n", moe.dims = ["1"]}, %x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]})
    -> (tensor<?xf32> {moe.name = "y", moe.dims = ["?"]}) attributes {moe.entry} {
  %s = moe.onnx "Cast"(%n) version 24 {to = 7 : i64} : (tensor<1xf32>) -> tensor<1xi64>
  // A size, or the -1 that is inferred.
  // expected-error @below {{(Reshape): the size of dim 0 of the result depends on data}}
  %0 = moe.onnx "Reshape"(%x, %s) version 24 {} : (tensor<4xf32>, tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

func.func @nibbles(%x: tensor<4xui4> {moe.name = "x", moe.dims = ["4"]})
    -> (tensor<4xui4> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  // expected-error @below {{results of element type 'ui4' are not supported yet}}
  %0 = moe.onnx "Add"(%x, %x) version 14 {} : (tensor<4xui4>, tensor<4xui4>) -> tensor<4xui4>
  return %0 : tensor<4xui4>
}

// -----

func.func @wrong_element_type(%x: tensor<4xi64> {moe.name = "x", moe.dims = ["4"]})
    -> (tensor<4xi64> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  // expected-error @below {{(Sqrt): is not defined on elements of type 'i64'}}
  %0 = moe.onnx "Sqrt"(%x) version 13 {} : (tensor<4xi64>) -> tensor<4xi64>
  return %0 : tensor<4xi64>
}

// -----

func.func @axis_from_data(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]}, %a: tensor<i64> {moe.name = "a", moe.dims = []})
    -> (tensor<4xf32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  // expected-error @below {{(CumSum): has an axis that depends on data}}
  %0 = moe.onnx "CumSum"(%x, %a) version 14 {} : (tensor<4xf32>, tensor<i64>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @partial_scatter(%x: tensor<4x4xf32> {moe.name = "x", moe.dims = ["4", "4"]}, %i: tensor<2x2xi64> {moe.name = "i", moe.dims = ["2", "2"]},
                           %u: tensor<2x2xf32> {moe.name = "u", moe.dims = ["2", "2"]})
    -> (tensor<4x4xf32> {moe.name = "y", moe.dims = ["4", "4"]}) attributes {moe.entry} {
  // expected-error @below {{(ScatterElements): has indices that cover only a part of dim 1, which is not supported yet}}
  %0 = moe.onnx "ScatterElements"(%x, %i, %u) version 18 {axis = 0 : i64} : (tensor<4x4xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

func.func @einsum_letters(%a: tensor<3x4xf32> {moe.name = "a", moe.dims = ["3", "4"]}) -> (tensor<3xf32> {moe.name = "y", moe.dims = ["3"]}) attributes {moe.entry} {
  // expected-error @below {{equation: expected letters of the operands in the result, found 'k'}}
  %0 = moe.onnx "Einsum"(%a) version 12 {equation = "ij->k"} : (tensor<3x4xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

func.func @einsum_rank(%a: tensor<3x4xf32> {moe.name = "a", moe.dims = ["3", "4"]}) -> (tensor<3xf32> {moe.name = "y", moe.dims = ["3"]}) attributes {moe.entry} {
  // expected-error @below {{equation: expected an input of rank 3 for 'ijk', found rank 2}}
  %0 = moe.onnx "Einsum"(%a) version 12 {equation = "ijk->i"} : (tensor<3x4xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

func.func @scales(%x: tensor<4x6xi8> {moe.name = "x", moe.dims = ["4", "6"]}, %s: tensor<4x2xf32> {moe.name = "s", moe.dims = ["4", "2"]})
    -> (tensor<4x6xf32> {moe.name = "y", moe.dims = ["4", "6"]}) attributes {moe.entry} {
  // expected-error @below {{has scales that do not fit blocks of 2 along axis 1}}
  %0 = moe.onnx "DequantizeLinear"(%x, %s) version 21 {axis = 1 : i64, block_size = 2 : i64} : (tensor<4x6xi8>, tensor<4x2xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

func.func @channels(%x: tensor<1x4x8xf32> {moe.name = "x", moe.dims = ["1", "4", "8"]}, %w: tensor<6x3x3xf32> {moe.name = "w", moe.dims = ["6", "3", "3"]})
    -> (tensor<1x6x6xf32> {moe.name = "y", moe.dims = ["1", "6", "6"]}) attributes {moe.entry} {
  // expected-error @below {{channels: expected equal sizes, found 4 and 3}}
  %0 = moe.onnx "Conv"(%x, %w) version 11 {} : (tensor<1x4x8xf32>, tensor<6x3x3xf32>) -> tensor<1x6x6xf32>
  return %0 : tensor<1x6x6xf32>
}

// -----

func.func @direction(%x: tensor<4xui8> {moe.name = "x", moe.dims = ["4"]}) -> (tensor<4xui8> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  // expected-error @below {{has direction 'UP', expected LEFT or RIGHT}}
  %0 = moe.onnx "BitShift"(%x, %x) version 11 {direction = "UP"} : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
  return %0 : tensor<4xui8>
}

// -----

func.func @negative_depth(%i: tensor<2xi64> {moe.name = "i", moe.dims = ["2"]}, %v: tensor<2xf32> {moe.name = "v", moe.dims = ["2"]})
    -> (tensor<2x?xf32> {moe.name = "y", moe.dims = ["2", "?"]}) attributes {moe.entry} {
  %d = arith.constant dense<-3.0> : tensor<f32>
  // expected-error @below {{expected a depth of 0 or more, found -3}}
  %0 = moe.onnx "OneHot"(%i, %d, %v) version 11 {} : (tensor<2xi64>, tensor<f32>, tensor<2xf32>) -> tensor<2x?xf32>
  return %0 : tensor<2x?xf32>
}

// -----

func.func @rounding(%x: tensor<2xf32> {moe.name = "x", moe.dims = ["2"]}) -> (tensor<2xf8E8M0FNU> {moe.name = "y", moe.dims = ["2"]}) attributes {moe.entry} {
  // expected-error @below {{(Cast): expected round_mode to be up, down or nearest, found 'even'}}
  %0 = moe.onnx "Cast"(%x) version 24 {round_mode = "even", to = 24 : i64} : (tensor<2xf32>) -> tensor<2xf8E8M0FNU>
  return %0 : tensor<2xf8E8M0FNU>
}
