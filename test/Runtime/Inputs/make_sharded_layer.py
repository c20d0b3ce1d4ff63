"""Writes model.mlir, a layer of 8 experts of one size in and between, its weights, and inputs into a folder. usage: make_sharded_layer.py FOLDER [SIZE]"""

import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
size = int(sys.argv[2]) if len(sys.argv) > 2 else 32
gate, down = f"8x{2 * size}x{size}", f"8x{size}x{size}"
gate_bytes, down_bytes = 8 * 2 * size * size * 4, 8 * size * size * 4
random = np.random.default_rng(3)
random.standard_normal(8 * 3 * size * size).astype(np.float32).tofile(folder / "weights.bin")
(folder / "model.mlir").write_text(f"""
moe.weight @g : tensor<{gate}xf32> source(#moe.file<"weights.bin", offset = 0, length = {gate_bytes}>)
moe.weight @d : tensor<{down}xf32> source(#moe.file<"weights.bin", offset = {gate_bytes}, length = {down_bytes}>)
func.func @main(%x: tensor<?x{size}xf32> {{moe.name = "x", moe.dims = ["tokens", "{size}"]}}, %logits: tensor<?x8xf32> {{moe.name = "logits", moe.dims = ["tokens", "8"]}})
    -> (tensor<?x{size}xf32> {{moe.name = "y", moe.dims = ["tokens", "{size}"]}}) attributes {{moe.entry}} {{
  %g = moe.weight_ref @g : tensor<{gate}xf32>
  %d = moe.weight_ref @d : tensor<{down}xf32>
  %y = moe.layer %x, %logits gate(%g : tensor<{gate}xf32>) down(%d : tensor<{down}xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = silu, gate = halves>)
      {{origin = #moe.origin<"layer", "mlir">}} : tensor<?x{size}xf32>, tensor<?x8xf32> -> tensor<?x{size}xf32>
  return %y : tensor<?x{size}xf32>
}}
""")
for name, shape in (("x", (12, size)), ("l", (12, 8)), ("m", (12, 8)), ("short", (11, 8))):
    np.save(folder / f"{name}.npy", random.standard_normal(shape).astype(np.float32))
