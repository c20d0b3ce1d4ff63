// RUN: moe-opt %s --moe-verify-codegen=features=+avx2,+fma --split-input-file --verify-diagnostics

// expected-error @+1 {{is left after codegen; only the LLVM dialect may be}}
func.func @f() {
  return
}

// -----

llvm.func @f(%x: i64) {
  // expected-error @+1 {{is left after codegen; only the LLVM dialect may be}}
  %0 = builtin.unrealized_conversion_cast %x : i64 to index
  llvm.return
}

// -----

// LLVM's back end would abort here.
// DOC: --moe-verify-codegen=features=+avx2,+fma
// expected-error @+1 {{lacks the target feature +avx2}}
llvm.func internal @kernel(%x: vector<8xf32>) -> vector<8xf32> {
  llvm.return %x : vector<8xf32>
}

// -----

// expected-error @+1 {{lacks the target feature +fma}}
llvm.func internal @kernel() attributes {target_features = #llvm.target_features<["+avx2"]>} {
  llvm.return
}

// -----

// expected-error @+1 {{is called but no model.so defines it}}
llvm.func @memrefCopy(i64, !llvm.ptr, !llvm.ptr)
llvm.func @moe_entry_0(%descriptors: !llvm.ptr, %thread: !llvm.ptr) attributes {target_features = #llvm.target_features<["+avx2", "+fma"]>} {
  %0 = llvm.mlir.constant(4 : i64) : i64
  llvm.call @memrefCopy(%0, %descriptors, %thread) : (i64, !llvm.ptr, !llvm.ptr) -> ()
  llvm.return
}
