// RUN: moe-opt %s --moe-lower-bufferize --split-input-file | FileCheck %s

// The result is computed in the output's buffer: no allocation, no copy.
// CHECK-LABEL: func.func @direct
// CHECK-SAME: (%[[X:.*]]: memref<4x8xf32>, %[[OUT:.*]]: memref<4x8xf32>)
// CHECK-NOT: memref.alloc
// CHECK: linalg.exp ins(%[[X]] : memref<4x8xf32>) outs(%[[OUT]] : memref<4x8xf32>)
// CHECK-NOT: linalg.copy
// DOC: --moe-lower-bufferize
func.func @direct(%x: memref<4x8xf32>, %out: memref<4x8xf32>) {
  %t = bufferization.to_tensor %x restrict : memref<4x8xf32> to tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.exp ins(%t : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  bufferization.materialize_in_destination %y in restrict writable %out : (tensor<4x8xf32>, memref<4x8xf32>) -> ()
  return
}

// -----

// An output that is an input, and one value in two outputs: copies.
// CHECK-LABEL: func.func @copies
// CHECK-SAME: (%[[X:.*]]: memref<8xf32>, %[[A:.*]]: memref<8xf32>, %[[B:.*]]: memref<8xf32>, %[[C:.*]]: memref<8xf32>)
// CHECK: linalg.exp ins(%[[X]] : memref<8xf32>) outs(%[[A]] : memref<8xf32>)
// CHECK-DAG: linalg.copy ins(%[[A]] : memref<8xf32>) outs(%[[B]] : memref<8xf32>)
// CHECK-DAG: linalg.copy ins(%[[X]] : memref<8xf32>) outs(%[[C]] : memref<8xf32>)
func.func @copies(%x: memref<8xf32>, %a: memref<8xf32>, %b: memref<8xf32>, %c: memref<8xf32>) {
  %t = bufferization.to_tensor %x restrict : memref<8xf32> to tensor<8xf32>
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.exp ins(%t : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  bufferization.materialize_in_destination %y in restrict writable %a : (tensor<8xf32>, memref<8xf32>) -> ()
  bufferization.materialize_in_destination %y in restrict writable %b : (tensor<8xf32>, memref<8xf32>) -> ()
  bufferization.materialize_in_destination %t in restrict writable %c : (tensor<8xf32>, memref<8xf32>) -> ()
  return
}

// -----

// A weight is read where it lies; a concat and kernels write their destinations. A strided operand of a kernel is copied, one of a concat is not.
// CHECK-LABEL: func.func @kernels
// CHECK-SAME: (%[[X:.*]]: memref<4x16xf32>, %[[OUT:.*]]: memref<8x16xf32>)
// CHECK: %[[W:.*]] = moe.weight_ref @w : memref<16x8xf32>
// CHECK: %[[LEFT:.*]] = memref.subview %[[X]]
// CHECK: %[[PLAIN:.*]] = memref.alloc() {{.*}} : memref<4x8xf32>
// CHECK: linalg.copy ins(%[[LEFT]] : {{.*}}) outs(%[[PLAIN]] : memref<4x8xf32>)
// CHECK: moe.grouped_matmul %[[PLAIN]] weight(%[[W]] : memref<16x8xf32>) outs(%[[Y:.*]] : memref<4x16xf32>) : memref<4x8xf32>
// CHECK: moe.concat axis 0 ins(%[[X]], %[[Y]] : memref<4x16xf32>, memref<4x16xf32>) outs(%[[OUT]] : memref<8x16xf32>)
moe.weight @w : tensor<16x8xf32> source(#moe.file<"w", offset = 0, length = 512>)
func.func @kernels(%x: memref<4x16xf32>, %out: memref<8x16xf32>) {
  %t = bufferization.to_tensor %x restrict : memref<4x16xf32> to tensor<4x16xf32>
  %w = moe.weight_ref @w : tensor<16x8xf32>
  %left = tensor.extract_slice %t[0, 0] [4, 8] [1, 1] : tensor<4x16xf32> to tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x16xf32>
  %y = moe.grouped_matmul %left weight(%w : tensor<16x8xf32>) outs(%e : tensor<4x16xf32>) : tensor<4x8xf32> -> tensor<4x16xf32>
  %e2 = tensor.empty() : tensor<8x16xf32>
  %z = moe.concat axis 0 ins(%t, %y : tensor<4x16xf32>, tensor<4x16xf32>) outs(%e2 : tensor<8x16xf32>) -> tensor<8x16xf32>
  bufferization.materialize_in_destination %z in restrict writable %out : (tensor<8x16xf32>, memref<8x16xf32>) -> ()
  return
}

// -----

// Two outputs of one op never share a buffer, even where they start from one tensor.empty.
// CHECK-LABEL: func.func @two_outputs
// CHECK-SAME: (%[[A:.*]]: memref<8xi32>, %[[B:.*]]: memref<8xi32>)
// CHECK: linalg.generic
// CHECK-SAME: outs(%[[A]], %[[B]] : memref<8xi32>, memref<8xi32>)
#id = affine_map<(d0) -> (d0)>
func.func @two_outputs(%a: memref<8xi32>, %b: memref<8xi32>) {
  %e = tensor.empty() : tensor<8xi32>
  %r:2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} outs(%e, %e : tensor<8xi32>, tensor<8xi32>) {
  ^bb0(%x: i32, %y: i32):
    %index = linalg.index 0 : index
    %n = arith.index_cast %index : index to i32
    %m = arith.addi %n, %n : i32
    linalg.yield %n, %m : i32, i32
  } -> (tensor<8xi32>, tensor<8xi32>)
  bufferization.materialize_in_destination %r#0 in restrict writable %a : (tensor<8xi32>, memref<8xi32>) -> ()
  bufferization.materialize_in_destination %r#1 in restrict writable %b : (tensor<8xi32>, memref<8xi32>) -> ()
  return
}

// -----

// Two sums that start from one fill get a fill each: no copy of zeros.
// CHECK-LABEL: func.func @shared_fill
// CHECK-SAME: (%[[X:.*]]: memref<4x8xf32>, %[[A:.*]]: memref<4xf32>, %[[B:.*]]: memref<4xf32>)
// CHECK-NOT: memref.alloc
// CHECK-NOT: linalg.copy
// CHECK-DAG: linalg.fill ins(%{{.*}} : f32) outs(%[[A]]
// CHECK-DAG: linalg.fill ins(%{{.*}} : f32) outs(%[[B]]
// CHECK: return
func.func @shared_fill(%x: memref<4x8xf32>, %a: memref<4xf32>, %b: memref<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %t = bufferization.to_tensor %x restrict : memref<4x8xf32> to tensor<4x8xf32>
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.reduce {arith.addf} ins(%t : tensor<4x8xf32>) outs(%f : tensor<4xf32>) dimensions = [1]
  %max = linalg.reduce {arith.maximumf} ins(%t : tensor<4x8xf32>) outs(%f : tensor<4xf32>) dimensions = [1]
  bufferization.materialize_in_destination %sum in restrict writable %a : (tensor<4xf32>, memref<4xf32>) -> ()
  bufferization.materialize_in_destination %max in restrict writable %b : (tensor<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// A condition reads its values where they are, in order: parts of rows are copied for it. What is written later does not reach what it reads.
// CHECK-LABEL: func.func @condition
// CHECK-SAME: (%[[IDS:.*]]: memref<4x8xi64>, %[[LOW:.*]]: index, %[[HIGH:.*]]: index)
// CHECK: moe.require_range %[[IDS]], %[[LOW]], %[[HIGH]], "all" : memref<4x8xi64>
// CHECK: %[[PART:.*]] = memref.subview %[[IDS]]
// CHECK: %[[COPY:.*]] = memref.alloc() {{.*}} : memref<4x2xi64>
// CHECK: linalg.copy ins(%[[PART]] : {{.*}}) outs(%[[COPY]] : memref<4x2xi64>)
// CHECK: moe.require_range %[[COPY]], %[[LOW]], %[[HIGH]], "part" : memref<4x2xi64>
func.func @condition(%ids: memref<4x8xi64>, %low: index, %high: index) {
  %t = bufferization.to_tensor %ids restrict : memref<4x8xi64> to tensor<4x8xi64>
  moe.require_range %t, %low, %high, "all" : tensor<4x8xi64>
  %part = tensor.extract_slice %t[0, 0] [4, 2] [1, 1] : tensor<4x8xi64> to tensor<4x2xi64>
  moe.require_range %part, %low, %high, "part" : tensor<4x2xi64>
  return
}
