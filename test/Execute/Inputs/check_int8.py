"""Products of int8 rows and integer weights, compiled and run, against the same arithmetic in numpy.

usage: check_int8.py <folder> dense|experts

Rows are quantised in f32 as #moe.blocks says, so the codes must be the same; the sums are taken in double precision. What is left is the
rounding of f32 sums. The simulation itself is compared with the product of the rows as they are: no code is off by more than half.
"""
import json
import os
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ISA_FLAGS = {"x86-64": set(), "avx2": {"avx2", "fma", "f16c", "bmi2"}, "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"},
             # Vectors of 512 bits without their dot of bytes, and without any operation on bytes.
             "+avx2,+fma,+f16c,+avx512f,+avx512bw": {"avx512f", "avx512bw"}, "+avx2,+fma,+f16c,+avx512f": {"avx512f"},
             # Tiles are emulated.
             "amx": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "avx512_bf16", "avx512vbmi"}}
# Sums of integers are exact and what follows is the same: tiles give the bits of vectors. Bits by case and result of the first of these that ran.
SAME_BITS = ("avx512", "amx")
known_bits = {}
F = np.float32
rng = np.random.default_rng(17)
nodes, initializers, outputs = [], [], []


def initializer(name, array):
    initializers.append(numpy_helper.from_array(array, name))
    return name


def packed(codes, bits):
    per_byte = 8 // bits
    fill = -codes.shape[-1] % per_byte
    codes = np.concatenate([codes, np.zeros(codes.shape[:-1] + (fill,), np.uint8)], -1).reshape(codes.shape[:-1] + (-1, per_byte))
    return np.bitwise_or.reduce(codes.astype(np.uint16) << (np.arange(per_byte) * bits), -1).astype(np.uint8)


def quantise_rows(x, group):
    """The rows as their codes stand for them (float64), with a scale for each 32 values of a group of the weight."""
    x = x.astype(F)
    result, step = np.zeros(x.shape), np.zeros(x.shape)
    for first in range(0, x.shape[1], group):
        for begin in range(first, min(first + group, x.shape[1]), 32):
            part = slice(begin, min(begin + 32, first + group, x.shape[1]))
            most = np.abs(x[:, part]).max(1, keepdims=True)
            with np.errstate(all="ignore"):
                codes = np.rint(x[:, part] * (F(127) / most))
                scale = most / F(127)
            small = most < F(2.0**-100)
            scale = np.where(small, F(0), scale).astype(np.float64)
            codes = np.where(small | ~np.isfinite(most), 0, codes).astype(np.float64)
            scale = np.where(np.isfinite(most), scale, np.nan)
            result[:, part] = codes * scale
            step[:, part] = scale
    return result, step


class Weight:
    """N×K integers with scales per group of K (0: all of K) and maybe zero points."""

    def __init__(self, n, k, bits, group, zeros, spread=0.5):
        groups = -(-k // group) if group else 1
        self.group, self.bits, self.columns = group or k, bits, groups * (group or k)
        self.codes = rng.integers(0, 1 << bits, (n, self.columns)).astype(np.uint8)
        self.scales = (rng.uniform(0.5, 1, (n, groups)) * spread / (1 << bits)).astype(F)
        self.zeros = np.full((n, groups), 1 << (bits - 1), F)
        if zeros == "codes":
            self.zeros = rng.integers(0, 1 << bits, (n, groups)).astype(F)
        elif zeros == "floats":
            self.zeros = rng.uniform(0, (1 << bits) - 1, (n, groups)).astype(F)
        wide = [np.repeat(v.astype(np.float64), self.group, 1) for v in (self.scales, self.zeros)]
        self.values = (wide[0] * (self.codes - wide[1]))[:, :k]
        self.size = (wide[0] * (self.codes + wide[1]))[:, :k]  # of what is added up: a zero point is subtracted from sums

    def product(self, x):
        """The product with int8 rows, and how far rounding of f32 and of the codes may take a result from it and it from the exact one."""
        rows, step = quantise_rows(x, self.group)
        good = np.nan_to_num(np.abs(rows))
        return rows @ self.values.T, 2e-6 * (good @ self.size.T) + 1e-30, np.nan_to_num(step) @ np.abs(self.values.T) * 0.5001


def run(isa, folder, inputs, threads):
    out = f"{folder}/results-{threads}"
    words = [word for name, value in inputs.items() for word in ("--input", f"{name}={value}")]
    subprocess.run(["moe-run", f"{folder}/{isa}", *words, "--output-dir", out, "--threads", str(threads)], check=True, stdout=subprocess.DEVNULL)
    return {name: np.load(f"{out}/{name}.npy") for name in names()}


def names():
    return [output.name for output in outputs]


def save(folder, inputs):
    graph = helper.make_graph(nodes, "int8", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), f"{folder}/model.onnx")


def versions(folder, option):
    """Compiles for what this machine runs; yields the version."""
    with open("/proc/cpuinfo") as file:
        flags = set(next((line for line in file if line.startswith("flags")), "").split())
    for isa, wanted in ISA_FLAGS.items():
        if not wanted <= flags:
            print(f"{isa}: host lacks it")
            continue
        subprocess.run(["moe-compile", f"{folder}/model.onnx", "-o", f"{folder}/{isa}", f"--activations={option}", f"--cpu-features={isa}", "--quiet"] +
                       (["--emulate-tiles"] if isa == "amx" else []), check=True)
        yield isa


def compare(isa, folder, files, wants, mostly=1.0, counts=(3,)):
    """Results of 1 and of so many threads are the same bits and within the bounds: all within the loose one, `mostly` within the tight one."""
    one, several = run(isa, folder, files, 1), {count: run(isa, folder, files, count) for count in counts}
    for name, (want, tight, loose) in wants.items():
        got = one[name].astype(np.float64)
        for count, results in several.items():
            if one[name].tobytes() != results[name].tobytes():
                sys.exit(f"{isa} {name}: {count} threads give another result than one")
        if isa in SAME_BITS and known_bits.setdefault((files["x"], name), one[name].tobytes()) != one[name].tobytes():
            sys.exit(f"{isa} {name}: other bits than {SAME_BITS[0]}")
        if not np.array_equal(np.isnan(got), np.isnan(want)):
            sys.exit(f"{isa} {name}: NaN at {np.argwhere(np.isnan(got) != np.isnan(want))[:5].tolist()}")
        error = np.abs(np.nan_to_num(got - want))
        if not (error <= loose).all() or (error <= tight).mean() < mostly:
            worst = np.unravel_index((error / tight).argmax(), error.shape)
            sys.exit(f"{isa} {name}: {got[worst]} at {worst}, expected {want[worst]} within {tight[worst]}; {(error <= tight).mean():.3f} are within")


def nbits(n, k, bits, group, zeros, bias=False, level=None):
    name = f"nbits{bits}_{n}x{k}_{group}_{zeros}" + (f"_{level}" if level is not None else "")
    w = Weight(n, k, bits, group, zeros)
    blocks = w.scales.shape[1]
    inputs = ["x" if k == K else "x2", initializer(name + ".q", packed(w.codes.reshape(n, blocks, group), bits)), initializer(name + ".s", w.scales.reshape(-1))]
    if zeros == "codes":
        inputs.append(initializer(name + ".z", packed(w.zeros.astype(np.uint8), bits).reshape(-1)))
    elif zeros == "floats":
        inputs.append(initializer(name + ".z", w.zeros))
    added = rng.uniform(-1, 1, n).astype(F) if bias else np.zeros(n, F)
    if bias:
        inputs += [""] * (5 - len(inputs)) + [initializer(name + ".b", added)]
    extra = {} if level is None else {"accuracy_level": level}
    nodes.append(helper.make_node("MatMulNBits", inputs, [name], name, domain="com.microsoft", K=k, N=n, bits=bits, block_size=group, **extra))
    outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", n]))
    return name, w, added.astype(np.float64)


def channel(n, k, kind, zeros):
    """DequantizeLinear of a K×N weight with one scale per column: signed or unsigned codes over all of K."""
    name = f"channel_{np.dtype(kind).name}_{zeros}"
    w = Weight(n, k, 8, 0, "codes")
    shift = 128 if kind == np.int8 else 0
    if not zeros:
        w.zeros[:] = shift
        w.values = w.scales.astype(np.float64) * (w.codes.astype(np.float64) - shift)
        w.size = w.scales.astype(np.float64) * (w.codes.astype(np.float64) + shift)
    inputs = [initializer(name + ".q", (w.codes.astype(np.int64).T - shift).astype(kind)), initializer(name + ".s", w.scales[:, 0])]
    if zeros:
        inputs.append(initializer(name + ".z", (w.zeros[:, 0].astype(np.int64) - shift).astype(kind)))
    nodes.append(helper.make_node("DequantizeLinear", inputs, [name + ".w"], name + ".dq", axis=1))
    nodes.append(helper.make_node("MatMul", ["x" if k == K else "x2", name + ".w"], [name], name))
    outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", n]))
    return name, w, np.zeros(n)


K, K2 = 150, 192


def random_rows(count, k):
    x = (rng.standard_normal((count, k)) * np.exp(rng.standard_normal((count, 1)))).astype(F)
    if count > 8:
        x[1] = 0
        x[2] *= F(1e-33)  # parts of 0
        x[3, 40] = np.nan
        x[4, 149] = np.inf
        x[5, 0], x[5, 1] = 3e4, -3e-4  # one number hides the others
        x[6, :16] = np.tile([127, 0.5, 1.5, -0.5, -2.5, 63.5, -126.5, 4], 2)  # ties
    return x


def dense(folder):
    products = [nbits(n, k, bits, group, zeros, bias) for bits in (8, 4, 2) for n, k, group, zeros, bias in (
        (37, K, 32, "none", False), (40, K, 16, "codes", True), (33, K, 64, "floats", False), (70, K2, 128, "codes", False), (96, K2, 64, "none", True),
        (5, K, 256, "none", False))]
    products += [channel(40, K, np.int8, False), channel(35, K, np.uint8, True), channel(40, K2, np.uint8, False), channel(64, K2, np.int8, True)]
    save(folder, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", K]), helper.make_tensor_value_info("x2", TensorProto.FLOAT, ["rows", K2])])
    cases = []
    for count in (1, 2, 5, 6, 13, 37):
        x, x2 = random_rows(count, K), random_rows(count, K2)
        files = {"x": f"{folder}/x{count}.npy", "x2": f"{folder}/x2-{count}.npy"}
        np.save(files["x"], x)
        np.save(files["x2"], x2)
        wants = {}
        for name, w, bias in products:
            rows = x if w.values.shape[1] == K else x2
            want, tight, half = w.product(rows)
            exact = np.where(np.isfinite(rows), rows, 0).astype(np.float64) @ w.values.T
            usable = np.isfinite(rows).all(1)
            if not (np.abs(want - exact)[usable] <= half[usable] + 1e-30).all():
                sys.exit(f"{name}: the simulation is off by more than half a code")
            wants[name] = want + bias, tight + 1e-6, tight + 1e-6
        cases.append((files, wants))
    for isa in versions(folder, "int8"):
        for files, wants in cases:
            compare(isa, folder, files, wants)
        print(f"{isa}: {len(products)} products are right")


def silu(x):
    return x / (1 + np.exp(-x))


def experts(folder):
    e, k, hidden = 5, 2, 96
    layers = []
    # Where 32 divides the hidden rows and the groups, the first product makes them int8 itself; else a routine between the products does.
    for bits, block, zeros, gated, inner in ((4, 32, "none", True, 72), (8, 0, "codes", True, 72), (4, 16, "codes", False, 72), (8, 32, "none", False, 72),
                                             (4, 32, "none", True, 128), (8, 0, "codes", True, 96), (4, 32, "codes", False, 64), (8, 0, "none", False, 160)):
        name = f"qmoe{bits}_{block}_{zeros}_{int(gated)}_{inner}"
        width = 2 * inner if gated else inner
        first = [Weight(width, hidden, bits, block, zeros, 0.6) for _ in range(e)]
        second = [Weight(hidden, inner, bits, block, zeros, 0.6) for _ in range(e)]
        biases = rng.uniform(-0.1, 0.1, (e, width)).astype(F), rng.uniform(-0.1, 0.1, (e, hidden)).astype(F)
        inputs = ["x", "logits"]
        for number, (weights, bias) in enumerate(((first, biases[0]), (second, biases[1]))):
            prefix = f"{name}.fc{number + 1}"
            stack = lambda part: np.stack([part(w) for w in weights])
            depth = hidden if number == 0 else inner
            inputs.append(initializer(prefix + ".q", stack(lambda w: packed(w.codes[:, :depth], bits))))
            scales = stack(lambda w: w.scales)
            inputs.append(initializer(prefix + ".s", scales if block else scales[:, :, 0]))
            inputs.append(initializer(prefix + ".b", bias))
        inputs += ["", "", ""]
        if zeros == "codes":
            for number, weights in enumerate((first, second)):
                points = np.stack([w.zeros.astype(np.uint8) for w in weights])
                inputs.append(initializer(f"{name}.z{number}", packed(points if block else points[:, :, 0], bits)))
        attributes = dict(activation_type="swiglu", swiglu_fusion=1, activation_alpha=1.0) if gated else dict(activation_type="silu")
        if block:
            attributes["block_size"] = block
        nodes.append(helper.make_node("QMoE", inputs, [name], name, domain="com.microsoft", k=k, expert_weight_bits=bits, normalize_routing_weights=1,
                                      accuracy_level=4, **attributes))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", hidden]))
        layers.append((name, first, second, biases, gated))
    save(folder, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", hidden]), helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", e])])
    cases = []
    # With many rows experts have several blocks of them; one expert gets most.
    for count in (1, 23, 230):
        x, logits = rng.standard_normal((count, hidden)).astype(F), rng.standard_normal((count, e)).astype(F)
        logits[:, 3] += 2 if count > 100 else 0
        files = {"x": f"{folder}/mx{count}.npy", "logits": f"{folder}/logits{count}.npy"}
        np.save(files["x"], x)
        np.save(files["logits"], logits)
        wants = {name: simulate(x, logits, k, first, second, biases, gated) for name, first, second, biases, gated in layers}
        cases.append((files, wants))
    # accuracy_level = 4 makes int8 what auto takes.
    for isa in versions(folder, "auto"):
        for files, wants in cases:
            compare(isa, folder, files, wants, mostly=0.85, counts=(2, 3, 4))
        print(f"{isa}: {len(layers)} layers are right")


def simulate(x, logits, k, first, second, biases, gated):
    """The layer with both products on int8 rows. A hidden number near the middle of two codes may get the other one in f32: the loose bound is
    one code of each expert more; few are."""
    want, tight, loose = (np.zeros(x.shape) for _ in range(3))
    for t in range(x.shape[0]):
        chosen = np.argsort(-logits[t], kind="stable")[:k]
        weights = np.exp(logits[t][chosen].astype(np.float64) - logits[t].max())
        weights /= weights.sum()
        for e, weight in zip(chosen, weights):
            middle = first[e].product(x[t:t + 1])[0] + biases[0][e]
            middle = silu(middle[:, 0::2]) * middle[:, 1::2] if gated else silu(middle)
            result, bound, _ = second[e].product(middle)
            step = quantise_rows(middle, second[e].group)[1]
            want[t] += weight * (result + biases[1][e])[0]
            tight[t] += weight * (bound[0] + 2e-6)
            loose[t] += weight * (np.abs(second[e].values) * step).max(1)
    return want, 4 * tight, 4 * tight + loose


folder, what = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
{"dense": dense, "experts": experts}[what](folder)
