// RUN: moe-opt %s --moe-verify-raised | FileCheck %s

// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<?x4xf32> {moe.name = "x", moe.dims = ["tokens", "4"]})
    -> (tensor<?x4xf32> {moe.name = "y", moe.dims = ["tokens", "4"]}) attributes {moe.entry} {
  return %x : tensor<?x4xf32>
}
