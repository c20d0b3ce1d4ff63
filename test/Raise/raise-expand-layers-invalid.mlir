// RUN: moe-opt %s -split-input-file -verify-diagnostics --moe-raise-expand-layers
// Sizes that the chain cannot be built from.

func.func @hidden(%x: tensor<?x?xf32>, %logits: tensor<?x4xf32>, %w1: tensor<4x16x8xf32>, %w2: tensor<4x8x16xf32>) -> tensor<?x?xf32> {
  // expected-error @+1 {{'moe.layer' op needs a static hidden size, found 'tensor<?x?xf32>'}}
  %y = moe.layer %x, %logits gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>)
      : tensor<?x?xf32>, tensor<?x4xf32> -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

func.func @experts(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %w1: tensor<?x16x8xf32>, %w2: tensor<?x8x16xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{needs gate weights of rank 3 with a static number of experts, found 'tensor<?x16x8xf32>'}}
  %y = moe.layer %x, %logits gate(%w1 : tensor<?x16x8xf32>) down(%w2 : tensor<?x8x16xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>)
      : tensor<?x8xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @logits(%x: tensor<?x8xf32>, %logits: tensor<?x5xf32>, %w1: tensor<4x16x8xf32>, %w2: tensor<4x8x16xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{expected dim 0 of gate to be 5 (experts), got 4}}
  %y = moe.layer %x, %logits gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>)
      : tensor<?x8xf32>, tensor<?x5xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @choices(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %w1: tensor<4x16x8xf32>, %w2: tensor<4x8x16xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{expected 1 <= k <= experts (4), got 5}}
  %y = moe.layer %x, %logits gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>)
      router(<function = softmax, k = 5, source = gather, norm = l1>) ffn(<activation = relu>)
      : tensor<?x8xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
