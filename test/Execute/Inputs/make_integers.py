"""Writes models of one node on integers, with the numbers at which processors trap or hardware wraps: make_integers.py FOLDER.

Expected values are numpy's; where ONNX says nothing (a divisor of 0) they are what docs and code of moe-opt say: x / 0 is x, x mod 0 is 0.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

FOLDER = pathlib.Path(sys.argv[1])


def write(name, nodes, inputs, outputs):
    folder = FOLDER / name / "data"
    folder.mkdir(parents=True)
    kind = lambda values: helper.np_dtype_to_tensor_dtype(values.dtype)
    given = [helper.make_tensor_value_info(n, kind(v), [f"{n}_{i}" if size > 1 else size for i, size in enumerate(v.shape)]) for n, v in inputs.items()]
    made = [helper.make_tensor_value_info(n, kind(v), [None] * v.ndim) for n, v in outputs.items()]
    model = helper.make_model(helper.make_graph(nodes, name, given, made), opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, FOLDER / name / "model.onnx")
    for tensors, stem in ((inputs, "input"), (outputs, "output")):
        for number, (n, values) in enumerate(tensors.items()):
            onnx.save_tensor(numpy_helper.from_array(values, n), folder / f"{stem}_{number}.pb")


def towards_zero(x, y):
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


OPERATIONS = [("Div", {}, lambda x, y: towards_zero(x, y) if y else x), ("Mod", {}, lambda x, y: x % y if y else 0),
              ("Mod", {"fmod": 1}, lambda x, y: x - towards_zero(x, y) * y if y else 0)]

for dtype in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.uint64):
    limits = np.iinfo(dtype)
    numbers = np.array(sorted({limits.min, limits.min + 1, limits.max, 0, 1, 7} | ({-1, -7} if limits.min else set())), dtype)
    # Enough of them for whole vectors and a rest.
    a, b = (np.tile(part.reshape(-1), 3) for part in np.meshgrid(numbers, numbers))
    wrap = lambda value: (value - limits.min) % 2**limits.bits + limits.min
    # Divisors: as many as there are numbers, or one for all.
    inputs = {"a": a, "b": b, "zero": np.zeros(1, dtype)}
    if limits.min:
        inputs["minus"] = np.full(1, -1, dtype)
    nodes, outputs = [], {}
    for kind, attributes, compute in OPERATIONS:
        for divisor in list(inputs)[1:]:
            name = f"y{len(outputs)}"
            nodes.append(helper.make_node(kind, ["a", divisor], [name], **attributes))
            pairs = zip(a.tolist(), np.broadcast_to(inputs[divisor], a.shape).tolist())
            outputs[name] = np.array([wrap(compute(x, y)) for x, y in pairs], dtype)
    write(np.dtype(dtype).name, nodes, inputs, outputs)

# OneHot: indices outside of [-depth, depth) leave a row of the second value.
for dtype in (np.int32, np.int64):
    limits = np.iinfo(dtype)
    i = np.array([0, 4, -1, -5, 5, -6, limits.min, limits.max, 2], dtype)
    values = np.array([0.5, 3], np.float32)
    y = np.full((i.size, 5), 0.5, np.float32)
    for row, index in enumerate(i):
        if -5 <= index < 5:
            y[row, index] = 3
    depth = helper.make_node("Constant", [], ["depth"], value_int=5)
    write(f"OneHot-{np.dtype(dtype).name}", [depth, helper.make_node("OneHot", ["i", "depth", "v"], ["y"])], {"i": i, "v": values}, {"y": y})
