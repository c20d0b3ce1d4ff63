// RUN: moe-opt %s --moe-cpu-expand-reshapes | FileCheck %s
// RUN: moe-opt %s --moe-cpu-expand-reshapes --expand-strided-metadata | FileCheck %s --check-prefix=EXPANDED

// EXPANDED-NOT: memref.expand_shape

// CHECK-LABEL: func.func @two_dynamic_dims_in_a_group(
// CHECK-SAME: %[[X:.*]]: memref<?x4xf32>, %[[B:.*]]: index, %[[S:.*]]: index)
// DOC: --moe-cpu-expand-reshapes
func.func @two_dynamic_dims_in_a_group(%x: memref<?x4xf32>, %b: index, %s: index) -> memref<?x?x4xf32> {
  // CHECK: %[[BASE:.*]], %{{.*}}, %{{.*}}:2, %{{.*}}:2 = memref.extract_strided_metadata %[[X]]
  // CHECK: %[[STRIDE:.*]] = arith.muli
  // CHECK: memref.reinterpret_cast %[[BASE]] to offset: [0], sizes: [%[[B]], %[[S]], 4], strides: [%[[STRIDE]], 4, 1]
  %y = memref.expand_shape %x [[0, 1], [2]] output_shape [%b, %s, 4] : memref<?x4xf32> into memref<?x?x4xf32>
  return %y : memref<?x?x4xf32>
}
// DOC END

// CHECK-LABEL: func.func @static_sizes_of_a_strided_source(
func.func @static_sizes_of_a_strided_source(%x: memref<6x4xf32, strided<[8, 1], offset: ?>>) -> memref<2x3x4xf32, strided<[24, 8, 1], offset: ?>> {
  // CHECK: memref.reinterpret_cast %{{.*}} to offset: [%{{.*}}], sizes: [2, 3, 4], strides: [24, 8, 1]
  %y = memref.expand_shape %x [[0, 1], [2]] output_shape [2, 3, 4]
      : memref<6x4xf32, strided<[8, 1], offset: ?>> into memref<2x3x4xf32, strided<[24, 8, 1], offset: ?>>
  return %y : memref<2x3x4xf32, strided<[24, 8, 1], offset: ?>>
}
