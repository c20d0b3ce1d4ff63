// RUN: moe-opt %s --moe-verify-distributed | FileCheck %s

// CHECK-LABEL: func.func @one_machine
func.func @one_machine(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: moe.all_to_all
  %0 = moe.all_to_all %x group("ep") : tensor<?x64xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
