"""Registers of mma.sync for mma.mlir, packed and read as the PTX ISA's tables of fragments say, and the products in NumPy.

  products.py make TYPE FOLDER      writes a.bin, b.bin, c.bin: for each lane its 4, 2 and 4 words
  products.py check TYPE FOLDER     compares d.bin; also with the bit-accurate model of the package mmasim where it is installed

Small integers and powers of two: every partial sum is exact, so the result is the same to the bit in any order.
"""

import pathlib
import sys

import numpy as np

kind, folder = sys.argv[2], pathlib.Path(sys.argv[3])
DEPTH = {"f16": 16, "bf16": 16, "tf32": 8, "s8": 32}[kind]
ELEMENTS = {"f16": 2, "bf16": 2, "tf32": 1, "s8": 4}[kind]  # of a word


def numbers():
    """A [16, K], B [K, 8] and C [16, 8] in float64."""
    random = np.random.default_rng(DEPTH + ELEMENTS)
    shapes = [(16, DEPTH), (DEPTH, 8), (16, 8)]
    if kind == "s8":
        return [random.integers(-128, 128, shape).astype(np.float64) for shape in shapes]
    return [random.integers(-8, 9, shape) * 2.0 ** random.integers(-3, 4, shape) for shape in shapes]


def bits(values):
    """One element per entry, as unsigned integers."""
    if kind == "s8":
        return values.astype(np.int8).view(np.uint8).astype(np.uint32)
    if kind == "f16":
        return values.astype(np.float16).view(np.uint16).astype(np.uint32)
    words = values.astype(np.float32).view(np.uint32)
    # The low bits of tf32 are not looked at: set them.
    return words >> 16 if kind == "bf16" else words | 0x1FFF


def place_a(lane, element):
    """(row, column) of an element of A: PTX ISA, 'Matrix Fragments for mma.m16n8k16' and its siblings for k8 and k32."""
    group, thread = lane >> 2, lane % 4
    if kind == "tf32":
        return group + (8 if element in (1, 3) else 0), thread + (4 if element >= 2 else 0)
    if kind == "s8":
        return group + (0 if element < 4 or 8 <= element < 12 else 8), thread * 4 + (element & 3) + (0 if element < 8 else 16)
    return group + (0 if element < 2 or 4 <= element < 6 else 8), thread * 2 + (element & 1) + (0 if element < 4 else 8)


def place_b(lane, element):
    """(row, column) of an element of B."""
    group, thread = lane >> 2, lane % 4
    if kind == "tf32":
        return thread + 4 * element, group
    if kind == "s8":
        return thread * 4 + (element & 3) + (0 if element < 4 else 16), group
    return thread * 2 + (element & 1) + (0 if element < 2 else 8), group


def place_c(lane, element):
    return (lane >> 2) + (0 if element < 2 else 8), lane % 4 * 2 + (element & 1)


def pack(matrix, place, words):
    result = np.zeros((32, words), np.uint32)
    width = 32 // ELEMENTS
    for lane in range(32):
        for element in range(words * ELEMENTS):
            result[lane, element // ELEMENTS] |= np.uint32(int(matrix[place(lane, element)]) << (element % ELEMENTS * width))
    return result


a, b, c = numbers()
accumulator = np.int32 if kind == "s8" else np.float32
if sys.argv[1] == "make":
    folder.mkdir(parents=True, exist_ok=True)
    pack(bits(a), place_a, 4).tofile(folder / "a.bin")
    pack(bits(b), place_b, 2).tofile(folder / "b.bin")
    np.array([[c[place_c(lane, element)] for element in range(4)] for lane in range(32)]).astype(accumulator).tofile(folder / "c.bin")
else:
    found = np.fromfile(folder / "d.bin", accumulator).reshape(32, 4)
    expected = (a @ b + c).astype(accumulator)
    for lane in range(32):
        for element in range(4):
            wanted = expected[place_c(lane, element)]
            assert found[lane, element] == wanted, f"D{place_c(lane, element)}: expected {wanted}, found {found[lane, element]}"
