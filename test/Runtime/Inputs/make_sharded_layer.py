"""Writes model.mlir, a layer of 8 experts, its weights, and inputs for it into a folder. usage: make_sharded_layer.py FOLDER"""

import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
random = np.random.default_rng(3)
random.standard_normal(8 * 3 * 32 * 32).astype(np.float32).tofile(folder / "weights.bin")
(folder / "model.mlir").write_text("""
moe.weight @g : tensor<8x64x32xf32> source(#moe.file<"weights.bin", offset = 0, length = 65536>)
moe.weight @d : tensor<8x32x32xf32> source(#moe.file<"weights.bin", offset = 65536, length = 32768>)
func.func @main(%x: tensor<?x32xf32> {moe.name = "x", moe.dims = ["tokens", "32"]}, %logits: tensor<?x8xf32> {moe.name = "logits", moe.dims = ["tokens", "8"]})
    -> (tensor<?x32xf32> {moe.name = "y", moe.dims = ["tokens", "32"]}) attributes {moe.entry} {
  %g = moe.weight_ref @g : tensor<8x64x32xf32>
  %d = moe.weight_ref @d : tensor<8x32x32xf32>
  %y = moe.layer %x, %logits gate(%g : tensor<8x64x32xf32>) down(%d : tensor<8x32x32xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = silu, gate = halves>)
      {origin = #moe.origin<"layer", "mlir">} : tensor<?x32xf32>, tensor<?x8xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
""")
for name, shape in (("x", (12, 32)), ("l", (12, 8)), ("m", (12, 8)), ("short", (11, 8))):
    np.save(folder / f"{name}.npy", random.standard_normal(shape).astype(np.float32))
