// RUN: split-file %s %t
// RUN: moe-opt %t/unknown.mlir --moe-cpu-emulate-tiles --verify-diagnostics
// RUN: not moe-opt %t/unknown.mlir --moe-cpu-emulate-tiles=features=amx 2>&1 | FileCheck %s
// CHECK: error: moe-cpu-emulate-tiles: expected a feature as '+name', found 'amx'

//--- unknown.mlir
func.func @half(%rows: i16, %t: !llvm.ptr) {
  %zero = llvm.call_intrinsic "llvm.x86.tilezero.internal"(%rows, %rows) : (i16, i16) -> !llvm.x86_amx
  // expected-error @+1 {{has no emulation: expected one of tilezero, tileloadd64, tilestored64, tdpbf16ps, tdpbsud and tdpbssd}}
  %next = llvm.call_intrinsic "llvm.x86.tdpfp16ps.internal"(%rows, %rows, %rows, %zero, %zero, %zero) : (i16, i16, i16, !llvm.x86_amx, !llvm.x86_amx, !llvm.x86_amx) -> !llvm.x86_amx
  return
}
