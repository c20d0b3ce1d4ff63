// A declared library function gets its body and those that the body calls; others are not copied, and a function of the user's stays.
//
// RUN: moe-compile %s --compile-to=import -o - | FileCheck %s

// CHECK-LABEL: func.func private @moe.device_balance_loss(
// CHECK: call @moe.balance_loss
func.func private @moe.device_balance_loss(tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<f32>

// CHECK-LABEL: func.func private @moe.router_z_loss(
// CHECK-NEXT: return %arg0
func.func private @moe.router_z_loss(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}

// CHECK-LABEL: func.func @main
func.func @main(%f: tensor<2x4xf32>, %p: tensor<2x4xf32>) -> tensor<f32> {
  %f_any = tensor.cast %f : tensor<2x4xf32> to tensor<?x?xf32>
  %p_any = tensor.cast %p : tensor<2x4xf32> to tensor<?x?xf32>
  %loss = call @moe.device_balance_loss(%f_any, %p_any) : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<f32>
  %same = call @moe.router_z_loss(%loss) : (tensor<f32>) -> tensor<f32>
  return %same : tensor<f32>
}

// CHECK: func.func private @moe.balance_loss(
// CHECK-NOT: func.func private @moe.cv_squared
