// The last node needs that exactly one row was found. Inference takes that as given for all nodes, so that the Transpose of [1, found] was none at all
// and indices were read beyond their buffer before the last node said what is wrong: the run stops as soon as the number of rows is known.
// RUN: moe-opt %s --moe-raise-onnx | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK: %{{.*}}, %[[COUNT:.*]] = moe.compact
// CHECK: %[[FOUND:.*]] = tensor.extract %[[COUNT]][]
// CHECK-NOT: linalg.generic
// CHECK: moe.require_range {{.*}} "node '<unnamed>' needs nonzero#1 = 1; the size"
// CHECK: cf.assert {{.*}} "node '<unnamed>' needs nonzero#1 = 1; the size"
// CHECK: linalg.generic
// CHECK-NOT: cf.assert {{.*}} needs nonzero
func.func @main(%x: tensor<?x16xf32> {moe.dims = ["t", "16"], moe.name = "x"}, %mask: tensor<?xi1> {moe.dims = ["t"], moe.name = "mask"})
    -> (tensor<16xf32> {moe.name = "y"}) attributes {moe.entry} {
  %sizes = arith.constant dense<16> : tensor<1xi64>
  %found = moe.onnx "NonZero"(%mask) version 13 {} : (tensor<?xi1>) -> tensor<f32>
  %rows = moe.onnx "Transpose"(%found) version 13 {} : (tensor<f32>) -> tensor<f32>
  %picked = moe.onnx "GatherND"(%x, %rows) version 13 {} : (tensor<?x16xf32>, tensor<f32>) -> tensor<f32>
  %y = moe.onnx "Reshape"(%picked, %sizes) version 14 {} : (tensor<f32>, tensor<1xi64>) -> tensor<16xf32>
  return %y : tensor<16xf32>
}
