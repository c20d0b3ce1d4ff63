// RUN: moe-opt %s --moe-lower-entry --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: (%[[X:.*]]: memref<?x4xf32> {moe.dims = ["b", "4"], moe.input = 0 : i64, moe.name = "x"}
// CHECK-SAME: %[[OUT:.*]]: memref<?x2x2xf32> {moe.name = "y", moe.output = 0 : i64}) attributes {moe.entry}
// CHECK: %[[T:.*]] = bufferization.to_tensor %[[X]] restrict : memref<?x4xf32>
// CHECK: %[[EXP:.*]] = linalg.exp ins(%[[T]]
// The reshape is undone on the buffer of the output.
// CHECK: %[[FLAT:.*]] = memref.collapse_shape %[[OUT]] {{\[}}[0], [1, 2]] : memref<?x2x2xf32> into memref<?x4xf32>
// CHECK: bufferization.materialize_in_destination %[[EXP]] in restrict writable %[[FLAT]]
// CHECK: return{{$}}
// DOC: --moe-lower-entry
func.func @main(%x: tensor<?x4xf32> {moe.name = "x", moe.dims = ["b", "4"]}) -> (tensor<?x2x2xf32> {moe.name = "y"}) attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%b) : tensor<?x4xf32>
  %y = linalg.exp ins(%x : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %r = tensor.expand_shape %y [[0], [1, 2]] output_shape [%b, 2, 2] : tensor<?x4xf32> into tensor<?x2x2xf32>
  return %r : tensor<?x2x2xf32>
}

// -----

// A KV cache: past and present get strides of their own, so that the caller may give one buffer for both.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: memref<1x2x?x8xf32, strided<[?, ?, ?, 1]>> {moe.input = 0 : i64, moe.past_of = 0 : i64}
// CHECK-SAME: memref<1x2x1x8xf32> {moe.input = 1 : i64}
// CHECK-SAME: memref<1x2x?x8xf32, strided<[?, ?, ?, 1]>> {moe.output = 0 : i64, moe.present_of = 0 : i64}
func.func @main(%past: tensor<1x2x?x8xf32>, %new: tensor<1x2x1x8xf32>) -> tensor<1x2x?x8xf32> attributes {moe.entry} {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %p = tensor.dim %past, %c2 : tensor<1x2x?x8xf32>
  %t = arith.addi %p, %c1 : index
  %e = tensor.empty(%t) : tensor<1x2x?x8xf32>
  %r = moe.concat axis 2 ins(%past, %new : tensor<1x2x?x8xf32>, tensor<1x2x1x8xf32>) outs(%e : tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  return %r : tensor<1x2x?x8xf32>
}

// -----

// The input comes second: it does not grow in place, so this is no cache.
// CHECK-LABEL: func.func @moe_entry
// CHECK-NOT: strided
// CHECK-NOT: moe.past_of
func.func @main(%past: tensor<?x8xf32>, %new: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %p = tensor.dim %past, %c0 : tensor<?x8xf32>
  %n = tensor.dim %new, %c0 : tensor<?x8xf32>
  %t = arith.addi %p, %n : index
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %y = linalg.exp ins(%new : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %e2 = tensor.empty(%t) : tensor<?x8xf32>
  %r = moe.concat axis 0 ins(%y, %past : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e2 : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// -----

// One concat, two outputs: only one of them can be the cache.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: moe.past_of = 0
// CHECK-SAME: memref<?x8xf32, strided<[?, 1]>> {moe.output = 0 : i64, moe.present_of = 0 : i64}
// CHECK-SAME: memref<?x8xf32> {moe.output = 1 : i64}
func.func @main(%past: tensor<?x8xf32>, %new: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %p = tensor.dim %past, %c0 : tensor<?x8xf32>
  %n = tensor.dim %new, %c0 : tensor<?x8xf32>
  %t = arith.addi %p, %n : index
  %e = tensor.empty(%t) : tensor<?x8xf32>
  %r = moe.concat axis 0 ins(%past, %new : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %r, %r : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

// A cache of fixed length, rows written at places that data says: a pair too, whose dims do not say along which axis it grows.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: memref<1x2x?x8xf32, strided<[?, ?, ?, 1]>> {moe.input = 0 : i64, moe.past_axis = 2 : i64, moe.past_of = 0 : i64}
// CHECK-SAME: memref<1x2x?x8xf32, strided<[?, ?, ?, 1]>> {moe.output = 0 : i64, moe.present_of = 0 : i64}
func.func @main(%past: tensor<1x2x?x8xf32>, %new: tensor<1x2x1x8xf32>, %at: tensor<1xi64>) -> tensor<1x2x?x8xf32> attributes {moe.entry} {
  %c2 = arith.constant 2 : index
  %p = tensor.dim %past, %c2 : tensor<1x2x?x8xf32>
  %e = tensor.empty(%p) : tensor<1x2x?x8xf32>
  %r = moe.append past(%past : tensor<1x2x?x8xf32>) new(%new : tensor<1x2x1x8xf32>) at(%at : tensor<1xi64>) outs(%e : tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  return %r : tensor<1x2x?x8xf32>
}

// -----

// Somebody else reads the past: in place he would read the new rows.
// CHECK-LABEL: func.func @moe_entry
// CHECK-NOT: moe.past_of
func.func @main(%past: tensor<1x2x?x8xf32>, %new: tensor<1x2x1x8xf32>, %at: tensor<1xi64>) -> (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) attributes {moe.entry} {
  %c2 = arith.constant 2 : index
  %p = tensor.dim %past, %c2 : tensor<1x2x?x8xf32>
  %e = tensor.empty(%p) : tensor<1x2x?x8xf32>
  %r = moe.append past(%past : tensor<1x2x?x8xf32>) new(%new : tensor<1x2x1x8xf32>) at(%at : tensor<1xi64>) outs(%e : tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  %f = tensor.empty(%p) : tensor<1x2x?x8xf32>
  %y = linalg.exp ins(%past : tensor<1x2x?x8xf32>) outs(%f : tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  return %r, %y : tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
}
