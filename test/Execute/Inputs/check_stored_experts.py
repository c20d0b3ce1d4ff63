"""Compiles layers written expert by expert whose weights are stored in other ways than as f32 matrices, and compares with ONNX Runtime.

usage: check_stored_experts.py
"""
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import moe_opt

EXPERTS, K, HIDDEN, INNER, BLOCK = 4, 2, 32, 48, 16
rng = np.random.default_rng(5)


class Graph:
    """Nodes and constants with names of their own."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def add(self, op, *inputs, outputs=1, domain="", **attributes):
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        results = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, names, results, domain=domain, **attributes))
        return results[0] if outputs == 1 else results

    def constant(self, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), f"c{len(self.constants)}"))
        return self.constants[-1].name


def scales(*shape):
    return (rng.random(shape) * 0.02 + 0.005).astype(np.float32)


def product(graph, kind, x, depth, columns):
    """x times a matrix [depth, columns] that is stored as `kind` says."""
    if kind.startswith("nbits"):
        bits, blocks = int(kind[5]), depth // BLOCK
        codes = rng.integers(0, 256, (columns, blocks, BLOCK * bits // 8)).astype(np.uint8)
        zeros = [] if kind.endswith("middle") else [rng.integers(0, 256, columns * ((blocks * bits + 7) // 8)).astype(np.uint8)]
        return graph.add("MatMulNBits", x, codes, scales(columns * blocks), *zeros, domain="com.microsoft", K=depth, N=columns, bits=bits, block_size=BLOCK)
    if kind == "columns":
        matrix = graph.add("DequantizeLinear", rng.integers(-128, 128, (depth, columns)).astype(np.int8), scales(columns), np.zeros(columns, np.int8), axis=1)
    elif kind == "blocks":
        zeros = rng.integers(0, 256, (depth // BLOCK, columns)).astype(np.uint8)
        matrix = graph.add("DequantizeLinear", rng.integers(0, 256, (depth, columns)).astype(np.uint8), scales(depth // BLOCK, columns), zeros, axis=0,
                           block_size=BLOCK)
    else:
        weight = rng.standard_normal((depth, columns)) / np.sqrt(depth)
        matrix = graph.add("Cast", weight.astype(np.float16), to=TensorProto.FLOAT) if kind == "half" else weight.astype(np.float32)
    return graph.add("MatMul", x, matrix)


def expert(graph, kinds, x):
    gate = product(graph, kinds[0], x, HIDDEN, INNER)
    inner = graph.add("Mul", graph.add("Mul", gate, graph.add("Sigmoid", gate)), product(graph, kinds[1], x, HIDDEN, INNER))
    return product(graph, kinds[2], inner, INNER, HIDDEN)


def router(graph):
    logits = graph.add("MatMul", "x", rng.standard_normal((HIDDEN, EXPERTS)).astype(np.float32))
    return graph.add("TopK", graph.add("Softmax", logits, axis=-1), np.array([K]), outputs=2, axis=-1)


def masked(graph, kinds):
    """Every expert on every token, times the weight of those that chose it."""
    weights, ids = router(graph)
    total = None
    for e in range(EXPERTS):
        own = graph.add("Where", graph.add("Equal", ids, np.int64(e)), weights, np.float32(0))
        rows = graph.add("Mul", graph.add("ReduceSum", own, np.array([-1]), keepdims=1), expert(graph, kinds[e], "x"))
        total = graph.add("Add", total, rows) if total else rows
    return total


def unrolled(graph, kinds):
    """Every expert on the tokens that chose it; weights are read at what NonZero found, as it is."""
    weights, ids = router(graph)
    total = graph.add("Mul", "x", np.float32(0))
    for e in range(EXPERTS):
        places = graph.add("NonZero", graph.add("Equal", ids, np.int64(e)))
        token = graph.add("Gather", places, np.int64(0), axis=0)
        own = graph.add("Unsqueeze", graph.add("GatherND", weights, graph.add("Transpose", places, perm=[1, 0])), np.array([-1]))
        rows = graph.add("Mul", expert(graph, kinds[e], graph.add("Gather", "x", token, axis=0)), own)
        total = graph.add("ScatterND", total, graph.add("Unsqueeze", token, np.array([-1])), rows, reduction="add")
    return total


def check(form, kinds, last=None, layers=1):
    """`last`: the kinds of the last expert, where it has others."""
    graph = Graph()
    kinds = [kinds] * (EXPERTS - 1) + [last or kinds]
    graph.add("Identity", form(graph, kinds))
    graph.nodes[-1].output[0] = "y"
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["tokens", HIDDEN])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph(graph.nodes, "g", [value("x")], [value("y")], graph.constants), opset_imports=opsets, ir_version=10).SerializeToString()
    # As written: it would fuse a dequantised weight into a product on rows of int8.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    compiled = moe_opt.compile(model, activations="f32", cpu_features="avx2")
    title = f"{form.__name__} {' '.join(kinds[0])}"
    if len(compiled.moe_layers) != layers:
        sys.exit(f"{title}: {len(compiled.moe_layers)} layers, expected {layers}: {compiled.report.get('not_raised')}")
    worst = 0.0
    for tokens in (1, 5, 33):
        x = rng.standard_normal((tokens, HIDDEN)).astype(np.float32)
        want = session.run(None, {"x": x})[0]
        worst = max(worst, np.abs(compiled.run({"x": x})["y"] - want).max() / np.abs(want).max())
    if not worst < 2e-6:
        sys.exit(f"{title}: an error of {worst:.2g} of the largest result")
    print(f"{title}: {layers} layers, equal; {[entry['reason'] for entry in compiled.report.get('not_raised', [])][:1]}")


def main():
    for form in (masked, unrolled):
        for kind in ("floats", "columns", "blocks", "nbits2", "nbits4", "nbits8", "nbits4middle", "half"):
            check(form, [kind] * 3)
    # The matrices of an expert may be stored in different ways, the same matrix of different experts may not.
    check(masked, ["nbits4", "nbits4", "nbits8"])
    check(unrolled, ["half", "half", "floats"])
    check(unrolled, ["blocks", "floats", "floats"], layers=0)
    check(masked, ["nbits4", "nbits4middle", "nbits4"], layers=0)
    check(masked, ["floats", "floats", "columns"], ["floats", "floats", "blocks"], layers=0)
    check(unrolled, ["half", "half", "half"], ["floats", "floats", "floats"], layers=0)


if __name__ == "__main__":
    main()
