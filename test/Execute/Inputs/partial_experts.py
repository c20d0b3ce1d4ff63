"""Layers whose experts answer only some of the ids, and slices that start at a difference of dims, compared with ONNX Runtime."""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

import moe_opt

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
FOLDER = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(5)
node, value = helper.make_node, helper.make_tensor_value_info


def constant(name, array):
    return node("Constant", [], [name], value=onnx.numpy_helper.from_array(np.asarray(array)))


def agree(what, nodes, inputs, outputs, *feeds, layers=()):
    proto = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    folder = FOLDER / what.replace(" ", "-")
    compiled = moe_opt.compile(proto, output=str(folder))
    found = [(layer["export_form"], layer["experts"]) for layer in json.loads((folder / "manifest.json").read_text())["moe_layers"]]
    assert found == list(layers), (what, found)
    for feed in feeds:
        for info, wanted in zip(proto.graph.output, session.run(None, feed)):
            got = np.asarray(compiled.run(feed)[info.name])
            assert got.shape == wanted.shape, (what, got.shape, wanted.shape)
            np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-6, err_msg=what)
    print(f"{what}: agrees")


def expert(number, hidden, inner):
    """The rows of one expert, weighted where an id is its number."""
    weight = lambda *shape: (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
    e = str(number)
    return [constant("u" + e, weight(hidden, inner)), constant("d" + e, weight(inner, hidden)), constant("n" + e, np.int64(number)),
            node("MatMul", ["x", "u" + e], ["a" + e]), node("Relu", ["a" + e], ["b" + e]), node("MatMul", ["b" + e, "d" + e], ["r" + e]),
            node("Equal", ["ids", "n" + e], ["m" + e]), node("Where", ["m" + e, "w", "zero"], ["p" + e]),
            node("ReduceSum", ["p" + e, "last"], ["s" + e], keepdims=1), node("Mul", ["r" + e, "s" + e], ["t" + e])]


def partial(numbers):
    hidden, inner = 16, 24
    nodes = [constant("zero", np.float32(0)), constant("last", np.int64([-1]))]
    for number in numbers:
        nodes += expert(number, hidden, inner)
    nodes.append(node("Sum" if len(numbers) > 1 else "Identity", [f"t{number}" for number in numbers], ["y"]))
    inputs = [value("x", FLOAT, ["t", hidden]), value("ids", INT64, ["t", 2]), value("w", FLOAT, ["t", 2])]
    x, w = rng.standard_normal((6, hidden)).astype(np.float32), rng.random((6, 2)).astype(np.float32)
    feeds = [{"x": x, "w": w, "ids": rng.integers(low, high, (6, 2))} for low, high in ((0, 3), (0, 8), (-9, 9), (3, 8))]
    return nodes, inputs, [value("y", FLOAT, ["t", hidden])], *feeds


agree("experts of one rank", *partial([0, 1, 2]), layers=[("masked", 3)])
agree("experts of another rank", *partial([3, 4, 5]))
agree("one expert of some", *partial([0]))

cut = [node("Shape", ["m"], ["n"], start=1, end=2), node("Shape", ["q"], ["s"], start=1, end=2), node("Sub", ["n", "s"], ["from"]), constant("axis", np.int64([1])),
       node("Slice", ["m", "from", "n", "axis"], ["rows"]), node("Add", ["rows", "q"], ["y"])]
array = lambda *shape: rng.standard_normal(shape).astype(np.float32)
agree("the rows behind a cache", cut, [value("m", FLOAT, ["b", "n"]), value("q", FLOAT, ["b", "s"])], [value("y", FLOAT, ["b", "s"])],
      *({"m": array(2, n), "q": array(2, s)} for n, s in ((5, 2), (5, 5), (7, 1))))
window = [node("Shape", ["m"], ["n"], start=1, end=2), constant("four", np.int64([4])), node("Sub", ["n", "four"], ["from"]), constant("axis", np.int64([1])),
          node("Slice", ["m", "from", "n", "axis"], ["y"])]
agree("the last four", window, [value("m", FLOAT, ["b", "n"])], [value("y", FLOAT, ["b", "k"])], *({"m": array(2, n)} for n in (1, 2, 3, 4, 9)))
