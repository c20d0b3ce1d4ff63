// One function per rule of the marks of a loop, named by its label.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @loop_begin_c1(%more: tensor<i1>, %x: tensor<4xf32>) {
  // expected-error @below {{expected one result for each value that is carried, got 1 for 2}}
  %run = moe.loop_begin 0 from(%more, %x : tensor<i1>, tensor<4xf32>) -> tensor<i1>
  return
}

// -----

func.func @loop_begin_c1_type(%more: tensor<i1>, %x: tensor<4xf32>) {
  // expected-error @below {{expected a value that fits 'tensor<4xf16>', got 'tensor<4xf32>'}}
  %run:2 = moe.loop_begin 0 from(%more, %x : tensor<i1>, tensor<4xf32>) -> tensor<i1>, tensor<4xf16>
  return
}

// -----

func.func @loop_begin_c1_flag(%x: tensor<4xf32>) {
  // expected-error @below {{expected a flag of tensor<i1> as the first value}}
  %run = moe.loop_begin 0 from(%x : tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @loop_begin_c2(%flag: memref<i1>, %x: memref<4xf32>) {
  // expected-error @below {{expected the flag alone, memref<i1>, and no result on memrefs}}
  moe.loop_begin 0 from(%flag, %x : memref<i1>, memref<4xf32>)
  return
}

// -----

func.func @loop_end_c1(%more: tensor<i1>, %x: tensor<4xf32>) {
  %run:2 = moe.loop_begin 0 from(%more, %x : tensor<i1>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>
  // expected-error @below {{expected one result for each value that is carried, got 2 for 1}}
  %last:2 = moe.loop_end 0 next(%more : tensor<i1>) carried(%run#0, %run#1 : tensor<i1>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>
  return
}

// -----

func.func @loop_end_c2(%more: tensor<i1>) {
  %run = moe.loop_begin 0 from(%more : tensor<i1>) -> tensor<i1>
  // expected-error @below {{expected carried values that loop_begin 1 gives}}
  %last = moe.loop_end 1 next(%more : tensor<i1>) carried(%run : tensor<i1>) -> tensor<i1>
  return
}
