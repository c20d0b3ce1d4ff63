// RUN: moe-opt %s --moe-verify-lowered | FileCheck %s
// CHECK-LABEL: func.func @moe_entry
// CHECK: moe.barrier
moe.weight @w : tensor<64x64xf32> source(#moe.file<"w", offset = 0, length = 16384>)
func.func @moe_entry(%x: memref<?x64xf32> {moe.input = 0 : i64}, %out: memref<?x64xf32> {moe.output = 0 : i64}, %arena: memref<?xi8> {moe.arena})
    attributes {moe.entry} {
  %w = moe.weight_ref @w : memref<64x64xf32>
  moe.barrier
  moe.grouped_matmul %x weight(%w : memref<64x64xf32>) outs(%out : memref<?x64xf32>) : memref<?x64xf32>
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %zero = arith.constant 0 : i64
  return %zero : i64
}
