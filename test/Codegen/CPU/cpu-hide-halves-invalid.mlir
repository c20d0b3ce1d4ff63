// RUN: moe-opt %s --moe-cpu-hide-halves=features=+avx2 -verify-diagnostics

// What was to be expanded before is no silent sum of bits.
llvm.func @sum(%a: bf16) -> bf16 {
  // expected-error @below {{must be floating point}}
  %0 = llvm.fadd %a, %a : bf16
  llvm.return %0 : bf16
}
