"""Properties that every routed layer must have, on compiled models with random numbers of tokens (seeded).

    properties.py FOLDER [--models N] [--cases N] [--seed N]

Each model has its own number of experts, k, sizes and router; each case its own tokens and kind of logits. The defaults are what lit runs;
more models and cases, or another seed, run as long as one likes. The first broken property ends the run with the model, case and seed.
"""

import argparse
import dataclasses
import os
import pathlib
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.fspath(pathlib.Path(__file__).resolve().parents[2] / "Systems/Inputs"))
import moe_opt
from layer_text import layer_text
from oracle import dense, sigmoid, softmax, swiglu, top_k

KINDS = ["normal", "ties", "equal", "one expert", "unused expert", "masked experts", "NaN", "infinite", "no token", "one token", "many tokens"]


@dataclasses.dataclass
class Shape:
    """What a model is made of."""

    experts: int
    k: int
    hidden: int
    intermediate: int
    router: str
    element: str = "f32"  #: of tokens and experts
    capacity: str = "mean"
    order: str = "rank_major"  #: of the assignments that claim slots
    priority: bool = False  #: by weight
    groups: str = "all"
    most_tokens: int = 70

    def __str__(self):
        return (f"{self.experts} experts, top {self.k}, hidden {self.hidden}, intermediate {self.intermediate}, {self.router}, {self.element}, "
                f"capacity {self.capacity}, {self.order}{', by weight' if self.priority else ''}, groups of {self.groups}")

    def dtype(self):
        import ml_dtypes

        return np.dtype({"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}[self.element])

    def group_size(self, tokens):
        return max({"all": tokens, "five": 5, "halves": -(-tokens // 2)}[self.groups], 1)

    def slots(self, tokens):
        """The capacity of an expert in each group."""
        assignments = min(tokens, self.group_size(tokens)) * self.k
        return {"mean": -(-assignments // self.experts), "one": 1, "ample": 3 * assignments}[self.capacity]


#: One expert, all experts, very many of them; capacities of one and of more than all. Each in each type.
EDGES = [shape for element in ("f32", "f16", "bf16")
         for shape in (Shape(1, 1, 5, 3, "softmax", element, "one"), Shape(7, 7, 19, 13, "selected", element, "ample", "per_expert", True),
                       Shape(2048, 8, 5, 3, "sigmoid", element, most_tokens=5), Shape(4, 4, 9, 6, "raw", element, "one", "token_major", groups="halves"))]


def shapes(random, count):
    """The edges first, then anything."""
    yield from EDGES[:count]
    for _ in range(count - len(EDGES)):
        experts = int(random.choice([2, 3, 4, 8, 16, 33]))
        yield Shape(experts, int(random.integers(1, min(experts, 5) + 1)), int(random.integers(1, 50)), int(random.integers(1, 40)),
                    str(random.choice(["softmax", "raw", "sigmoid", "selected"])), str(random.choice(["f32", "f16", "bf16"])),
                    str(random.choice(["mean", "one", "ample"])), str(random.choice(["rank_major", "token_major", "per_expert"])),
                    bool(random.integers(2)), str(random.choice(["all", "five", "halves"])))


class Layer:
    """A compiled layer with its weights, for 1 and for 3 threads, and again with its experts in another order."""

    def __init__(self, folder, shape, random):
        self.shape = shape
        s = shape
        self.gate_up = (random.standard_normal((s.experts, 2 * s.intermediate, s.hidden)) / np.sqrt(s.hidden)).astype(s.dtype())
        self.down = (random.standard_normal((s.experts, s.hidden, s.intermediate)) / np.sqrt(s.intermediate)).astype(s.dtype())
        self.order = random.permutation(s.experts)
        self.one, self.three = self.compile(folder / "model", slice(None))
        self.permuted, _ = self.compile(folder / "permuted", self.order)

    def compile(self, folder, order):
        folder.mkdir(parents=True)
        (folder / "layer.mlir").write_text(layer_text(self.shape))
        eye = np.broadcast_to(np.eye(self.shape.hidden, dtype=np.float32), (self.shape.experts, self.shape.hidden, self.shape.hidden))
        for name, value in (("gate_up", self.gate_up[order]), ("down", self.down[order]), ("eye", eye)):
            (folder / f"{name}.bin").write_bytes(value.tobytes())
        subprocess.run(["moe-compile", "layer.mlir", "-o", "out", "--quiet"], cwd=folder, check=True, timeout=300)
        return [moe_opt.load(folder / "out", threads=threads) for threads in (1, 3)]

    def routing(self, logits):
        """Weights T×E, zero where not chosen: the definition of each router. A NaN is below every number."""
        weights = np.zeros(logits.shape)
        for row, out in zip(logits.astype(np.float64), weights):
            comparable = np.where(np.isnan(row), -np.inf, row)
            chosen = top_k(comparable, self.shape.k)
            if self.shape.router == "selected":
                out[chosen] = softmax(row[chosen])
            else:
                scores = sigmoid(row) if self.shape.router == "sigmoid" else softmax(row)
                out[chosen] = scores[chosen] / (scores[chosen].sum() if self.shape.router == "softmax" else 1)
        return weights


def make_logits(kind, tokens, experts, random):
    logits = random.standard_normal((tokens, experts)) * 2
    some = random.random(tokens) < 0.5
    if kind == "ties":
        logits = random.integers(0, 3, (tokens, experts))
    elif kind == "equal":
        logits = np.zeros((tokens, experts))
    elif kind == "one expert":
        logits[:, random.integers(experts)] += 40
    elif kind == "unused expert":
        logits[:, random.integers(experts)] -= 40
    elif kind == "masked experts":
        logits[some, random.integers(experts)] = -np.inf
    elif kind == "NaN":
        logits[some, random.integers(experts)] = np.nan
    elif kind == "infinite":
        logits[some, random.integers(experts)] = np.inf
    return logits.astype(np.float32)


def has_answer(layer, logits):
    """Rows whose result the definition of the router gives: weights that are numbers."""
    with np.errstate(all="ignore"):
        return np.isfinite(layer.routing(logits)).all(1)


def close(got, want):
    return np.abs(got - want).max(initial=0) <= 2e-5 * np.abs(want).max(initial=1)


def properties(layer, kind, x, logits, random):
    """Yields (name, holds) of each property."""
    first = layer.one.run({"x": x, "logits": logits})
    third = layer.three.run({"x": x, "logits": logits})
    yield "3 threads give the bits of 1", all(first[name].tobytes() == third[name].tobytes() for name in first)
    for name, holds in capacity_properties(layer, first, x):
        yield name, holds
    if kind == "many tokens":  # That was for the slots: there are chunks enough for all threads.
        return

    good = has_answer(layer, logits)
    weights = layer.routing(logits[good])
    wide = x[good].astype(np.float64)
    yield "the routed result is the dense one, masked", close(
        first["routed"][good], dense(wide, weights, swiglu(layer.gate_up.astype(np.float64), layer.down.astype(np.float64))))
    yield "identity experts give x times the sum of weights", close(first["identity"][good], weights.sum(1)[:, None] * wide)
    if layer.shape.router in ("softmax", "selected"):
        yield "with weights that sum to one they give x", close(first["identity"][good], wide)

    yield "padded rows give what ragged ones give", close(first["padded"][good], first["routed"][good])

    # Where the logits have no answer, the result is that token's alone: it may be NaN, others have their bits.
    sane = layer.one.run({"x": x, "logits": np.where(good[:, None], logits, np.float32(0))})
    yield "tokens without an answer leave others alone", sane["routed"][good].tobytes() == first["routed"][good].tobytes()

    order = random.permutation(len(x))
    again = layer.one.run({"x": x[order], "logits": logits[order]})
    yield "permuting tokens permutes the result", again["routed"].tobytes() == first["routed"][order].tobytes()
    if kind not in ("ties", "equal", "NaN"):
        moved = layer.permuted.run({"x": x, "logits": np.ascontiguousarray(logits[:, layer.order])})
        yield "permuting experts changes nothing", close(moved["routed"][good], first["routed"][good])


def claims(shape, weights, tokens):
    """The (token, rank) pairs in the order in which they claim slots."""
    def falling(pair):
        weight = weights[pair] if shape.priority else 0
        return (bool(np.isnan(weight)), 0 if np.isnan(weight) else -float(weight))

    key = {"rank_major": lambda p: (p[1], falling(p), p[0]), "token_major": lambda p: (falling(p), p[0], p[1]),
           "per_expert": lambda p: (falling(p), p[0], p[1])}[shape.order]
    return sorted(((token, rank) for token in range(tokens) for rank in range(shape.k)), key=key)


def capacity_properties(layer, outputs, x):
    """Of the chain with a capacity, an order and groups."""
    experts, k = layer.shape.experts, layer.shape.k
    capacity = layer.shape.slots(len(x))
    keep, expert = outputs["keep"].reshape(-1, k), outputs["expert"].reshape(-1, k)
    inside = (expert >= 0).all() and (expert < experts).all()
    yield "every index is an expert", inside
    if not inside:
        return
    yield "counts are those of the choices", (outputs["count"] == np.bincount(expert.ravel(), minlength=experts)).all()
    kept = np.bincount(expert[keep], minlength=experts)
    size = layer.shape.group_size(len(x))
    fits = sum(np.minimum(np.bincount(expert[begin : begin + size].ravel(), minlength=experts), capacity) for begin in range(0, len(x), size))
    yield "each expert keeps as many as fit", (kept == fits).all()
    yield "offsets are the sums of the kept", (np.diff(outputs["offset"]) == kept).all()
    used, first = {}, np.zeros_like(keep)
    for token, rank in claims(layer.shape, outputs["weight"].reshape(-1, k), len(x)):
        place = (token // size, expert[token, rank])
        used[place] = used.get(place, 0) + 1
        first[token, rank] = used[place] <= capacity
    yield "those that come first are kept", (first == keep).all()
    yield "slots for all keep all", layer.shape.capacity != "ample" or keep.all()
    weights = (outputs["weight"].reshape(-1, k) * keep).sum(1)
    good = np.isfinite(outputs["weight"].reshape(-1, k)).all(1)
    yield "dispatch and combine give x times the kept weights", close(outputs["through"][good], (weights[:, None] * x.astype(np.float32))[good])


def check(layer, cases, seed, where):
    for case in range(cases):
        random = np.random.default_rng([seed, case])
        kind = KINDS[case % len(KINDS)]
        many = 3000 if layer.shape.experts <= 64 else layer.shape.most_tokens
        tokens = {"no token": 0, "one token": 1, "many tokens": many}.get(kind, int(random.integers(1, layer.shape.most_tokens)))
        x = random.standard_normal((tokens, layer.shape.hidden)).astype(layer.shape.dtype())
        logits = make_logits(kind, tokens, layer.shape.experts, random)
        for name, holds in properties(layer, kind, x, logits, random):
            if not holds:
                raise SystemExit(f"broken: {name}; {where}, case {case} ({kind}, {tokens} tokens)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--models", type=int, default=14)
    parser.add_argument("--cases", type=int, default=22)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    for number, shape in enumerate(shapes(random, options.models)):
        where = f"seed {options.seed}, model {number}: {shape}"
        check(Layer(options.folder / str(number), shape, random), options.cases, options.seed, where)
    print(f"{options.models} models, {options.models * options.cases} cases: all properties hold")


if __name__ == "__main__":
    main()
