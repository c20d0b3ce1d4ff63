// RUN: moe-opt %s --moe-cpu-widen-halves=features=+avx2,+fma,+f16c | FileCheck %s
// RUN: moe-opt %s --moe-cpu-widen-halves | FileCheck %s --check-prefix=EXPAND

// DOC: --moe-cpu-widen-halves=features=+avx2,+fma,+f16c
// CHECK-LABEL: func.func @sum
// CHECK-SAME: (%[[A:.*]]: vector<8xf16>, %[[B:.*]]: vector<8xf16>)
func.func @sum(%a: vector<8xf16>, %b: vector<8xf16>) -> vector<8xf16> {
  // CHECK-DAG: %[[X:.*]] = arith.extf %[[A]] : vector<8xf16> to vector<8xf32>
  // CHECK-DAG: %[[Y:.*]] = arith.extf %[[B]] : vector<8xf16> to vector<8xf32>
  // CHECK: %[[S:.*]] = arith.addf %[[X]], %[[Y]] : vector<8xf32>
  // CHECK: arith.truncf %[[S]] : vector<8xf32> to vector<8xf16>
  // EXPAND-LABEL: func.func @sum
  // EXPAND-NOT: {{extf|truncf}}
  // EXPAND: return
  %0 = arith.addf %a, %b : vector<8xf16>
  return %0 : vector<8xf16>
}
// DOC END

// Every sum of two is rounded: no flag lets a pair of conversions be folded.
// CHECK-LABEL: func.func @twice
func.func @twice(%a: bf16, %b: bf16) -> bf16 {
  // CHECK: arith.addf %{{.*}} : f32
  // CHECK: %[[R:.*]] = arith.truncf %{{.*}} : f32 to bf16
  // CHECK: arith.extf %[[R]] : bf16 to f32
  // CHECK: arith.addf %{{.*}} : f32
  // CHECK: arith.truncf %{{.*}} : f32 to bf16
  %0 = arith.addf %a, %b : bf16
  %1 = arith.addf %0, %b : bf16
  return %1 : bf16
}

// Through f32 from and to f64, which no CPU converts in one step.
// CHECK-LABEL: func.func @double
func.func @double(%a: f64, %b: f16) -> (f16, f64) {
  // CHECK: %[[F:.*]] = arith.truncf %{{.*}} : f64 to f32
  // CHECK: arith.truncf %[[F]] : f32 to f16
  %0 = arith.truncf %a : f64 to f16
  // CHECK: arith.extf %{{.*}} : f16 to f64
  // EXPAND-LABEL: func.func @double
  // EXPAND: arith.truncf %{{.*}} : f64 to f32
  // EXPAND: arith.extf %{{.*}} : f32 to f64
  // EXPAND-NOT: f16 to
  // EXPAND: return
  %1 = arith.extf %b : f16 to f64
  return %0, %1 : f16, f64
}
