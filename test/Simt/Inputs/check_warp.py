"""Checks what warp.mlir wrote against the definitions of the PTX ISA (shfl.sync: its pseudo code).

  check_warp.py VALUES RESULTS
"""

import sys

import numpy as np

values = np.fromfile(sys.argv[1], np.int32)
results = np.fromfile(sys.argv[2], np.uint32).reshape(24, 32)
lanes = range(32)


def shuffle(mode, offset, clamp, segment=0):
    taken, valid = [], []
    for lane in lanes:
        highest, lowest = (lane & segment) | (clamp & ~segment & 31), lane & segment
        source = {"up": lane - offset, "down": lane + offset, "bfly": lane ^ offset, "idx": lowest | (offset & ~segment & 31)}[mode]
        inside = source >= highest if mode == "up" else source <= highest
        taken.append(values[source if inside else lane])
        valid.append(int(inside))
    return taken, valid


unsigned = values.astype(np.uint32)
positive = [int(v > 0) for v in values]
ballot = sum(p << lane for lane, p in zip(lanes, positive))
low = values & 3
upper_sum = [int(values[:16].sum()) if lane < 16 else int(values[16:].sum()) for lane in lanes]
expected = [
    shuffle("bfly", 5, 31)[0], shuffle("up", 3, 0)[0], shuffle("down", 7, 31)[0], values, shuffle("idx", 3, 31, 24)[0],
    shuffle("up", 3, 0, 24)[0], shuffle("up", 3, 0, 24)[1], shuffle("down", 3, 31, 24)[0],
    [int(any(positive))] * 32, [1] * 32, [ballot] * 32, [int(len(set(positive)) == 1)] * 32,
    [sum(1 << other for other in lanes if low[other] == low[lane]) for lane in lanes], [0xFFFFFFFF] * 32, [0] * 32,
    [values.sum(dtype=np.int64)] * 32, [values.max()] * 32, [unsigned.min()] * 32, [np.bitwise_xor.reduce(values)] * 32, [1] * 32, upper_sum,
    [sum(positive)] * 32, [int(all(positive))] * 32, [int(any(positive))] * 32,
]
for number, row in enumerate(expected):
    wanted = np.array([int(v) & 0xFFFFFFFF for v in row], np.uint32)
    assert (results[number] == wanted).all(), f"result {number}: expected {wanted}, found {results[number]}"
