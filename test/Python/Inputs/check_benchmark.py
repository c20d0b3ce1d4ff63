"""Checks what moe_layer.py wrote: every cell has all figures, and no side is further from float64 than its arithmetic explains.

usage: check_benchmark.py CELLS.json
"""
import json
import sys

BOUNDS = {"f32": 1e-5, "int4": 1e-5, "bf16": 2e-2}

cells = json.load(open(sys.argv[1]))["cells"]
assert [(cell["format"], cell["tokens"]) for cell in cells] == [(f, t) for f in ("f32", "bf16", "int4") for t in (1, 5)], cells
for cell in cells:
    for name, error in cell["error"].items():
        assert error <= BOUNDS[cell["format"]], (cell["format"], name, error)
    assert cell["sides"].keys() == cell["error"].keys() and cell["sides"]["moe-opt"]["share"] > 0
    assert set(cell["ratio"]) == set(cell["sides"]) - {"moe-opt"}
