"""Run under mpiexec: how much of model.weights this rank has in its address space, and how much it has read after a run. usage: check_mapped.py ARTIFACT RANKS

A rank may have its share of the experts, a page more at the ends of each run of neighbours, and what is no expert. Pages are in memory when they were
touched, or lie near one that was (the kernel maps some around).
"""

import re
import sys

import numpy as np

import moe_opt


def mapped():
    """Bytes of the file that are mapped, and of those that are in memory."""
    size = resident = 0
    inside = False
    for line in open("/proc/self/smaps"):
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.rstrip().endswith("model.weights")
        elif inside and line.startswith("Size:"):
            size += int(line.split()[1]) * 1024
        elif inside and line.startswith("Rss:"):
            resident += int(line.split()[1]) * 1024
    return size, resident


def main():
    model = moe_opt.load(sys.argv[1], threads=1)
    ranks = int(sys.argv[2])
    whole = model.report["weights"]["bytes"]
    experts = next(layer["experts"] for layer in model.report["moe_layers"])
    random = np.random.default_rng(1)
    inputs = {info.name: random.standard_normal([40 if isinstance(d, str) else d for d in info.dims]).astype(np.float32)
              for info in model.inputs}
    model.run(inputs)
    size, resident = mapped()
    allowed = whole / ranks + experts * 2 * 2 * 4096
    print(f"mapped {size} of {whole} bytes, allowed {int(allowed)}, in memory {resident}", flush=True)
    if size > allowed or resident > size or resident == 0:
        sys.exit(f"expected at most {int(allowed)} bytes of {whole} to be mapped on one of {ranks} ranks, found {size}, of which {resident} in memory")


if __name__ == "__main__":
    main()
