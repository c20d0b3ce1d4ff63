// Hash routing by a table: how many assignments each of 8 experts has.
func.func @main(%ids: tensor<?xi32> {moe.name = "ids", moe.dims = ["tokens"]}, %table: tensor<4x1xi32> {moe.name = "table", moe.dims = ["4", "1"]})
    -> (tensor<8xi32> {moe.name = "count", moe.dims = ["8"]}) attributes {moe.entry} {
  %t, %e, %r, %v, %kth = moe.select table ids(%ids : tensor<?xi32>) table(%table : tensor<4x1xi32>)
      -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 8 : i64}
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %count : tensor<8xi32>
}
