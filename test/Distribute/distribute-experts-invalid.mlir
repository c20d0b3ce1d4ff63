// RUN: moe-opt %s --moe-distribute-experts --split-input-file --verify-diagnostics

// A sharding that speaks of other devices than there are.
moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
func.func @devices(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<8x64x96xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v {norm = #moe<weight_norm l1>}
    : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 8 : i64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-error @below {{op 'moe.experts' of layer 'layer0': expected a sharding over the 4 devices of @mesh, found one over 8}}
  %y = moe.experts %rows, %offset gate(%w1 : tensor<8x192x64xf32>) down(%w2 : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">,
     plan = #moe.plan<packing = gate_up16, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 2, slots = [0, 1, 2, 3, 4, 5, 6, 7], algorithm = "direct", equality = "bitwise">>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// -----

moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
func.func @no_mesh(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<8x64x96xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v {norm = #moe<weight_norm l1>}
    : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 8 : i64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-error @below {{op 'moe.experts' of layer 'layer0': expected a moe.mesh named @mesh, found none}}
  %y = moe.experts %rows, %offset gate(%w1 : tensor<8x192x64xf32>) down(%w2 : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">,
     plan = #moe.plan<packing = gate_up16, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 2, slots = [0, 1, 2, 3, 4, 5, 6, 7], algorithm = "direct", equality = "bitwise">>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// -----

moe.mesh @mesh axes([#moe.axis<name = "rank", size = 8, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
func.func @read_twice(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<8x64x96xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %t, %e, %r, %v {norm = #moe<weight_norm l1>}
    : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v {experts = 8 : i64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  // expected-error @below {{op 'moe.experts' of layer 'layer0' has a sharding but cannot be spread over devices: its results are read by others than one moe.combine}}
  %y = moe.experts %rows, %offset gate(%w1 : tensor<8x192x64xf32>) down(%w2 : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">,
     plan = #moe.plan<packing = gate_up16, activations = "f32", sharding = #moe.sharding<mesh = @mesh, axes = ["rank"], ep = 4, edp = 2, slots = [0, 1, 2, 3, 4, 5, 6, 7], algorithm = "direct", equality = "bitwise">>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  %both = arith.addf %out, %out : tensor<?x64xf32>
  %two = arith.addf %y, %y : tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}
