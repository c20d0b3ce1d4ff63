"""Inputs for scalars.mlir and what must come of them: fp8 and f16 by ml_dtypes and NumPy, tf32 by rounding an integer.

  check_scalars.py make|check FOLDER
"""

import pathlib
import sys

import ml_dtypes
import numpy as np

folder = pathlib.Path(sys.argv[2])
random = np.random.default_rng(8)
values = (random.standard_normal(16384) * 2.0 ** random.integers(-20, 20, 16384)).astype(np.float32)
values[:6] = [0.0, np.inf, np.nan, 448.0, 464.0, 465.0]
# Ties: between neighbours of e4m3, and between those of tf32.
ties = np.arange(1, 125, dtype=np.uint8)
e4m3 = ties.view(ml_dtypes.float8_e4m3fn).astype(np.float64)
values[6:129] = (e4m3[:-1] + e4m3[1:]) / 2
x = values.view(np.uint32)
x[200:1000] = x[200:1000] & np.uint32(0xFFFFE000) | np.uint32(0x1000)
# All pairs of bytes stand in the low halves of the rest, by accident of the generator's low bits; make sure of all single ones.
x[1000:1256] = np.arange(256) * 257

if sys.argv[1] == "make":
    folder.mkdir(parents=True, exist_ok=True)
    x.tofile(folder / "in.bin")
    sys.exit()

found = np.fromfile(folder / "out.bin", np.uint32).reshape(-1, 8)
values = x.view(np.float32)
special = ~np.isfinite(values)
wide = x.astype(np.uint64)
canonical = np.where(np.isnan(values), 0x7FFFFFFF, wide)
even = np.where(special, canonical, (wide + 0xFFF + (wide >> 13 & 1)) & 0xFFFFE000)
away = np.where(special, canonical, (wide + 0x1000) & 0xFFFFE000)


def fp8(numbers, dtype):
    """Saturating, to nearest."""
    greatest = float(ml_dtypes.finfo(dtype).max)
    result = np.clip(numbers, -greatest, greatest).astype(dtype).view(np.uint8).astype(np.uint32)
    return np.where(np.isnan(numbers), 0x7F, result)


def widened(dtype):
    return x.astype(np.uint16).view(np.uint8).view(dtype).astype(np.float16).view(np.uint32)


pool = np.stack([x >> 8 * i & 255 for i in range(4)] + [np.arange(16384, dtype=np.uint32) >> 8 * i & 255 for i in range(4)])
selector = found[:, 1]
permuted = np.zeros(16384, np.uint32)
for i in range(4):
    nibble = selector >> 4 * i & 15
    byte = np.take_along_axis(pool, (nibble & 7)[None].astype(np.int64), 0)[0].astype(np.uint32)
    permuted |= np.where(nibble & 8, np.where(byte & 128, 255, 0), byte).astype(np.uint32) << np.uint32(8 * i)
dot = np.arange(16384, dtype=np.int64)
dot += (x.view(np.int8).reshape(-1, 4).astype(np.int64) * found[:, 0].copy().view(np.uint8).reshape(-1, 4)).sum(1)
expected = [even, away]
for dtype in (ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2):
    expected.append(fp8(values, dtype) << 8 | fp8(-values, dtype))
expected += [widened(ml_dtypes.float8_e4m3fn), widened(ml_dtypes.float8_e5m2), permuted, dot.astype(np.uint64) & 0xFFFFFFFF]
for number, wanted in enumerate(expected):
    same = found[:, number] == wanted
    if number in (4, 5):
        # Which NaN it is does not matter.
        halves = [np.ascontiguousarray(side.astype(np.uint32)).view(np.float16).reshape(-1, 2) for side in (found[:, number], wanted)]
        same = ((halves[0] == halves[1]) | (np.isnan(halves[0]) & np.isnan(halves[1]))).all(1)
    bad = np.flatnonzero(~same)
    assert bad.size == 0, f"result {number} of {values[bad[0]]!r} ({x[bad[0]]:08x}): expected {int(wanted[bad[0]]):08x}, found {found[bad[0], number]:08x}; {bad.size} differ"
