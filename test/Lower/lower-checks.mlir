// RUN: moe-opt %s --moe-lower-checks --split-input-file | FileCheck %s

// Numbers in the order of the model. What the first condition says is not asked again, also of a cast tensor; a narrower range is.
// CHECK: module attributes {moe.faults = ["an id", "a place"]}
// CHECK-LABEL: func.func @main
// CHECK: moe.require_range %[[IDS:.*]], %[[ZERO:.*]], %[[N:.*]], "an id" number 0 : tensor<?xi64>
// CHECK-NOT: moe.require_range
// CHECK: moe.require_range %[[IDS]], %[[ONE:.*]], %[[N]], "a place" number 1 : tensor<?xi64>
// CHECK-NOT: moe.require_range
// DOC: --moe-lower-checks
func.func @main(%ids: tensor<?xi64>, %n: index) attributes {moe.entry} {
  %low = arith.constant -1 : index
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  moe.require_range %ids, %zero, %n, "an id" : tensor<?xi64>
  moe.require_range %ids, %low, %n, "an id or none" : tensor<?xi64>
  %four = tensor.cast %ids : tensor<?xi64> to tensor<4xi64>
  moe.require_range %four, %zero, %n, "an id" : tensor<4xi64>
  moe.require_range %ids, %one, %n, "a place" : tensor<?xi64>
  return
}

// -----

// A constant that is in range needs no check; one whose range is not known does.
// CHECK-LABEL: func.func @main
// CHECK-NOT: "constant"
// CHECK: moe.require_range %{{.*}}, %{{.*}}, %{{.*}}, "of a size" number 0
func.func @main(%n: index) attributes {moe.entry} {
  %zero = arith.constant 0 : index
  %four = arith.constant 4 : index
  %ids = arith.constant dense<[0, 3]> : tensor<2xi64>
  moe.require_range %ids, %zero, %four, "constant" : tensor<2xi64>
  moe.require_range %ids, %zero, %n, "of a size" : tensor<2xi64>
  return
}

// -----

// A condition in a branch says nothing of what comes behind the branch, nor of the other one.
// CHECK-LABEL: func.func @main
// CHECK-COUNT-3: moe.require_range
func.func @main(%ids: tensor<?xi64>, %n: index, %flag: i1) attributes {moe.entry} {
  %zero = arith.constant 0 : index
  scf.if %flag {
    moe.require_range %ids, %zero, %n, "then" : tensor<?xi64>
  } else {
    moe.require_range %ids, %zero, %n, "else" : tensor<?xi64>
  }
  moe.require_range %ids, %zero, %n, "behind" : tensor<?xi64>
  return
}
