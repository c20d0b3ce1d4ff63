"""Writes an ONNX model of MoE layers, at any size; the weights are one file beside it.

    generated_model.py OUTPUT.onnx LAYERS EXPERTS [HIDDEN INTERMEDIATE TOP_K] [--form=FORM] [--seed=N]

Each layer is a router, the experts in the form asked for, and a residual sum: `grouped` (form B, the default: sorted rows, one product per expert, as
transformers' grouped_mm is exported), or one of loop_layers.py. The file of weights is sparse and reads as zeros, or holds normal random numbers, scaled
by the length of the rows, with --seed.
"""

import argparse
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import loop_layers  # noqa: E402


class Writer:
    def __init__(self, weights_file):
        self.nodes, self.initializers, self.weights_file, self.bytes, self.constants = [], [], weights_file, 0, {}

    def node(self, op, inputs, outputs=1, **attributes):
        names = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"node_{op}_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values, dtype=np.int64):
        array = np.array(values, dtype)
        key = (array.dtype, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = f"constant_{len(self.constants)}"
            self.initializers.append(numpy_helper.from_array(array, self.constants[key]))
        return self.constants[key]

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


def router(w, x, prefix, experts, hidden, k):
    logits = w.node("MatMul", [x, w.weight(prefix + "gate.weight", [hidden, experts])])
    values, ids = w.node("TopK", [w.node("Softmax", [logits], axis=-1), w.constant([k])], 2, axis=-1, largest=1, sorted=1)
    return ids, w.node("Div", [values, w.node("ReduceSum", [values, w.constant([-1])], keepdims=1)])


def grouped(w, x, ids, weights, prefix, experts, hidden, inner, k):
    minus_one, one = w.constant([-1]), w.constant([1])
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


def write_weights(path, w, seed):
    with open(path, "wb") as stream:
        stream.truncate(w.bytes)
        if seed is None:
            return
        random = np.random.default_rng(seed)
        for tensor in w.initializers:
            if tensor.external_data:
                stream.seek(int(tensor.external_data[1].value))
                # Of a matrix [in, out] or [experts, …]: any of its sizes is near enough.
                stream.write((random.standard_normal(tuple(tensor.dims), np.float32) / np.sqrt(np.float32(tensor.dims[-1]))).tobytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--form", default="grouped")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    layers, experts, *rest = options.sizes
    hidden, inner, k = rest or (64, 32, 2)
    form = grouped if options.form == "grouped" else getattr(loop_layers, options.form)
    w = Writer(options.output.name + ".data")
    x = "x"
    for number in range(layers):
        prefix = f"layers.{number}.mlp."
        ids, weights = router(w, x, prefix, experts, hidden, k)
        x = w.node("Add", [x, form(w, x, ids, weights, prefix, experts, hidden, inner, k)])
    w.nodes[-1].output[0] = "y"
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["tokens", hidden])
    graph = helper.make_graph(w.nodes, options.form, [value("x")], [value("y")], w.initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), options.output)
    write_weights(options.output.with_name(w.weights_file), w, options.seed)
    print(len(w.nodes), "nodes")


if __name__ == "__main__":
    main()
