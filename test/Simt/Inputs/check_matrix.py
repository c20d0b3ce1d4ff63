"""Checks registers of ldmatrix: lane l holds, of each matrix, row l / 4, elements 2 (l % 4) and the next; transposed, of each matrix's transpose.

  check_matrix.py COUNT plain|transposed FILE
"""

import sys

import numpy as np

count, transposed = int(sys.argv[1]), sys.argv[2] == "transposed"
found = np.fromfile(sys.argv[3], np.int16).reshape(count, 32, 2)
matrices = np.arange(64 * count, dtype=np.int16).reshape(count, 8, 8)
for number, matrix in enumerate(matrices):
    source = matrix.T if transposed else matrix
    for lane in range(32):
        wanted = source[lane // 4, lane % 4 * 2:lane % 4 * 2 + 2]
        assert (found[number, lane] == wanted).all(), f"matrix {number}, lane {lane}: expected {wanted}, found {found[number, lane]}"
