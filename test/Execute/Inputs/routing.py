"""Inputs and expected outputs of the hand-written routing chains beside this folder, in plain numpy, one token and one expert at a time.

    routing.py CASE FOLDER

writes FOLDER/weights.bin where the case has weights (in the order in which the .mlir file names their offsets) and test_data_set_N folders.
"""

import math
import pathlib
import sys

import numpy as np
from onnx import numpy_helper

CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


# -- Files --------------------------------------------------------------------


def save_set(folder, number, inputs, outputs):
    data = folder / f"test_data_set_{number}"
    data.mkdir()
    for kind, arrays in (("input", inputs), ("output", outputs)):
        for index, (name, array) in enumerate(arrays.items()):
            (data / f"{kind}_{index}.pb").write_bytes(numpy_helper.from_array(np.ascontiguousarray(array), name).SerializeToString())


def save_weights(folder, random, *shapes):
    """Weights of a variance that keeps activations near one, as float64."""
    weights = [(random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32) for shape in shapes]
    (folder / "weights.bin").write_bytes(b"".join(w.tobytes() for w in weights))
    return [w.astype(np.float64) for w in weights]


# -- Functions ----------------------------------------------------------------


def softmax(z, axis=-1):
    power = np.exp(z - z.max(axis, keepdims=True))
    return power / power.sum(axis, keepdims=True)


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def best(values, k):
    """Indices of the k greatest: NaN below every number, ties to the lowest index."""
    return sorted(range(len(values)), key=lambda i: (math.isnan(values[i]), -values[i] if not math.isnan(values[i]) else 0, i))[:k]


def top_k(choice, k):
    """(token, expert, rank) of each choice, by token and rank."""
    return [(token, expert, rank) for token, row in enumerate(choice) for rank, expert in enumerate(best(row, k))]


def place(assignments, capacity, order):
    """Who keeps a slot: walks the assignments by the key `order` and counts those of each expert."""
    counts, kept = {}, {}
    for n in sorted(range(len(assignments)), key=lambda n: order(*assignments[n])):
        expert = assignments[n][1]
        number = counts.get(expert, 0)
        counts[expert] = number + 1
        if capacity is None or number < capacity:
            kept[n] = number
    return kept, counts


# -- Cases --------------------------------------------------------------------


@case
def capacity_layer(folder, random):
    router, gate_up, down = save_weights(folder, random, (6, 40), (6, 48, 40), (6, 40, 24))

    def silu_halves(row, expert):
        gate, up = np.split(gate_up[expert] @ row, 2)
        return down[expert] @ (silu(gate) * up)

    def gelu_interleaved(row, expert):
        h = gate_up[expert] @ row
        return down[expert] @ (gelu_tanh(h[0::2]) * h[1::2])

    for number, tokens in enumerate((0, 1, 50)):
        x = random.standard_normal((tokens, 40)).astype(np.float32)
        scores = softmax(x.astype(np.float64) @ router.T) if tokens else np.zeros((0, 6))
        list_ = top_k(scores, 2)
        padded, ragged = np.zeros((tokens, 40)), np.zeros((tokens, 40))
        kept, _ = place(list_, math.ceil(tokens * 2 * 3 / (4 * 6)), lambda t, e, r: (r, t))
        for n, (t, e, r) in enumerate(list_):
            if n in kept:
                total = sum(scores[t, f] for u, f, _ in list_ if u == t)
                padded[t] += scores[t, e] / total * silu_halves(x[t], e)
        kept, _ = place(list_, max(tokens // 6, 1), lambda t, e, r: (t, r))
        assert tokens < 50 or len(kept) < len(list_)
        for t in range(tokens):
            mine = [list_[n] for n in kept if list_[n][0] == t]
            total = sum(scores[t, e] for _, e, _ in mine)
            ragged[t] = sum(scores[t, e] / total * gelu_interleaved(x[t], e) for _, e, _ in mine) if mine else x[t]
        save_set(folder, number, {"hidden": x}, {"padded": padded.astype(np.float32), "ragged": ragged.astype(np.float32)})


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    CASES[name](folder, np.random.default_rng(11))


if __name__ == "__main__":
    main()
