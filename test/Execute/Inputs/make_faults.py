"""Writes models of one node whose indices only data decides, inputs that are in range with what numpy makes of them, and inputs that are not:
make_faults.py FOLDER. Model NAME is NAME.onnx; NAME-good is a folder of test data, NAME-bad*.npy the indices of runs that must fail.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(0)


def model(name, nodes, dims, initializers=None):
    """dims: of each input, by name; those that start with i are indices (i64), the others f32. The output is y."""
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64 if n[0] == "i" else TensorProto.FLOAT, d) for n, d in dims.items()]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(v, n) for n, v in (initializers or {}).items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24), helper.make_opsetid("com.microsoft", 1)], ir_version=10),
              FOLDER / f"{name}.onnx")


def good(name, inputs, y):
    folder = FOLDER / f"{name}-good"
    folder.mkdir()
    for i, (n, values) in enumerate(inputs.items()):
        (folder / f"input_{i}.pb").write_bytes(numpy_helper.from_array(np.ascontiguousarray(values), n).SerializeToString())
    (folder / "output_0.pb").write_bytes(numpy_helper.from_array(np.ascontiguousarray(y), "y").SerializeToString())


def bad(name, **inputs):
    for n, values in inputs.items():
        np.save(FOLDER / f"{name}-{n}.npy", np.asarray(values))


def node(kind, inputs, **attributes):
    return helper.make_node(kind, inputs.split(), ["y"], name=kind.lower(), **attributes)


x = rng.standard_normal((5, 4)).astype(np.float32)
np.save(FOLDER / "x.npy", x)
i = np.array([[4, -5, 0], [-1, 3, 2]])
model("gather", [node("Gather", "x i")], {"x": ["n", 4], "i": ["b", "s"]})
good("gather", {"x": x, "i": i}, x[i])
many = rng.integers(-5, 5, (64, 33))
for k, (at, value) in enumerate({(0, 0): 5, (63, 32): -6, (30, 7): 2**62, (1, 1): -2**63}.items()):
    wrong = many.copy()
    wrong[at] = value
    bad("gather", **{f"bad{k}": wrong})
two = many.copy()
two[40, 0], two[50, 0] = 77, 88
bad("gather", both=two)

model("elements", [node("GatherElements", "x i", axis=1)], {"x": ["n", 4], "i": ["n", "k"]})
i = rng.integers(-4, 4, (5, 3))
good("elements", {"x": x, "i": i}, np.take_along_axis(x, i, 1))
wrong = i.copy()
wrong[4, 2] = 4
bad("elements", bad=wrong)

model("nd", [node("GatherND", "x i")], {"x": ["n", 4], "i": ["m", 2]})
i = np.array([[4, 3], [-5, -4], [0, 0]])
good("nd", {"x": x, "i": i}, x[i[:, 0], i[:, 1]])
bad("nd", bad=[[4, 3], [3, 4]])

codes = rng.integers(0, 255, (5, 8), np.uint8)
model("blocks", [node("GatherBlockQuantized", "codes i scales", domain="com.microsoft", bits=4, block_size=16)], {"i": ["m"]},
      {"codes": codes, "scales": np.full((5, 1), 0.5, np.float32)})
i = np.array([4, -5, 2])
rows = (np.stack([codes & 15, codes >> 4], -1).reshape(5, 16).astype(np.float32) - 8) / 2
good("blocks", {"i": np.append(i, [5, -6, -2**63])}, np.append(rows[i], np.zeros((3, 16), np.float32), 0))

u = rng.standard_normal((5, 2)).astype(np.float32)
np.save(FOLDER / "u.npy", u)
model("scatter", [node("ScatterElements", "x i u", axis=1, reduction="add")], {"x": ["n", 4], "i": ["n", "k"], "u": ["n", "k"]})
i, y = rng.integers(-4, 4, (5, 2)), x.copy()
np.add.at(y, (np.arange(5)[:, None], i), u)
good("scatter", {"x": x, "i": i, "u": u}, y)
bad("scatter", bad=[[0, 1], [0, 1], [0, -5], [0, 1], [0, 1]])

v = rng.standard_normal(2).astype(np.float32)
np.save(FOLDER / "v.npy", v)
model("scatternd", [node("ScatterND", "x i v")], {"x": ["n", 4], "i": ["m", 2], "v": ["m"]})
i, y = np.array([[1, -1], [-5, 2]]), x.copy()
y[i[:, 0], i[:, 1]] = v
good("scatternd", {"x": x, "i": i, "v": v}, y)
bad("scatternd", bad=[[1, -1], [5, 2]])

cache, update = rng.standard_normal((2, 1, 6, 4)).astype(np.float32), rng.standard_normal((2, 1, 2, 4)).astype(np.float32)
np.save(FOLDER / "cache.npy", cache)
np.save(FOLDER / "update.npy", update)
model("tensorscatter", [node("TensorScatter", "cache update i")], {"cache": ["b", 1, "c", 4], "update": ["b", 1, "s", 4], "i": ["b"]})
y = cache.copy()
y[0, :, 4:6], y[1, :, 0:2] = update[0], update[1]
good("tensorscatter", {"cache": cache, "update": update, "i": np.array([4, 0])}, y)
bad("tensorscatter", bad=[4, 5])

# Rotary positions: a head of one pair, whose first half is x·cos − x'·sin.
tables = {"cos": np.cos(np.arange(8.0, dtype=np.float32))[:, None], "sin": np.sin(np.arange(8.0, dtype=np.float32))[:, None]}
q = rng.standard_normal((1, 1, 3, 2)).astype(np.float32)
np.save(FOLDER / "q.npy", q)
model("rotary", [node("RotaryEmbedding", "q cos sin i")], {"q": ["b", 1, "s", 2], "i": ["b", "s"]}, tables)
p = np.array([[0, 7, 3]])
c, s = tables["cos"][p][:, None, :, 0], tables["sin"][p][:, None, :, 0]
good("rotary", {"q": q, "i": p}, np.stack([q[..., 0] * c - q[..., 1] * s, q[..., 1] * c + q[..., 0] * s], -1).astype(np.float32))
bad("rotary", bad=[[0, 8, 3]])
bad("rotary", negative=[[0, -1, 3]])

# GroupQueryAttention: seqlens_k and positions of a decode step on a cache of 4 rows; rows that exist are ONNX Runtime's to judge (contrib-attention.test).
gqa = [helper.make_node("Shape", ["q"], ["shape"], start=1, end=2), helper.make_node("Add", ["shape", "four"], ["sum"]),
       helper.make_node("Cast", ["sum"], ["total"], to=TensorProto.INT32), helper.make_node("Squeeze", ["total"], ["last"]),
       helper.make_node("Cast", ["i"], ["lengths"], to=TensorProto.INT32),
       helper.make_node("GroupQueryAttention", ["q", "k", "v", "pk", "pv", "lengths", "last"], ["y", "nk", "nv"], name="gqa", domain="com.microsoft", num_heads=1,
                        kv_num_heads=1)]
model("gqa", gqa, {"q": ["b", "s", 8], "k": ["b", "s", 8], "v": ["b", "s", 8], "pk": ["b", 1, 4, 8], "pv": ["b", 1, 4, 8], "i": ["b"]}, {"four": np.array([4])})
for n in ("q", "k", "v"):
    np.save(FOLDER / f"{n}1.npy", rng.standard_normal((2, 1, 8)).astype(np.float32))
for n in ("pk", "pv"):
    np.save(FOLDER / f"{n}.npy", rng.standard_normal((2, 1, 4, 8)).astype(np.float32))
bad("gqa", fits=[4, 2], long=[4, 5], empty=[4, -2])

# Attention's own count of keys.
model("attention", [helper.make_node("Attention", ["q", "q", "q", "", "", "", "i"], ["y"], name="attention", q_num_heads=1, kv_num_heads=1)], {"q": ["b", "s", 8], "i": ["b"]})
bad("attention", fits=[1, 0], long=[1, 2])

# Constants are checked when the model is compiled, or, in a dim of any size, on entry.
model("constant", [node("Gather", "w i")], {"x": ["n", 4]}, {"w": x, "i": np.array([0, 5])})
model("constant-elements", [node("GatherElements", "w i")], {"x": ["n", 4]}, {"w": x, "i": np.array([[0, 4, -5, 1], [2, 2, -6, 0]])})
model("entry", [node("Gather", "x i")], {"x": ["n", 4]}, {"i": np.array([0, 4, -2])})
good("entry", {"x": x}, x[[0, 4, -2]])
np.save(FOLDER / "short.npy", x[:4])

# In range by construction: no check in the code.
model("proven", [helper.make_node("TopK", ["x", "k"], ["top", "at"], axis=0), helper.make_node("ArgMax", ["x"], ["best"], axis=0, keepdims=0),
                 helper.make_node("Mod", ["i", "two"], ["rest"]), helper.make_node("Where", ["flag", "best", "rest"], ["either"]),
                 helper.make_node("Cast", ["either"], ["narrow"], to=TensorProto.INT32), helper.make_node("Gather", ["x", "narrow"], ["z"]),
                 helper.make_node("GatherElements", ["x", "at"], ["w"]), helper.make_node("Add", ["z", "w"], ["y"])],
      {"x": [5, 4], "i": ["m"]}, {"k": np.array([4]), "two": np.array([2]), "flag": np.array([True, False, True, False])})
i = np.array([7, -3, 100, 1])
at = np.argsort(-x, axis=0, kind="stable")[:4]
good("proven", {"x": x, "i": i}, x[np.where([True, False, True, False], x.argmax(0), i % 2)] + np.take_along_axis(x, at, 0))

# The indices of the second node are what the first reads: of two faults the first in the model is told.
model("chain", [helper.make_node("Gather", ["itable", "i"], ["j"], name="first"), helper.make_node("Gather", ["x", "j"], ["y"], name="second")],
      {"x": [5, 4], "i": ["m"], "itable": ["t"]}, None)
good("chain", {"x": x, "i": np.array([2, 0]), "itable": np.array([4, 9, -5])}, x[[-5, 4]])
bad("chain", table=[4, 9, -5], far=[2, 3], between=[2, 1])

bad("table", ids=np.int32([3, 0, 1, 2]), far=np.int32([3, 0, 4, 2]), table=np.int32([[0], [7], [-1], [3]]), wrong=np.int32([[8], [7], [-1], [3]]))
