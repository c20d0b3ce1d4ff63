// One MoE layer whose weights are int4 in groups of 32. The weights are never read.
moe.weight @gate_up.q : tensor<8x128x32xui8> source(#moe.file<"weights.bin", offset = 0, length = 32768>)
moe.weight @gate_up.s : tensor<8x128x2xf32> source(#moe.file<"weights.bin", offset = 32768, length = 8192>)
moe.weight @down.q : tensor<8x64x32xui8> source(#moe.file<"weights.bin", offset = 40960, length = 16384>)
moe.weight @down.s : tensor<8x64x2xf32> source(#moe.file<"weights.bin", offset = 57344, length = 4096>)

func.func @main(%x: tensor<?x64xf32> {moe.name = "hidden", moe.dims = ["tokens", "64"]},
                %logits: tensor<?x8xf32> {moe.name = "logits", moe.dims = ["tokens", "8"]})
    -> (tensor<?x64xf32> {moe.name = "output", moe.dims = ["tokens", "64"]}) {
  %gq = moe.weight_ref @gate_up.q : tensor<8x128x32xui8>
  %gs = moe.weight_ref @gate_up.s : tensor<8x128x2xf32>
  %dq = moe.weight_ref @down.q : tensor<8x64x32xui8>
  %ds = moe.weight_ref @down.s : tensor<8x64x2xf32>
  %gate_up = moe.dequant %gq scales(%gs : tensor<8x128x2xf32>) <format = int4_group, group_size = 32> : tensor<8x128x32xui8> -> tensor<8x128x64xf32>
  %down = moe.dequant %dq scales(%ds : tensor<8x64x2xf32>) <format = int4_group, group_size = 32> : tensor<8x64x32xui8> -> tensor<8x64x64xf32>
  %y = moe.layer %x, %logits gate(%gate_up : tensor<8x128x64xf32>) down(%down : tensor<8x64x64xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = silu, gate = halves>)
      {origin = #moe.origin<"layer", "mlir">} : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
