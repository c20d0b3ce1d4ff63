"""Nodes whose attributes or small inputs ask for more than can be spelled out, or for nonsense: each must end with one error that names the node, soon.

usage: hostile_nodes.py FOLDER
"""

import pathlib
import subprocess
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

IMAGE = [1, 4, 8, 8]
HUGE = 2**62
# (op, dims of the inputs that are given at run time, constants, attributes, domain)
CASES = [
    ("MaxPool", [IMAGE], [], {"kernel_shape": [10**9, 3]}, ""),
    ("MaxPool", [IMAGE], [], {"kernel_shape": [HUGE, HUGE], "dilations": [HUGE, HUGE]}, ""),
    ("MaxPool", [IMAGE], [], {"kernel_shape": [3, 3], "strides": [0, 1]}, ""),
    ("MaxPool", [IMAGE], [], {"kernel_shape": [3, 3], "pads": [1, 1]}, ""),
    ("MaxPool", [[1, 4]], [], {"kernel_shape": [1]}, ""),
    ("AveragePool", [[1, 1, HUGE]], [], {"kernel_shape": [3], "pads": [1, 1]}, ""),
    ("AveragePool", [[1, 1, 2**40]], [], {"kernel_shape": [3], "auto_pad": "SAME_UPPER"}, ""),
    ("MaxPool", [IMAGE], [], {"kernel_shape": [10**3, 3]}, "", 2),
    ("MaxPool", [IMAGE], [], {"kernel_shape": [3, 3], "storage_order": HUGE}, "", 2),
    ("GridSample", [IMAGE, [1, 8, 8, 3]], [], {}, ""),
    ("GridSample", [[1, 4, *[2] * 40], [1, *[2] * 40, 40]], [], {}, ""),
    ("GridSample", [[1, 4, 8, 8, 8], [1, 2, 2, 2, 3]], [], {"mode": "cubic"}, ""),
    ("LRN", [IMAGE], [], {"size": 10**12}, ""),
    ("DepthToSpace", [IMAGE], [], {"blocksize": 2**32}, ""),
    ("SpaceToDepth", [IMAGE], [], {"blocksize": HUGE}, ""),
    ("Col2Im", [[1, 4, 4]], [np.array([4, 4]), np.array([2, 2])], {"strides": [0, 0]}, ""),
    ("Col2Im", [[1, 4, 4]], [np.array([4, 4]), np.array([2, 2])], {"strides": [1]}, ""),
    ("Col2Im", [[1, 4, 4]], [np.array([4, 4]), np.array([0, 2])], {}, ""),
    ("Col2Im", [[1, 4, 4]], [np.array([HUGE, HUGE]), np.array([2, 2])], {}, ""),
    ("ConvTranspose", [IMAGE, [4, 2, 3, 3]], [], {"dilations": [HUGE, HUGE]}, ""),
    ("ConvTranspose", [IMAGE, [4, 2, 3, 3]], [], {"output_shape": [-5, -5]}, ""),
    ("Resize", [IMAGE], [None, np.array([1, 1, np.inf, 1], np.float32)], {}, ""),
    ("Resize", [IMAGE], [None, np.array([1, 1, 1e-38, 1], np.float32)], {"mode": "linear", "antialias": 1}, ""),
    ("Resize", [IMAGE], [None, np.array([1, 1, 1e9, 1], np.float32)], {}, ""),
    ("Resize", [IMAGE], [None, None, np.array([1, 4, HUGE, 8])], {}, ""),
    ("Resize", [[1, 4, 0, 8]], [None, None, np.array([1, 4, 2, 8])], {}, ""),
    ("STFT", [[1, 16, 1]], [np.array(4), np.array(1.0, np.float32)], {}, ""),
    ("Attention", [[1, 2, 8], [8, 24]], [], {"num_heads": 2, "do_rotary": 1, "rotary_embedding_dim": -2}, "com.microsoft"),
    ("Attention", [[1, 2, 8], [8, 24]], [], {"num_heads": 1, "qkv_hidden_sizes": [HUGE, HUGE, HUGE]}, "com.microsoft"),
]


def model_of(op, dims, constants, attributes, domain, outputs=1):
    inputs = [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, shape) for i, shape in enumerate(dims)]
    stored = [(f"c{i}", value) for i, value in enumerate(constants)]
    names = [info.name for info in inputs] + ["" if value is None else name for name, value in stored]
    node = helper.make_node(op, names, ["y", "z"][:outputs], name="hostile", domain=domain, **attributes)
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(value, name) for name, value in stored if value is not None])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)], ir_version=10)


def external_constant(location, offset):
    """A Constant whose value, which has no name, lies in a file."""
    value = TensorProto(dims=[4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, text in (("location", location), ("offset", str(offset))):
        value.external_data.add(key=key, value=text)
    model = model_of("Constant", [], [], {}, "")
    model.graph.node[0].attribute.append(helper.make_attribute("value", value))
    return model


folder, wrong = pathlib.Path(sys.argv[1]), 0
(folder / "short.bin").write_bytes(bytes(20))
MODELS = [(f"{case[0]} {case[3]}", model_of(*case)) for case in CASES]
MODELS += [(f"external data in {location}", external_constant(location, 8)) for location in ("missing.bin", "short.bin", "../short.bin")]
for number, (title, model) in enumerate(MODELS):
    path = folder / f"{number}.onnx"
    path.write_bytes(model.SerializeToString())
    done = subprocess.run(["moe-compile", path, "-o", folder / "out", "--quiet"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 2 or done.stderr.count("error:") != 1 or "'hostile'" not in done.stderr:
        print(f"{title}: expected one error of the node, found status {done.returncode} and\n{done.stderr[:600]}")
        wrong += 1
print(f"{len(MODELS)} nodes, {wrong} not refused as they should be")
