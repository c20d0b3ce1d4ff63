"""Writes an ONNX model whose MoE layers are in form B (sorted rows, one product per expert), at any size; the weights are one sparse file beside it.

    grouped_model.py OUTPUT.onnx LAYERS EXPERTS [HIDDEN INTERMEDIATE TOP_K]

Each layer is a router, the layer as transformers' grouped_mm is exported, and a residual sum. The weights read as zeros.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Writer:
    def __init__(self, weights_file):
        self.nodes, self.initializers, self.weights_file, self.bytes = [], [], weights_file, 0

    def node(self, op, inputs, outputs=1, **attributes):
        names = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"node_{op}_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values, dtype=np.int64):
        array = np.array(values, dtype)
        name = f"c_{array.dtype}_{array.shape}_{array.reshape(-1)[:8].tolist()}"
        if all(tensor.name != name for tensor in self.initializers[:32]):
            self.initializers.insert(0, numpy_helper.from_array(array, name))
        return name

    def weight(self, name, shape):
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
        length = 4 * int(np.prod(shape))
        for key, value in (("location", self.weights_file), ("offset", str(self.bytes)), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)
        self.bytes += (length + 63) // 64 * 64
        self.initializers.append(tensor)
        return name


def grouped_product(w, rows, ends, weight, experts):
    """One Gather and MatMul per expert over its range of the sorted rows."""
    slices = w.node("Split", [weight], experts, axis=0, num_outputs=experts)
    pieces = []
    for expert in range(experts):
        start = ends[expert - 1] if expert else w.constant(0)
        numbers = w.node("Range", [start, ends[expert], w.constant(1)])
        picked = w.node("Gather", [rows, numbers], axis=0)
        matrix = w.node("Squeeze", [slices[expert], w.constant([0])])
        pieces.append(w.node("MatMul", [picked, matrix]))
    return w.node("Concat", pieces, axis=0)


def layer(w, x, prefix, experts, hidden, inner, k):
    minus_one, one = w.constant([-1]), w.constant([1])
    logits = w.node("MatMul", [x, w.weight(prefix + "gate.weight", [hidden, experts])])
    values, ids = w.node("TopK", [w.node("Softmax", [logits], axis=-1), w.constant([k])], 2, axis=-1, largest=1, sorted=1)
    weights = w.node("Div", [values, w.node("ReduceSum", [values, minus_one], keepdims=1)])
    flat = w.node("Reshape", [ids, minus_one])
    sorted_ids, order = w.node("TopK", [flat, w.node("Shape", [flat])], 2, axis=-1, largest=0, sorted=1)
    rows = w.node("GatherND", [x, w.node("Unsqueeze", [w.node("Div", [order, w.constant(k)]), minus_one])])
    order_index = w.node("Unsqueeze", [order, minus_one])
    row_weights = w.node("GatherND", [w.node("Reshape", [weights, minus_one]), order_index])
    ones = w.node("ConstantOfShape", [w.node("Shape", [flat])], value=numpy_helper.from_array(np.array([1.0], np.float32)))
    counts = w.node("ScatterElements", [w.constant(np.zeros(experts), np.float32), flat, ones], axis=0, reduction="add")
    sums = w.node("CumSum", [w.node("Cast", [counts], to=TensorProto.INT64), w.constant(0)])
    ends = [w.node("Squeeze", [end, w.constant([0])]) for end in w.node("Split", [sums], experts, axis=0, num_outputs=experts)]
    both = grouped_product(w, rows, ends, w.weight(prefix + "experts.gate_up", [experts, hidden, 2 * inner]), experts)
    gate, up = w.node("Split", [both], 2, axis=1, num_outputs=2)
    activated = w.node("Mul", [w.node("Mul", [gate, w.node("Sigmoid", [gate])]), up])
    y = grouped_product(w, activated, ends, w.weight(prefix + "experts.down", [experts, inner, hidden]), experts)
    weighted = w.node("Mul", [y, w.node("Unsqueeze", [row_weights, minus_one])])
    places = w.node("Range", [w.constant(0), w.node("Squeeze", [w.node("Shape", [flat]), w.constant([0])]), w.constant(1)])
    empty = w.node("ConstantOfShape", [w.node("Shape", [flat])], value=numpy_helper.from_array(np.array([0], np.int64)))
    inverse = w.node("ScatterND", [empty, order_index, places])
    back = w.node("GatherND", [weighted, w.node("Unsqueeze", [inverse, minus_one])])
    return w.node("ReduceSum", [w.node("Reshape", [back, w.constant([-1, k, hidden])]), one], keepdims=0)


def main():
    path = pathlib.Path(sys.argv[1])
    layers, experts, *rest = map(int, sys.argv[2:])
    hidden, inner, k = rest or (64, 32, 2)
    w = Writer(path.name + ".data")
    x = "x"
    for number in range(layers):
        x = w.node("Add", [x, layer(w, x, f"layers.{number}.mlp.", experts, hidden, inner, k)])
    w.nodes[-1].output[0] = "y"
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["tokens", hidden])
    graph = helper.make_graph(w.nodes, "grouped", [value("x")], [value("y")], w.initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    with open(path.with_name(w.weights_file), "wb") as stream:
        stream.truncate(w.bytes)
    print(len(w.nodes), "nodes")


if __name__ == "__main__":
    main()
