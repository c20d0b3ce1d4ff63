"""Runs bf16-capacity.mlir in both types, both layouts and three ISA versions: check_half_capacity.py FILE FOLDER."""

import pathlib
import subprocess
import sys

import ml_dtypes
import numpy as np

TEXT, FOLDER = pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2])
rng = np.random.default_rng(5)
T = 9
z = rng.standard_normal((T, 2)).astype(np.float32)

for half, dtype in (("bf16", ml_dtypes.bfloat16), ("f16", np.float16)):
    x, g, d = (rng.standard_normal(shape).astype(dtype) for shape in ((T, 32), (2, 8, 32), (2, 32, 8)))
    scores = np.exp(z.astype(np.float64)) / np.exp(z.astype(np.float64)).sum(1, keepdims=True)
    wanted, taken = np.zeros((T, 32)), [0, 0]
    for t in range(T):
        e = int(scores[t].argmax())
        if taken[e] < -(-T // 2):
            wanted[t] = scores[t, e] * (d[e].astype(np.float64) @ np.maximum(g[e].astype(np.float64) @ x[t].astype(np.float64), 0))
        taken[e] += 1
    assert max(taken) > -(-T // 2), "some token must be dropped"
    for layout, rows in (("ragged", "?"), ("padded", "2x?")):
        folder = FOLDER / f"{half}-{layout}"
        folder.mkdir()
        for name, value in (("g", g), ("d", d)):
            (folder / f"{name}.bin").write_bytes(value.tobytes())
        np.save(folder / "x.npy", x.view(np.uint16) if half == "bf16" else x)
        np.save(folder / "z.npy", z)
        (folder / "model.mlir").write_text(TEXT.replace("HALF", half).replace("LAYOUT", layout).replace("ROWS", rows))
        subprocess.run(["moe-compile", folder / "model.mlir", "-o", folder / "out", "--quiet", "--cpu-features=host;avx2;x86-64"], check=True, timeout=120)
        for isa in ("host", "avx2", "x86-64"):
            chosen = [] if isa == "host" else ["--isa", isa]
            subprocess.run(["moe-run", folder / "out", "--input", f"x={folder / 'x.npy'}", "--input", f"z={folder / 'z.npy'}", "--output-dir", folder, *chosen],
                           check=True, timeout=60, stdout=subprocess.DEVNULL)
            got = np.load(folder / "y.npy")
            got = got.view(dtype).astype(np.float64)
            error = np.abs(got - wanted).max() / np.abs(wanted).max()
            assert error < (2e-2 if half == "bf16" else 3e-3), f"{half} {layout} {isa}: error {error}"
            print(f"{half} {layout} {isa}: agrees")
