"""What the machine does at best, through machine.c, and how busy it is."""

import ctypes
import os
import pathlib
import platform
import subprocess

INSTRUCTIONS = {"f32": "vfmadd", "bf16": "vdpbf16ps", "int8": "vpdpbusd"}


class Machine:
    def __init__(self, folder, threads):
        library = os.path.join(folder, "machine.so")
        source = pathlib.Path(__file__).parent / "machine.c"
        subprocess.run(["clang-22", "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", library, "-lpthread"], check=True)
        self._library, self._threads = ctypes.CDLL(library), threads
        self._library.measure.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]

    def measure(self):
        """{"bandwidth": bytes per second; "f32", "bf16", "int8": operations per second, 0 where there is no such instruction}."""
        results = (ctypes.c_double * 4)()
        if self._library.measure(self._threads, results):
            raise MemoryError("no memory for the buffer that bandwidth is measured with")
        return dict(zip(("bandwidth", "f32", "bf16", "int8"), results))


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
