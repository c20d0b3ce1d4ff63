// One case per rule of meshes, shardings and what moves rows between ranks, named by its label.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

// axis-c1
// expected-error @below {{expected an axis with a name and a size >= 1, got '' of size 0}}
module attributes {test.axis = #moe.axis<name = "", size = 0, alpha_us = 1.0, gbps = 1.0, per_msg_us = 1.0>} {}

// -----

// sharding-c1
// expected-error @below {{expected ep, edp and chunks >= 1, got 0, 1 and 1}}
module attributes {test.sharding = #moe.sharding<mesh = @m, axes = [], ep = 0, edp = 1, slots = [0], algorithm = "direct", equality = "bitwise">} {}

// -----

// sharding-c2
// expected-error @below {{expected slots in a multiple of ep (2), got 3}}
module attributes {test.sharding = #moe.sharding<mesh = @m, axes = [], ep = 2, edp = 1, slots = [0, 1, 2], algorithm = "direct", equality = "bitwise">} {}

// -----

// sharding-c3
// expected-error @below {{expected the algorithm direct or two_level, got 'ring'}}
module attributes {test.sharding = #moe.sharding<mesh = @m, axes = [], ep = 1, edp = 1, slots = [0], algorithm = "ring", equality = "bitwise">} {}

// -----

// sharding-c3: nodes
// expected-error @below {{expected per_node to divide the 4 devices, got 3}}
module attributes {test.sharding = #moe.sharding<mesh = @m, axes = [], ep = 4, edp = 1, slots = [0, 1, 2, 3], algorithm = "two_level", equality = "bitwise", per_node = 3>} {}

// -----

// sharding-c3: duplicates
// expected-error @below {{expected dedup none, or node with the algorithm two_level, got 'node' with direct}}
module attributes {test.sharding = #moe.sharding<mesh = @m, axes = [], ep = 2, edp = 1, slots = [0, 1], algorithm = "direct", equality = "bitwise", dedup = "node">} {}

// -----

// sharding-c4
// expected-error @below {{expected equality bitwise or tolerance, got 'none'}}
module attributes {test.sharding = #moe.sharding<mesh = @m, axes = [], ep = 1, edp = 1, slots = [0], algorithm = "direct", equality = "none">} {}

// -----

// mesh-c1
// expected-error @below {{expected axes of different names, got 'a' twice}}
moe.mesh @m axes([#moe.axis<name = "a", size = 2, alpha_us = 1.0, gbps = 1.0, per_msg_us = 1.0>, #moe.axis<name = "a", size = 2, alpha_us = 1.0, gbps = 1.0, per_msg_us = 1.0>]) device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)

// -----

// mesh-c1: none
// expected-error @below {{expected at least one axis, got none}}
moe.mesh @m axes([]) device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)

// -----

// mesh-c2
// expected-error @below {{expected at most 4096 devices, got 8192}}
moe.mesh @m axes([#moe.axis<name = "a", size = 8192, alpha_us = 1.0, gbps = 1.0, per_msg_us = 1.0>]) device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)

// -----

func.func @all_to_all_c5(%x: tensor<?x64xf32>) {
  // expected-error @below {{expected bounded only with counts and split_dim 0, got no counts}}
  %a = moe.all_to_all %x group("ep") {bounded} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @all_to_all_start_c1(%x: tensor<?x64xf32>, %s: tensor<4xi32>, %r: tensor<5xi32>) {
  // expected-error @below {{expected receive of length 4 (that of send), got 5}}
  %a = moe.all_to_all_start %x group("ep") send(%s : tensor<4xi32>) receive(%r : tensor<5xi32>) : tensor<?x64xf32>
  return
}

// -----

func.func @all_to_all_start_c2(%x: tensor<?x64xf32>, %s: tensor<4xi32>) {
  // expected-error @below {{expected the name of a group, got an empty one}}
  %a = moe.all_to_all_start %x group("") send(%s : tensor<4xi32>) receive(%s : tensor<4xi32>) : tensor<?x64xf32>
  return
}

// -----

func.func @all_to_all_start_c3(%x: tensor<?x64xf32>, %s: tensor<4xi32>) {
  // expected-error @below {{expected per_node to divide the length of send, got 3}}
  %a = moe.all_to_all_start %x group("ep") send(%s : tensor<4xi32>) receive(%s : tensor<4xi32>) {per_node = 3 : i64} : tensor<?x64xf32>
  return
}

// -----

func.func @all_to_all_start_c4(%x: tensor<12x64xf32>, %s: tensor<4xi32>, %t: tensor<11xi32>) {
  // expected-error @below {{expected dim 0 of token to be 12 (rows), got 11}}
  %a = moe.all_to_all_start %x group("ep") send(%s : tensor<4xi32>) receive(%s : tensor<4xi32>) token(%t : tensor<11xi32>) : tensor<12x64xf32>
  return
}

// -----

func.func @all_to_all_wait_c1(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>, %s: tensor<4xi32>) {
  %a = moe.all_to_all_start %x group("ep") send(%s : tensor<4xi32>) receive(%s : tensor<4xi32>) : tensor<?x64xf32>
  // expected-error @below {{expected the result of a moe.all_to_all_start of the same rows}}
  %b = moe.all_to_all_wait %a, %y : tensor<?x64xf32>
  return
}

// -----

func.func @all_gather_c1(%x: tensor<?x64xf32>) {
  // expected-error @below {{expected the name of a group of at least 1 device, got 'ep' of 0}}
  %a = moe.all_gather %x group("ep") {devices = 0 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @all_gather_c2(%x: tensor<?x64xf32>) {
  // expected-error @below {{expected a result of type 'tensor<?x64xf32>' (that of rows), got 'tensor<?x32xf32>'}}
  %a = moe.all_gather %x group("ep") {devices = 2 : i64} : tensor<?x64xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @slot_rows_c1(%t: tensor<12xi32>, %k: tensor<11xi1>, %w: tensor<12xf32>, %o: tensor<9xi32>, %T: index) {
  // expected-error @below {{expected keep of length 12 (that of token), got 11}}
  %a:3 = moe.slot_rows %t, %t, %k, %w, %o tokens(%T) : tensor<12xi32>, tensor<12xi32>, tensor<11xi1>, tensor<12xf32>, tensor<9xi32> -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>
  return
}

// -----

func.func @slot_rows_c2(%t: tensor<12xi32>, %k: tensor<12xi1>, %w: tensor<12xf32>, %o: tensor<9xi32>, %T: index) {
  // expected-error @below {{expected offsets of length 9 (that of offset), got 8}}
  %a:3 = moe.slot_rows %t, %t, %k, %w, %o tokens(%T) : tensor<12xi32>, tensor<12xi32>, tensor<12xi1>, tensor<12xf32>, tensor<9xi32> -> tensor<?xi32>, tensor<?xf32>, tensor<8xi32>
  return
}

// -----

func.func @shard_slots_c1(%r: tensor<?xi32>, %o: tensor<5xi32>, %T: index) {
  // expected-error @below {{expected send of length 2 (devices), got 3}}
  %a:7 = moe.shard_slots %r, %o tokens(%T) sharding(<mesh = @mesh, axes = ["rank"], ep = 2, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">)
    : tensor<?xi32>, tensor<5xi32> -> tensor<?xi32>, tensor<?xi32>, tensor<3xi32>, tensor<2xi32>, tensor<?xi32>, tensor<?xi32>, tensor<5xi32>
  return
}

// -----

func.func @shard_slots_c2(%r: tensor<?xi32>, %o: tensor<5xi32>, %T: index) {
  // expected-error @below {{expected a slot for every expert, got none for expert 3}}
  %a:7 = moe.shard_slots %r, %o tokens(%T) sharding(<mesh = @mesh, axes = ["rank"], ep = 2, edp = 1, slots = [0, 1, 2, 2], algorithm = "direct", equality = "bitwise">)
    : tensor<?xi32>, tensor<5xi32> -> tensor<?xi32>, tensor<?xi32>, tensor<2xi32>, tensor<2xi32>, tensor<?xi32>, tensor<?xi32>, tensor<5xi32>
  return
}

// -----

func.func @shard_slots_c2_unknown(%r: tensor<?xi32>, %o: tensor<5xi32>, %T: index) {
  // expected-error @below {{expected slots of 4 experts, got expert 4}}
  %a:7 = moe.shard_slots %r, %o tokens(%T) sharding(<mesh = @mesh, axes = ["rank"], ep = 2, edp = 1, slots = [0, 1, 2, 4], algorithm = "direct", equality = "bitwise">)
    : tensor<?xi32>, tensor<5xi32> -> tensor<?xi32>, tensor<?xi32>, tensor<2xi32>, tensor<2xi32>, tensor<?xi32>, tensor<?xi32>, tensor<5xi32>
  return
}

// -----

func.func @shard_slots_c3(%r: tensor<?xi32>, %o: tensor<5xi32>, %T: index) {
  // expected-error @below {{expected a chunk below 2, got 2}}
  %a:7 = moe.shard_slots %r, %o tokens(%T) most(%T) sharding(<mesh = @mesh, axes = ["rank"], ep = 2, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise", chunks = 2>) {chunk = 2 : i64}
    : tensor<?xi32>, tensor<5xi32> -> tensor<?xi32>, tensor<?xi32>, tensor<2xi32>, tensor<2xi32>, tensor<?xi32>, tensor<?xi32>, tensor<5xi32>
  return
}

// -----

func.func @take_rows_c1(%x: tensor<?x64xf32>, %i: tensor<?xi32>) {
  // expected-error @below {{expected dim 1 of the result to be 64 (columns of x), got 32}}
  %a = moe.take_rows %x, %i : tensor<?x64xf32>, tensor<?xi32> -> tensor<?x32xf32>
  return
}

// -----

func.func @sum_rows_c1(%b: tensor<4x64xf32>, %s: tensor<5xi32>, %w: tensor<5xf32>, %T: index) {
  // expected-error @below {{expected dim 0 of back to be 5 (length of send_slot), got 4}}
  %a = moe.sum_rows %b, %s, %s, %w tokens(%T) {devices = 2 : i64} : tensor<4x64xf32>, tensor<5xi32>, tensor<5xi32>, tensor<5xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @sum_rows_c2(%b: tensor<?x64xf32>, %s: tensor<?xi32>, %w: tensor<?xf32>, %T: index) {
  // expected-error @below {{expected a result of 'f32' (that of back) or f32, got 'bf16'}}
  %a = moe.sum_rows %b, %s, %s, %w tokens(%T) {devices = 2 : i64} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32> -> tensor<?x64xbf16>
  return
}

// -----

func.func @sum_rows_c3(%b: tensor<?x64xf32>, %s: tensor<?xi32>, %w: tensor<?xf32>, %T: index) {
  // expected-error @below {{expected a chunk below 1, got 1}}
  %a = moe.sum_rows %b, %s, %s, %w tokens(%T) {devices = 2 : i64, chunk = 1 : i64} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @sum_rows_c4(%b: tensor<?x64xf32>, %s: tensor<?xi32>, %w: tensor<?xf32>, %T: index, %i: tensor<?x64xbf16>) {
  // expected-error @below {{expected into of type 'tensor<?x64xf32>' (that of the result), got 'tensor<?x64xbf16>'}}
  %a = moe.sum_rows %b, %s, %s, %w tokens(%T) into(%i : tensor<?x64xbf16>) {devices = 2 : i64} : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @exchange_start_c1(%f: memref<?x64xf32>, %i: memref<?x32xf32>, %n: memref<4xi32>) {
  // expected-error @below {{expected dim 1 of into to be 64 (columns of from), got 32}}
  moe.exchange_start %f, %i, %n, %n {per_node = 0 : i64} : memref<?x64xf32>, memref<?x32xf32>, memref<4xi32>, memref<4xi32>
  return
}

// -----

func.func @exchange_c1(%f: memref<?x64xf32>, %i: memref<?x32xf32>, %n: memref<4xi32>) {
  // expected-error @below {{expected dim 1 of into to be 64 (columns of from), got 32}}
  moe.exchange %f, %i, %n, %n : memref<?x64xf32>, memref<?x32xf32>, memref<4xi32>, memref<4xi32>
  return
}

// -----

func.func @gather_shares_c1(%f: memref<?x64xf32, strided<[128, 1]>>, %u: index) {
  // expected-error @below {{expected a contiguous buffer and at least 1 device}}
  moe.gather_shares %f unit(%u) {devices = 2 : i64} : memref<?x64xf32, strided<[128, 1]>>
  return
}

// -----

func.func @part_slots_c1(%r: tensor<?xi32>, %w: tensor<?xf32>, %o: tensor<5xi32>) {
  // expected-error @below {{expected parts >= 1, got 0}}
  %a, %b, %c = moe.part_slots %r, %w, %o {parts = 0 : i64} : tensor<?xi32>, tensor<?xf32>, tensor<5xi32> -> tensor<?xi32>, tensor<?xf32>, tensor<1xi32>
  return
}

// -----

func.func @part_slots_c2(%r: tensor<?xi32>, %w: tensor<?xf32>, %o: tensor<5xi32>) {
  // expected-error @below {{expected dim 0 of part_offset to be 9 (parts times experts, and 1), got 10}}
  %a, %b, %c = moe.part_slots %r, %w, %o {parts = 2 : i64} : tensor<?xi32>, tensor<?xf32>, tensor<5xi32> -> tensor<?xi32>, tensor<?xf32>, tensor<10xi32>
  return
}

// -----

func.func @all_gather_c2(%x: tensor<?x64xf32>, %T: index) {
  // all_gather-c2, with tokens
  // expected-error @below {{expected a result of type 'tensor<?x64xf32>' (that of rows), got 'tensor<?x32xf32>'}}
  %a = moe.all_gather %x tokens(%T) group("mesh") {devices = 2 : i64} : tensor<?x64xf32> -> tensor<?x32xf32>
  return
}

// -----

// batch_split-c1
// expected-error @below {{expected at least 1 device, got 0}}
func.func private @batch_split_c1() attributes {moe.batch_split = #moe.batch_split<mesh = @mesh, devices = 0>}
