"""Placements of the planner against optima that are proven. usage: solve_placement.py MOE_OPT FOLDER LAYER.mlir exact|solver

Draws of loads of 12 experts, Zipf of exponent 0.4, 0.8 and 1.2 disturbed at random, each a profile that moe-opt plans with; the largest load of a device against the least that there can be.

exact: 8 devices of two slots. With two slots a device the best that can be done with given copies is to put the largest part beside the smallest, the second beside the second smallest,
and so on (swapping partners of any other pairing does not make the larger sum smaller), so that trying all numbers of copies finds the optimum.
solver: 5 devices of three slots, against the bound that CP-SAT proves for all placements: the optimum, or where its effort (counted in its own steps, not in time) did not do to find that, less
than it. The solver knows nothing of ours. Needs ortools.
"""

import itertools
import json
import pathlib
import re
import subprocess
import sys

import numpy as np

moe_opt, folder, layer, way = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
EXPERTS, TOP_K = 12, 2
DEVICES, SLOTS, DRAWS = (8, 2, 24) if way == "exact" else (5, 3, 6)
EXTRA = SLOTS * DEVICES - EXPERTS
MESH = {"version": 1, "axes": [{"name": "rank", "size": DEVICES, "link": {"alpha_us": 2, "gbps": 8, "per_msg_us": 0.5}}],
        "device": {"tflops": {"f32": 0.5}, "mem_gbps": 20, "mem_mib": 1024}}
(folder / "mesh.json").write_text(json.dumps(MESH))


def planned(loads):
    """The largest load of a device; loads are those of tokens, copies of an expert take equal parts."""
    profile = {"version": 1, "layers": [{"name": "layer0", "experts": EXPERTS, "top_k": TOP_K, "windows": [loads.tolist()]}]}
    (folder / "load.json").write_text(json.dumps(profile))
    options = f"mesh={folder}/mesh.json expert-parallel={DEVICES} pin=layer0=slots{SLOTS} profile={folder}/load.json plan-tokens=256"
    done = subprocess.run([moe_opt, layer, f"--moe-plan-sharding={options}"], capture_output=True, text=True, check=True)
    slots = np.array([int(e) for e in re.search(r"slots = \[([0-9, ]+)\]", done.stdout)[1].split(",")])
    assert len(slots) == DEVICES * SLOTS, slots
    parts = loads / np.bincount(slots, minlength=EXPERTS)
    return parts[slots].reshape(DEVICES, SLOTS).sum(axis=1).max()


def optimum(loads):
    least = np.inf
    for extra in itertools.combinations_with_replacement(range(EXPERTS), EXTRA):
        counts = 1 + np.bincount(extra, minlength=EXPERTS)
        parts = np.sort(np.repeat(loads / counts, counts))
        least = min(least, (parts + parts[::-1]).max())
    return least, True


def bound(loads):
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    unit, copies_of = 12, range(1, EXTRA + 2)  # All counts of copies divide the unit.
    has = [[[model.NewIntVar(0, SLOTS, "") for _ in copies_of] for _ in range(DEVICES)] for _ in range(EXPERTS)]
    whole = int(loads.sum()) * unit
    largest = model.NewIntVar(-(-whole // DEVICES), whole, "")
    chosen = [[model.NewBoolVar("") for _ in copies_of] for _ in range(EXPERTS)]
    for e in range(EXPERTS):
        model.AddExactlyOne(chosen[e])
        for c, copies in enumerate(copies_of):
            model.Add(sum(has[e][d][c] for d in range(DEVICES)) == copies * chosen[e][c])
    load = [sum(has[e][d][c] * (int(loads[e]) * unit // copies) for e in range(EXPERTS) for c, copies in enumerate(copies_of)) for d in range(DEVICES)]
    for d in range(DEVICES):
        model.Add(sum(has[e][d][c] for e in range(EXPERTS) for c in range(len(copies_of))) == SLOTS)
        model.Add(load[d] <= largest)
        if d > 0:  # Devices are alike: one order of them will do.
            model.Add(load[d - 1] >= load[d])
    model.Minimize(largest)
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = 5
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    status = solver.Solve(model)
    assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.UNKNOWN), status
    return solver.BestObjectiveBound() / unit, status == cp_model.OPTIMAL


random = np.random.default_rng(7)
gaps, proven = [], 0
for draw in range(DRAWS):
    weights = 1 / np.arange(1, EXPERTS + 1) ** (0.4, 0.8, 1.2)[draw % 3] * np.exp(0.2 * random.standard_normal(EXPERTS))
    # No expert is chosen by more than every token.
    loads = np.minimum(np.round(random.permutation(weights) / weights.sum() * 10000), 4900)
    largest = planned(loads)
    least, is_proven = (optimum if way == "exact" else bound)(loads)
    gaps.append(largest / least - 1)
    proven += is_proven
print(f"mean gap {100 * np.mean(gaps):.2f} %, largest {100 * np.max(gaps):.2f} %, {proven} of {len(gaps)} optima known")
assert min(gaps) > -1e-4 and np.mean(gaps) <= 0.01 and np.max(gaps) <= 0.04, gaps
