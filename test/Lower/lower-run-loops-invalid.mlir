// RUN: moe-opt %s --moe-lower-run-loops --split-input-file --verify-diagnostics

func.func @endless(%more: tensor<i1>) attributes {moe.entry} {
  // expected-error @below {{has no moe.loop_end of its number behind it in the entry}}
  %run = moe.loop_begin 0 from(%more : tensor<i1>) -> tensor<i1>
  return
}

// -----

func.func @escapes(%x: tensor<4xf32>, %more: tensor<i1>) -> tensor<4xf32> attributes {moe.entry} {
  %run:2 = moe.loop_begin 0 from(%more, %x : tensor<i1>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.exp ins(%run#1 : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %last:2 = moe.loop_end 0 next(%run#0, %y : tensor<i1>, tensor<4xf32>) carried(%run#0, %run#1 : tensor<i1>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>
  // expected-error @below {{uses a value of one run of a loop behind that loop}}
  return %y : tensor<4xf32>
}

// -----

func.func @exchanges(%x: tensor<4x8xf32>, %more: tensor<i1>) -> tensor<4x8xf32> attributes {moe.entry} {
  %run:2 = moe.loop_begin 0 from(%more, %x : tensor<i1>, tensor<4x8xf32>) -> tensor<i1>, tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  // expected-error @below {{sends rows to other ranks in a loop whose number of runs only the run tells, which is not supported yet; compile without --mesh}}
  %y = moe.routine "gather" ins(%run#1 : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%in: memref<4x8xf32>, %out: memref<4x8xf32>):
    %unit = arith.constant 1 : index
    moe.gather_shares %out unit(%unit) {devices = 2 : i64} : memref<4x8xf32>
  }
  %last:2 = moe.loop_end 0 next(%run#0, %y : tensor<i1>, tensor<4x8xf32>) carried(%run#0, %run#1 : tensor<i1>, tensor<4x8xf32>) -> tensor<i1>, tensor<4x8xf32>
  return %last#1 : tensor<4x8xf32>
}
