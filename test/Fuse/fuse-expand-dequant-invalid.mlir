// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-fuse-expand-dequant | FileCheck %s
// What a kernel reads stays, and parts that are computed cannot be read where the file has them.

// CHECK-LABEL: func.func @kernel
// CHECK: moe.dequant
// CHECK-NOT: linalg.generic
moe.weight @q : tensor<32x64xi8> source(#moe.file<"model.onnx", offset = 0, length = 2048>)
moe.weight @s : tensor<32xf32> source(#moe.file<"model.onnx", offset = 0, length = 128>)
func.func @kernel(%x: tensor<?x64xf32>, %y: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %q = moe.weight_ref @q : tensor<32x64xi8>
  %s = moe.weight_ref @s : tensor<32xf32>
  %w = moe.dequant %q scales(%s : tensor<32xf32>) <format = int8_channel> : tensor<32x64xi8> -> tensor<32x64xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<32x64xf32>) outs(%y : tensor<?x32xf32>) : tensor<?x64xf32> -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

func.func @computed(%q: tensor<4x8xi8>, %s: tensor<4xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{dequantising a weight that is computed is not supported yet}}
  %w = moe.dequant %q scales(%s : tensor<4xf32>) <format = int8_channel> : tensor<4x8xi8> -> tensor<4x8xf32>
  return %w : tensor<4x8xf32>
}

// -----

func.func @strings(%q: tensor<?xi16>, %s: tensor<4x2xf32>, %z: tensor<5xi32>, %b: tensor<131072xi32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{dequantising a weight that is computed is not supported yet; expected a moe.weight_ref}}
  %w = moe.dequant %q scales(%s : tensor<4x2xf32>) zeros(%z : tensor<5xi32>) codebook(%b : tensor<131072xi32>) <format = ternary_dict> : tensor<?xi16> -> tensor<4x8xf32>
  return %w : tensor<4x8xf32>
}
