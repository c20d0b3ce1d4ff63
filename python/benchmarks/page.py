"""The page of a benchmark's figures: tables in Markdown and a drawing of the ratios to each peer."""

import math
import statistics

from machine import FIGURES

OURS = "moe-opt"
LOST = "🔴"


def _key(cell):
    return (tuple(cell["layer"]), cell["format"], cell["tokens"], cell["threads"], cell["load"])


def keep_latest(results):
    """Of cells that were run again, the last one."""
    results["cells"] = sorted({_key(cell): cell for cell in results["cells"]}.values(),
                              key=lambda cell: (cell["layer"], cell["threads"], ("f32", "bf16", "int8", "int4").index(cell["format"]), cell["tokens"]))


def time_text(seconds):
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.0f} µs"


def _peer(cell, name):
    if name not in cell["ratio"]:
        return ""
    ratio = cell["ratio"][name]
    processor = cell["sides"][name]["processor_per_thread"] / max(cell["sides"][OURS]["processor_per_thread"], 1e-9)
    return f"{LOST} {ratio:.2f} ({processor:.2f})" if ratio < 1 else f"{ratio:.2f} ({processor:.2f})"


def _row(cell, names):
    ours = cell["sides"][OURS]
    low, high = ours["middle_half"]
    share, (share_low, share_high) = ours["share"], ours["share_middle_half"]
    errors = [cell["error"][name] for name in names if name in cell["error"]]
    error = f"{cell['error'][OURS]:.1e}" + (f" ({min(errors):.1e})" if errors else "")
    return [cell["format"], str(cell["tokens"]), f"{time_text(ours['seconds'])} ({time_text(low)} to {time_text(high)})", time_text(ours["processor_per_thread"]),
            f"{100 * share:.0f} % ({100 * share_low:.0f} to {100 * share_high:.0f})", f"{100 * ours['processor_share']:.0f} %", *[_peer(cell, name) for name in names], error,
            f"{cell['load_average']:.1f}"]


def _table(header, rows):
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header), *("| " + " | ".join(row) + " |" for row in rows), ""]


def _best_peer(cell):
    return min(cell["ratio"].values()) if cell["ratio"] else None


def _intro(results, names):
    machine, cells = results["machine"], results["cells"]
    least = [ratio for ratio in map(_best_peer, cells) if ratio]
    lost = sum(ratio < 1 for ratio in least)
    spread = lambda values: f"{min(values):.0f} to {max(values):.0f}"
    by_threads = []
    for threads in sorted({cell["threads"] for cell in cells}):
        own = [cell["best"] for cell in cells if cell["threads"] == threads]
        rates = (f"{name} {spread([best[name] / 1e9 for best in own])}" for name in FIGURES[1:] if own[0][name])
        by_threads.append(f"- {threads} thread{'s' * (threads > 1)}: {spread([best['bandwidth'] / 1e9 for best in own])} GB/s read; Gop/s: {', '.join(rates)}")
    lines = ["# Speed of single MoE layers", "",
             "Written by `tools/dev/bench-layers`; `python/benchmarks/moe_layer.py --help` says how times are taken. A cell is one layer of E experts, K per token,",
             "hidden H and intermediate I at T tokens, with routing and combine. `share` is of the roofline: over active experts the greater of weight bytes / bandwidth",
             "and operations / peak of the instruction used; first by the clock, then by processor time of all threads, which other processes do not add to. Columns",
             "of peers are their time divided by ours by the clock, in brackets that of processor time; " + LOST + " where a peer is faster by the clock. The error is the",
             "largest difference from float64 with the same weights, relative to the largest result (in brackets: the best peer's), results in the layer's type.", "",
             f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}. It is virtual and was shared with other work: the load",
             "average at the end of a cell is its last column (the run itself is about 1 to 2 of it). Where it is above that, times by the clock say how the cores were shared, too;",
             "and a share above 100 % says that others read memory while bandwidth was measured, more than during the calls.",
             "Measured in between, medians of the cells:", "", *by_threads, ""]
    if least:
        lines += [f"Of {len(least)} cells {lost} {'is' if lost == 1 else 'are'} lost to a peer. Geometric mean of the ratio to the best peer: "
                  f"{math.exp(statistics.fmean(map(math.log, least))):.2f}.", ""]
    missing = {}
    for cell in cells:
        for name, why in cell["absent"].items():
            missing.setdefault((name, why), set()).add(cell["format"])
    if missing:
        lines += ["Absent:", "", *(f"- {name}, {', '.join(sorted(formats))}: {why}" for (name, why), formats in sorted(missing.items(), key=str)), ""]
    return lines


def write(results, path):
    """The page at `path`, and the drawing beside it with the ending .svg."""
    cells = results["cells"]
    names = sorted({name for cell in cells for name in cell["ratio"]})
    lines = _intro(results, names) + [f"![Ratios to peers]({path.with_suffix('.svg').name})", ""]
    for group in sorted({(tuple(cell["layer"]), cell["threads"], cell["load"]) for cell in cells}):
        own = [cell for cell in cells if (tuple(cell["layer"]), cell["threads"], cell["load"]) == group]
        layer, threads, load = group
        lines += [f"## E, K, H, I = {', '.join(map(str, layer))}: {threads} thread{'s' * (threads > 1)}, {load} load", ""]
        present = [name for name in names if any(name in cell["ratio"] for cell in own)]
        lines += _table(["weights", "T", "moe-opt (middle half)", "processor time / thread", "share", "by processor time", *present, "error", "load"], [_row(cell, present) for cell in own])
    path.write_text("\n".join(lines).rstrip() + "\n")
    path.with_suffix(".svg").write_text(_drawing(cells, names))


def _drawing(cells, names):
    """A line for each cell: a dot for each peer on a logarithmic axis of ratios, red left of 1."""
    left, width, step, top = 250, 560, 15, 46
    low, high = 0.25, 64
    x = lambda ratio: left + width * math.log(min(max(ratio, low), high) / low) / math.log(high / low)
    marks = ["#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#17becf"]
    height = top + step * len(cells) + 12
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 30}" height="{height}" font-family="sans-serif" font-size="11">',
             '<rect width="100%" height="100%" fill="white"/>']
    for number, name in enumerate(names):
        place = left + 105 * number
        parts.append(f'<circle cx="{place}" cy="12" r="4" fill="{marks[number % len(marks)]}"/><text x="{place + 8}" y="16">{name}</text>')
    ratio = low
    while ratio <= high:
        parts.append(f'<line x1="{x(ratio):.0f}" x2="{x(ratio):.0f}" y1="{top - 8}" y2="{height - 8}" stroke="{"#d00" if ratio == 1 else "#ddd"}"/>'
                     f'<text x="{x(ratio):.0f}" y="{top - 12}" text-anchor="middle">{ratio:g}×</text>')
        ratio *= 2
    for number, cell in enumerate(cells):
        y = top + step * number + 6
        label = f"{'×'.join(map(str, cell['layer']))} {cell['format']} T={cell['tokens']}, {cell['threads']} thr."
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{label}</text>')
        for name, ratio in cell["ratio"].items():
            ring = ' stroke="#d00" stroke-width="2"' if ratio < 1 else ""
            parts.append(f'<circle cx="{x(ratio):.1f}" cy="{y}" r="4" fill="{marks[names.index(name) % len(marks)]}"{ring}/>')
    return "\n".join(parts + ["</svg>"]) + "\n"
