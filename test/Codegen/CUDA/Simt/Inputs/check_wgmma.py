"""A [64, 64] times the transpose of B [16, 64] in bf16, by wgmma. Small integers, so that every sum is exact.

  check_wgmma.py make|check FOLDER
"""

import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[2])
random = np.random.default_rng(64)
a, b = (random.integers(-8, 9, (rows, 64)).astype(np.float32) for rows in (64, 16))
if sys.argv[1] == "make":
    folder.mkdir(parents=True, exist_ok=True)
    for matrix, name in ((a, "a.bin"), (b, "b.bin")):
        (matrix.view(np.uint32) >> 16).astype(np.uint16).tofile(folder / name)
else:
    found, expected = np.fromfile(folder / "d.bin", np.float32).reshape(128, 8), a @ b.T
    for thread in range(128):
        for element in range(8):
            # PTX ISA, 'Register fragments and shared memory matrix layouts' of wgmma: fragment D.
            row = thread // 32 * 16 + thread % 32 // 4 + 8 * (element // 2 % 2)
            column = element // 4 * 8 + thread % 4 * 2 + element % 2
            assert found[thread, element] == expected[row, column], f"D[{row}, {column}]: expected {expected[row, column]}, found {found[thread, element]}"
