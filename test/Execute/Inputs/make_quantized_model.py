"""Writes a model with one product per way to quantise a weight, and what it answers to a unit matrix: the dequantised weights, bit by bit.

usage: make_quantized_model.py <folder>

A row of the unit matrix picks a column of each weight: 1·w and otherwise zeros, which f32 sums exactly. References: numpy for MatMulNBits, the
onnx package's own evaluator for DequantizeLinear.
"""
import os
import sys

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

K, N = 70, 40
rng = np.random.default_rng(5)
nodes, initializers, outputs, expected = [], [], [], []


def initializer(name, array, kind=None, dims=None):
    if kind is None:
        initializers.append(numpy_helper.from_array(array, name))
    else:
        initializers.append(helper.make_tensor(name, kind, dims, array.tobytes(), raw=True))
    return name


def packed(codes, bits):
    """Codes along the last axis, lowest bits first, lines filled up to whole bytes."""
    per_byte = 8 // bits
    fill = -codes.shape[-1] % per_byte
    codes = np.concatenate([codes, np.zeros(codes.shape[:-1] + (fill,), np.uint8)], -1).reshape(codes.shape[:-1] + (-1, per_byte))
    return np.bitwise_or.reduce(codes.astype(np.uint16) << (np.arange(per_byte) * bits), -1).astype(np.uint8)


def output(name, value):
    outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", value.shape[-1]]))
    expected.append(value.astype(np.float32))


def nbits(bits, block, zeros, bias=False):
    name = f"nbits{bits}_{block}_{zeros}"
    blocks = -(-K // block)
    codes = rng.integers(0, 1 << bits, (N, blocks * block)).astype(np.uint8)
    scales = rng.uniform(0.001, 1, (N, blocks)).astype(np.float32)
    inputs = ["x", initializer(name + ".q", packed(codes, bits).reshape(N, blocks, -1)), initializer(name + ".s", scales.reshape(-1))]
    zero = np.full((N, blocks), 1 << (bits - 1), np.float32)
    if zeros == "codes":
        points = rng.integers(0, 1 << bits, (N, blocks)).astype(np.uint8)
        zero = points.astype(np.float32)
        inputs.append(initializer(name + ".z", packed(points, bits).reshape(-1)))
    elif zeros == "floats":
        zero = rng.uniform(0, 7, (N, blocks)).astype(np.float32)
        inputs.append(initializer(name + ".z", zero))
    weight = (np.repeat(scales, block, 1) * (codes.astype(np.float32) - np.repeat(zero, block, 1)))[:, :K]
    result = weight.T.copy()
    if bias:
        added = rng.uniform(-1, 1, N).astype(np.float32)
        inputs += [""] * (5 - len(inputs)) + [initializer(name + ".b", added)]
        result += added
    nodes.append(helper.make_node("MatMulNBits", inputs, [name], name, domain="com.microsoft", K=K, N=N, bits=bits, block_size=block))
    output(name, result)


def linear(kind, axis, block, zeros, transposed=False):
    """DequantizeLinear of a K×N weight, or of an N×K one that a Gemm reads transposed."""
    name = f"linear{kind}_{axis}_{block}_{int(zeros)}_{int(transposed)}"
    shape = (N, K) if transposed else (K, N)
    low, high, bits, dtype = {TensorProto.INT4: (-8, 8, 4, ml_dtypes.int4), TensorProto.UINT4: (0, 16, 4, ml_dtypes.uint4),
                              TensorProto.INT8: (-128, 128, 8, np.int8), TensorProto.UINT8: (0, 256, 8, np.uint8)}[kind]

    def stored(suffix, values):
        flat = (values.astype(np.int64) & ((1 << bits) - 1)).astype(np.uint8).reshape(-1)
        initializers.append(helper.make_tensor(name + suffix, kind, values.shape, (packed(flat, 4) if bits == 4 else flat).tobytes(), raw=True))
        return name + suffix

    scale_shape = list(shape)
    if block:
        scale_shape[axis] = -(-shape[axis] // block)
    else:
        scale_shape = [shape[axis]]
    q = rng.integers(low, high, shape)
    scales = rng.uniform(0.001, 1, scale_shape).astype(np.float32)
    inputs = [stored(".q", q), initializer(name + ".s", scales)]
    if zeros:
        inputs.append(stored(".z", rng.integers(low, high, scale_shape)))
    attributes = {"axis": axis} | ({"block_size": block} if block else {})
    dequantize = helper.make_node("DequantizeLinear", inputs, [name + ".w"], name + ".dq", **attributes)
    nodes.append(dequantize)
    product = ("Gemm", {"transB": 1}) if transposed else ("MatMul", {})
    nodes.append(helper.make_node(product[0], ["x", name + ".w"], [name], name, **product[1]))
    graph = helper.make_graph([dequantize], "reference", [], [helper.make_tensor_value_info(name + ".w", TensorProto.FLOAT, shape)],
                              [i for i in initializers if i.name.startswith(name + ".")])
    weight = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])).run(None, {})[0]
    output(name, weight.T if transposed else weight)
    return name + ".w", weight


for bits in (2, 4, 8):
    nbits(bits, 32, "none")
    nbits(bits, 16, "codes", bias=True)
    nbits(bits, 32, "floats")
linear(TensorProto.INT4, 0, 32, True)
linear(TensorProto.UINT4, 1, 16, False, transposed=True)
linear(TensorProto.UINT4, 0, 16, True)
linear(TensorProto.INT8, 1, 0, False)
linear(TensorProto.UINT8, 0, 0, True, transposed=True)
# A table that a product and a Gather read: the kernel has its own copy, the rows are decoded by a loop.
table, values = linear(TensorProto.INT4, 1, 16, True)
rows = np.array([3, 0, 69, 3], np.int64)
nodes.append(helper.make_node("Gather", [table, initializer("rows", rows)], ["gathered"], "gather", axis=0))
nodes.append(helper.make_node("Add", ["gathered", "shift"], ["picked"], "add"))
outputs.append(helper.make_tensor_value_info("picked", TensorProto.FLOAT, [4, N]))
expected.append((values[rows] + np.float32(0)).astype(np.float32))

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", K])
shift = helper.make_tensor_value_info("shift", TensorProto.FLOAT, [1])
graph = helper.make_graph(nodes, "quantized", [x, shift], outputs, initializers)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
folder = os.path.join(sys.argv[1], "test_data_set_0")
os.makedirs(folder, exist_ok=True)
onnx.save(model, os.path.join(sys.argv[1], "model.onnx"))
for number, array in enumerate([np.eye(K, dtype=np.float32), np.zeros(1, np.float32)]):
    onnx.save_tensor(numpy_helper.from_array(array, graph.input[number].name), os.path.join(folder, f"input_{number}.pb"))
for number, array in enumerate(expected):
    onnx.save_tensor(numpy_helper.from_array(np.ascontiguousarray(array), graph.output[number].name), os.path.join(folder, f"output_{number}.pb"))
