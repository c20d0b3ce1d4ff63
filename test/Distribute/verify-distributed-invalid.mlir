// RUN: moe-opt %s --moe-verify-distributed --verify-diagnostics

// DOC: --moe-verify-distributed
// expected-error @below {{op 'shard.grid' is left after the distribute stage; distributing over a mesh is not supported yet}}
shard.grid @machines(shape = 4)

func.func @sharded(%x: tensor<8x64xf32>) -> tensor<8x64xf32> {
  // expected-error @below {{op 'shard.sharding' is left after the distribute stage}}
  %s = shard.sharding @machines split_axes = [[0]] : !shard.sharding
  // expected-error @below {{op 'shard.shard' is left after the distribute stage}}
  %0 = shard.shard %x to %s : tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}

func.func @exchanged(%x: tensor<8x64xf32>) -> tensor<8x64xf32> {
  // expected-error @below {{op 'moe.all_to_all' is left after the distribute stage}}
  %0 = moe.all_to_all %x group("experts") : tensor<8x64xf32> -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}
