// A layer behind attention of 8 query and 4 key heads, whose queries a product makes and whose results another takes up.
moe.weight @wq : tensor<64x1024xf32> source(#moe.file<"m.onnx", offset = 589824, length = 262144>)
moe.weight @wo : tensor<1024x64xf32> source(#moe.file<"m.onnx", offset = 851968, length = 262144>)
moe.weight @w1 : tensor<8x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 393216>)
moe.weight @w2 : tensor<8x64x96xf32> source(#moe.file<"m.onnx", offset = 393216, length = 196608>)
func.func @layer(%a: tensor<?x64xf32>, %k: tensor<1x4x?x128xf32>, %chunks: index, %logits: tensor<?x8xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
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
  return %out : tensor<?x64xf32>
}
