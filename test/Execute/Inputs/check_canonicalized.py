"""A model before and after canonicalisation (arguments: their folders) against numpy in float64."""

import sys

import moe_opt
import numpy as np


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def best(z, k):
    return np.argsort(-z, axis=1, kind="stable")[:, :k]


def expected(x, z):
    x, z = x.astype(float), z.astype(float)
    top = lambda k, values=z: np.take_along_axis(values, best(z, k), 1)
    chosen = top(2, softmax(z))
    sigmoid = top(3, 1 / (1 + np.exp(-z)))
    ones = np.ones(3 * len(z))
    return {"renormalised": chosen / chosen.sum(1, keepdims=True), "chosen": best(z, 2), "twice": 2.5 * softmax(top(3)), "thirds": ones / 3,
            "sole": np.ones(len(z)), "power_one": sigmoid / sigmoid.sum(1, keepdims=True), "filtered": ones > 0, "all": x * z.sum(1, keepdims=True),
            "back": x}


def main():
    models = [moe_opt.load(folder) for folder in sys.argv[1:]]
    random = np.random.default_rng(9)
    for tokens in (0, 1, 2, 37, 150):
        for ties in (False, True):
            x = random.standard_normal((tokens, 6)).astype(np.float32)
            z = (random.integers(-1, 2, (tokens, 5)) if ties else 3 * random.standard_normal((tokens, 5))).astype(np.float32)
            want = expected(x, z)
            for folder, model in zip(sys.argv[1:], models):
                got = model.run({"x": x, "z": z})
                for name, value in want.items():
                    difference = np.abs(got[name].astype(float).ravel() - np.asarray(value, float).ravel()).max(initial=0)
                    exact = name in ("chosen", "filtered", "back", "sole")
                    assert difference <= (0 if exact else 1e-5), f"{folder}, {tokens} tokens, ties {ties}: {name} differs by {difference}"


main()
