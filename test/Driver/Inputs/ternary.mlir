// x · wᵀ with a ternary weight of two rows of 5: see bad-ternary.test.
moe.weight @codes : tensor<5xui16> source(dense<[2, 1, 0, 1, 0]> : tensor<5xui16>)
moe.weight @starts : tensor<3xi32> source(dense<[0, 2, 5]> : tensor<3xi32>)
moe.weight @range : tensor<2x2xf32> source(dense<[[-0.5, 0.25], [-1.0, 2.0]]> : tensor<2x2xf32>)
moe.weight @codebook : tensor<6xui32> source(dense<[1, 1, 145, 1, 1538, 2]> : tensor<6xui32>)

func.func @main(%x: tensor<?x5xf32> {moe.name = "x", moe.dims = ["rows", "5"]}) -> (tensor<?x2xf32> {moe.name = "y", moe.dims = ["rows", "2"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %codes = moe.weight_ref @codes : tensor<5xui16>
  %starts = moe.weight_ref @starts : tensor<3xi32>
  %range = moe.weight_ref @range : tensor<2x2xf32>
  %codebook = moe.weight_ref @codebook : tensor<6xui32>
  %w = moe.dequant %codes scales(%range : tensor<2x2xf32>) zeros(%starts : tensor<3xi32>) codebook(%codebook : tensor<6xui32>)
      <format = ternary_dict> : tensor<5xui16> -> tensor<2x5xf32>
  %R = tensor.dim %x, %c0 : tensor<?x5xf32>
  %empty = tensor.empty(%R) : tensor<?x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x2xf32>) -> tensor<?x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<?x5xf32>, tensor<2x5xf32>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
