// RUN: moe-opt %s --moe-lower-math --split-input-file --verify-diagnostics | FileCheck %s

// f64 is left to libm: the polynomials have the accuracy of f32. A sum with another constant keeps its tanh, as polynomial.
// CHECK-LABEL: func.func @moe_entry
// CHECK: math.exp %{{.*}} : f64
// CHECK-NOT: arith.constant -2.000000e+00 : f32
// CHECK: return
func.func @moe_entry(%x: f64, %y: f32) -> (f64, f32) attributes {moe.entry} {
  %two = arith.constant 2.0 : f32
  %exp = math.exp %x : f64
  %tanh = math.tanh %y : f32
  %sum = arith.addf %tanh, %two : f32
  return %exp, %sum : f64, f32
}

// -----

// expected-error @below {{no function with attribute 'moe.entry'}}
module {
}
