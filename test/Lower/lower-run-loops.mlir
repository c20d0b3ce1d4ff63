// RUN: moe-opt %s --moe-lower-run-loops --split-input-file | FileCheck %s

// What no run changes comes first; the destination is the run's own; what is read from in front of the loop is captured.
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[MORE:.*]]: tensor<i1>)
// CHECK: %[[SAME:.*]] = linalg.exp ins(%[[X]]
// CHECK: %[[RUN:.*]]:2 = moe.loop_begin 0 from(%[[MORE]], %[[X]]
// CHECK: %[[OWN:.*]] = tensor.empty
// CHECK: %[[NEXT:.*]] = linalg.add ins(%[[RUN]]#1, %[[SAME]] : tensor<4xf32>, tensor<4xf32>) outs(%[[OWN]]
// CHECK: %[[LAST:.*]]:2 = moe.loop_end 0 next(%[[RUN]]#0, %[[NEXT]] {{.*}} captured(%[[SAME]] : tensor<4xf32>)
// CHECK: return %[[LAST]]#1
// DOC: --moe-lower-run-loops
func.func @main(%x: tensor<4xf32>, %more: tensor<i1>) -> tensor<4xf32> attributes {moe.entry} {
  %e = tensor.empty() : tensor<4xf32>
  %run:2 = moe.loop_begin 0 from(%more, %x : tensor<i1>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>
  %same = linalg.exp ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %next = linalg.add ins(%run#1, %same : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %last:2 = moe.loop_end 0 next(%run#0, %next : tensor<i1>, tensor<4xf32>) carried(%run#0, %run#1 : tensor<i1>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>
  return %last#1 : tensor<4xf32>
}

// -----

// Values that trade places are copied, one that stays is not; a reader between a part that stands apart and the mark moves behind the mark.
// CHECK-LABEL: func.func @crossing
// CHECK: %[[ROWS:.*]] = moe.loop_begin 0 from(%{{.*}}) apart
// CHECK-NEXT: %[[RUN:.*]]:3 = moe.loop_begin 0
// CHECK-NEXT: tensor.cast %[[ROWS]]
// CHECK-DAG: %[[A:.*]] = linalg.copy ins(%[[RUN]]#2
// CHECK-DAG: %[[B:.*]] = linalg.copy ins(%[[RUN]]#1
// CHECK: moe.loop_end 0 next(%[[RUN]]#0, %[[A]], %[[B]], %[[ROWS]]
func.func @crossing(%x: tensor<4xf32>, %y: tensor<4xf32>, %more: tensor<i1>) -> tensor<4xf32> attributes {moe.entry} {
  %rows = moe.loop_begin 0 from(%x : tensor<4xf32>) apart -> tensor<4xf32>
  %wide = tensor.cast %rows : tensor<4xf32> to tensor<?xf32>
  %run:3 = moe.loop_begin 0 from(%more, %x, %y : tensor<i1>, tensor<4xf32>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>, tensor<4xf32>
  %last:4 = moe.loop_end 0 next(%run#0, %run#2, %run#1, %rows : tensor<i1>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) carried(%run#0, %run#1, %run#2, %rows : tensor<i1>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  return %last#1 : tensor<4xf32>
}
