"""Compiles models of fused and quantised nodes that quantisers and optimisers write and compares with ONNX Runtime on random inputs; where its CPU
provider has no kernel, with the schema's formula in numpy. Codes may differ by one where a product falls between two.

usage: check_spelled_ops.py
"""
import itertools
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import moe_opt

rng = np.random.default_rng(5)
nodes, feed, stored, formulas = [], {}, [], {}


def add(kind, inputs, outputs=1, domain="com.microsoft", **attributes):
    names = [f"y{len(nodes)}_{i}" for i in range(outputs)]
    nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
    return names


def const(value, dtype=np.float32):
    stored.append(numpy_helper.from_array(np.asarray(value, dtype), f"c{len(stored)}"))
    return stored[-1].name


def given(value):
    feed[f"x{len(feed)}"] = value
    return f"x{len(feed) - 1}"


def codes(dtype, *dims):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, dims).astype(dtype)


def floats(*dims, dtype=np.float32):
    return rng.standard_normal(dims).astype(dtype)


def session(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def check(title, tolerance=1e-5):
    global nodes, feed, stored, formulas
    graph = helper.make_graph(nodes, title, [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), list(v.shape)) for n, v in feed.items()],
                              [helper.make_empty_tensor_value_info(name) for node in nodes for name in node.output], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    blob = model.SerializeToString()
    got = moe_opt.compile(blob).run(feed)
    names = [o.name for o in graph.output]
    expected = formulas if formulas else dict(zip(names, session(blob).run(names, feed)))
    worst, off, total = 0.0, 0, 0
    for node in nodes:
        for name in node.output:
            have, want = got[name], expected[name]
            where = f"{title}: {node.op_type} {name} {[(a.name, helper.get_attribute_value(a)) for a in node.attribute]}"
            if have.shape != want.shape or have.dtype != want.dtype:
                sys.exit(f"{where}: {have.dtype} {have.shape}, expected {want.dtype} {want.shape}")
            error = np.abs(have.astype(np.float64) - want.astype(np.float64))
            if want.dtype.kind in "iu":
                off, total = off + int((error > 0).sum()), total + error.size
                if error.max() > 1 or (error > 0).mean() > 0.02:
                    sys.exit(f"{where}: codes differ by {error.max()}, {int((error > 0).sum())} of {error.size}")
                continue
            worst = max(worst, float(error.max()))
            if not worst <= tolerance:
                sys.exit(f"{where}: error {worst}")
    print(f"{title}: {len(nodes)} nodes, " + (f"{off} of {total} codes differ by one" if total else f"largest error {worst:.2g}"))
    nodes, feed, stored, formulas = [], {}, [], {}


def scales(dtype, scale=0.05):
    # Round scales would put many results right between two codes.
    return [const(scale * rng.uniform(0.9, 1.1)), const(rng.integers(-3, 4) + (128 if dtype == np.uint8 else 0), dtype)]


def binary():
    for dtype, kind, other in itertools.product((np.uint8, np.int8), ("QLinearAdd", "QLinearMul"), ((5, 16), (16,), (1,))):
        add(kind, [given(codes(dtype, 3, 5, 16)), *scales(dtype), given(codes(dtype, *other)), *scales(dtype, 0.03), *scales(dtype, 0.1)])
    check("QLinearAdd, QLinearMul")


def unary():
    for dtype in (np.uint8, np.int8):
        x = [given(codes(dtype, 3, 5, 16)), *scales(dtype)]
        add("QLinearSigmoid", x + scales(dtype, 1 / 256))
        add("QLinearLeakyRelu", x + scales(dtype), alpha=0.2)
        add("QLinearSoftmax", x + [const(1 / 256), const(0 if dtype == np.uint8 else -128, dtype)], axis=-1, opset=13)
        add("QLinearSoftmax", x + [const(1 / 256), const(0 if dtype == np.uint8 else -128, dtype)], axis=1, opset=11)
    check("QLinear functions")


def concat():
    for dtype in (np.uint8, np.int8):
        parts = [part for width in (3, 8, 1) for part in [given(codes(dtype, 4, width)), *scales(dtype, 0.02 * width)]]
        add("QLinearConcat", scales(dtype, 0.1) + parts, axis=1)
        add("QLinearWhere", [given(rng.integers(0, 2, (4, 8)).astype(bool)), given(codes(dtype, 4, 8)), *scales(dtype), given(codes(dtype, 1, 8)), *scales(dtype, 0.02), *scales(dtype)])
    check("QLinearConcat, QLinearWhere")


def products():
    for left, right in ((np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)):
        for columns in (False, True):
            scale = const(rng.uniform(0.01, 0.02, 24)) if columns else const(0.015)
            zero = const(np.zeros(24) if right == np.int8 else np.full(24, 128), right) if columns else const(3, right)
            weight = const(codes(right, 32, 24), right)
            for rows in ((7, 32), (2, 7, 32)):
                add("QLinearMatMul", [given(codes(left, *rows)), *scales(left, 0.02), weight, scale, zero, *scales(left, 0.3)], domain="")
            for transposed, bias, out in itertools.product((0, 1), (False, True), (False, True)):
                b = const(codes(right, 24, 32), right) if transposed else weight
                c = const(rng.integers(-2000, 2000, 24), np.int32) if bias else ""
                tail = scales(left, 0.3) if out else []
                add("QGemm", [given(codes(left, 7, 32)), *scales(left, 0.02), b, scale, zero, c, *tail], transB=transposed, alpha=1.0)
    check("QLinearMatMul, QGemm", 1e-4)


def integer_products():
    for right, columns, bias in itertools.product((np.uint8, np.int8), (False, True), (False, True)):
        weight = const(codes(right, 32, 24), right)
        scale = const(rng.uniform(0.01, 0.02, 24) if columns else 0.015)
        zero = const(np.full(24, 128 if right == np.uint8 else 0) if columns else (120 if right == np.uint8 else 0), right)
        add("MatMulIntegerToFloat", [given(codes(np.uint8, 3, 7, 32)), weight, const(0.02), scale, const(117, np.uint8), zero] + ([const(floats(24))] if bias else []))
        add("DynamicQuantizeMatMul", [given(floats(3, 7, 32)), weight, scale, zero] + ([const(floats(24))] if bias else []))
    check("products of integers", 1e-3)


def fused_gemm():
    kinds = {"Relu": {}, "Sigmoid": {}, "Tanh": {}, "Softplus": {}, "Softsign": {}, "LeakyRelu": {"activation_alpha": 0.2}, "Elu": {"activation_alpha": 0.7},
             "ThresholdedRelu": {"activation_alpha": 0.6}, "HardSigmoid": {"activation_alpha": 0.3, "activation_beta": 0.4}}
    for (kind, parameters), transposed, bias in itertools.product(kinds.items(), (0, 1), (False, True)):
        weight = const(floats(*((24, 32) if transposed else (32, 24))))
        add("FusedGemm", [given(floats(7, 32)), weight] + ([const(floats(24))] if bias else []), activation=kind, transB=transposed, alpha=0.25, beta=2.0, **parameters)
    check("FusedGemm", 1e-4)


def gates():
    for activation, heads in itertools.product(("silu", "swish", "sigmoid"), (1, 4)):
        add("GatedRMSNorm", [given(floats(2, 5, heads * 16)), const(floats(16)), given(floats(2, 5, heads * 16))], activation=activation, epsilon=1e-3)
    add("GatedAdd", [given(floats(2, 5, 16)), given(floats(2, 5, 16)), given(floats(2, 5, 1))])
    add("LinearAttentionGate", [given(floats(2, 5, 4) * 5), const(floats(4)), const(-np.exp(floats(4))), given(floats(2, 5, 4))], outputs=2)
    add("LinearAttentionGate", [given(floats(2, 5, 4)), const(floats(4)), const(-np.exp(floats(4)))])
    check("gates")
    half = np.float16
    add("GatedRMSNorm", [given(floats(2, 5, 64, dtype=half)), const(floats(16), half), given(floats(2, 5, 64, dtype=half))])
    add("GatedAdd", [given(floats(2, 5, 16, dtype=half)), given(floats(2, 5, 16, dtype=half)), given(floats(2, 5, 1, dtype=half))])
    add("LinearAttentionGate", [given(floats(2, 5, 4, dtype=half)), const(floats(4)), const(-np.exp(floats(4))), given(floats(2, 5, 4, dtype=half))], outputs=2)
    check("gates in f16", 4e-3)


def without_kernel():
    """QLinearReduceMean has a schema only."""
    x = codes(np.uint8, 3, 5, 16)
    for keep in (0, 1):
        name, = add("QLinearReduceMean", [given(x), const(0.05), const(120, np.uint8), const(0.02), const(100, np.uint8)], axes=[-1], keepdims=keep)
        mean = ((x.astype(np.float32) - 120) * np.float32(0.05)).mean(-1, keepdims=bool(keep))
        formulas[name] = np.clip(np.rint(mean / np.float32(0.02)) + 100, 0, 255).astype(np.uint8)
    check("QLinearReduceMean")


def refused(title, part, *node, domain="com.microsoft", **attributes):
    add(*node, domain=domain, **attributes)
    graph = helper.make_graph(nodes, "refused", [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), list(v.shape)) for n, v in feed.items()],
                              [helper.make_empty_tensor_value_info(nodes[0].output[0])], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    try:
        moe_opt.compile(model.SerializeToString())
    except moe_opt.Error as error:
        if part not in str(error):
            sys.exit(f"{title}: expected '{part}' in: {error}")
        print(f"{title}: refused")
    else:
        sys.exit(f"{title}: was compiled")
    nodes.clear(), feed.clear(), stored.clear()


binary()
unary()
concat()
products()
integer_products()
fused_gemm()
gates()
without_kernel()
refused("an activation that is none", "found 'Softmax'", "FusedGemm", [given(floats(2, 4)), const(floats(4, 4))], activation="Softmax")
refused("a gate of whole rows", "whose last dim is 1", "GatedAdd", [given(floats(2, 4)), given(floats(2, 4)), given(floats(2, 4))])
refused("beta without b", "expected the input b", "LinearAttentionGate", [given(floats(1, 2, 4)), const(floats(4)), const(floats(4))], 2)
refused("a scale that does not divide", "length divides the last dim", "GatedRMSNorm", [given(floats(2, 10)), const(floats(4)), given(floats(2, 10))])
refused("QLinearAdd without a result's scale", "input 6 is required", "QLinearAdd", [given(codes(np.uint8, 4)), *scales(np.uint8), given(codes(np.uint8, 4)), *scales(np.uint8)])
