"""Compiles modules with kernel ops to a shared library and calls them, for numeric tests of moe-cpu-emit-kernels.

Python alone, no numpy: the references of the tests are plain loops in double precision. All buffers end at a page that must not be
touched, so that a kernel that reads or writes past an end crashes the test.
"""
import ctypes
import mmap
import struct
import subprocess
import threading

FEATURES = {
    "x86-64": "",
    "avx2": "+avx2,+fma,+f16c,+bmi2",
    "avx512": "+avx2,+fma,+f16c,+bmi2,+avx512f,+avx512bw,+avx512vl,+avx512dq,+avx512vnni",
    "avx512bf16": "+avx2,+fma,+f16c,+bmi2,+avx512f,+avx512bw,+avx512vl,+avx512dq,+avx512vnni,+avx512bf16,+avx512vbmi",
}
FEATURES["amx"] = FEATURES["avx512bf16"] + ",+amx-tile,+amx-bf16,+amx-int8"
CPU_FLAGS = {"x86-64": set(), "avx2": {"avx2", "fma", "f16c", "bmi2"},
             "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"},
             "avx512bf16": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "avx512_bf16", "avx512vbmi"}}
CPU_FLAGS["amx"] = CPU_FLAGS["avx512bf16"]  # tiles are emulated
LOWERING = ["--convert-scf-to-cf", "--convert-vector-to-llvm", "--expand-strided-metadata", "--finalize-memref-to-llvm",
            "--convert-arith-to-llvm", "--convert-math-to-llvm", "--convert-index-to-llvm", "--convert-cf-to-llvm",
            "--convert-func-to-llvm", "--reconcile-unrealized-casts"]
# The barrier of the tests: { arrived, generation, threads } of i32.
BARRIER = """
llvm.func @moe_rt_barrier(%b: !llvm.ptr) {
  %one = llvm.mlir.constant(1 : i32) : i32
  %zero = llvm.mlir.constant(0 : i32) : i32
  %generation = llvm.getelementptr %b[1] : (!llvm.ptr) -> !llvm.ptr, i32
  %threads = llvm.getelementptr %b[2] : (!llvm.ptr) -> !llvm.ptr, i32
  %n = llvm.load %threads : !llvm.ptr -> i32
  %g = llvm.load %generation atomic acquire {alignment = 4 : i64} : !llvm.ptr -> i32
  %before = llvm.atomicrmw add %b, %one acq_rel : !llvm.ptr, i32
  %arrived = llvm.add %before, %one : i32
  %last = llvm.icmp "eq" %arrived, %n : i32
  llvm.cond_br %last, ^release, ^wait
^release:
  llvm.store %zero, %b atomic monotonic {alignment = 4 : i64} : i32, !llvm.ptr
  %r = llvm.atomicrmw add %generation, %one acq_rel : !llvm.ptr, i32
  llvm.return
^wait:
  %now = llvm.load %generation atomic acquire {alignment = 4 : i64} : !llvm.ptr -> i32
  %same = llvm.icmp "eq" %now, %g : i32
  llvm.cond_br %same, ^wait, ^done
^done:
  llvm.return
}
"""


def host_has(isa):
    with open("/proc/cpuinfo") as file:
        flags = next((line for line in file if line.startswith("flags")), "")
    return CPU_FLAGS[isa] <= set(flags.split())


def compile_module(text, isa, workdir):
    """Writes workdir/<isa>.so and returns it loaded. `text` holds func.funcs with llvm.emit_c_interface."""
    def tool(command, data):
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE, timeout=300)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed with {done.returncode}")
        return done.stdout

    base = f"{workdir}/{isa}"
    emulate = [f"--moe-cpu-emulate-tiles=features={FEATURES[isa]}"] if isa == "amx" else []
    code = tool(["moe-opt", f"--moe-cpu-emit-kernels=features={FEATURES[isa]}"] + emulate + ["--moe-cpu-thread-argument"], text.encode())
    # The pass declares the barrier; the tests define it.
    declaration = b"func.func private @moe_rt_barrier(!llvm.ptr)"
    lines = [line for line in code.split(b"\n") if b"@moe_rt_barrier(" not in line or b"call" in line]
    assert declaration not in b"\n".join(lines)
    code = b"\n".join(lines).replace(b"func.call @moe_rt_barrier(", b"llvm.call @moe_rt_barrier(")
    code = code.replace(b" call @moe_rt_barrier(", b" llvm.call @moe_rt_barrier(")
    end = code.rindex(b"}")
    # As the codegen pipeline has it: only AVX512-BF16 rounds to bf16 itself.
    expand = [f"--moe-cpu-widen-halves=features={FEATURES[isa]}"] + ([] if isa in ("avx512bf16", "amx") else ["--arith-expand=include-bf16"])
    code = tool(["moe-opt"] + expand + LOWERING, code[:end] + BARRIER.encode() + b"}\n")
    code = tool(["mlir-translate", "--mlir-to-llvmir"], code)
    code = tool(["opt", "-O3", "-mtriple=x86_64-linux-gnu"], code)
    tool(["llc", "-O3", "-relocation-model=pic", "-filetype=obj", "-o", base + ".o"], code)
    tool(["ld.lld", "-shared", "--no-allow-shlib-undefined", base + ".o", "-l:libm.so.6", "-L/lib/x86_64-linux-gnu", "-L/lib64",
          "-o", base + ".so"], b"")
    return ctypes.CDLL(base + ".so")


libc = ctypes.CDLL(None, use_errno=True)
PAGE = mmap.PAGESIZE


class Buffer:
    """A dense array whose last byte is followed by a page without access. `kind`: 'f', 'i', 'q' or 'H' (bits of bf16) of struct."""

    def __init__(self, kind, shape, values=None, strides=None):
        self.kind, self.shape = kind, list(shape)
        dense = [1] * len(shape)
        for dim in range(len(shape) - 2, -1, -1):
            dense[dim] = dense[dim + 1] * shape[dim + 1]
        self.strides = list(strides) if strides else dense
        count = 0 if 0 in shape else sum((size - 1) * step for size, step in zip(shape, self.strides)) + 1
        self.count, self.bytes = count, count * struct.calcsize(kind)
        pages = (self.bytes + PAGE - 1) // PAGE * PAGE + PAGE
        self.memory = mmap.mmap(-1, pages)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        if libc.mprotect(ctypes.c_void_p(start + pages - PAGE), PAGE, 0):
            raise OSError("mprotect failed")
        self.offset = pages - PAGE - self.bytes
        self.address = start + self.offset
        if values is not None:
            self.write(values)

    def write(self, values):
        values = list(values)
        assert len(values) == self.count, (len(values), self.count)
        struct.pack_into(f"={self.count}{self.kind}", self.memory, self.offset, *values)

    def read(self):
        return list(struct.unpack_from(f"={self.count}{self.kind}", self.memory, self.offset))

    def raw(self):
        return self.memory[self.offset:self.offset + self.bytes]

    def descriptor(self):
        """The memref descriptor: two pointers, offset, sizes, strides."""
        fields = [self.address, self.address, 0] + self.shape + self.strides
        return (ctypes.c_int64 * len(fields))(*fields)


def call(library, name, buffers, threads=1):
    """Runs the function on all threads; buffers in the order of its memrefs."""
    descriptors = [buffer.descriptor() for buffer in buffers]
    barrier = (ctypes.c_int32 * 3)(0, 0, threads)
    function = getattr(library, f"_mlir_ciface_{name}")
    function.restype = None

    def run(thread):
        state = (ctypes.c_int64 * 4)(thread, threads, ctypes.addressof(barrier), 0)
        function(*[ctypes.byref(d) for d in descriptors], ctypes.byref(state))

    workers = [threading.Thread(target=run, args=(thread,)) for thread in range(1, threads)]
    for worker in workers:
        worker.start()
    run(0)
    for worker in workers:
        worker.join()


def memref(*sizes, strided=False):
    """A memref type; the last item is the element type, None a dynamic size. `strided`: row distances are dynamic."""
    *dims, element = sizes
    text = "".join(f"{'?' if size is None else size}x" for size in dims) + element
    if strided:
        text += ", strided<[" + "?, " * (len(dims) - 1) + "1]>"
    return f"memref<{text}>"
