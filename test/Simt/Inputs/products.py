"""Registers of mma.sync for mma.mlir, packed and read as the PTX ISA's tables of fragments say.

  products.py make TYPE FOLDER [ARCH]       writes a.bin, b.bin, c.bin: for each lane its 4, 2 and 4 words
  products.py check TYPE FOLDER [ARCH]      compares d.bin
  products.py record TYPE FOLDER ARCH       writes mmasim-TYPE-ARCH.bin beside this file; needs the package mmasim

Without ARCH the numbers are small integers and powers of two: every partial sum is exact, and NumPy's product is the result in any order. With
ARCH (80 or 90) they are random and of very different size, and the result is what mmasim, a model that is tested against hardware to the bit,
made of them when it was recorded (mmasim 2.1.1).
"""

import pathlib
import sys

import numpy as np

mode, kind, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
arch = sys.argv[4] if len(sys.argv) > 4 else None
recorded = pathlib.Path(__file__).parent / f"mmasim-{kind}-{arch}.bin"
DEPTH = {"f16": 16, "bf16": 16, "tf32": 8, "s8": 32}[kind]
ELEMENTS = {"f16": 2, "bf16": 2, "tf32": 1, "s8": 4}[kind]  # of a word


def numbers():
    """A [16, K], B [K, 8] and C [16, 8] in float64."""
    random = np.random.default_rng(DEPTH + ELEMENTS)
    shapes = [(16, DEPTH), (DEPTH, 8), (16, 8)]
    if kind == "s8":
        return [random.integers(-128, 128, shape).astype(np.float64) for shape in shapes]
    if arch:
        # Of the type's own precision, subnormals of f16 among them, and some zeros.
        narrow = {"f16": np.float16, "tf32": np.float32, "bf16": np.float32}[kind]
        made = [(random.standard_normal(shape) * 2.0 ** random.integers(-9, 9, shape) * (random.random(shape) < 0.9)).astype(narrow) for shape in shapes]
        made[2] = made[2].astype(np.float32) * np.float32(1.1)
        if kind != "f16":
            made[:2] = [(m.view(np.uint32) & np.uint32(0xFFFF0000 if kind == "bf16" else 0xFFFFE000)).view(np.float32) for m in made[:2]]
        return [m.astype(np.float64) for m in made]
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
if mode == "make":
    folder.mkdir(parents=True, exist_ok=True)
    pack(bits(a), place_a, 4).tofile(folder / "a.bin")
    pack(bits(b), place_b, 2).tofile(folder / "b.bin")
    np.array([[c[place_c(lane, element)] for element in range(4)] for lane in range(32)]).astype(accumulator).tofile(folder / "c.bin")
elif mode == "record":
    import torch
    from mmasim.nv_ptx.sim import MMA
    dtype = {"f16": torch.float16, "bf16": torch.bfloat16, "tf32": torch.float32}[kind]
    model = MMA({"80": "Ampere", "90": "Hopper"}[arch], f"m16n8k{DEPTH}.f32.{kind}.{kind}.f32")
    result = model(torch.tensor(a).to(dtype), torch.tensor(b).to(dtype), torch.tensor(c).to(torch.float32))
    result.numpy().astype(np.float32).tofile(recorded)
else:
    found = np.fromfile(folder / "d.bin", accumulator).reshape(32, 4)
    expected = np.fromfile(recorded, np.float32).reshape(16, 8) if arch else (a @ b + c).astype(accumulator)
    for lane in range(32):
        for element in range(4):
            wanted = expected[place_c(lane, element)]
            assert found[lane, element] == wanted, f"D{place_c(lane, element)}: expected {wanted!r}, found {found[lane, element]!r}"
