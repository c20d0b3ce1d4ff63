"""A cache, new rows and a mask over both, all of whose dims are called "n", compiled with the names and without."""

import os
import sys

import moe_opt
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, save


def model():
    nodes = [helper.make_node("Concat", ["past", "x"], ["both"], axis=1), helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
             helper.make_node("Mul", ["both", "weights"], ["y"])]
    value = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
    graph = helper.make_graph(nodes, "cache", [value("past", ["n", "n", 4]), value("x", ["n", "n", 4]), value("mask", ["n", "n"])], [value("y", [None, None, 4])],
                              [helper.make_tensor("last", TensorProto.INT64, [1], [-1])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def main(folder):
    path = os.path.join(folder, "model.onnx")
    save(model(), path)
    bound = moe_opt.compile(path)
    free = moe_opt.compile(path, ignore_dim_names=True)
    session = moe_opt.InferenceSession(path, moe_opt.SessionOptions(ignore_dim_names=True))
    theirs = onnxruntime.InferenceSession(path)
    rng = np.random.default_rng(0)
    for batch, past, new in ((1, 3, 2), (2, 5, 1), (3, 0, 4), (2, 2, 2)):
        feed = {"past": rng.standard_normal((batch, past, 4), np.float32), "x": rng.standard_normal((batch, new, 4), np.float32),
                "mask": rng.integers(0, 2, (batch, past + new)).astype(np.float32)}
        expected = theirs.run(None, feed)[0]
        np.testing.assert_array_equal(free.run(feed)["y"], expected)
        np.testing.assert_array_equal(session.run(None, feed)[0], expected)
        try:
            bound.run(feed)
        except moe_opt.Error as error:
            assert "(n): expected" in str(error), error
        else:
            raise SystemExit("names that bind took several sizes")
    fixed = moe_opt.compile(path, ignore_dim_names=True, dims={"n": 1})
    assert [list(info.dims) for info in fixed.inputs] == [[1, 1, 4], [1, 1, 4], [1, 1]], fixed.inputs


main(sys.argv[1])
