// A bias that is a constant becomes a weight, once for all that read it; what other ops read stays a constant too.
// RUN: moe-opt %s --moe-cuda-store-constants | FileCheck %s

// CHECK-DAG: moe.weight @[[$BIAS:[a-z_0-9]+]] : tensor<4xf32> source(dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]> : tensor<4xf32>)
// CHECK-DAG: moe.weight @[[$PAIR:[a-z_0-9]+]] : tensor<2xf32> source(dense<[5.000000e+00, 6.000000e+00]> : tensor<2xf32>)

// CHECK-LABEL: func.func @biases
// DOC: --moe-cuda-store-constants
func.func @biases(%x: tensor<?x3xf32>, %w: tensor<4x3xf32>, %y: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  // CHECK-NOT: arith.constant
  // CHECK: %[[REF:.*]] = moe.weight_ref @[[$BIAS]] : tensor<4xf32>
  // CHECK: moe.grouped_matmul {{.*}} bias(%[[REF]] : tensor<4xf32>)
  %bias = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<4x3xf32>) bias(%bias : tensor<4xf32>) outs(%y : tensor<?x4xf32>) : tensor<?x3xf32> -> tensor<?x4xf32>
  %1 = moe.grouped_matmul %x weight(%w : tensor<4x3xf32>) bias(%bias : tensor<4xf32>) outs(%y : tensor<?x4xf32>) : tensor<?x3xf32> -> tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}
// DOC END

// Through a view; an out that is a constant stays one, as does what a loop reads.
// CHECK-LABEL: func.func @views
func.func @views(%x: tensor<5x3xf32>, %w: tensor<1x2x3xf32>) -> (tensor<5x2xf32>, tensor<1x2xf32>) {
  // CHECK-DAG: %[[KEPT:.*]] = arith.constant dense<[5.000000e+00, 6.000000e+00]> : tensor<2xf32>
  // CHECK-DAG: %[[OUT:.*]] = arith.constant dense<0.000000e+00> : tensor<5x2xf32>
  // CHECK-DAG: %[[REF:.*]] = moe.weight_ref @[[$PAIR]] : tensor<2xf32>
  // CHECK: %[[WIDE:.*]] = tensor.expand_shape %[[REF]]
  // CHECK: moe.grouped_matmul {{.*}} bias(%[[WIDE]] : tensor<1x2xf32>) outs(%[[OUT]] :
  // CHECK: arith.addf %[[KEPT]], %[[KEPT]]
  %bias = arith.constant dense<[5.0, 6.0]> : tensor<2xf32>
  %out = arith.constant dense<0.0> : tensor<5x2xf32>
  %offsets = arith.constant dense<[0, 5]> : tensor<2xi32>
  %wide = tensor.expand_shape %bias [[0, 1]] output_shape [1, 2] : tensor<2xf32> into tensor<1x2xf32>
  %0 = moe.grouped_matmul %x offsets(%offsets : tensor<2xi32>) weight(%w : tensor<1x2x3xf32>) bias(%wide : tensor<1x2xf32>) outs(%out : tensor<5x2xf32>)
      : tensor<5x3xf32> -> tensor<5x2xf32>
  %1 = arith.addf %bias, %bias : tensor<2xf32>
  %2 = tensor.expand_shape %1 [[0, 1]] output_shape [1, 2] : tensor<2xf32> into tensor<1x2xf32>
  return %0, %2 : tensor<5x2xf32>, tensor<1x2xf32>
}
