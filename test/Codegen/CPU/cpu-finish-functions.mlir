// RUN: moe-opt %s --moe-cpu-finish-functions=features=+avx2,+fma | FileCheck %s
// RUN: moe-opt %s --moe-cpu-finish-functions=features=+avx512f | FileCheck %s --check-prefix=WIDE

// DOC: --moe-cpu-finish-functions=features=+avx2,+fma
module attributes {moe.checks = ["positive"]} {
  // CHECK-NOT: moe.checks
  // CHECK: llvm.mlir.global internal constant @table() {{{.*}}dso_local}
  llvm.mlir.global external constant @table() : !llvm.array<2 x f32> {
    %0 = llvm.mlir.zero : !llvm.array<2 x f32>
    llvm.return %0 : !llvm.array<2 x f32>
  }
  // CHECK: llvm.func internal @kernel({{.*}}) -> f32 attributes {dso_local, passthrough = ["nounwind"], target_features = #llvm.target_features<["+avx2", "+fma"]>}
  // WIDE: llvm.func internal @kernel({{.*}}) -> f32 attributes {{{.*}}prefer_vector_width = "512", target_features = #llvm.target_features<["+avx512f"]>}
  llvm.func @kernel(%weights: !llvm.ptr, %rows: !llvm.ptr) -> f32 {
    // CHECK: %[[W:.*]] = llvm.getelementptr %{{.*}}[64]
    // CHECK-NOT: moe.weight_address
    %w = llvm.getelementptr %weights[64] {moe.weight_address} : (!llvm.ptr) -> !llvm.ptr, i8
    // CHECK: %[[E:.*]] = llvm.getelementptr %[[W]][3]
    %e = llvm.getelementptr %w[3] : (!llvm.ptr) -> !llvm.ptr, f32
    // CHECK: llvm.load %[[E]] invariant
    %0 = llvm.load %e : !llvm.ptr -> f32
    // CHECK: llvm.load %{{.*}} : !llvm.ptr -> f32
    %1 = llvm.load %rows : !llvm.ptr -> f32
    %2 = llvm.fadd %0, %1 : f32
    llvm.return %2 : f32
  }
  // CHECK-LABEL: llvm.func internal @rest
  llvm.func @rest(%count: i64) {
    %0 = llvm.mlir.constant(0 : i64) : i64
    %1 = llvm.mlir.constant(1 : i64) : i64
    llvm.br ^head(%0 : i64)
  ^head(%i: i64):
    %2 = llvm.icmp "slt" %i, %count : i64
    llvm.cond_br %2, ^body, ^end
  ^body:
    %3 = llvm.add %i, %1 : i64
    // CHECK: llvm.br ^{{.*}} {loop_annotation = #[[LOOP:.*]]}
    llvm.br ^head(%3 : i64) {llvm.loop_annotation = #llvm.loop_annotation<vectorize = <disable = true>>}
  ^end:
    llvm.return
  }
  // CHECK: llvm.func hidden @moe_entry_0(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr) attributes {{{.*}}target_features
  llvm.func @moe_entry_0(%descriptors: !llvm.ptr {moe.name = "x"}, %thread: !llvm.ptr) {
    %0 = llvm.call @kernel(%descriptors, %thread) : (!llvm.ptr, !llvm.ptr) -> f32
    llvm.return
  }
}
