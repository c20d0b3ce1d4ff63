"""Times whole decoders, compiled by moe-opt, against llama.cpp with the same weights in the same bits, on one machine in one run.

    tools/dev/bench-decoders --models mixtral,qwen3-moe --formats int4 --threads 1,2

A decoder has a few layers of a known model's width and random weights (decoders.py): embedding, attention with a cache, experts, head. Three figures: a prompt
of 512 tokens, and one more token after 128 and after 2048. Both sides run in processes of their own and take turns; a turn is one call that is not timed, then
some that are, each with tokens of its own. Before each turn what the machine reads at best is measured.

Reported: the median of all calls by the clock with the middle half, tokens per second, processor time per thread, the ratio to llama.cpp by both, for single
tokens the share of the bandwidth (bytes of weights and cache that a token reads / time), and how far the logits of both sides are apart.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

import numpy as np

import page
from decoders import BITS, MODELS, Compiled, Decoder
from machine import Machine, describe
from moe_layer import summary
from sides import OURS, Absent, Side, measure, serve

PEER = "llama.cpp"
CALLS = 3  # timed ones in a turn
# name: tokens of a call, and those before them
PHASES = {"prefill 512": (512, 0), "decode at 128": (1, 128), "decode at 2048": (1, 2048)}


def start(name, decoder, folder, threads):
    if name == OURS:
        return Compiled(decoder, folder, threads)
    import ggml_decoder
    return ggml_decoder.Llama(decoder, folder, threads)


def answer(decoder, filled, run, request):
    """The figures of request["count"] calls after one that is not timed."""
    count, past = PHASES[request["phase"]]
    if past and filled != [past]:
        run(decoder.tokens(past), 0)
        filled[:] = [past]
    elif not past:
        filled.clear()
    calls = []
    for index in range(request["count"] + 1):
        tokens = np.random.default_rng([request["turn"], index]).integers(0, decoder.sizes.vocabulary, count)
        logits, figures = measure(run, tokens, past)
        if index:
            calls.append(figures)
        elif "keep" in request:
            np.save(request["keep"], logits)
    return {"calls": calls}


def bytes_per_token(decoder, total):
    """Bytes that the last of `total` tokens reads: of the matrices, and of our caches, which are f32."""
    s = decoder.sizes
    elements, cached = s.vocabulary * s.hidden, 0
    for layer in range(decoder.layers):
        elements += 2 * s.hidden * s.heads * s.head + 2 * s.hidden * s.key_heads * s.head
        elements += 3 * s.hidden * (s.chosen * s.intermediate + s.shared if decoder.has_experts(layer) else s.dense[layer])
        cached += 2 * s.key_heads * s.head * min(total, decoder.window(layer) or total)
    return elements * (BITS[decoder.format] / 8 + 2 / 32) + 4 * cached


def run_phase(decoder, sides, machine, phase, options, scratch, threads):
    kept = {name: os.path.join(scratch, name + ".npy") for name in sides}
    turns = {name: [] for name in sides}
    for number in range(-1, options.rounds):  # the turn before the first compares results and fills caches
        names = list(sides)
        for name in names[number % len(names):] + names[:number % len(names)]:
            time.sleep(0.01)  # Threads of the side before are done spinning.
            best = machine.measure()
            extra = {"keep": kept[name]} if number < 0 else {}
            calls = sides[name].calls(phase=phase, count=CALLS if number >= 0 else 0, turn=number + 1, **extra)
            if number >= 0:
                turns[name].append({"best": best, "calls": calls, "roofline": bytes_per_token(decoder, sum(PHASES[phase])) / best["bandwidth"]})
    logits = [np.load(kept[name]) for name in sides]
    results = {name: summary(turns[name], threads) for name in sides}
    return {"model": decoder.name, "layers": decoder.layers, "format": decoder.format, "threads": threads, "phase": phase, "sides": results,
            "bandwidth": float(np.median([turn["best"]["bandwidth"] for name in turns for turn in turns[name]])),
            "apart": float(np.abs(logits[0] - logits[-1]).max() / np.abs(logits[0]).max()), "load_average": os.getloadavg()[0]}


def line(cell):
    tokens = PHASES[cell["phase"]][0]
    rates = ", ".join(f"{name} {tokens / side['seconds']:.4g} tokens/s" for name, side in cell["sides"].items())
    return f"{cell['model']} {cell['format']} {cell['threads']} threads, {cell['phase']}: {rates}; {ratio(cell, 'seconds'):.2f}x, by processor time {ratio(cell, 'processor_per_thread'):.2f}x"


def ratio(cell, figure):
    return cell["sides"][PEER][figure] / cell["sides"][OURS][figure] if PEER in cell["sides"] else float("nan")


def write_page(results, path):
    machine = results["machine"]
    lines = ["# Speed of whole decoders", "", "Written by `tools/dev/bench-decoders`; `python/benchmarks/whole_decoder.py --help` says how times are taken. Random weights, a few layers",
             "of a known model's width, int4 and int8 in blocks of 32 with a scale of f16; both sides compute with rows of int8. Ratios are llama.cpp's time divided by ours by",
             "the clock, in brackets by processor time; 🔴 where llama.cpp is faster by the clock. *Share* is of the bandwidth by the clock: bytes of weights and of our cache (f32) that a token reads. *Apart* is the largest",
             "difference between the logits of both sides, relative to the largest logit.", "",
             f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}. It is virtual and was shared with other work: the last column is the",
             "load average, of which the run itself is about its threads.", "",
             "| model | layers | weights | threads | phase | moe-opt (middle half) | tokens/s | llama.cpp tokens/s | ratio | share | apart | load |", "|" + "---|" * 12]
    for cell in results["cells"]:
        ours, peer, tokens = cell["sides"][OURS], cell["sides"].get(PEER), PHASES[cell["phase"]][0]
        low, high = ours["middle_half"]
        by_clock = ratio(cell, "seconds")
        lines.append("| " + " | ".join([
            cell["model"], str(cell["layers"]), cell["format"], str(cell["threads"]), cell["phase"], f"{page.time_text(ours['seconds'])} ({page.time_text(low)} to {page.time_text(high)})",
            f"{tokens / ours['seconds']:.4g}", f"{tokens / peer['seconds']:.4g}" if peer else "", (page.LOST + " ") * (by_clock < 1) + f"{by_clock:.2f} ({ratio(cell, 'processor_per_thread'):.2f})",
            f"{100 * ours['share']:.0f} %" if tokens == 1 else "", f"{cell['apart']:.1e}", f"{cell['load_average']:.1f}"]) + " |")
    path.write_text("\n".join(lines) + "\n")


def run(options, results):
    for name in options.models.split(","):
        for format in options.formats.split(","):
            for threads in map(int, options.threads.split(",")):
                with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
                    decoder, machine = Decoder(name, options.layers, format), Machine(folder, threads)
                    sides = {side: Side(side, name, options.layers, format, folder, threads, program="whole_decoder.py") for side in (OURS, PEER)}
                    for side in list(sides.values()):
                        if side.absent:
                            print(f"  {side.name} left out: {side.absent}", flush=True)
                            sides.pop(side.name).close()
                    for phase in PHASES if OURS in sides else ():
                        cell = run_phase(decoder, sides, machine, phase, options, folder, threads)
                        results["cells"] = [old for old in results["cells"] if any(old[key] != cell[key] for key in ("model", "format", "threads", "phase"))] + [cell]
                        print(line(cell), flush=True)
                        if options.json:
                            pathlib.Path(options.json).write_text(json.dumps(results, indent=1))
                    for side in sides.values():
                        side.close()


def main():
    if len(sys.argv) > 1 and sys.argv[1] in (OURS, PEER):
        name, model, layers, format, folder, threads = sys.argv[1:]
        decoder, filled = Decoder(model, int(layers), format), []
        return serve(lambda: start(name, decoder, folder, int(threads)), lambda run, request: answer(decoder, filled, run, request))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(MODELS), help="default: %(default)s")
    parser.add_argument("--formats", default="int4", help="of " + ", ".join(BITS))
    parser.add_argument("--layers", type=int, default=2, help="layers with experts")
    parser.add_argument("--threads", default=str(len(os.sched_getaffinity(0))), help="numbers, joined by commas")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scratch", help="folder for weights (several times their size)")
    parser.add_argument("--json", help="file for all figures; cells in it that are not run again stay")
    parser.add_argument("--page", help="Markdown page to write from the figures")
    options = parser.parse_args()
    results = {"cells": []}
    if options.json and os.path.exists(options.json):
        results = json.loads(pathlib.Path(options.json).read_text())
    results["machine"] = describe()
    if options.models:
        run(options, results)
    if options.page:
        write_page(results, pathlib.Path(options.page))


if __name__ == "__main__":
    sys.exit(main())
