// RUN: moe-opt %s --moe-lower-run-loops --split-input-file | FileCheck %s

// What no run changes comes first; the destination is the run's own; what is read from in front of the loop is captured.
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[MORE:.*]]: tensor<i1>)
// CHECK: %[[SAME:.*]] = linalg.exp ins(%[[X]]
// CHECK: %[[R:.*]]:2 = moe.loop_begin 0 from(%[[MORE]], %[[X]]
// CHECK: %[[OWN:.*]] = tensor.empty
// CHECK: %[[NEXT:.*]] = linalg.add ins(%[[R]]#1, %[[SAME]] : tensor<4xf32>, tensor<4xf32>) outs(%[[OWN]]
// CHECK: %[[FLAG:.*]] = linalg.copy ins(%[[R]]#0
// CHECK: %[[LAST:.*]]:2 = moe.loop_end 0 next(%[[FLAG]], %[[NEXT]] {{.*}} captured(%[[SAME]] : tensor<4xf32>)
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

// Values that trade places are copied, one that stays is no value of the loop; a reader between a part that stands apart and the mark moves behind the mark.
// CHECK-LABEL: func.func @crossing
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[Y:.*]]: tensor<4xf32>, %[[Z:.*]]: tensor<4xf32>
// CHECK: %[[ROWS:.*]] = moe.loop_begin 0 from(%{{.*}}) apart
// CHECK-NEXT: %[[R:.*]]:3 = moe.loop_begin 0 from(%{{.*}}, %[[X]], %[[Y]]
// CHECK-NEXT: tensor.cast %[[ROWS]]
// CHECK: %[[A:.*]] = linalg.copy ins(%[[R]]#2
// CHECK: %[[B:.*]] = linalg.copy ins(%[[R]]#1
// CHECK: %[[LAST:.*]]:4 = moe.loop_end 0 next(%{{.*}}, %[[A]], %[[B]], %{{.*}}) carried(%[[R]]#0, %[[R]]#1, %[[R]]#2, %[[ROWS]] :
// CHECK: return %[[LAST]]#1, %[[Z]]
func.func @crossing(%x: tensor<4xf32>, %y: tensor<4xf32>, %z: tensor<4xf32>, %more: tensor<i1>) -> (tensor<4xf32>, tensor<4xf32>) attributes {moe.entry} {
  %rows = moe.loop_begin 0 from(%x : tensor<4xf32>) apart -> tensor<4xf32>
  %wide = tensor.cast %rows : tensor<4xf32> to tensor<?xf32>
  %run:4 = moe.loop_begin 0 from(%more, %x, %y, %z : tensor<i1>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  %last:5 = moe.loop_end 0 next(%run#0, %run#2, %run#1, %run#3, %rows : tensor<i1>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) carried(%run#0, %run#1, %run#2, %run#3, %rows : tensor<i1>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<i1>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  return %last#1, %last#3 : tensor<4xf32>, tensor<4xf32>
}
