"""The sheet of CUDA kernels for tools/dev/cuda-table: what ptxas says of each, and what a H200 could make of the products of one layer, by calculation."""

import importlib.machinery
import importlib.util
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# H200 SXM: multiprocessors, bytes of shared memory of one (a block takes 1 KiB besides its own), dense bf16 and HBM as the vendor gives them.
SMS, SHARED, FLOPS, BANDWIDTH = 132, 233472, 989e12, 4.8e12
# What is assumed, not measured: mma.sync reaches this part of the peak on Hopper (arXiv 2402.13499), and wgmma this one (large dense products of others: 650 to 750 TFLOP/s);
# HBM this part of what the vendor says, and a load from it takes this long under traffic.
MMA_PART, WGMMA_PART, MEMORY_PART, LATENCY = 0.62, 0.75, 0.875, 700e-9
# Qwen3-30B-A3B: hidden, inner, experts, experts of a token.
HIDDEN, INNER, EXPERTS, CHOSEN = 2048, 768, 128, 8
# Rows, rows of weights and stages of each tile, its warps (of wgmma's the groups of four), and the rows of both kinds that each reads from shared memory.
TILES = {"moe_product_swapped_8x32": (8, 32, 6, 2, 24), "moe_product_swapped_8x64": (8, 64, 5, 2, 40), "moe_product_mma_16x128": (16, 128, 4, 4, 48),
         "moe_product_mma_64x128": (64, 128, 4, 8, 64), "moe_product_mma_128x128": (128, 128, 4, 8, 96),
         "moe_product_wgmma_64x128": (64, 128, 4, 1, 192), "moe_product_wgmma_128x128": (128, 128, 4, 2, 192), "moe_product_wgmma_128x256": (128, 256, 4, 2, 320)}
# Bytes in a second that a multiprocessor gets from the second level of cache and from its shared memory: 64 and 128 a cycle.
CACHE, SHARED_SPEED = 64 * 1.755e9, 128 * 1.755e9

TEXT = """
## Registers, spills, shared memory

ptxas for sm_90a; *blocks* is how many a multiprocessor holds, of what registers, threads and shared memory allow. Sources: a layer of bf16, of f32 and of int4
(groups of 32, zero points), and a decoder with attention. A kernel is emitted for its sizes; one row stands for all of the same name and figures.

| kernel | from | threads | registers | spilled bytes | shared memory, bytes | blocks |
|---|---|---|---|---|---|---|
"""
PRODUCTS = """
## Expected share of the roofline

By calculation, for one layer of Qwen3-30B-A3B in bf16 (hidden 2048, inner 768, 128 experts, 8 of a token) on one H200 (4.8 TB/s, 989 TFLOP/s dense bf16).
Tokens choose experts evenly at random. *Roof* is the greater of bytes over bandwidth and flops over peak. *Expected* divides it by the greatest of four times:
bytes over what the loads in flight can draw (all stages but one of each resident block, 700 ns each, 4.2 TB/s at most), and the flops of whole tiles over 62 % of the
peak, which is what `mma.sync` is said to reach there, or over 75 % for `wgmma`, with the last wave as long as the others; twice 700 ns go before the first stage is there and after the last. Launches,
routing and the sort are not in it. The other two are what a multiprocessor copies at 64 bytes a cycle from the second level of cache, and what goes in and out of its shared memory at 128. The kernel is the best by this calculation; the compiler's own choice is by a finer one (`lib/Codegen/CUDA/ProductCost.cpp`).

| tokens | product | kernel | bytes | flops | roof | expected share |
|---|---|---|---|---|---|---|
"""


def load_sheet(root):
    """tools/dev/cuda-sheet as a module."""
    loader = importlib.machinery.SourceFileLoader("cuda_sheet", str(root / "tools/dev/cuda-sheet"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def output(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def kernels_of(sheet, name, source, work, *flags):
    """Rows of `ptxas -v` with the dynamic shared memory, which is not in PTX but in the table of kernels."""
    ptx = pathlib.Path(work, "kernels.ptx")
    output("moe-compile", source, *flags, "--target=cuda", "--gpu-arch=sm_90a", "--emit=ptx", "-o", ptx, "--quiet")
    host = output("moe-compile", source, *flags, "--target=cuda", "--gpu-arch=sm_90a", "--emit=mlir", "-o", "-", "--quiet")
    dynamic = {kernel: int(shared) for kernel, shared in re.findall(r'name = "(\w+)", shared = (\d+) : i64', host)}
    ptxas = os.environ.get("MOE_PTXAS") or shutil.which("ptxas")
    if not ptxas:
        raise SystemExit("cuda-table needs ptxas")
    report = subprocess.run([ptxas, "-v", "-arch=sm_90a", ptx, "-o", os.devnull], capture_output=True, text=True, check=True).stderr
    for row in sheet.rows_of(report, sheet.threads_of(ptx.read_text()), "sm_90a"):
        shared = row["static shared"] + dynamic.get(row["kernel"], 0)
        blocks = min(row["blocks"], SHARED // (shared + 1024))
        yield {"kernel": re.sub(r"_\d+$", "", row["kernel"]), "from": name, "threads": row["threads"], "registers": row["registers"],
               "spilled": row["spilled"], "shared": shared, "blocks": blocks}


def all_kernels(root, fixtures):
    sheet, rows = load_sheet(root), []
    make = root / "test/Execute/Inputs/make_cuda_layer.py"
    with tempfile.TemporaryDirectory() as work:
        for kind in ("bf16", "f32"):
            folder = pathlib.Path(work, kind)
            output(sys.executable, make, folder, "--type", kind, "--hidden", HIDDEN, "--inner", INNER, "--experts", 4, "--tokens", 1)
            rows += kernels_of(sheet, f"layer of {kind}", folder / "layer.mlir", work, "--compile-from=fuse")
        rows += kernels_of(sheet, "layer of int4", pathlib.Path(fixtures, "contrib/qmoe4_swiglu_f1_b32_zp/model.onnx"), work)
        rows += kernels_of(sheet, "gpt-oss decoder", pathlib.Path(fixtures, "hf/gpt_oss_gmm/model.onnx"), work)
    seen = []
    for row in rows:
        if row not in seen:
            seen.append(row)
    return sorted(seen, key=lambda row: (row["kernel"], row["from"], row["registers"]))


def expected(*arguments):
    """That of the best tile; a layer has no kernel for those that the compiler would not take for it."""
    return max((expected_of(tile, *arguments) for tile in TILES if tile in arguments[-1]), key=lambda row: row[-1])


def expected_of(tile, tokens, stored, depth, out_bytes, gathers, blocks_of):
    """(kernel, bytes, flops, roof in seconds, share) of a product of `stored` rows of weights of `depth`."""
    slots = tokens * CHOSEN
    active = EXPERTS * (1 - (1 - CHOSEN / EXPERTS) ** tokens)
    height, width, stages, warps, warp_rows = TILES[tile]
    traffic = active * stored * depth * 2 + (tokens if gathers else slots) * depth * 2 + out_bytes
    flops = 2 * slots * stored * depth
    blocks = active * math.ceil(slots / active / height) * math.ceil(stored / width)
    resident = blocks_of[tile]
    loading = min(blocks, SMS * resident) * (stages - 1) * (min(height, slots / active) + width) * 128
    memory = traffic / min(BANDWIDTH * MEMORY_PART, loading / LATENCY)
    waves, reached = math.ceil(blocks / (SMS * resident)), FLOPS * (WGMMA_PART if "wgmma" in tile else MMA_PART)
    compute = waves * SMS * resident * 2 * height * width * depth / reached
    # One wave that does not fill the GPU takes as long as one of its blocks on a multiprocessor of its own.
    if waves == 1:
        compute = math.ceil(blocks / SMS) * SMS * 2 * height * width * depth / reached
    copied, rounds = (min(height, slots / active) + width) * 128, math.ceil(blocks / SMS) * math.ceil(depth / 64)
    feeding = rounds * max(copied / CACHE, (copied + warps * warp_rows * 128) / SHARED_SPEED)
    roof = max(traffic / BANDWIDTH, flops / FLOPS)
    return tile, traffic, flops, roof, roof / (max(memory, compute, feeding) + 2 * LATENCY)


def sheet(root, fixtures):
    """The text of both tables."""
    rows = all_kernels(root, fixtures)
    text = TEXT
    for row in rows:
        text += "| " + " | ".join(str(row[key]) for key in ("kernel", "from", "threads", "registers", "spilled", "shared", "blocks")) + " |\n"
    blocks_of = {row["kernel"]: row["blocks"] for row in rows}
    text += PRODUCTS
    for tokens in (1, 8, 32, 128, 1024, 4096, 16384):
        slots = tokens * CHOSEN
        for name, arguments in (("gate and up", (2 * INNER, HIDDEN, slots * INNER * 2, True)), ("down", (HIDDEN, INNER, slots * HIDDEN * 4, False))):
            kernel, traffic, flops, roof, share = expected(tokens, *arguments, blocks_of)
            text += f"| {tokens} | {name} | {kernel} | {traffic / 1e6:.1f} MB | {flops / 1e9:.2f} GFLOP | {roof * 1e6:.1f} µs | {share * 100:.0f} % |\n"
    return text
