// RUN: moe-opt %s --moe-distribute-local-exchange --split-input-file --verify-diagnostics

func.func @four_ranks(%x: tensor<?x64xf32>, %n: tensor<4xi32>) -> tensor<?x64xf32> {
  // expected-error @below {{op 'moe.all_to_all' over group 'experts': expected counts of 1 rank, got 4}}
  %0 = moe.all_to_all %x group("experts") send(%n : tensor<4xi32>) receive(%n : tensor<4xi32>) : tensor<?x64xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

func.func @any_ranks(%x: tensor<?x64xf32>, %n: tensor<?xi32>) -> tensor<?x64xf32> {
  // expected-error @below {{op 'moe.all_to_all' over group 'experts': expected counts of 1 rank, got a number that is not known}}
  %0 = moe.all_to_all %x group("experts") send(%n : tensor<?xi32>) receive(%n : tensor<?xi32>) : tensor<?x64xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
