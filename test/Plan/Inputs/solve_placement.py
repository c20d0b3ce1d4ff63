"""Placements of the planner against the optima of a constraint solver. usage: solve_placement.py MOE_OPT FOLDER LAYER.mlir

12 draws of 12 experts on 8 devices of two slots, Zipf loads of exponent 0.4, 0.8 and 1.2 in random order, each a profile that moe-opt plans with; the largest load of a device against
what CP-SAT makes of it in the time that it has: the optimum, or where it could not prove one the best that it found. It starts from ours, so that no gap is negative. Needs
ortools.
"""

import json
import pathlib
import re
import subprocess
import sys

import numpy as np
from ortools.sat.python import cp_model

moe_opt, folder, layer = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
EXPERTS, DEVICES, SLOTS, TOP_K = 12, 8, 2, 2
COPIES = range(1, SLOTS * DEVICES - EXPERTS + 2)


def planned(loads):
    profile = {"version": 1, "layers": [{"name": "layer0", "experts": EXPERTS, "top_k": TOP_K, "windows": [loads.tolist()]}]}
    (folder / "load.json").write_text(json.dumps(profile))
    done = subprocess.run([moe_opt, layer, f"--moe-plan-sharding=mesh={folder}/mesh.json expert-parallel={DEVICES} profile={folder}/load.json plan-tokens=256"],
                          capture_output=True, text=True, check=True)
    slots = np.array([int(e) for e in re.search(r"slots = \[([0-9, ]+)\]", done.stdout)[1].split(",")])
    assert len(slots) == DEVICES * SLOTS, slots
    parts = loads / np.bincount(slots, minlength=EXPERTS)
    return slots.reshape(DEVICES, SLOTS), parts[slots].reshape(DEVICES, SLOTS).sum(axis=1).max()


def optimum(loads, start):
    """The smallest largest load; loads are whole numbers, parts of them are counted in units of 1 / 2520."""
    model = cp_model.CpModel()
    unit = 2520  # All counts of copies divide it.
    has = [[[model.NewIntVar(0, SLOTS, "") for _ in COPIES] for _ in range(DEVICES)] for _ in range(EXPERTS)]
    largest = model.NewIntVar(0, int(loads.sum()) * unit, "")
    chosen = [[model.NewBoolVar("") for _ in COPIES] for _ in range(EXPERTS)]
    for e in range(EXPERTS):
        model.AddExactlyOne(chosen[e])
        for c, copies in enumerate(COPIES):
            model.Add(sum(has[e][d][c] for d in range(DEVICES)) == copies * chosen[e][c])
    for d in range(DEVICES):
        model.Add(sum(has[e][d][c] for e in range(EXPERTS) for c in range(len(COPIES))) == SLOTS)
        model.Add(sum(has[e][d][c] * (int(loads[e]) * unit // copies) for e in range(EXPERTS) for c, copies in enumerate(COPIES)) <= largest)
    model.Minimize(largest)
    counts = np.bincount(start.ravel(), minlength=EXPERTS)
    for e in range(EXPERTS):
        for c, copies in enumerate(COPIES):
            model.AddHint(chosen[e][c], int(counts[e] == copies))
            for d in range(DEVICES):
                model.AddHint(has[e][d][c], int((start[d] == e).sum()) if counts[e] == copies else 0)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = 5
    solver.parameters.num_workers = 2
    solver.parameters.random_seed = 1
    status = solver.Solve(model)
    assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return solver.ObjectiveValue() / unit, status == cp_model.OPTIMAL


random = np.random.default_rng(7)
gaps, proven = [], 0
for draw in range(12):
    weights = 1 / np.arange(1, EXPERTS + 1) ** (0.4, 0.8, 1.2)[draw % 3]
    # No expert is chosen by more than every token.
    loads = np.minimum(np.round(random.permutation(weights) / weights.sum() * 10000), 4900)
    start, largest = planned(loads)
    best, is_proven = optimum(loads, start)
    gaps.append(largest / best - 1)
    proven += is_proven
assert min(gaps) > -1e-4 and np.mean(gaps) <= 0.01 and np.max(gaps) <= 0.04, gaps
print(f"mean gap {100 * np.mean(gaps):.2f} %, largest {100 * np.max(gaps):.2f} %, {proven} of {len(gaps)} proven")
