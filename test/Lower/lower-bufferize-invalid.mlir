// RUN: moe-opt %s --moe-lower-bufferize --split-input-file --verify-diagnostics

// What no stage before has lowered has no buffer form.
func.func @unknown(%x: memref<4xf32>, %out: memref<4xf32>) {
  %t = bufferization.to_tensor %x restrict : memref<4xf32> to tensor<4xf32>
  // expected-error @below {{op was not bufferized}}
  %y = moe.onnx "Abs"(%t) version 13 {} : (tensor<4xf32>) -> tensor<4xf32>
  bufferization.materialize_in_destination %y in restrict writable %out : (tensor<4xf32>, memref<4xf32>) -> ()
  return
}
