// RUN: moe-opt %s --moe-cpu-expand-fma=features=+avx2,+fma | FileCheck %s
// Not where the CPU has the instruction, and not for other products and sums: those keep their own roundings either way.

// CHECK-LABEL: func.func @fma
func.func @fma(%a: vector<8xf32>, %b: vector<8xf32>) -> vector<8xf32> {
  // CHECK: math.fma
  %0 = math.fma %a, %b, %b : vector<8xf32>
  // CHECK: arith.mulf
  %1 = arith.mulf %0, %b : vector<8xf32>
  // CHECK: arith.addf
  %2 = arith.addf %1, %a : vector<8xf32>
  return %2 : vector<8xf32>
}
