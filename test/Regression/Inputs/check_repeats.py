"""Runs an artifact many times with 2 to 4 threads and compares the bits with one thread's: check_repeats.py ARTIFACT [TOKENS...].

The artifact is tinymoe's or has inputs of f32 whose only unknown size is `rows`."""

import sys

import numpy as np

import moe_opt

one = moe_opt.load(sys.argv[1], threads=1)
many = [moe_opt.load(sys.argv[1], threads=threads) for threads in (2, 3, 4)]
rng = np.random.default_rng(7)
for tokens in [int(word) for word in sys.argv[2:]] or (1, 2, 4, 7):
    feeds = {}
    for info in one.inputs:
        # Nothing is past, so that all keys are the new ones.
        sizes = {"batch": 1, "seq": tokens, "total_seq": tokens, "past_seq": 0, "rows": tokens}
        shape = [sizes.get(dim, dim) for dim in info.dims]
        if "rows" in info.dims:
            values = rng.standard_normal(shape)
        elif info.name == "input_ids":
            values = rng.integers(0, 50, shape)
        else:
            values = np.arange(tokens).reshape(shape) if info.name == "position_ids" else np.ones(shape)
        feeds[info.name] = values.astype(info.dtype)
    wanted = {name: value.tobytes() for name, value in one.run(feeds).items()}
    for run in range(100):
        for model in many:
            for name, value in model.run(feeds).items():
                assert value.tobytes() == wanted[name], f"{tokens} tokens, run {run}: {name} differs"
    print(f"{tokens} tokens: 300 runs agree")
