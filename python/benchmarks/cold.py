"""The first call of a freshly opened artifact, whose weights are in the page cache but mapped by nobody, against the tenth with the same rows."""

import mmap
import os
import resource
import statistics
import time

import numpy as np

from sides import OURS, Side

CALLS = 10


def cost_of_fault(path, most=256 << 20):
    """Seconds of processor time that a page fault takes when a file in the page cache is read page by page through a new mapping."""
    def touch(view):
        before = resource.getrusage(resource.RUSAGE_SELF)
        view[::mmap.PAGESIZE].max()
        after = resource.getrusage(resource.RUSAGE_SELF)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt
    size = min(os.path.getsize(path), most)
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
    view = np.frombuffer(mapped, np.uint8)
    first, faults = touch(view)
    again, _ = touch(view)
    del view
    mapped.close()
    return max(first - again, 0.0) / max(faults, 1)


def first_against_tenth(layer, tokens, threads, activations, rounds):
    """Medians of `rounds` fresh processes: {"first", "tenth": seconds by the clock, "first_processor", "tenth_processor": of all threads, "faults": of the
    first call, "fault": seconds of one}."""
    weights = layer.folder / f"artifact-{activations}" / "model.weights"
    rows = []
    for _ in range(rounds):
        side = Side(OURS, ",".join(map(str, layer.sizes)), layer.format, layer.folder, threads, activations)
        fault = cost_of_fault(weights)
        # The tenth call has the rows of the first, so it needs no other page; the eight between have put other weights into the caches.
        calls = side.calls(tokens=tokens, load="random", count=CALLS - 1, pool=CALLS - 1, cold=True)
        side.close()
        rows.append({"first": calls[0]["seconds"], "tenth": calls[-1]["seconds"], "first_processor": calls[0]["processor"], "tenth_processor": calls[-1]["processor"],
                     "faults": calls[0]["faults"], "fault": fault})
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def text(cold):
    explained = cold["faults"] * cold["fault"]
    more = cold["first_processor"] - cold["tenth_processor"]
    return (f"; cold: first call {1e3 * cold['first']:.3g} ms, tenth {1e3 * cold['tenth']:.3g} ms; by processor time {1e3 * more:.3g} ms more, "
            f"{cold['faults']:.0f} faults of {1e6 * cold['fault']:.2f} µs explain {1e3 * explained:.3g} ms")
