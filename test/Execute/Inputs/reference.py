"""Weights, inputs and expected outputs of the hand-written models beside this file, in float64 numpy.

    reference.py layer|decoder FOLDER

writes FOLDER/weights.bin (the tensors in the order in which the .mlir file names their offsets) and two test_data_set folders.
"""

import pathlib
import sys

import numpy as np
from onnx import numpy_helper


def silu(x):
    return x / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def moe(x, router, gate_up, down, k):
    """Top-k of the softmax, weights renormalised; experts silu(gate)·up, then down. One token at a time, one expert at a time."""
    y = np.zeros_like(x)
    for token, row in enumerate(x):
        scores = softmax(router @ row)
        chosen = np.argsort(-scores, kind="stable")[:k]
        for expert in sorted(chosen):
            gate, up = np.split(gate_up[expert] @ row, 2)
            y[token] += scores[expert] / scores[chosen].sum() * (down[expert] @ (silu(gate) * up))
    return y


def rms_norm(x, w):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w


def rotate(x):
    angles = np.arange(len(x))[:, None] * np.array([1.0, 0.1, 0.01, 0.001])
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    low, high = x[..., :4], x[..., 4:]
    return np.concatenate([low * cos - high * sin, high * cos + low * sin], -1)


def attention(x, wq, wk, wv, wo):
    tokens = len(x)
    q = rotate((x @ wq.T).reshape(tokens, 4, 8))
    k = rotate((x @ wk.T).reshape(tokens, 2, 8)).repeat(2, 1)
    v = (x @ wv.T).reshape(tokens, 2, 8).repeat(2, 1)
    scores = np.einsum("ind,jnd->nij", q, k) / np.sqrt(8)
    scores[:, np.triu(np.ones((tokens, tokens), bool), 1)] = -np.inf
    return np.einsum("nij,jnd->ind", softmax(scores), v).reshape(tokens, 32) @ wo.T


def decoder(ids, embedding, head, norms, *layers):
    x = embedding[ids]
    for number in range(2):
        wq, wk, wv, wo, router, gate_up, down = layers[7 * number : 7 * number + 7]
        x = x + attention(rms_norm(x, norms[2 * number]), wq, wk, wv, wo)
        x = x + moe(rms_norm(x, norms[2 * number + 1]), router, gate_up, down, 2)
    return rms_norm(x, norms[4]) @ head.T


def save(path, name, array):
    path.write_bytes(numpy_helper.from_array(array, name).SerializeToString())


def main():
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    random = np.random.default_rng(7)
    if kind == "layer":
        shapes = [(8, 64), (8, 96, 64), (8, 64, 48)]
    else:
        layer = [(32, 32), (16, 32), (16, 32), (32, 32), (4, 32), (4, 96, 32), (4, 32, 48)]
        shapes = [(64, 32), (64, 32), (5, 32), *layer, *layer]
    weights = [(random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32) for shape in shapes]
    (folder / "weights.bin").write_bytes(b"".join(w.tobytes() for w in weights))
    weights = [w.astype(np.float64) for w in weights]
    for number, tokens in enumerate((1, 13)):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        if kind == "layer":
            x = random.standard_normal((tokens, 64)).astype(np.float32)
            save(data / "input_0.pb", "hidden", x)
            save(data / "output_0.pb", "output", moe(x.astype(np.float64), *weights, 2).astype(np.float32))
        else:
            ids = random.integers(0, 64, tokens)
            save(data / "input_0.pb", "ids", ids)
            save(data / "output_0.pb", "logits", decoder(ids, *weights).astype(np.float32))


if __name__ == "__main__":
    main()
