// RUN: moe-opt %s --moe-cpu-pack-entry --split-input-file --verify-diagnostics

// expected-error @+1 {{has no function with the attribute moe.entry}}
module {
  func.func @f() {
    return
  }
}

// -----

// expected-error @+1 {{must take memrefs and the thread and return nothing}}
func.func @entry(%in: memref<4xf32>) attributes {moe.entry} {
  return
}

// -----

// expected-error @+1 {{argument 1 must be a memref, found 'tensor<4xf32>'}}
func.func @entry(%in: memref<4xf32>, %x: tensor<4xf32>, %thread: !llvm.ptr) attributes {moe.entry} {
  return
}

// -----

func.func @entry(%thread: !llvm.ptr) attributes {moe.entry} {
  return
}
// expected-error @+1 {{is a second function with the attribute moe.entry}}
func.func @other(%thread: !llvm.ptr) attributes {moe.entry} {
  return
}

// -----

func.func @entry(%thread: !llvm.ptr) attributes {moe.entry} {
  return
}
// expected-error @+1 {{must have the type (memref<?xi64>, memref<?xi64>) -> i64, found '(memref<?xi32>) -> i64'}}
func.func @sizes(%in: memref<?xi32>) -> i64 attributes {moe.shapes} {
  %0 = arith.constant 0 : i64
  return %0 : i64
}
