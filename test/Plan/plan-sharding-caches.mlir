// KV caches take memory of a device, its own heads of those that only attention reads: keys and values of 65,536 keys, 4 heads of 128 floats, are 128 MiB.
// RUN: moe-opt %s --moe-plan-sharding="between-layers=heads plan-tokens=4 plan-keys=65536" 2>&1 | FileCheck %s --check-prefix=HEADS
// HEADS: remark: between the layers 4 devices share the heads of 1 attention: {{.*}}; bitwise; KV caches of 32.0 MiB a device, 128.0 MiB whole
// What makes keys needs no gather: the cache takes a rank's heads alone.
// RUN: moe-opt %s --moe-plan-sharding="between-layers=heads plan-tokens=4 plan-keys=65536 explain=true" 2>&1 | FileCheck %s --check-prefix=FREE
// FREE: note: of 'tensor<64x512xf32>': 0.0 us,
// Where somebody else reads the cache, too, it stays whole, and so does what makes it.
// RUN: sed -e '/linalg.copy/s/pe :/k :/' %s | moe-opt --moe-plan-sharding="between-layers=heads plan-tokens=4 plan-keys=65536 explain=true" 2>&1 | FileCheck %s --check-prefix=GATHERED
// GATHERED: share the heads of 1 attention: {{.*}}; bitwise{{$}}
// GATHERED: note: of 'tensor<64x512xf32>': {{[1-9][0-9]*\.[0-9]}} us,

// This memory is so fast that sharing heads is not worth a gather: it is done where whole caches leave no room.
// RUN: sed -e 's/mem_mib = 1024/mem_mib = 1/' %s | moe-opt --moe-plan-sharding="plan-tokens=4 plan-keys=64" 2>&1 | FileCheck %s --check-prefix=FITS
// FITS-NOT: share the heads
// FITS: func.func @layer
// RUN: sed -e 's/mem_mib = 1024/mem_mib = 1/' %s | moe-opt --moe-plan-sharding="plan-tokens=4 plan-keys=512" 2>&1 | FileCheck %s --check-prefix=ROOM
// ROOM: remark: between the layers 4 devices share the heads of 1 attention: {{.*}}; bitwise; KV caches of 256.0 KiB a device, 1.0 MiB whole
// RUN: sed -e 's/mem_mib = 1024/mem_mib = 1/' %s | not moe-opt --moe-plan-sharding="plan-tokens=4 plan-keys=512 between-layers=whole" 2>&1 | FileCheck %s --check-prefix=WHOLE
// WHOLE: error: no sharding over the mesh: no plan fits: expected at most 0 bytes on a device, beside 1048576 of KV caches, found
// RUN: sed -e 's/mem_mib = 1024/mem_mib = 1/' %s | not moe-opt --moe-plan-sharding="plan-tokens=4 plan-keys=4096" 2>&1 | FileCheck %s --check-prefix=FULL
// FULL: error: no sharding over the mesh: no plan fits: expected at most 0 bytes on a device, beside 8388608 of KV caches, found
moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1000.0}, gemm_alpha_us = 0.0, gemm_half_rows = 0.0, mem_gbps = 20000.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
moe.weight @wk : tensor<64x512xf32> source(#moe.file<"m.onnx", offset = 1114112, length = 131072>)
moe.weight @wq : tensor<64x1024xf32> source(#moe.file<"m.onnx", offset = 589824, length = 262144>)
moe.weight @wo : tensor<1024x64xf32> source(#moe.file<"m.onnx", offset = 851968, length = 262144>)
moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
func.func @layer(%a: tensor<?x64xf32>, %past: tensor<1x4x?x128xf32>, %keys: index, %chunks: index, %logits: tensor<?x8xf32>) -> (tensor<?x64xf32>, tensor<1x4x?x128xf32>) attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %a, %c0 : tensor<?x64xf32>
  %zero = arith.constant 0.0 : f32
  %wq = moe.weight_ref @wq : tensor<64x1024xf32>
  %e0 = tensor.empty(%T) : tensor<?x1024xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x1024xf32>) -> tensor<?x1024xf32>
  %q0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">} ins(%a, %wq : tensor<?x64xf32>, tensor<64x1024xf32>) outs(%f0 : tensor<?x1024xf32>) -> tensor<?x1024xf32>
  %q1 = tensor.expand_shape %q0 [[0, 1], [2, 3]] output_shape [1, %T, 8, 128] : tensor<?x1024xf32> into tensor<1x?x8x128xf32>
  %qe = tensor.empty(%T) : tensor<1x8x?x128xf32>
  %q = linalg.transpose ins(%q1 : tensor<1x?x8x128xf32>) outs(%qe : tensor<1x8x?x128xf32>) permutation = [0, 2, 1, 3]
  %wk = moe.weight_ref @wk : tensor<64x512xf32>
  %e2 = tensor.empty(%T) : tensor<?x512xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x512xf32>) -> tensor<?x512xf32>
  %k0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">} ins(%a, %wk : tensor<?x64xf32>, tensor<64x512xf32>) outs(%f2 : tensor<?x512xf32>) -> tensor<?x512xf32>
  %k1 = tensor.expand_shape %k0 [[0, 1], [2, 3]] output_shape [1, %T, 4, 128] : tensor<?x512xf32> into tensor<1x?x4x128xf32>
  %ke = tensor.empty(%T) : tensor<1x4x?x128xf32>
  %new = linalg.transpose ins(%k1 : tensor<1x?x4x128xf32>) outs(%ke : tensor<1x4x?x128xf32>) permutation = [0, 2, 1, 3]
  %pe = tensor.empty(%keys) : tensor<1x4x?x128xf32>
  %k = moe.concat axis 2 ins(%past, %new : tensor<1x4x?x128xf32>, tensor<1x4x?x128xf32>) outs(%pe : tensor<1x4x?x128xf32>) -> tensor<1x4x?x128xf32>
  %oe = tensor.empty(%T) : tensor<1x8x?x128xf32>
  %se = tensor.empty(%chunks) : tensor<1x4x?x6240xf32>
  %o:2 = moe.attention q(%q : tensor<1x8x?x128xf32>) k(%k : tensor<1x4x?x128xf32>) v(%k : tensor<1x4x?x128xf32>) outs(%oe, %se : tensor<1x8x?x128xf32>, tensor<1x4x?x6240xf32>)
      {scale = 2.5e-01 : f64} -> tensor<1x8x?x128xf32>, tensor<1x4x?x6240xf32>
  %te = tensor.empty(%T) : tensor<1x?x8x128xf32>
  %t = linalg.transpose ins(%o#0 : tensor<1x8x?x128xf32>) outs(%te : tensor<1x?x8x128xf32>) permutation = [0, 2, 1, 3]
  %rows0 = tensor.collapse_shape %t [[0, 1], [2, 3]] : tensor<1x?x8x128xf32> into tensor<?x1024xf32>
  %wo = moe.weight_ref @wo : tensor<1024x64xf32>
  %e1 = tensor.empty(%T) : tensor<?x64xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x64xf32>) -> tensor<?x64xf32>
  %x = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">} ins(%rows0, %wo : tensor<?x1024xf32>, tensor<1024x64xf32>) outs(%f1 : tensor<?x64xf32>) -> tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<8x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<8x64x96xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %tok, %ex, %rk, %vl, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %w = moe.weigh gather %scores, %tok, %ex, %rk, %vl {norm = #moe<weight_norm l1>}
    : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
  %slot, %keep, %count, %offset = moe.slots %tok, %ex, %rk, %vl {experts = 8 : i64}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %tok, %ex, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<8x192x64xf32>) down(%w2 : tensor<8x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer0", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %tok, %ex, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  %sum = tensor.empty(%keys) : tensor<1x4x?x128xf32>
  %other = linalg.copy ins(%pe : tensor<1x4x?x128xf32>) outs(%sum : tensor<1x4x?x128xf32>) -> tensor<1x4x?x128xf32>
  return %out, %k : tensor<?x64xf32>, tensor<1x4x?x128xf32>
}
