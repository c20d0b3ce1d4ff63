// RUN: moe-opt %s --moe-cpu-thread-argument --split-input-file --verify-diagnostics

moe.weight @w : tensor<4xf32> source(#moe.file<"m.onnx", offset = 0, length = 16>)
func.func @entry() attributes {moe.entry} {
  // expected-error @+1 {{reads @w, which has no place in model.weights}}
  %w = moe.weight_ref @w : memref<4xf32>
  return
}

// -----

moe.weight @w : tensor<4xf32> source(#moe.file<"m.onnx", offset = 0, length = 16>) section 0 at 0
func.func @entry() attributes {moe.entry} {
  // expected-error @+1 {{must be a memref of static shape and identity layout after lower, found 'tensor<4xf32>'}}
  %w = moe.weight_ref @w : tensor<4xf32>
  return
}

// -----

func.func private @worker() {
  moe.barrier
  return
}
func.func @entry() attributes {moe.entry} {
  // expected-error @+1 {{takes the address of a function that needs the thread: @worker}}
  %f = func.constant @worker : () -> ()
  return
}

// -----

// expected-error @+1 {{is the shape function and must not use threads or weights}}
func.func @sizes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %n = moe.num_threads
  %i = arith.index_cast %n : index to i64
  return %i : i64
}
