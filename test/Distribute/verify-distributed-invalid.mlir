// RUN: moe-opt %s --moe-verify-distributed --verify-diagnostics

// DOC: --moe-verify-distributed
// expected-error @below {{op 'shard.grid' is left after the distribute stage}}
shard.grid @machines(shape = 4)

func.func @sharded(%x: tensor<8x64xf32>) -> tensor<8x64xf32> {
  // expected-error @below {{op 'shard.sharding' is left after the distribute stage}}
  %s = shard.sharding @machines split_axes = [[0]] : !shard.sharding
  // expected-error @below {{op 'shard.shard' is left after the distribute stage}}
  %0 = shard.shard %x to %s : tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}

func.func @exchanged(%x: tensor<8x64xf32>) -> tensor<8x64xf32> {
  // expected-error @below {{op 'moe.all_to_all' is left after the distribute stage; its group 'experts' is no moe.mesh}}
  %0 = moe.all_to_all %x group("experts") : tensor<8x64xf32> -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)

func.func @other_devices(%x: tensor<?x64xf32>, %n: tensor<8xi32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  // expected-error @below {{op 'moe.all_to_all': expected the 4 devices of mesh 'mesh', found 8}}
  %0 = moe.all_to_all %x group("mesh") send(%n : tensor<8xi32>) receive(%n : tensor<8xi32>) {bounded} : tensor<?x64xf32> -> tensor<?x64xf32>
  // expected-error @below {{op 'moe.all_gather': expected the 4 devices of mesh 'mesh', found 2}}
  %1 = moe.all_gather %0 group("mesh") {devices = 2 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return %0, %1 : tensor<?x64xf32>, tensor<?x64xf32>
}

func.func @even(%x: tensor<8x64xf32>) -> tensor<8x64xf32> {
  // expected-error @below {{op 'moe.all_to_all' over mesh 'mesh': expected counts and bounded rows}}
  %0 = moe.all_to_all %x group("mesh") : tensor<8x64xf32> -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}

// Rows of all ranks where those of one are meant.
func.func @not_distributed(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x96xf32>) -> tensor<?x64xf32> {
  // expected-error @below {{op 'moe.experts' has a sharding and still the rows of all ranks after the distribute stage}}
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>,
    plan = #moe.plan<packing = panel32, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1,
                     slots = [0, 1, 2, 3, 4, 5, 6, 7], algorithm = "direct", equality = "bitwise">>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// Tokens that are sent by one rule come back by another.
func.func @shares(%rows: tensor<?xi32>, %off: tensor<5xi32>, %sw: tensor<?xf32>, %back: tensor<?x64xf32>, %T: index, %S: index) -> tensor<?x64xf32> {
  // expected-note @below {{which is this one's}}
  %st, %ss, %send, %receive, %place, %origin, %mine = moe.shard_slots %rows, %off tokens(%T) unit(%S)
      sharding(<mesh = @mesh, axes = ["rank"], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">)
      : tensor<?xi32>, tensor<5xi32> -> tensor<?xi32>, tensor<?xi32>, tensor<4xi32>, tensor<4xi32>, tensor<?xi32>, tensor<?xi32>, tensor<5xi32>
  // expected-error @below {{op 'moe.sum_rows': expected the unit of shares that the rows were sent by, found another}}
  %own = moe.sum_rows %back, %ss, %rows, %sw tokens(%T) {devices = 4 : i64} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32> -> tensor<?x64xf32>
  return %own : tensor<?x64xf32>
}
