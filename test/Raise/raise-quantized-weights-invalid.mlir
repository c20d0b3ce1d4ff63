// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-quantized-weights | FileCheck %s
// Codes that are computed are no stored weight, and a scale for each step along a dim in front of the matrices is none that moe.dequant can say: both stay.

// CHECK-LABEL: func.func @left
// CHECK: moe.onnx "DequantizeLinear"
// CHECK: moe.onnx "DequantizeLinear"
// CHECK-NOT: moe.dequant
func.func @left(%x: tensor<64x32xi8>) -> (tensor<64x32xf32>, tensor<1x2x2x4xf32>) {
  %s = arith.constant dense<0.5> : tensor<64xf32>
  %q = arith.constant dense<3> : tensor<1x2x2x4xi8>
  %t = arith.constant dense<0.5> : tensor<2xf32>
  %w = moe.onnx "DequantizeLinear"(%x, %s) version 21 {axis = 0 : i64} : (tensor<64x32xi8>, tensor<64xf32>) -> tensor<64x32xf32>
  %v = moe.onnx "DequantizeLinear"(%q, %t) version 21 {axis = 1 : i64} : (tensor<1x2x2x4xi8>, tensor<2xf32>) -> tensor<1x2x2x4xf32>
  return %w, %v : tensor<64x32xf32>, tensor<1x2x2x4xf32>
}

// -----

func.func @bits(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %q = arith.constant dense<7> : tensor<32x2x20xui8>
  %s = arith.constant dense<0.5> : tensor<32x2xf32>
  // expected-error @+1 {{com.microsoft.MatMulNBits: expected bits 2, 4 or 8, found 5}}
  %y = moe.onnx "MatMulNBits"(%x, %q, %s) domain "com.microsoft" version 1 {K = 64 : i64, N = 32 : i64, bits = 5 : i64, block_size = 32 : i64}
      : (tensor<?x64xf32>, tensor<32x2x20xui8>, tensor<32x2xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @prepacked(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %q = arith.constant dense<7> : tensor<32x2x16xui8>
  %s = arith.constant dense<0.5> : tensor<32x2xf32>
  // expected-error @+1 {{weight_prepacked = 1: the bytes are permuted for CUDA}}
  %y = moe.onnx "MatMulNBits"(%x, %q, %s) domain "com.microsoft" version 1 {K = 64 : i64, N = 32 : i64, bits = 4 : i64, block_size = 32 : i64, weight_prepacked = 1 : i64}
      : (tensor<?x64xf32>, tensor<32x2x16xui8>, tensor<32x2xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @computed(%x: tensor<?x64xf32>, %q: tensor<32x2x16xui8>) -> tensor<?x32xf32> {
  %s = arith.constant dense<0.5> : tensor<32x2xf32>
  // expected-error @+1 {{expected stored weights of 1024 bytes and 64 scales, found 'tensor<32x2x16xui8>' and 'tensor<32x2xf32>'}}
  %y = moe.onnx "MatMulNBits"(%x, %q, %s) domain "com.microsoft" version 1 {K = 64 : i64, N = 32 : i64, bits = 4 : i64, block_size = 32 : i64}
      : (tensor<?x64xf32>, tensor<32x2x16xui8>, tensor<32x2xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @order(%x: tensor<?x64xf32>, %g: tensor<64xi32>) -> tensor<?x32xf32> {
  %q = arith.constant dense<7> : tensor<32x2x16xui8>
  %s = arith.constant dense<0.5> : tensor<32x2xf32>
  %none = moe.absent : none
  // expected-error @+1 {{input g_idx (groups in another order) is not supported}}
  %y = moe.onnx "MatMulNBits"(%x, %q, %s, %none, %g) domain "com.microsoft" version 1 {K = 64 : i64, N = 32 : i64, bits = 4 : i64, block_size = 32 : i64}
      : (tensor<?x64xf32>, tensor<32x2x16xui8>, tensor<32x2xf32>, none, tensor<64xi32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

// Steps of another size are another rounding: both stay.

// CHECK-LABEL: func.func @steps
// CHECK-COUNT-2: moe.onnx "QuantizeLinear"
func.func @steps(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %r = arith.constant dense<0.25> : tensor<f32>
  %z = arith.constant dense<128> : tensor<ui8>
  %q = moe.onnx "QuantizeLinear"(%x, %s, %z) version 13 {} : (tensor<4x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<4x8xui8>
  %d = moe.onnx "DequantizeLinear"(%q, %s, %z) version 13 {} : (tensor<4x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x8xf32>
  %q2 = moe.onnx "QuantizeLinear"(%d, %r, %z) version 13 {} : (tensor<4x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<4x8xui8>
  %d2 = moe.onnx "DequantizeLinear"(%q2, %r, %z) version 13 {} : (tensor<4x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x8xf32>
  return %d2 : tensor<4x8xf32>
}
