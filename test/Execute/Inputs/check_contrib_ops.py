"""Compiles models of com.microsoft ops that whole decoders hold beside attention and compares with ONNX Runtime on random inputs.

usage: check_contrib_ops.py
"""
import itertools
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import moe_opt

rng = np.random.default_rng(3)


def check(title, nodes, feed, initializers=(), tolerance=1e-5):
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32, np.dtype(np.int64): TensorProto.INT64}
    outputs = [node.output[0] for node in nodes]
    graph = helper.make_graph(nodes, title, [helper.make_tensor_value_info(n, kinds[v.dtype], list(v.shape))
                                             for n, v in feed.items()],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(outputs, feed)
    got = moe_opt.compile(model.SerializeToString(), cpu_features="avx2").run(feed)
    worst = 0.0
    for node, want in zip(nodes, expected):
        have = got[node.output[0]]
        error = float(np.max(np.abs(have - want))) if have.shape == want.shape else float("inf")
        worst = max(worst, error)
        if not error <= tolerance:
            sys.exit(f"{title}: {[(a.name, helper.get_attribute_value(a)) for a in node.attribute]}: error {error}, dims {have.shape}, expected {want.shape}")
    print(f"{title}: {len(nodes)} nodes, largest error {worst:.2g}")


def fused_matmul():
    feed = {"a": rng.standard_normal((6, 6)).astype(np.float32), "batch": rng.standard_normal((2, 3, 6, 6)).astype(np.float32),
            "wide": rng.standard_normal((3, 6, 6)).astype(np.float32)}
    stored = numpy_helper.from_array(rng.standard_normal((6, 6)).astype(np.float32), "w")
    nodes = []
    for lhs, rhs, left, right, alpha in itertools.product(("a", "batch"), ("w", "wide"), (0, 1), (0, 1), (1.0, 0.25)):
        nodes.append(helper.make_node("FusedMatMul", [lhs, rhs], [f"y{len(nodes)}"], domain="com.microsoft", transA=left, transB=right, alpha=alpha))
    check("FusedMatMul", nodes, feed, [stored])


def gather_block_quantized():
    rows, columns, block = 7, 48, 16
    feed = {"i": np.array([[0, 6, -7], [3, -1, 2]], np.int64)}
    initializers, nodes = [], []
    for bits, zeros in itertools.product((4, 8), (False, True)):
        name = f"{bits}{zeros}"
        initializers.append(numpy_helper.from_array(rng.integers(0, 256, (rows, columns * bits // 8)).astype(np.uint8), "d" + name))
        initializers.append(numpy_helper.from_array(rng.uniform(0.1, 1, (rows, columns // block)).astype(np.float32), "s" + name))
        inputs = ["d" + name, "i", "s" + name]
        if zeros:
            packed = -(-(columns // block) * bits // 8)
            initializers.append(numpy_helper.from_array(rng.integers(0, 256, (rows, packed)).astype(np.uint8), "z" + name))
            inputs.append("z" + name)
        nodes.append(helper.make_node("GatherBlockQuantized", inputs, ["y" + name], domain="com.microsoft", bits=bits, block_size=block))
    check("GatherBlockQuantized", nodes, feed, initializers)


def skip_norms():
    feed = {"x": rng.standard_normal((2, 3, 16)).astype(np.float32) * 1e-4, "skip": rng.standard_normal((2, 3, 16)).astype(np.float32) * 1e-4,
            "g": rng.standard_normal(16).astype(np.float32)}
    nodes = [helper.make_node(kind, ["x", "skip", "g"], [f"y{i}"], domain="com.microsoft", **attributes)
             for i, (kind, attributes) in enumerate(itertools.product(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), ({}, {"epsilon": 1e-4})))]
    check("skip norms of small numbers", nodes, feed, tolerance=1e-4)


fused_matmul()
gather_block_quantized()
skip_norms()
