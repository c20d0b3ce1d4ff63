// RUN: moe-opt %s --moe-verify-lowered --split-input-file --verify-diagnostics

// DOC: --moe-verify-lowered
func.func @moe_entry(%x: memref<4xf32>, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
  // expected-error @below {{'linalg.exp' op is left after the lower stage}}
  linalg.exp ins(%x : memref<4xf32>) outs(%x : memref<4xf32>)
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

func.func @moe_entry(%arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
  // expected-error @below {{'memref.alloc' op is left after the lower stage}}
  %a = memref.alloc() : memref<4xf32>
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

func.func @moe_entry(%arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
  // expected-error @below {{'moe.absent' op is left after the lower stage}}
  %a = moe.absent : none
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

moe.weight @w : tensor<4xf32> source(#moe.file<"w", offset = 0, length = 16>)
func.func @moe_entry(%arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
  // expected-error @below {{has a value of type 'tensor<4xf32>' after the lower stage, expected no tensors}}
  %w = moe.weight_ref @w : tensor<4xf32>
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

func.func @moe_entry(%flag: memref<i1>, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
  %f = memref.load %flag[] : memref<i1>
  scf.if %f {
    // expected-error @below {{'moe.barrier' op is nested or outside of the entry, expected it where every thread passes}}
    moe.barrier
  }
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

// expected-error @below {{the entry has no arena, expected it as last argument}}
func.func @moe_entry(%x: memref<4xf32>) attributes {moe.entry} {
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

// expected-error @below {{entry returns 1 values, expected outputs as arguments}}
func.func @moe_entry(%arena: memref<?xi8> {moe.arena}) -> memref<?xi8> attributes {moe.entry} {
  return %arena : memref<?xi8>
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}
