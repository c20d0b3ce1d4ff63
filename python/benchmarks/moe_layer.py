"""Times one MoE layer, compiled by moe-opt, against ONNX Runtime's own op and PyTorch, on one machine in one run.

    PYTHONPATH=build/release/python python python/benchmarks/moe_layer.py --layer 64,8,2048,1024 --tokens 1,16,512 --format f32,int4

Each cell is a layer (E experts, K per token, H hidden, I intermediate) at T tokens with weights of one format. Every side gets the same weights and
rows. Rounds alternate between the sides, each round with rows of its own, so that other experts are hit and no weights stay in a cache; memory
bandwidth and peak are measured between rounds, since they move on shared machines. Reported: median of all rounds with the spread of the middle
half, the ratio to each peer, the share of the roofline (over active experts: max of weight bytes / bandwidth and flops / peak of the arithmetic that
the format is computed in), and each side's largest error against float64, relative to the largest result. `--json` writes all of it.

Peers: ONNX Runtime's com.microsoft.MoE (f32) and QMoE (int4, blocks of 32; int8, a scale for each output channel); PyTorch, rows grouped by expert, F.linear per expert (f32, bf16).
A peer that is not installed is left out, and said so.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper

import moe_opt

HERE = pathlib.Path(__file__).parent
BLOCK = 32


class Layer:
    """Weights of a gated-silu layer, gate and up interleaved as [E, 2I, H], and down as [E, H, I]; `dense` are the f32 values that every side has."""

    def __init__(self, sizes, format, seed=0):
        self.experts, self.k, self.hidden, self.intermediate = sizes
        self.format = format
        rng = np.random.default_rng(seed)
        shapes = [(self.experts, 2 * self.intermediate, self.hidden), (self.experts, self.hidden, self.intermediate)]
        if format == "int4":
            self.codes = [rng.integers(0, 256, (e, n, k // 2), dtype=np.uint8) for e, n, k in shapes]
            self.scales = [rng.uniform(0.002, 0.01, (e, n, k // BLOCK)).astype(np.float32) for e, n, k in shapes]
        elif format == "int8":
            self.codes = [rng.integers(0, 256, (e, n, k), dtype=np.uint8) for e, n, k in shapes]
            self.scales = [rng.uniform(0.0001, 0.0005, (e, n)).astype(np.float32) for e, n, _ in shapes]
        else:
            self.dense = [rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(shape[2])) for shape in shapes]
            if format == "bf16":
                import ml_dtypes
                self.stored = [weight.astype(ml_dtypes.bfloat16) for weight in self.dense]
                self.dense = [weight.astype(np.float32) for weight in self.stored]

    def expert(self, which, e):
        """The f32 matrix of one expert."""
        if self.format not in ("int4", "int8"):
            return self.dense[which][e]
        codes = self.codes[which][e]
        if self.format == "int8":
            return (codes.astype(np.float32) - 128) * self.scales[which][e][:, None]
        values = np.stack([codes & 15, codes >> 4], -1).reshape(codes.shape[0], -1).astype(np.float32) - 8
        return values * np.repeat(self.scales[which][e], BLOCK, 1)

    def bytes_per_expert(self):
        elements = 3 * self.hidden * self.intermediate
        return elements * {"f32": 4, "bf16": 2, "int8": 1, "int4": 0.5 + 4 / BLOCK}[self.format]

    def model(self, folder, activations):
        """The ONNX model in `folder`, weights in a file beside it; returns its path. A quantised one allows rows of int8 where these are asked for."""
        data = open(folder / "weights.bin", "wb")

        def initializer(name, array, kind):
            tensor = TensorProto(name=name, data_type=kind, dims=array.shape, data_location=TensorProto.EXTERNAL)
            data.seek(-(-data.tell() // 4096) * 4096)
            for key, value in (("location", "weights.bin"), ("offset", str(data.tell())), ("length", str(array.nbytes))):
                tensor.external_data.add(key=key, value=value)
            array.tofile(data)
            return tensor

        attributes = dict(k=self.k, activation_type="swiglu", swiglu_fusion=1, activation_alpha=1.0, activation_beta=0.0, normalize_routing_weights=1)
        kind = TensorProto.BFLOAT16 if self.format == "bf16" else TensorProto.FLOAT
        if self.format in ("int4", "int8"):
            stored = dict(expert_weight_bits=4, block_size=BLOCK) if self.format == "int4" else dict(expert_weight_bits=8)
            initializers = [initializer("q1", self.codes[0], TensorProto.UINT8), initializer("s1", self.scales[0], TensorProto.FLOAT),
                            initializer("q2", self.codes[1], TensorProto.UINT8), initializer("s2", self.scales[1], TensorProto.FLOAT)]
            nodes = [helper.make_node("QMoE", ["x", "logits", "q1", "s1", "", "q2", "s2"], ["y"], domain="com.microsoft",
                                      accuracy_level=4 if activations == "int8" else 0, **stored, **attributes)]
        else:
            weights = self.stored if self.format == "bf16" else self.dense
            initializers = [initializer(f"w{i + 1}", weight, kind) for i, weight in enumerate(weights)]
            nodes = [helper.make_node("MoE", ["x", "logits", "w1", "", "w2"], ["y"], domain="com.microsoft", **attributes)]
        data.close()
        value = lambda name, columns: helper.make_tensor_value_info(name, kind, ["tokens", columns])
        graph = helper.make_graph(nodes, "layer", [value("x", self.hidden), value("logits", self.experts)], [value("y", self.hidden)], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
        onnx.save(model, folder / "model.onnx")
        return folder / "model.onnx"

    def route(self, logits):
        """Experts [T, K] by falling logit, ties to the lower one, and their weights: softmax, the chosen ones divided by their sum."""
        order = np.argsort(-logits, axis=1, kind="stable")[:, :self.k]
        chosen = np.exp(np.take_along_axis(logits, order, 1).astype(np.float64) - logits.max(1, keepdims=True))
        return order, chosen / chosen.sum(1, keepdims=True)

    def reference(self, x, logits):
        order, weights = self.route(logits)
        y = np.zeros(x.shape)
        for e in np.unique(order):
            token, rank = np.nonzero(order == e)
            product = x[token].astype(np.float64) @ self.expert(0, e).astype(np.float64).T
            gate, up = product[:, 0::2], product[:, 1::2]
            y[token] += weights[token, rank][:, None] * ((gate / (1 + np.exp(-gate)) * up) @ self.expert(1, e).astype(np.float64).T)
        return y


def ours(layer, folder, threads, activations):
    model = moe_opt.compile(str(layer.model(folder, activations)), output=str(folder / "out"), activations=activations, threads=threads)
    return lambda x, logits: model.run({"x": x, "logits": logits})["y"]


def onnx_runtime(layer, folder, threads, activations):
    if layer.format == "bf16":
        raise NotImplementedError("its CPU op takes no bf16")
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return lambda x, logits: session.run(["y"], {"x": x, "logits": logits})[0]


def pytorch(layer, folder, threads, activations):
    if layer.format in ("int4", "int8"):
        raise NotImplementedError("it has no grouped product with integers for CPUs")
    import torch
    torch.set_num_threads(threads)
    dtype = torch.bfloat16 if layer.format == "bf16" else torch.float32
    first, second = [torch.from_numpy(weight).to(dtype) for weight in layer.dense]

    def run(x, logits):
        with torch.inference_mode():
            rows = torch.from_numpy(x.astype(np.float32)).to(dtype)
            weights, order = torch.softmax(torch.from_numpy(logits.astype(np.float32)), -1).topk(layer.k, -1)
            weights = (weights / weights.sum(-1, keepdim=True)).to(dtype)
            y = torch.zeros_like(rows)
            for e in order.unique().tolist():
                token, rank = torch.nonzero(order == e, as_tuple=True)
                product = torch.nn.functional.linear(rows[token], first[e])
                hidden = torch.nn.functional.silu(product[:, 0::2]) * product[:, 1::2]
                y.index_add_(0, token, torch.nn.functional.linear(hidden, second[e]) * weights[token, rank, None])
            return y.float().numpy()
    return run


def measure_machine(program, threads):
    return [float(word) for word in subprocess.run([program, str(threads)], capture_output=True, text=True, check=True).stdout.split()]


def roofline(layer, order, machine, activations):
    """Seconds: over active experts the greater of reading its weights and computing its rows."""
    bandwidth, f32, bf16, int8 = machine
    integers = int8 if activations == "int8" else 0
    peak = {"bf16": bf16, "int4": integers, "int8": integers}.get(layer.format, 0) or f32
    _, rows = np.unique(order, return_counts=True)
    return sum(max(layer.bytes_per_expert() / bandwidth, 6 * n * layer.hidden * layer.intermediate / peak) for n in rows)


def run_cell(layer, tokens, sides, rounds, threads, activations, program):
    rng = np.random.default_rng(tokens)
    kind = np.float32
    if layer.format == "bf16":
        import ml_dtypes
        kind = ml_dtypes.bfloat16
    inputs = [(rng.standard_normal((tokens, layer.hidden)).astype(kind), rng.standard_normal((tokens, layer.experts)).astype(kind)) for _ in range(rounds)]
    times, shares, errors = {name: [] for name in sides}, [], {}
    for name, run in sides.items():  # Warm, and the error of each side.
        want = layer.reference(inputs[0][0].astype(np.float32), inputs[0][1].astype(np.float32))
        got = np.asarray(run(*inputs[0])).astype(np.float64)
        errors[name] = float(np.abs(got - want).max() / np.abs(want).max())
    for x, logits in inputs:
        machine = measure_machine(program, threads)
        for name, run in sides.items():
            start = time.perf_counter()
            run(x, logits)
            times[name].append(time.perf_counter() - start)
        shares.append(roofline(layer, layer.route(logits.astype(np.float32))[0], machine, activations) / times["moe-opt"][-1])
    quartiles = {name: statistics.quantiles(values, n=4) if len(values) > 1 else values * 3 for name, values in times.items()}
    return {"layer": [layer.experts, layer.k, layer.hidden, layer.intermediate], "format": layer.format, "tokens": tokens, "rounds": rounds,
            "seconds": {name: q[1] for name, q in quartiles.items()}, "middle_half": {name: [q[0], q[2]] for name, q in quartiles.items()},
            "ratio": {name: quartiles[name][1] / quartiles["moe-opt"][1] for name in sides if name != "moe-opt"},
            "roofline_share": statistics.median(shares), "error": errors}


def start_sides(layer, folder, threads, activations):
    sides = {"moe-opt": ours(layer, folder, threads, activations)}
    for name, start in (("ONNX Runtime", onnx_runtime), ("PyTorch", pytorch)):
        try:
            sides[name] = start(layer, folder, threads, activations)
        except (ImportError, NotImplementedError) as error:
            print(f"  {name} left out: {error}", flush=True)
    return sides


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layer", action="append", help="E,K,H,I (repeatable; 64,8,2048,1024)")
    parser.add_argument("--tokens", default="1,16,512")
    parser.add_argument("--format", default="f32", help="f32, bf16, int8 and int4, joined by commas")
    parser.add_argument("--activations", default="auto", help="as moe-compile's; with int8 nodes that ONNX Runtime gets say accuracy level 4")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", help="file for all figures")
    options = parser.parse_args()

    cells = []
    with tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, "machine")
        subprocess.run(["clang-22", "-O3", "-march=native", str(HERE / "machine.c"), "-o", program, "-lpthread"], check=True)
        for text in options.layer or ["64,8,2048,1024"]:
            sizes = [int(word) for word in text.split(",")]
            for format in options.format.split(","):
                layer = Layer(sizes, format)
                folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
                sides = start_sides(layer, folder, options.threads, options.activations)
                for tokens in (int(word) for word in options.tokens.split(",")):
                    cell = run_cell(layer, tokens, sides, options.rounds, options.threads, options.activations, program)
                    cells.append(cell)
                    peers = ", ".join(f"{name} {ratio:.2f}x" for name, ratio in cell["ratio"].items())
                    print(f"{text} {format} T={tokens}: {1e3 * cell['seconds']['moe-opt']:.3g} ms, {100 * cell['roofline_share']:.0f} % of the roofline; "
                          f"{peers}; errors " + ", ".join(f"{error:.1e}" for error in cell["error"].values()), flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"threads": options.threads, "cells": cells}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
