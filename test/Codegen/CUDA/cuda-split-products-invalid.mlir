// RUN: moe-opt %s --moe-cuda-split-products --split-input-file --verify-diagnostics

func.func @slots_from_elsewhere(%h: tensor<6x96xf32>, %w2: tensor<8x64x96xf32>, %r: tensor<6xi32>, %s: tensor<6xf32>, %o: tensor<9xi32>,
                                %y: tensor<3x64xf32>) -> tensor<3x64xf32> {
  // expected-error @below {{combines slots that are not those of one moe.route_permute; CUDA kernels need its places}}
  %0 = moe.grouped_matmul %h offsets(%o : tensor<9xi32>) weight(%w2 : tensor<8x64x96xf32>)
      combine(%r, %s : tensor<6xi32>, tensor<6xf32>) outs(%y : tensor<3x64xf32>) : tensor<6x96xf32> -> tensor<3x64xf32>
  return %0 : tensor<3x64xf32>
}

// -----

func.func @strings(%x: tensor<?x6xf32>, %q: tensor<2xi16>, %s: tensor<4x2xf32>, %z: tensor<5xi32>, %c: tensor<4xi32>, %y: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = moe.dequant %q scales(%s : tensor<4x2xf32>) zeros(%z : tensor<5xi32>) codebook(%c : tensor<4xi32>) <format = ternary_dict> : tensor<2xi16> -> tensor<4x6xf32>
  // expected-error @below {{has a weight of ternary_dict; CUDA kernels unpack the other quantised formats so far}}
  %0 = moe.grouped_matmul %x weight(%w : tensor<4x6xf32>) outs(%y : tensor<?x4xf32>) : tensor<?x6xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
