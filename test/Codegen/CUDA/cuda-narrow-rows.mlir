// Rows that were widened are read as they were before; with bf16 others are rounded, and those between two products to the type of the first one's; with f32 nothing changes.
// RUN: moe-opt %s --moe-cuda-narrow-rows | FileCheck %s
// RUN: moe-opt %s --moe-cuda-narrow-rows=activations=bf16 | FileCheck %s --check-prefix=ROUNDED
// RUN: moe-opt %s --moe-cuda-narrow-rows=activations=f32 | FileCheck %s --check-prefix=FLOAT

// CHECK-LABEL: func.func @widened(
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf16>
// CHECK: %[[H:.*]] = moe.grouped_matmul %[[X]] offsets({{.*}}: tensor<?x64xf16> -> tensor<?x96xf32>
// CHECK: moe.grouped_matmul %[[H]] offsets({{.*}}: tensor<?x96xf32> -> tensor<?x64xf32>
// ROUNDED-LABEL: func.func @widened(
// ROUNDED: tensor<?x64xf16> -> tensor<?x96xf16>
// ROUNDED: tensor<?x96xf16> -> tensor<?x64xf32>
// FLOAT-LABEL: func.func @widened(
// FLOAT: tensor<?x64xf32> -> tensor<?x96xf32>
// FLOAT: tensor<?x96xf32> -> tensor<?x64xf32>
// DOC: --moe-cuda-narrow-rows
func.func @widened(%x: tensor<?x64xf16>, %o: tensor<9xi32>, %q: tensor<8x96x64xi8>, %s: tensor<8x96xf32>, %w2: tensor<8x64x96xf16>, %i: tensor<?x64xf32>,
                   %e: tensor<?x96xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %wide = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m, k)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x64xf16>) outs(%i : tensor<?x64xf32>) {
  ^bb0(%in: f16, %out: f32):
    %f = arith.extf %in : f16 to f32
    linalg.yield %f : f32
  } -> tensor<?x64xf32>
  %w1 = moe.dequant %q scales(%s : tensor<8x96xf32>) <format = int8_channel> : tensor<8x96x64xi8> -> tensor<8x96x64xf32>
  %h = moe.grouped_matmul %wide offsets(%o : tensor<9xi32>) weight(%w1 : tensor<8x96x64xf32>) outs(%e : tensor<?x96xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x64xf32> -> tensor<?x96xf32>
  %r = moe.grouped_matmul %h offsets(%o : tensor<9xi32>) weight(%w2 : tensor<8x64x96xf16>) outs(%y : tensor<?x64xf32>) : tensor<?x96xf32> -> tensor<?x64xf32>
  return %r : tensor<?x64xf32>
}

// Rows of f32 are rounded once for both products. A product by weights of f32 keeps them.
// CHECK-LABEL: func.func @rounded(
// CHECK-COUNT-3: : tensor<?x64xf32> -> tensor<?x96xf32>
// ROUNDED-LABEL: func.func @rounded(
// ROUNDED-COUNT-1: arith.truncf
// ROUNDED-NOT: arith.truncf
// ROUNDED-COUNT-2: : tensor<?x64xbf16> -> tensor<?x96xf32>
// ROUNDED: : tensor<?x64xf32> -> tensor<?x96xf32>
func.func @rounded(%x: tensor<?x64xf32>, %q: tensor<96x64xi8>, %s: tensor<96xf32>, %w: tensor<96x64xf32>, %y: tensor<?x96xf32>)
    -> (tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>) {
  %w1 = moe.dequant %q scales(%s : tensor<96xf32>) <format = int8_channel> : tensor<96x64xi8> -> tensor<96x64xf32>
  %0 = moe.grouped_matmul %x weight(%w1 : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  %1 = moe.grouped_matmul %x weight(%w1 : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  %2 = moe.grouped_matmul %x weight(%w : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  return %0, %1, %2 : tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>
}
