// One MoE layer whose logits are an input. The weights are never read.
moe.weight @gate_up : tensor<8x96x64xf32> source(#moe.file<"weights.bin", offset = 0, length = 196608>)
moe.weight @down : tensor<8x64x48xf32> source(#moe.file<"weights.bin", offset = 196608, length = 98304>)

func.func @main(%x: tensor<?x64xf32> {moe.name = "hidden", moe.dims = ["tokens", "64"]},
                %logits: tensor<?x8xf32> {moe.name = "logits", moe.dims = ["tokens", "8"]})
    -> (tensor<?x64xf32> {moe.name = "output", moe.dims = ["tokens", "64"]}) {
  %gate_up = moe.weight_ref @gate_up : tensor<8x96x64xf32>
  %down = moe.weight_ref @down : tensor<8x64x48xf32>
  %y = moe.layer %x, %logits gate(%gate_up : tensor<8x96x64xf32>) down(%down : tensor<8x64x48xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = silu, gate = halves>)
      {origin = #moe.origin<"layer", "mlir">} : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
