"""Times one MoE layer, compiled by moe-opt, against its peers, on one machine in one run.

    tools/dev/bench-layers --cells 64,8,2048,1024 --tokens 1,16,512 --formats f32,int4 --threads 1,2

Each cell is a layer (E experts, K per token, H hidden, I intermediate) at T tokens with weights of one format. Every side gets the same weights and
rows, and runs in a process of its own. Rounds alternate between the sides. A side's turn is one call that is not timed, then some that are, each with
rows of its own: other experts are hit, and one token at a time goes through all of them, so that no weights stay in a cache. Before each turn what
the machine reads and multiplies at best is measured, by processor time, since that moves on shared machines.

Reported: the median of all calls by the clock with the middle half, processor time per thread, the ratio to each peer, the share of the roofline (over
active experts: max of weight bytes / bandwidth and flops / peak of the instruction that the format is computed with), and each side's largest error
against float64, relative to the largest result. `--json` writes all of it, `--page` makes a page of that; without cells to run, of an old one.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np

import cold
import page
from layers import FORMATS, INTEGERS, LOADS, Layer
from machine import FIGURES, Machine, describe, instruction, load
from sides import OURS, SIDES, Absent, Side

CELLS = "8,2,4096,14336 64,8,2048,1024 128,8,2048,768 32,4,2880,2880"


def multiplied_as(format, activations):
    return format if format == "bf16" else "int8" if format in INTEGERS and activations == "int8" else "f32"


def activations_of(format, options):
    return options.activations if format in INTEGERS else "bf16" if format == "bf16" else "auto"


def roofline(layer, pool, best, activations):
    """Seconds at best for each pair of the pool, on average."""
    peak = best[instruction(multiplied_as(layer.format, activations), best)]
    total = 0
    for _, logits in pool:
        _, rows = np.unique(layer.route(logits.astype(np.float32))[0], return_counts=True)
        total += sum(max(layer.bytes_per_expert() / best["bandwidth"], 6 * n * layer.hidden * layer.intermediate / peak) for n in rows)
    return total / len(pool)


def quartiles(values):
    return statistics.quantiles(values, n=4) if len(values) > 1 else values * 3


def summary(turns, threads):
    """Of one side's turns, each {"best", "calls", "roofline"}."""
    calls = [(call, turn["roofline"]) for turn in turns for call in turn["calls"]]
    first, median, third = quartiles([call["seconds"] for call, _ in calls])
    # The kernel counts other threads' time in ticks: of single short calls it says little.
    processor = [statistics.fmean(call["processor"] for call in turn["calls"]) / threads for turn in turns]
    return {"seconds": median, "middle_half": [first, third], "processor_per_thread": statistics.median(processor),
            "share": statistics.median(roof / call["seconds"] for call, roof in calls),
            "processor_share": statistics.median(turn["roofline"] / max(time, 1e-9) for turn, time in zip(turns, processor)),
            "share_middle_half": quartiles([roof / call["seconds"] for call, roof in calls])[::2],
            "faults": statistics.median(call["faults"] for call, _ in calls), "switches": sum(call["switches"] for call, _ in calls), "calls": len(calls)}


def alternate(layer, sides, machine, tokens, options):
    """All rounds of a cell; {side: turns}. A side that fails leaves `sides`."""
    count = {1: 8, 4: 4, 16: 2}.get(tokens, 1)
    # As many different calls as take one token through all experts at least twice.
    pool = max(2 * (count + 1), 2 * layer.experts // layer.k if tokens == 1 else 0)
    rows = layer.inputs(tokens, min(pool, 16), options.load)
    turns = {name: [] for name in sides}
    for number in range(options.rounds):
        names = list(sides)
        for name in names[number % len(names):] + names[:number % len(names)]:
            time.sleep(0.01)  # Threads of the side before are done spinning.
            best = machine.measure()
            try:
                calls = sides[name].calls(tokens=tokens, load=options.load, count=count, pool=pool)
            except Absent as why:
                print(f"  {name} left out: {why}", flush=True)
                sides[name].absent = str(why)
                del sides[name]
                continue
            turns[name].append({"best": best, "calls": calls, "roofline": roofline(layer, rows, best, options.activations)})
    return {name: turns[name] for name in turns if turns[name]}


def compare_loads(layer, side, tokens, options):
    """Our time with the load of the cell over that with `options.against`, by the clock and by processor time: turns alternate, medians are compared."""
    count, times = {1: 8, 4: 4, 16: 2}.get(tokens, 1), {options.load: [], options.against: []}
    for number in range(options.rounds):
        for load in list(times)[::-1 if number % 2 else 1]:
            times[load] += side.calls(tokens=tokens, load=load, count=count, pool=2 * (count + 1))
    ratio = lambda figure: statistics.median(call[figure] for call in times[options.load]) / statistics.median(call[figure] for call in times[options.against])
    # With equal rows for each expert the one load may still leave experts out: what is read is not the same then.
    experts = [len(set(layer.route(layer.inputs(tokens, 1, load)[0][1])[0].ravel())) for load in times]
    return {"load": options.against, "seconds": ratio("seconds"), "processor": ratio("processor"), "experts": experts}


def errors(layer, sides, tokens, options, scratch):
    x, logits = layer.inputs(tokens, 2, options.load)[0]
    want = layer.reference(x, logits)
    results = {}
    for name in list(sides):
        kept = os.path.join(scratch, "kept.npy")
        try:
            # A pool of two: the first call of a fresh one has the rows of `x`.
            sides[name].calls(tokens=tokens, load=options.load, count=1, pool=2, keep=kept)
        except Absent as why:
            print(f"  {name} left out: {why}", flush=True)
            sides[name].absent = str(why)
            del sides[name]
            continue
        # In the type that the layer gives: a side that answers in f32 where it was asked for bf16 would spare itself the last rounding.
        got = np.load(kept).astype(x.dtype).astype(np.float64)
        results[name] = float(np.abs(got - want).max() / np.abs(want).max())
        if not results[name] < 0.2:
            raise SystemExit(f"{name} is wrong: an error of {results[name]:.2g} of the largest result")
    return results


def run_cell(layer, groups, machine, tokens, threads, options, scratch, absent):
    busy, turns, error = load(), {}, {}
    for group in groups:
        sides = {}
        for name in group:
            if (layer.format, name) in absent:
                continue
            side = options.running.get(name) or Side(name, ",".join(map(str, layer.sizes)), layer.format, layer.folder, threads, activations_of(layer.format, options))
            if side.absent:
                print(f"  {name} left out: {side.absent}", flush=True)
                absent[layer.format, name] = side.absent
                side.close()
                continue
            sides[name] = options.running[name] = side
        error.update(errors(layer, sides, tokens, options, scratch))
        for name, more in alternate(layer, sides, machine, tokens, options).items():
            turns.setdefault(name, []).extend(more)
        for name in group:
            side = options.running.get(name)
            if side and (side.absent or len(groups) > 1 and name != OURS):
                if side.absent:
                    absent[layer.format, name] = side.absent
                options.running.pop(name).close()
    against = compare_loads(layer, options.running[OURS], tokens, options) if options.against else None
    first = cold.first_against_tenth(layer, tokens, threads, activations_of(layer.format, options), options.rounds) if options.cold else None
    after = load()
    ticks = max(after["all"] - busy["all"], 1)
    sides = {name: summary(turns[name], threads) for name in turns}
    best = {key: statistics.median(turn["best"][key] for name in turns for turn in turns[name]) for key in FIGURES}
    return {"layer": list(layer.sizes), "format": layer.format, "tokens": tokens, "threads": threads, "load": options.load, "rounds": options.rounds,
            "activations": activations_of(layer.format, options), "instruction": instruction(multiplied_as(layer.format, options.activations), best), "sides": sides, "error": error,
            "ratio": {name: sides[name]["seconds"] / sides[OURS]["seconds"] for name in sides if name != OURS}, "best": best,
            "absent": {name: why for (format, name), why in absent.items() if format == layer.format},
            "against": against, "cold": first, "machine_busy": (after["busy"] - busy["busy"]) / ticks, "machine_stolen": (after["stolen"] - busy["stolen"]) / ticks,
            "load_average": os.getloadavg()[0]}


def line(cell):
    ours = cell["sides"][OURS]
    peers = ", ".join(f"{name} {ratio:.2f}x" for name, ratio in cell["ratio"].items())
    return (f"{','.join(map(str, cell['layer']))} {cell['format']} T={cell['tokens']} {cell['threads']} threads: {1e3 * ours['seconds']:.3g} ms, "
            f"{100 * ours['share']:.0f} % of the roofline ({100 * ours['share_middle_half'][0]:.0f} to {100 * ours['share_middle_half'][1]:.0f}), "
            f"{100 * ours['processor_share']:.0f} % by processor time; {peers}; "
            "errors " + ", ".join(f"{error:.1e}" for error in cell["error"].values()) + _against(cell) + (cold.text(cell["cold"]) if cell["cold"] else ""))


def _against(cell):
    other = cell["against"]
    return other and (f"; load {cell['load']} takes {other['seconds']:.3f} of {other['load']} by the clock, {other['processor']:.3f} by processor time "
                      f"({other['experts'][0]} and {other['experts'][1]} experts, load average {cell['load_average']:.1f})") or ""


def fits(layer, sides):
    available = next(int(text.split()[1]) * 1024 for text in open("/proc/meminfo") if text.startswith("MemAvailable"))
    return layer.bytes_per_expert() * layer.experts * (2 + 1.5 * sides) < available


def run(options, results):
    wanted = [OURS] + [name for name in SIDES if name != OURS and (not options.sides or name in options.sides.split(","))]
    numbers = lambda text: [int(word) for word in text.split(",")]
    for text, format in itertools.product(options.cells, options.formats.split(",")):
        with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
            layer = Layer(numbers(text), format, folder)
            groups = [wanted] if fits(layer, len(wanted)) else [[OURS, name] for name in wanted[1:]] or [wanted]
            for threads in numbers(options.threads):
                machine, absent, options.running = Machine(folder, threads), {}, {}
                for tokens in numbers(options.tokens):
                    cell = run_cell(layer, groups, machine, tokens, threads, options, folder, absent)
                    results["cells"].append(cell)
                    print(line(cell), flush=True)
                    if options.json:
                        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))
                for side in options.running.values():
                    side.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="*", default=CELLS.split(), help="layers as E,K,H,I; default: %(default)s; none: only the page")
    parser.add_argument("--tokens", default="1,4,16,64,512")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--threads", default=str(len(os.sched_getaffinity(0))), help="numbers, joined by commas")
    parser.add_argument("--sides", help="peers, joined by commas; default: all of " + ", ".join(name for name in SIDES if name != OURS) + "; 'none'")
    parser.add_argument("--activations", default="int8", help="as moe-compile's, for int8 and int4 weights; floats are multiplied as they are stored")
    parser.add_argument("--load", default="random", choices=LOADS, help="how tokens spread over experts")
    parser.add_argument("--against", choices=LOADS, help="time us with this load, too, in turns, and report the ratio: zipf against balanced is the cost of skew")
    parser.add_argument("--cold", action="store_true", help="time the first call of a fresh process against the tenth with the same rows, and the page faults between")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--scratch", help="folder for weights (several times their size)")
    parser.add_argument("--json", help="file for all figures; cells in it that are not run again stay")
    parser.add_argument("--page", help="Markdown page to write from the figures, with a drawing beside it")
    options = parser.parse_args()

    results = {"cells": []}
    if options.json and os.path.exists(options.json):
        results = json.loads(pathlib.Path(options.json).read_text())
    if options.cells:
        results["machine"] = describe()
        run(options, results)
        page.keep_latest(results)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))
    if options.page:
        page.write(results, pathlib.Path(options.page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
