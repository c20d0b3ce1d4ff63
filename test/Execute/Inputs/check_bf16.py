"""Runs bf16-activations.mlir on every ISA version and compares it with float64 numpy on rows and weights rounded to bf16.

usage: check_bf16.py <model.mlir> <folder>

The bounds follow from what may round. A sum of n products in f32, where each product and each addition rounds, is off by at most
(2n + 2)·2^-24 times the sum of their magnitudes. Hidden rows are rounded to bf16: 2^-9 of each. So a product that read f32 weights
instead, or a router that read rounded rows, is out of bounds.
"""
import pathlib
import subprocess
import sys

import ml_dtypes
import numpy as np

H, N, E, I, K, TOKENS = 63, 37, 4, 27, 2, 29
FLAGS = {"x86-64": set(), "avx2": {"avx2", "fma", "f16c", "bmi2"},
         "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"},
         "avx512bf16": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "avx512_bf16", "avx512vbmi"}}


def rounded(array):
    return array.astype(ml_dtypes.bfloat16).astype(np.float64)


def product(x, w, extra=0.0):
    """x·wᵀ and its bound: what f32 sums may lose, plus what `extra`, an error of x, becomes."""
    return x @ w.T, ((2 * x.shape[-1] + 2) * 2.0**-24 * np.abs(x) + extra) @ np.abs(w).T


def expert(x, gate_up, down):
    """One expert on one row and the bound of its result."""
    both, error = product(x[None], gate_up)
    gate, up = np.split(both[0], 2)
    gate_error, up_error = np.split(error[0], 2)
    silu = gate / (1 + np.exp(-gate))
    hidden = silu * up
    # |silu'| <= 1.1; 1e-6 of the result is the kernel's exp.
    hidden_error = 1.1 * gate_error * np.abs(up) + np.abs(silu) * up_error + 1e-6 * np.abs(hidden)
    hidden_error += 2.0**-9 * (np.abs(hidden) + hidden_error)
    result, bound = product(hidden[None], down, hidden_error[None])
    return result[0], bound[0]


def layer(x, logits, gate_up, down):
    y, bound = np.zeros_like(x), np.zeros_like(x)
    for token, row in enumerate(rounded(x)):
        scores = np.exp(logits[token] - logits[token].max())
        chosen = np.argsort(-scores, kind="stable")[:K]
        for number in chosen:
            weight = scores[number] / scores[chosen].sum()
            result, error = expert(row, rounded(gate_up[number]), rounded(down[number]))
            y[token] += weight * result
            bound[token] += weight * error + 1e-5 * weight * np.abs(result)
    return y, bound


def compile_and_run(model, folder, version):
    out = folder / version
    subprocess.run(["moe-compile", model, "-o", out, "--quiet", "--activations=bf16", f"--cpu-features={version}"], cwd=folder, check=True)
    results = []
    for threads in (1, 3):
        target = folder / f"{version}-{threads}"
        subprocess.run(["moe-run", out, "--input", f"x={folder / 'x.npy'}", "--output-dir", target, "--threads", str(threads)], check=True,
                       stdout=subprocess.DEVNULL)
        results.append({name: np.load(target / f"{name}.npy") for name in ("dense", "logits", "layer")})
    return results


def main():
    model, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    random = np.random.default_rng(11)
    x = random.standard_normal((TOKENS, H)).astype(np.float32)
    shapes = [(N, H), (N,), (E, H), (E, 2 * I, H), (E, H, I)]
    stored = [(random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32) for shape in shapes]
    (folder / "weights.bin").write_bytes(b"".join(w.tobytes() for w in stored))
    np.save(folder / "x.npy", x)
    dense, bias, router, gate_up, down = [w.astype(np.float64) for w in stored]
    x = x.astype(np.float64)

    expected = {"dense": product(rounded(x), rounded(dense)), "logits": product(x, router)}
    expected["dense"] = (expected["dense"][0] + bias, expected["dense"][1] + 2.0**-23 * np.abs(bias) + 2.0**-24 * np.abs(expected["dense"][0]))
    expected["layer"] = layer(x, expected["logits"][0], gate_up, down)

    with open("/proc/cpuinfo") as file:
        flags = set(next((line for line in file if line.startswith("flags")), "").split())
    for version, needed in FLAGS.items():
        if not needed <= flags:
            print(f"{version}: not on this CPU")
            continue
        one, three = compile_and_run(model, folder, version)
        for name, (want, bound) in expected.items():
            assert one[name].tobytes() == three[name].tobytes(), f"{version} {name}: 3 threads give another result than one"
            share = (np.abs(one[name] - want) / bound).max()
            assert share <= 1, f"{version} {name}: the error is {share} times what it may be"
            print(f"{version} {name}: {share:.2f} of the error it may have")
        print(f"{version}: dense, logits and layer hold, 1 and 3 threads agree")


main()
