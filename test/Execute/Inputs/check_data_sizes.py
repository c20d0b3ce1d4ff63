"""Compiles models whose sizes come from values and compares one compilation with ONNX Runtime for several values.

usage: check_data_sizes.py
"""
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import moe_opt

rng = np.random.default_rng(11)
KINDS = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32, np.dtype(np.int64): TensorProto.INT64,
         np.dtype(np.bool_): TensorProto.BOOL}


def model_of(nodes, feed, dims, constants=()):
    """A model with the outputs of the last node; dims: names for the dims of an input, else they are fixed."""
    inputs = [helper.make_tensor_value_info(name, KINDS[value.dtype], dims.get(name, list(value.shape))) for name, value in feed.items()]
    kinds = {"i": TensorProto.INT64, "c": TensorProto.INT64}
    outputs = [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None) for name in nodes[-1].output]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(np.asarray(value), name) for name, value in constants])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def check(title, nodes, feeds, dims={}, constants=(), errors=()):
    """The same as ONNX Runtime for every feed, with one to three threads; an error for every feed of `errors`."""
    model = model_of(nodes, feeds[0], dims, constants)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    for threads in (1, 2, 3):
        compiled = moe_opt.compile(model, threads=threads, cpu_features="avx2")
        for feed in feeds:
            for name, want in zip(nodes[-1].output, session.run(None, feed)):
                have = compiled.run(feed)[name]
                if have.shape != want.shape or not np.allclose(have, want, rtol=1e-5, atol=1e-5):
                    sys.exit(f"{title}: {feed}: {name}: got {have}, expected {want}")
        for feed, status in errors:
            try:
                compiled.run(feed)
            except moe_opt.Error as error:
                if error.status != status:
                    sys.exit(f"{title}: {feed}: {error} ({error.status}), expected {status}")
            else:
                sys.exit(f"{title}: {feed}: expected an error")
    print(f"{title}: {len(feeds)} feeds, {len(errors)} errors")


def i64(*values):
    return np.array(values, np.int64)


def main():
    node = helper.make_node
    x = rng.standard_normal((5, 4)).astype(np.float32)
    empty = np.zeros((0, 4), np.float32)
    rows = {"x": ["n", 4]}

    # Sizes that are known on entry: they come from the values of inputs.
    check("ConstantOfShape", [node("ConstantOfShape", ["s"], ["y"])], [{"s": i64(2, 3)}, {"s": i64(0, 7)}], errors=[({"s": i64(2, -1)}, "bad_shape"), ({"s": i64(1 << 40, 1 << 40)}, "no_memory")])
    check("Reshape", [node("Reshape", ["x", "s"], ["y"])], [{"x": x, "s": i64(*s)} for s in ((4, 5), (-1, 2), (2, -1), (0, 4), (0, -1), (1, 20))] + [{"x": empty, "s": i64(0, 4)}],
          rows, errors=[({"x": x, "s": i64(3, 5)}, "bad_shape"), ({"x": x, "s": i64(-1, -1)}, "bad_shape"), ({"x": x, "s": i64(-2, -10)}, "bad_shape")])
    check("Expand", [node("Expand", ["r", "s"], ["y"])], [{"r": x[:1], "s": i64(*s)} for s in ((3, 4), (1, 1), (0, 1), (6, 1))], errors=[({"r": x[:1], "s": i64(2, 3)}, "bad_shape")])
    check("a buffer between", [node("Expand", ["r", "s"], ["w"]), node("Transpose", ["w"], ["t"]), node("MatMul", ["t", "w"], ["y"])],
          [{"r": x[:1], "s": i64(*s)} for s in ((3, 4), (70, 1), (0, 1))], errors=[({"r": x[:1], "s": i64(1 << 45, 1)}, "no_memory")])
    check("Tile", [node("Tile", ["x", "s"], ["y"])], [{"x": x, "s": i64(2, 3)}, {"x": x, "s": i64(0, 1)}], rows, errors=[({"x": x, "s": i64(-1, 1)}, "bad_shape")])
    check("Slice", [node("Slice", ["x", "a", "b", "axes"], ["y"])], [{"x": x, "a": i64(a, 0), "b": i64(b, 2)} for a, b in ((0, 3), (-2, 5), (1, -1), (4, 2), (-9, 99), (2, np.iinfo(np.int64).max))],
          rows, [("axes", i64(0, 1))])
    # The last rows of more than there are of another input: how many is a difference of dims, and fewer is an error.
    check("a difference of dims", [node("Shape", ["x"], ["n"], start=0, end=1), node("Shape", ["z"], ["m"], start=0, end=1), node("Sub", ["m", "n"], ["first"]),
                                   node("Slice", ["z", "first", "m"], ["last"]), node("Add", ["x", "last"], ["y"])],
          [{"x": x[:a], "z": x[:b]} for a, b in ((2, 5), (5, 5), (0, 3), (1, 1))], {"x": ["n", 4], "z": ["m", 4]}, errors=[({"x": x[:4], "z": x[:3]}, "bad_shape")])
    check("Range", [node("Range", ["a", "b", "d"], ["i"])], [{"a": np.array(a, np.int64), "b": np.array(b, np.int64), "d": np.array(d, np.int64)} for a, b, d in ((0, 5, 1), (7, 0, -3), (3, 3, 2), (5, 0, 1), (-4, 9, 5))],
          errors=[({"a": np.array(0, np.int64), "b": np.array(5, np.int64), "d": np.array(0, np.int64)}, "bad_shape")])
    check("Range of floats", [node("Range", ["a", "b", "d"], ["y"])], [{"a": np.array(a, np.float32), "b": np.array(b, np.float32), "d": np.array(d, np.float32)} for a, b, d in ((0, 1, 0.25), (3, -1, -0.5), (1, 0, 1))])
    check("TopK", [node("TopK", ["x", "k"], ["y", "i"], axis=0)], [{"x": x, "k": i64(k)} for k in (1, 3, 5, 0)], rows, errors=[({"x": x, "k": i64(6)}, "bad_shape"), ({"x": x, "k": i64(-1)}, "bad_shape")])
    check("Split", [node("Split", ["x", "s"], ["y", "z"])], [{"x": x, "s": i64(2, 3)}, {"x": x, "s": i64(0, 5)}], rows, errors=[({"x": x, "s": i64(2, 2)}, "bad_shape"), ({"x": x, "s": i64(-1, 6)}, "bad_shape")])
    check("OneHot", [node("OneHot", ["h", "d", "v"], ["y"])], [{"h": i64(0, 2, 1), "d": np.array(d, np.int64)} for d in (3, 5, 1)], constants=[("v", np.array([0.5, 2], np.float32))])
    check("Pad", [node("Pad", ["x", "p"], ["y"])], [{"x": x, "p": i64(*p)} for p in ((1, 0, 2, 0), (0, 0, 0, 3), (-1, 0, 0, 1))], rows)

    # Sizes that the model computes: the count of what is true.
    masks = [rng.random((5, 4)) < p for p in (0.5, 0.0, 1.0, 0.2)]
    check("NonZero", [node("NonZero", ["m"], ["i"])], [{"m": m} for m in masks] + [{"m": np.zeros((0, 4), bool)}], {"m": ["n", 4]})
    check("NonZero of floats", [node("Relu", ["x"], ["p"]), node("NonZero", ["p"], ["i"])], [{"x": x}, {"x": -np.abs(x)}, {"x": empty}], rows)
    check("Compress", [node("Compress", ["x", "m"], ["y"], axis=1)], [{"x": x, "m": np.array(m)} for m in ([True, False, True, True], [False] * 4)], rows)
    check("Compress of all", [node("Compress", ["x", "m"], ["y"])], [{"x": x, "m": np.array([True, False, True, True, False, True])}], rows)
    check("TopK, K computed", [node("ReduceSum", ["k", "zero"], ["sum"], keepdims=1), node("TopK", ["x", "sum"], ["y", "i"], axis=0)],
          [{"x": x, "k": np.array([a, b], np.int64)} for a, b in ((1, 1), (2, 3), (0, 0))], rows, [("zero", i64(0))],
          errors=[({"x": x, "k": np.array([a, b], np.int64)}, "bad_shape") for a, b in ((5, 1), (-3, 1))])
    check("rows that are chosen", [node("NonZero", ["m"], ["at"]), node("Squeeze", ["at", "zero"], ["flat"]), node("Gather", ["x", "flat"], ["some"]),
                                   node("MatMul", ["some", "w"], ["h"]), node("Relu", ["h"], ["r"]), node("Shape", ["r"], ["c"]), node("Unsqueeze", ["flat", "one"], ["where"]),
                                   node("ScatterND", ["x", "where", "r"], ["y"])],

          [{"x": x, "m": np.array(m, bool)} for m in ([1, 0, 0, 1, 1], [0] * 5, [1] * 5)], {"x": ["n", 4], "m": ["n"]},
          [("zero", i64(0)), ("one", i64(1)), ("w", rng.standard_normal((4, 4)).astype(np.float32))])
    # The greatest place is known from the sizes, how many rows there are is not.
    few = np.array([0, 1, 0, 0, 1], bool)
    check("places in chosen rows", [node("NonZero", ["m"], ["at"]), node("Squeeze", ["at", "zero"], ["flat"]), node("Gather", ["x", "flat"], ["some"]),
                                    node("Shape", ["p"], ["length"], start=0, end=1), node("Squeeze", ["length", "zero"], ["end"]),
                                    node("Range", ["nil", "end", "step"], ["places"]), node("Gather", ["some", "places"], ["y"])],
          [{"x": x, "m": few, "p": x[:n, 0]} for n in (2, 1, 0)] + [{"x": x, "m": ~few, "p": x[:3, 0]}], {"x": ["n", 4], "m": ["n"], "p": ["k"]},
          [("zero", i64(0)), ("nil", np.int64(0)), ("step", np.int64(1))], errors=[({"x": x, "m": few, "p": x[:3, 0]}, "bad_argument")])
    left, right = np.array([1, 0, 1, 1], bool), np.array([0, 1, 1, 0, 0, 1], bool)
    check("two counts", [node("NonZero", ["l"], ["i0"]), node("NonZero", ["r"], ["i1"]), node("Concat", ["i0", "i1"], ["i"], axis=0)],
          [{"l": left, "r": right}, {"l": left[:0], "r": right[:0]}], {"l": ["n"], "r": ["m"]}, errors=[({"l": left, "r": ~right & right}, "bad_argument"), ({"l": left[:2], "r": right}, "bad_argument")])
    check("a count", [node("NonZero", ["m"], ["at"]), node("Shape", ["at"], ["c"], start=1)], [{"m": m} for m in masks], {"m": ["n", 4]})


main()
