"""Runs the artifact FOLDER/out of expert-offsets.mlir on offsets that fit 5 rows and on others: check_offsets.py FOLDER."""

import pathlib
import subprocess
import sys

import numpy as np

FOLDER = pathlib.Path(sys.argv[1])
x = np.abs(np.random.default_rng(0).standard_normal((5, 4))).astype(np.float32)
np.save(FOLDER / "x.npy", x)
for offsets in ([0, 2, 5], [0, 5, 5], [1, 1, 4], [0, 2, 6], [0, 7, 100000], [-5, -5, -5], [0, 4, 1], [2**31 - 1, -(2**31), 5]):
    np.save(FOLDER / "off.npy", np.array(offsets, np.int32))
    command = ["moe-run", FOLDER / "out", "--output-dir", FOLDER]
    for name in ("x", "off"):
        command += ["--input", f"{name}={FOLDER / name}.npy"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    text = " ".join(map(str, offsets))
    if result.returncode != 0:
        print(f"{text}: {result.stderr.strip()}")
        continue
    rows = slice(offsets[0], offsets[-1])
    wanted = np.repeat(2 * 0.5 * x.sum(1, keepdims=True), 4, 1)[rows]  # relu of positive sums, times 0.5, four times
    np.testing.assert_allclose(np.load(FOLDER / "y.npy")[rows], wanted, rtol=1e-6)
    print(f"{text}: agrees")
