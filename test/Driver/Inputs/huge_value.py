"""A model with a value that no machine holds: huge_value.py FILE."""

import pathlib
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

nodes = [helper.make_node("Tile", ["x", "repeats"], ["tiled"], name="big"), helper.make_node("Softmax", ["tiled"], ["y"], name="soft")]
graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [numpy_helper.from_array(np.array([2**40, 2**30]), "repeats")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
pathlib.Path(sys.argv[1]).write_bytes(model.SerializeToString())
