// Rows of bf16 and of f16 that are dispatched with a capacity, ragged and padded, in versions for CPUs with and without these types: none may call a
// function that models do not have, and all agree with numpy.
//
// RUN: rm -rf %t && mkdir -p %t
// RUN: %python %S/Inputs/check_half_capacity.py %s %t | FileCheck %s
// CHECK-COUNT-12: agrees
// CHECK-NOT: agrees

// The script puts a type for HALF and a layout for LAYOUT.
moe.weight @g : tensor<2x8x32xHALF> source(#moe.file<"g.bin", offset = 0, length = 1024>)
moe.weight @d : tensor<2x32x8xHALF> source(#moe.file<"d.bin", offset = 0, length = 1024>)
func.func @main(%x: tensor<?x32xHALF> {moe.name = "x", moe.dims = ["T", "32"]}, %z: tensor<?x2xf32> {moe.name = "z", moe.dims = ["T", "2"]})
    -> (tensor<?x32xHALF> {moe.name = "y", moe.dims = ["T", "32"]}) {
  %g = moe.weight_ref @g : tensor<2x8x32xHALF>
  %d = moe.weight_ref @d : tensor<2x32x8xHALF>
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x32xHALF>
  %s, %c = moe.score softmax %z : tensor<?x2xf32> -> tensor<?x2xf32>, tensor<?x2xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %c : tensor<?x2xf32> {k = 1 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %s, %t, %e, %r, %v : tensor<?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v
      {experts = 2 : i64, layout = #moe<slot_layout LAYOUT>, capacity = #moe.capacity<base = tokens, numerator = 1, denominator = 1, rounding = ceil>}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<2xi32>, tensor<3xi32>
  %rows = moe.dispatch LAYOUT %x, %t, %e, %slot, %keep, %off
      : tensor<?x32xHALF>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<3xi32> -> tensor<ROWSx32xHALF>
  %out = moe.experts %rows, %off gate(%g : tensor<2x8x32xHALF>) down(%d : tensor<2x32x8xHALF>) {ffn = #moe.ffn<activation = relu>}
      : tensor<ROWSx32xHALF>, tensor<3xi32> -> tensor<ROWSx32xHALF>
  %y = moe.combine %out, %t, %e, %slot, %keep, %w tokens(%T)
      : tensor<ROWSx32xHALF>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x32xHALF>
  return %y : tensor<?x32xHALF>
}
