// RUN: moe-opt %s --moe-cpu-finish-functions=features=+avx2 | FileCheck %s
// The shape function runs before a version is chosen: it and what it calls must run on any x86-64. Declarations stay as they are, and a
// private function that happens to have the entry's prefix is no entry.

// CHECK: llvm.func @sinf(f32) -> f32{{$}}
llvm.func @sinf(f32) -> f32
// CHECK: llvm.func internal @helper(%{{.*}}: i64) -> i64 attributes {dso_local, passthrough = ["nounwind"]} {
llvm.func @helper(%n: i64) -> i64 {
  llvm.return %n : i64
}
// CHECK: llvm.func hidden @moe_shapes(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr) -> i64 attributes {dso_local, passthrough = ["nounwind"]} {
llvm.func @moe_shapes(%in: !llvm.ptr, %out: !llvm.ptr) -> i64 {
  %n = llvm.load %in : !llvm.ptr -> i64
  %0 = llvm.call @helper(%n) : (i64) -> i64
  llvm.return %0 : i64
}
// CHECK: llvm.func internal @moe_entry_old() attributes {dso_local{{.*}}target_features
llvm.func @moe_entry_old() attributes {sym_visibility = "private"} {
  llvm.return
}
// An atomic or volatile load is more than its value.
// CHECK: llvm.func internal @volatile
llvm.func @volatile(%weights: !llvm.ptr) -> f32 {
  %w = llvm.getelementptr %weights[64] {moe.weight_address} : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK-NOT: invariant
  %0 = llvm.load volatile %w : !llvm.ptr -> f32
  llvm.return %0 : f32
}
