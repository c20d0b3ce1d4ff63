// Every op and attribute of dispatch, compact, combine, stats and all_to_all is printed as it is read, in the short and in the generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// CHECK-LABEL: func.func @dispatch(
func.func @dispatch(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %off: tensor<9xi32>, %w: tensor<?xf32>) {
  // CHECK: moe.dispatch ragged %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %a0 = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.dispatch ragged %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} weights(%{{[^ ,:)]+}} : tensor<?xf32>) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %a1 = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off weights(%w : tensor<?xf32>) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  // CHECK: moe.dispatch padded %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<8x?x64xf32>
  %a2 = moe.dispatch padded %x, %t, %e, %slot, %keep, %off : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<8x?x64xf32>
  return
}

// CHECK-LABEL: func.func @combine(
func.func @combine(%x: tensor<?x64xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %w: tensor<?xf32>, %T: index, %y: tensor<8x?x64xf32>, %h: tensor<?x64xf16>) {
  // CHECK: moe.combine %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} tokens(%{{[^ ,:)]+}}) : tensor<?x64xf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  %f = moe.combine %h, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  // CHECK: moe.combine %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} tokens(%{{[^ ,:)]+}}) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  %a0 = moe.combine %x, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  // CHECK: moe.combine %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} tokens(%{{[^ ,:)]+}}) : tensor<8x?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  %a1 = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T) : tensor<8x?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  // CHECK: moe.combine %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} tokens(%{{[^ ,:)]+}}) dropped_to(%{{[^ ,:)]+}} : tensor<?x64xf32>) {dropped = #moe<dropped identity>} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  %a2 = moe.combine %x, %t, %e, %slot, %keep, %w tokens(%T) dropped_to(%x : tensor<?x64xf32>) {dropped = #moe<dropped identity>} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return
}

// CHECK-LABEL: func.func @stats(
func.func @stats(%z: tensor<?x8xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %r: tensor<?xi32>, %v: tensor<?xi1>, %keep: tensor<?xi1>, %n: index) {
  // CHECK: moe.stats %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<8xf32>, tensor<8xf32>
  %a0:2 = moe.stats %z, %t, %e, %r, %v : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<8xf32>, tensor<8xf32>
  // CHECK: moe.stats %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} token_valid(%{{[^ ,:)]+}} : tensor<?xi1>) {group_size = 64 : i64, norm = #moe<stats_norm assignments>, source = #moe<stats_source all>} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a1:2 = moe.stats %z, %t, %e, %r, %v token_valid(%keep : tensor<?xi1>) {group_size = 64 : i64, norm = #moe<stats_norm assignments>, source = #moe<stats_source all>} : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: moe.stats %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} groups_of(%{{[^ ,:)]+}}) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?x8xf32>, tensor<?x8xf32>
  %a2:2 = moe.stats %z, %t, %e, %r, %v groups_of(%n) : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// CHECK-LABEL: func.func @all_to_all(
func.func @all_to_all(%x: tensor<?x64xf32>, %n: tensor<4xi32>) {
  // CHECK: moe.all_to_all %{{[^ ,:)]+}} group("experts") {split_dim = 1 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  %a0 = moe.all_to_all %x group("experts") {split_dim = 1 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  // CHECK: moe.all_to_all %{{[^ ,:)]+}} group("experts") send(%{{[^ ,:)]+}} : tensor<4xi32>) receive(%{{[^ ,:)]+}} : tensor<4xi32>) : tensor<?x64xf32> -> tensor<?x64xf32>
  %a1 = moe.all_to_all %x group("experts") send(%n : tensor<4xi32>) receive(%n : tensor<4xi32>) : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// CHECK-LABEL: func.func @compact(
func.func @compact(%flags: tensor<?xi1>) -> (tensor<?xi64>, tensor<i64>) {
  // CHECK: %{{.*}}, %{{.*}} = moe.compact %{{.*}} : tensor<?xi1> -> tensor<?xi64>, tensor<i64>
  %p, %n = moe.compact %flags : tensor<?xi1> -> tensor<?xi64>, tensor<i64>
  return %p, %n : tensor<?xi64>, tensor<i64>
}
