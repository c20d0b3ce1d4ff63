// RUN: moe-opt %s --moe-distribute-local-exchange | FileCheck %s

// DOC: --moe-distribute-local-exchange
// CHECK-LABEL: func.func @even
// CHECK-NEXT: return %arg0
func.func @even(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = moe.all_to_all %x group("experts") : tensor<?x64xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// What the one rank sends it receives, in a buffer of the size that its type says.
// CHECK-LABEL: func.func @counted
// CHECK-NEXT: %[[X:.+]] = tensor.cast %arg0 : tensor<16x64xf32> to tensor<?x64xf32>
// CHECK-NEXT: return %[[X]]
func.func @counted(%x: tensor<16x64xf32>, %n: tensor<1xi32>) -> tensor<?x64xf32> {
  %0 = moe.all_to_all %x group("experts") send(%n : tensor<1xi32>) receive(%n : tensor<1xi32>) : tensor<16x64xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @there_and_back
// CHECK-NEXT: return %arg0
func.func @there_and_back(%x: tensor<2x?x64xf32>) -> tensor<2x?x64xf32> {
  %0 = moe.all_to_all %x group("tokens") {split_dim = 1 : i64} : tensor<2x?x64xf32> -> tensor<2x?x64xf32>
  %1 = moe.all_to_all %0 group("tokens") {split_dim = 1 : i64} : tensor<2x?x64xf32> -> tensor<2x?x64xf32>
  return %1 : tensor<2x?x64xf32>
}
