"""What the machine does at best, through machine.c, and how busy it is."""

import ctypes
import os
import pathlib
import platform
import subprocess

# The figures of machine.c, in its order, and what multiplies numbers of a kind: the first one that the machine has.
FIGURES = ("bandwidth", "vfmadd", "vdpbf16ps", "vpdpbusd", "tdpbf16ps", "tdpbsud")
INSTRUCTIONS = {"f32": ("vfmadd",), "bf16": ("tdpbf16ps", "vdpbf16ps", "vfmadd"), "int8": ("tdpbsud", "vpdpbusd", "vfmadd")}


def instruction(kind, best):
    """The instruction that the peak for `kind` (f32, bf16, int8) is of; `best` as measured."""
    return next(name for name in INSTRUCTIONS[kind] if best[name])


class Machine:
    def __init__(self, folder, threads):
        library = os.path.join(folder, "machine.so")
        source = pathlib.Path(__file__).parent / "machine.c"
        subprocess.run(["clang-22", "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", library, "-lpthread"], check=True)
        self._library, self._threads = ctypes.CDLL(library), threads
        self._library.measure.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]

    def measure(self):
        """{"bandwidth": bytes per second; each instruction of INSTRUCTIONS: operations per second, 0 where the machine has it not}."""
        results = (ctypes.c_double * len(FIGURES))()
        if self._library.measure(self._threads, results):
            raise MemoryError("no memory for the buffer that bandwidth is measured with")
        return dict(zip(FIGURES, results))


def describe():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    family = {key: next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith(key)), "?") for key in ("cpu family", "model\t")}
    memory = int(next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal"))) / 2**20
    return {"processor": f"{model}, family {family['cpu family']}, model {family['model' + chr(9)]}", "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(memory, 1), "kernel": platform.release()}


def load():
    """Ticks of all processors as {"busy", "stolen", "all"}, to take differences of."""
    ticks = [int(word) for word in open("/proc/stat").readline().split()[1:9]]
    return {"busy": sum(ticks) - ticks[3] - ticks[4], "stolen": ticks[7], "all": sum(ticks)}
