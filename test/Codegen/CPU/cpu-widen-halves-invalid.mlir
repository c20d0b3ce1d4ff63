// RUN: moe-opt %s --moe-cpu-widen-halves | FileCheck %s
// Other types are not touched, and what only moves halves has nothing to compute.

// CHECK-LABEL: func.func @others
func.func @others(%a: f32, %b: f64, %c: f16, %m: memref<4xf16>, %i: index, %p: i1) -> (f32, f64, f16) {
  // CHECK-NEXT: arith.addf %{{.*}} : f32
  // CHECK-NEXT: arith.mulf %{{.*}} : f64
  // CHECK-NEXT: memref.load
  // CHECK-NEXT: arith.select %{{.*}} : f16
  // CHECK-NEXT: return
  %0 = arith.addf %a, %a : f32
  %1 = arith.mulf %b, %b : f64
  %2 = memref.load %m[%i] : memref<4xf16>
  %3 = arith.select %p, %c, %2 : f16
  return %0, %1, %3 : f32, f64, f16
}
