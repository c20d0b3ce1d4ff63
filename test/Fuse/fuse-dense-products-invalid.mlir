// RUN: moe-opt %s --moe-fuse-dense-products --verify-diagnostics | FileCheck %s

moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)

// CHECK-LABEL: func.func @no_plan
func.func @no_plan(%x: tensor<6x64xf32>) -> tensor<6x96xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %zero = arith.constant dense<0.0> : tensor<6x96xf32>
  // CHECK: linalg.matmul
  %0 = linalg.matmul ins(%x, %w : tensor<6x64xf32>, tensor<64x96xf32>) outs(%zero : tensor<6x96xf32>) -> tensor<6x96xf32>
  return %0 : tensor<6x96xf32>
}

// CHECK-LABEL: func.func @accumulates
func.func @accumulates(%x: tensor<6x64xf32>, %start: tensor<6x96xf32>) -> tensor<6x96xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  // CHECK: linalg.matmul
  // expected-remark @below {{the product is not fused: it does not start from zero}}
  %0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<6x64xf32>, tensor<64x96xf32>) outs(%start : tensor<6x96xf32>) -> tensor<6x96xf32>
  return %0 : tensor<6x96xf32>
}

// CHECK-LABEL: func.func @starts_from_one
func.func @starts_from_one(%x: tensor<6x64xf32>) -> tensor<6x96xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<6x96xf32>
  %f = linalg.fill ins(%one : f32) outs(%e : tensor<6x96xf32>) -> tensor<6x96xf32>
  // CHECK: linalg.matmul
  // expected-remark @below {{the product is not fused: it does not start from zero}}
  %0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<6x64xf32>, tensor<64x96xf32>) outs(%f : tensor<6x96xf32>) -> tensor<6x96xf32>
  return %0 : tensor<6x96xf32>
}

// CHECK-LABEL: func.func @transposed_rows
func.func @transposed_rows(%x: tensor<64x6xf32>) -> tensor<6x96xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %zero = arith.constant dense<0.0> : tensor<6x96xf32>
  // CHECK: linalg.matmul
  // expected-remark @below {{the product is not fused: its rows or result are transposed or broadcast}}
  %0 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<64x6xf32>, tensor<64x96xf32>) outs(%zero : tensor<6x96xf32>) -> tensor<6x96xf32>
  return %0 : tensor<6x96xf32>
}

// CHECK-LABEL: func.func @not_stored
func.func @not_stored(%x: tensor<6x64xf32>, %w: tensor<64x96xf32>) -> tensor<6x96xf32> {
  %zero = arith.constant dense<0.0> : tensor<6x96xf32>
  // CHECK: linalg.matmul
  // expected-remark @below {{the product is not fused: expected f32 rows and results and a stored weight of f32, f16 or bf16}}
  %0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<6x64xf32>, tensor<64x96xf32>) outs(%zero : tensor<6x96xf32>) -> tensor<6x96xf32>
  return %0 : tensor<6x96xf32>
}
