// RUN: moe-opt %s --moe-cuda-split-products --split-input-file --verify-diagnostics

func.func @slots_from_elsewhere(%h: tensor<6x96xf32>, %w2: tensor<8x64x96xf32>, %r: tensor<6xi32>, %s: tensor<6xf32>, %o: tensor<9xi32>,
                                %y: tensor<3x64xf32>) -> tensor<3x64xf32> {
  // expected-error @below {{combines slots that are not those of one moe.route_permute; CUDA kernels need its places}}
  %0 = moe.grouped_matmul %h offsets(%o : tensor<9xi32>) weight(%w2 : tensor<8x64x96xf32>)
      combine(%r, %s : tensor<6xi32>, tensor<6xf32>) outs(%y : tensor<3x64xf32>) : tensor<6x96xf32> -> tensor<3x64xf32>
  return %0 : tensor<3x64xf32>
}
