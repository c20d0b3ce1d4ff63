"""Compiles models of fused and quantised nodes that quantisers and optimisers write and compares with ONNX Runtime on random inputs; where its CPU
provider has no kernel, with the schema's formula in numpy. Codes may differ by one where a product falls between two.

usage: check_spelled_ops.py
"""
import itertools

import numpy as np

from node_cases import Cases

cases = Cases()
add, const, given, codes, floats, check, refused = cases.add, cases.const, cases.given, cases.codes, cases.floats, cases.check, cases.refused


def scales(dtype, scale=0.05):
    # Round scales would put many results right between two codes.
    return [const(scale * cases.rng.uniform(0.9, 1.1)), const(cases.rng.integers(-3, 4) + (128 if dtype == np.uint8 else 0), dtype)]


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
        add("QLinearWhere", [given(cases.rng.integers(0, 2, (4, 8)).astype(bool)), given(codes(dtype, 4, 8)), *scales(dtype), given(codes(dtype, 1, 8)), *scales(dtype, 0.02), *scales(dtype)])
    check("QLinearConcat, QLinearWhere")


def products():
    for left, right in ((np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)):
        for columns in (False, True):
            scale = const(cases.rng.uniform(0.01, 0.02, 24)) if columns else const(0.015)
            zero = const(np.zeros(24) if right == np.int8 else np.full(24, 128), right) if columns else const(3, right)
            weight = const(codes(right, 32, 24), right)
            for rows in ((7, 32), (2, 7, 32)):
                add("QLinearMatMul", [given(codes(left, *rows)), *scales(left, 0.02), weight, scale, zero, *scales(left, 0.3)], domain="")
            for transposed, bias, out in itertools.product((0, 1), (False, True), (False, True)):
                b = const(codes(right, 24, 32), right) if transposed else weight
                c = const(cases.rng.integers(-2000, 2000, 24), np.int32) if bias else ""
                tail = scales(left, 0.3) if out else []
                add("QGemm", [given(codes(left, 7, 32)), *scales(left, 0.02), b, scale, zero, c, *tail], transB=transposed, alpha=1.0)
    check("QLinearMatMul, QGemm", 1e-4)


def integer_products():
    for right, columns, bias in itertools.product((np.uint8, np.int8), (False, True), (False, True)):
        weight = const(codes(right, 32, 24), right)
        scale = const(cases.rng.uniform(0.01, 0.02, 24) if columns else 0.015)
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
        cases.formulas[name] = np.clip(np.rint(mean / np.float32(0.02)) + 100, 0, 255).astype(np.uint8)
    check("QLinearReduceMean")


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
