"""The decoders of the benchmark in small: what moe-opt computes for a prompt and for tokens after it is what ONNX Runtime computes for all of them at once.

check_decoders.py BENCHMARKS SCRATCH
"""

import dataclasses
import pathlib
import sys

import numpy as np

sys.path.insert(0, sys.argv[1])
import decoders
import onnxruntime

SMALL = dict(hidden=64, heads=4, key_heads=2, head=32, experts=4, chosen=2, intermediate=96, vocabulary=160)
# Of the largest logit. Rows of int8 are rounded alike on both sides; on another CPU a code may round the other way. DeepSeek is left out: ONNX Runtime's
# QMoE always divides the weights by their sum.
TOLERANCE = 2e-3

for name in ("mixtral", "qwen3-moe", "gpt-oss"):
    sizes = dataclasses.replace(decoders.MODELS[name], **SMALL, **({"window": 6} if decoders.MODELS[name].window else {}))
    decoders.MODELS["small"] = sizes
    for format in decoders.BITS:
        folder = pathlib.Path(sys.argv[2]) / f"{name}-{format}"
        folder.mkdir(parents=True)
        decoder = decoders.Decoder("small", 2, format)
        path = decoders.OnnxWriter(decoder, folder).write()
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        tokens = decoder.tokens(12)
        feeds = {"input_ids": tokens[None], "attention_mask": np.ones((1, 12), np.int64)}
        feeds.update({info.name: np.zeros((1, sizes.key_heads, 0, sizes.head), np.float32) for info in session.get_inputs() if info.name.startswith("past")})
        want = session.run(["logits"], feeds)[0][0, 0]
        run = decoders.Compiled(decoder, folder, 2)
        run(tokens[:9], 0)
        for place in range(9, 12):
            got = run(tokens[place:place + 1], place)
        error = np.abs(got - want).max() / np.abs(want).max()
        print(f"{name} {format}: {error:.1e}")
        assert error < TOLERANCE, (name, format, error)
