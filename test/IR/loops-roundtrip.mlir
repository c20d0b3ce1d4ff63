// The marks of a loop are printed as they are read, in the short and in the generic form, on tensors and on memrefs.
// RUN: moe-opt %s --allow-unregistered-dialect | moe-opt --allow-unregistered-dialect | FileCheck %s
// RUN: moe-opt %s --allow-unregistered-dialect --mlir-print-op-generic | moe-opt --allow-unregistered-dialect | FileCheck %s

// CHECK-LABEL: func.func @tensors(
func.func @tensors(%more: tensor<i1>, %x: tensor<?x8xf32>, %z: tensor<4xf32>) -> tensor<?x8xf32> {
  // CHECK: %[[Z:.*]] = moe.loop_begin 0 from(%{{.*}} : tensor<4xf32>) apart -> tensor<4xf32>
  %rows = moe.loop_begin 0 from(%z : tensor<4xf32>) apart -> tensor<4xf32>
  // CHECK: %[[R:.*]]:2 = moe.loop_begin 0 from(%{{.*}}, %{{.*}} : tensor<i1>, tensor<?x8xf32>) -> tensor<i1>, tensor<?x8xf32>
  %run:2 = moe.loop_begin 0 from(%more, %x : tensor<i1>, tensor<?x8xf32>) -> tensor<i1>, tensor<?x8xf32>
  %go = "test.go"() : () -> tensor<i1>
  %y = "test.body"(%run#1) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  // CHECK: moe.loop_end 0 next(%{{.*}}, %{{.*}}, %[[Z]] : tensor<i1>, tensor<?x8xf32>, tensor<4xf32>) carried(%[[R]]#0, %[[R]]#1, %[[Z]] : tensor<i1>, tensor<?x8xf32>, tensor<4xf32>) captured(%{{.*}} : tensor<?x8xf32>) -> tensor<i1>, tensor<?x8xf32>, tensor<4xf32>
  %last:3 = moe.loop_end 0 next(%go, %y, %rows : tensor<i1>, tensor<?x8xf32>, tensor<4xf32>) carried(%run#0, %run#1, %rows : tensor<i1>, tensor<?x8xf32>, tensor<4xf32>) captured(%x : tensor<?x8xf32>) -> tensor<i1>, tensor<?x8xf32>, tensor<4xf32>
  return %last#1 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @examples(
func.func @examples(%more: tensor<i1>, %x: tensor<?x8xf32>) {
  // CHECK: moe.loop_begin 0 from(%{{.*}}, %{{.*}} : tensor<i1>, tensor<?x8xf32>) -> tensor<i1>, tensor<?x8xf32>
  %run:2 = moe.loop_begin 0 from(%more, %x : tensor<i1>, tensor<?x8xf32>) -> tensor<i1>, tensor<?x8xf32>
  %go, %y = "test.body"(%run#1) : (tensor<?x8xf32>) -> (tensor<i1>, tensor<?x8xf32>)
  // CHECK: moe.loop_end 0 next(%{{.*}}, %{{.*}} : tensor<i1>, tensor<?x8xf32>) carried(
  %last:2 = moe.loop_end 0 next(%go, %y : tensor<i1>, tensor<?x8xf32>) carried(%run#0, %run#1 : tensor<i1>, tensor<?x8xf32>)
      -> tensor<i1>, tensor<?x8xf32>
  return
}

// CHECK-LABEL: func.func @memrefs(
func.func @memrefs(%flag: memref<i1>) {
  // CHECK: moe.loop_begin 3 from(%{{.*}} : memref<i1>)
  moe.loop_begin 3 from(%flag : memref<i1>)
  // CHECK: moe.loop_end 3
  moe.loop_end 3
  return
}
