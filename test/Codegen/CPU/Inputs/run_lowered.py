"""Compiles lowered.mlir for each ISA version and runs it through ctypes. Usage: run_lowered.py INPUTS PREFIX."""
import ctypes
import math
import struct
import subprocess
import sys
import threading

VERSIONS = {
    "x86-64": [],
    "avx2": ["avx2", "fma", "f16c", "bmi2"],
    "avx512": ["avx2", "fma", "f16c", "bmi2", "avx512f", "avx512bw", "avx512vl", "avx512dq"],
}
BIAS = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, -0.5, -1.0, -1.5, -2.0, -2.5, -3.0, -3.5, -4.0]
BATCH = 7


def compile_version(inputs, prefix, name, features):
    lowered, wide, shim, library = (prefix + suffix for suffix in (".mlir", ".o", ".shim.o", ".so"))
    text = ",".join("+" + feature for feature in features)
    subprocess.check_call(["moe-opt", f"{inputs}/lowered.mlir", f"--moe-codegen-pipeline=features={text}", "-o", lowered])
    subprocess.check_call(["moe-codegen-worker", "emit", lowered, "-o", wide])
    subprocess.check_call(["moe-codegen-worker", "emit", f"{inputs}/shim.mlir", "-o", shim])
    subprocess.check_call(["moe-codegen-worker", "link", wide, shim, "--export=moe_test_*", "-o", library])
    return ctypes.CDLL(library)


def descriptor(buffer, *sizes):
    """A memref descriptor: allocated, aligned, offset, sizes, row-major strides."""
    strides = [math.prod(sizes[axis + 1:]) for axis in range(len(sizes))]
    address = ctypes.addressof(buffer)
    return (ctypes.c_int64 * (3 + 2 * len(sizes)))(address, address, 0, *sizes, *strides)


def run(library, rows, steps, threads):
    values = (ctypes.c_float * len(rows))(*rows)
    counts = (ctypes.c_int64 * BATCH)(*steps)
    out, angles = (ctypes.c_float * len(rows))(), (ctypes.c_float * BATCH)()
    dims, sizes = (ctypes.c_int64 * 3)(BATCH, 16, BATCH), (ctypes.c_int64 * 3)()
    library.moe_test_shapes.restype = ctypes.c_int64
    arena_bytes = library.moe_test_shapes(dims, sizes)
    assert arena_bytes == BATCH * 64 and list(sizes) == [BATCH, 16, BATCH], (arena_bytes, list(sizes))
    arena = (ctypes.c_char * arena_bytes)()
    # The bias lies at offset 64 of section 0, which is aligned to 64.
    raw = ctypes.create_string_buffer(256)
    start = -ctypes.addressof(raw) % 64
    struct.pack_into("<16f", raw, start + 64, *BIAS)
    sections = (ctypes.c_void_p * 1)(ctypes.addressof(raw) + start)

    meet = threading.Barrier(threads)
    barrier = ctypes.CFUNCTYPE(None)(lambda: meet.wait() and None)
    views = [descriptor(values, BATCH, 16), descriptor(counts, BATCH), descriptor(out, BATCH, 16), descriptor(angles, BATCH),
             descriptor(arena, arena_bytes)]
    pointers = (ctypes.c_void_p * len(views))(*map(ctypes.addressof, views))

    def work(number):
        thread = (ctypes.c_void_p * 4)(number, threads, ctypes.cast(barrier, ctypes.c_void_p), ctypes.addressof(sections))
        library.moe_test_entry(pointers, thread)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return list(out), list(angles)


def check(library, name):
    rows = [((37 * i) % 101 - 50) / 16 for i in range(BATCH * 16)]
    steps = [0, 1, 2, 1000, 123456, -5, 1 << 20]
    sums = [value + BIAS[i % 16] + 0.25 for i, value in enumerate(rows)]
    first = run(library, rows, steps, 1)
    for i, (found, s) in enumerate(zip(first[0], sums)):
        assert abs(found - (s * s + s)) <= 2e-7 * (s * s + abs(s)), (i, found, s * s + s)
    for step, found in zip(steps, first[1]):
        assert abs(found - math.sin(step)) <= 1e-7, (step, found)
    for threads in (2, 5):
        assert run(library, rows, steps, threads) == first, threads
    print(f"{name}: 1, 2 and 5 threads agree")


def main():
    inputs, prefix = sys.argv[1:]
    with open("/proc/cpuinfo") as file:
        flags = next(line for line in file if line.startswith("flags")).split()
    for name, features in VERSIONS.items():
        library = compile_version(inputs, f"{prefix}.{name}", name, features)
        if all(feature in flags for feature in features):
            check(library, name)
        else:
            print(f"{name}: not on this CPU")


main()
