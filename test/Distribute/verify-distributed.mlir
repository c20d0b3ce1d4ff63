// RUN: moe-opt %s --moe-verify-distributed | FileCheck %s

// CHECK-LABEL: func.func @one_machine
func.func @one_machine(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: return %arg0
  return %x : tensor<?x64xf32>
}
