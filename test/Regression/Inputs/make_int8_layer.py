"""Writes a QMoE node with int4 weights and rows of int8 as FILE: make_int8_layer.py FILE. The numbers mean nothing."""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(3)
experts, hidden, inner, block = 6, 96, 128, 32
initializers = []


def initializer(name, array):
    initializers.append(numpy_helper.from_array(array, name))
    return name


inputs = ["x", "logits"]
for number, (columns, depth) in enumerate(((2 * inner, hidden), (hidden, inner))):
    codes = rng.integers(0, 256, (experts, columns, depth // 2)).astype(np.uint8)
    scales = rng.uniform(0.01, 0.02, (experts, columns, depth // block)).astype(np.float32)
    inputs += [initializer(f"fc{number}.q", codes), initializer(f"fc{number}.s", scales), ""]
node = helper.make_node("QMoE", inputs, ["y"], "layer", domain="com.microsoft", k=2, expert_weight_bits=4, normalize_routing_weights=1, accuracy_level=4,
                        activation_type="swiglu", swiglu_fusion=1, activation_alpha=1.0, block_size=block)
value = lambda name, columns: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", columns])
graph = helper.make_graph([node], "layer", [value("x", hidden), value("logits", experts)], [value("y", hidden)], initializers)
opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), sys.argv[1])
