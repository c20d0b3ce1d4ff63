// RUN: moe-opt %s --moe-cpu-hide-halves=features=+avx2,+fma,+f16c | FileCheck %s
// RUN: moe-opt %s --moe-cpu-hide-halves=features=+avx512f,+avx512bf16 | FileCheck %s --check-prefix=NATIVE
// RUN: moe-opt %s --moe-cpu-hide-halves | FileCheck %s --check-prefix=BOTH

// DOC: --moe-cpu-hide-halves=features=+avx2,+fma
// CHECK-LABEL: llvm.func @choose
// NATIVE-LABEL: llvm.func @choose
llvm.func @choose(%from: !llvm.ptr, %to: !llvm.ptr, %given: i1) {
  // NaN and 1.0 keep their bits.
  // CHECK: llvm.mlir.constant(dense<32704> : vector<4xi16>) : vector<4xi16>
  // NATIVE: llvm.mlir.constant(dense<0x7FC0> : vector<4xbf16>) : vector<4xbf16>
  %nan = llvm.mlir.constant(dense<0x7FC0> : vector<4xbf16>) : vector<4xbf16>
  // CHECK: llvm.getelementptr %{{.*}}[1] : (!llvm.ptr) -> !llvm.ptr, i16
  %place = llvm.getelementptr %from[1] : (!llvm.ptr) -> !llvm.ptr, bf16
  // CHECK: %[[V:.*]] = llvm.load %{{.*}} : !llvm.ptr -> vector<4xi16>
  %v = llvm.load %place : !llvm.ptr -> vector<4xbf16>
  // CHECK: llvm.cond_br %{{.*}}, ^[[B:.*]](%[[V]] : vector<4xi16>), ^[[B]](%{{.*}} : vector<4xi16>)
  llvm.cond_br %given, ^bb1(%v : vector<4xbf16>), ^bb1(%nan : vector<4xbf16>)
^bb1(%chosen: vector<4xbf16>):
  llvm.store %chosen, %to : vector<4xbf16>, !llvm.ptr
  // CHECK: llvm.mlir.constant(1.000000e+00 : f16) : f16
  // BOTH: llvm.mlir.constant(15360 : i16) : i16
  %one = llvm.mlir.constant(1.0 : f16) : f16
  llvm.store %one, %to : f16, !llvm.ptr
  llvm.return
}
