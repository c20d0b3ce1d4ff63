// RUN: moe-opt %s --moe-verify-codegen=features=+avx2,+fma | FileCheck %s

// CHECK: llvm.func @sinf
llvm.func @sinf(f32) -> f32
llvm.func @moe_rt_barrier(!llvm.ptr)
// Never called, so the object does not ask for it.
llvm.func @elsewhere()
llvm.func internal @kernel(%x: vector<8xf32>) -> vector<8xf32> attributes {target_features = #llvm.target_features<["+avx2", "+fma"]>} {
  llvm.return %x : vector<8xf32>
}
llvm.func @moe_shapes(%in: !llvm.ptr, %out: !llvm.ptr) -> i64 {
  %0 = llvm.load %in : !llvm.ptr -> i64
  llvm.return %0 : i64
}
llvm.func @moe_entry_0(%descriptors: !llvm.ptr, %thread: !llvm.ptr) attributes {target_features = #llvm.target_features<["+avx2", "+fma"]>} {
  %0 = llvm.mlir.constant(1.0 : f32) : f32
  %1 = llvm.call @sinf(%0) : (f32) -> f32
  llvm.call @moe_rt_barrier(%thread) : (!llvm.ptr) -> ()
  llvm.return
}
