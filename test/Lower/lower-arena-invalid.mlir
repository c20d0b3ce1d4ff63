// RUN: moe-opt %s --moe-lower-arena --split-input-file --verify-diagnostics

func.func @moe_entry(%n: memref<i16> {moe.input = 0 : i64}) attributes {moe.entry} {
  // expected-note @below {{decided here, by 'memref.load'}}
  %v = memref.load %n[] : memref<i16>
  %i = arith.index_cast %v : i16 to index
  // expected-error @below {{has a size that depends on data and has no bound, expected a function of the input dims}}
  %a = memref.alloc(%i) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

// expected-error @below {{no function with attribute 'moe.shapes'}}
module {
  func.func @moe_entry() attributes {moe.entry} {
    return
  }
}

// -----

func.func @moe_entry() attributes {moe.entry} {
  // expected-error @below {{which has more bytes than fit in 64 bits}}
  %a = memref.alloc() : memref<4611686018427387904x4xf32>
  linalg.exp ins(%a : memref<4611686018427387904x4xf32>) outs(%a : memref<4611686018427387904x4xf32>)
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

func.func @moe_entry(%flags: memref<i1> {moe.input = 0 : i64}) attributes {moe.entry} {
  %flag = memref.load %flags[] : memref<i1>
  scf.if %flag {
    // expected-error @below {{is nested, expected allocations at the top level of the entry only}}
    %a = memref.alloc() : memref<4xf32>
    linalg.exp ins(%a : memref<4xf32>) outs(%a : memref<4xf32>)
  }
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}

// -----

// expected-error @below {{argument 0 of the entry has type 'i1', expected a memref}}
func.func @moe_entry(%flag: i1) attributes {moe.entry} {
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}
