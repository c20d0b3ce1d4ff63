"""Writes small models whose sizes only run time can check, and inputs of several sizes: make_conditions.py FOLDER."""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(path, nodes, inputs, outputs, initializers):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs],
                              [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs],
                              [numpy_helper.from_array(values, name) for name, values in initializers.items()])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)


def main():
    folder, node = pathlib.Path(sys.argv[1]), helper.make_node
    rows = ("x", TensorProto.FLOAT, ["n", 8])
    rng = np.random.default_rng(0)
    experts = {"w1": rng.standard_normal((4, 16, 8), np.float32), "w2": rng.standard_normal((4, 8, 16), np.float32)}
    save(folder / "moe.onnx", [node("MoE", ["x", "r", "w1", "", "w2"], ["y"], name="moe", domain="com.microsoft", k=2, activation_type="relu")],
         [rows, ("r", TensorProto.FLOAT, ["m", 4])], [("y", TensorProto.FLOAT)], experts)
    save(folder / "topk.onnx", [node("TopK", ["x", "k"], ["v", "i"], axis=0, name="top")], [rows],
         [("v", TensorProto.FLOAT), ("i", TensorProto.INT64)], {"k": np.array([3])})
    save(folder / "gather.onnx", [node("Gather", ["x", "i"], ["y"], axis=0, name="pick")], [rows, ("i", TensorProto.INT64, ["m"])],
         [("y", TensorProto.FLOAT)], {})
    save(folder / "slice.onnx", [node("Slice", ["x", "start", "end", "axis", "step"], ["y"], name="cut")], [rows], [("y", TensorProto.FLOAT)],
         {"start": np.array([-1]), "end": np.array([-2**63]), "axis": np.array([0]), "step": np.array([-2])})
    for n in range(6):
        x = np.arange(n * 8, dtype=np.float32).reshape(n, 8)
        np.save(folder / f"x{n}.npy", x)
        np.save(folder / f"r{n}.npy", np.ones((n, 4), np.float32))
        np.save(folder / f"i{n}.npy", np.zeros(n, np.int64))
        (folder / f"slice{n}").mkdir()
        (folder / f"slice{n}" / "input_0.pb").write_bytes(numpy_helper.from_array(x, "x").SerializeToString())
        (folder / f"slice{n}" / "output_0.pb").write_bytes(numpy_helper.from_array(np.ascontiguousarray(x[::-2]), "y").SerializeToString())


if __name__ == "__main__":
    main()
