// Not a reshape to expand: other views stay as they are.
// RUN: moe-opt %s --moe-cpu-expand-reshapes | FileCheck %s

// CHECK-LABEL: func.func @collapse_and_subview_stay(
func.func @collapse_and_subview_stay(%x: memref<?x4xf32>) -> (memref<?xf32>, memref<?x2xf32, strided<[4, 1]>>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  // CHECK: memref.collapse_shape
  // CHECK: memref.subview
  // CHECK-NOT: memref.reinterpret_cast
  %y = memref.collapse_shape %x [[0, 1]] : memref<?x4xf32> into memref<?xf32>
  %z = memref.subview %x[0, 0] [%n, 2] [1, 1] : memref<?x4xf32> to memref<?x2xf32, strided<[4, 1]>>
  return %y, %z : memref<?xf32>, memref<?x2xf32, strided<[4, 1]>>
}
