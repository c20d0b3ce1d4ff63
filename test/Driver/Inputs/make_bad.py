"""Writes damaged and unsupported models for bad-input.test: make_bad.py GOOD_MODEL FOLDER."""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def model(nodes, initializers=(), dims=("n", 4)):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


def main():
    good, folder = pathlib.Path(sys.argv[1]).read_bytes(), pathlib.Path(sys.argv[2])
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "garbage.onnx").write_bytes(np.random.default_rng(1).bytes(5000))
    (folder / "truncated.onnx").write_bytes(good[: len(good) // 2])

    node = helper.make_node
    onnx.save(model([node("Frobnicate", ["x"], ["y"], name="frob")]), folder / "unknown.onnx")
    old = model([node("Relu", ["x"], ["y"])])
    old.opset_import[0].version = 6
    onnx.save(old, folder / "old.onnx")
    weight = numpy_helper.from_array(np.ones((5, 3), np.float32), "w")
    onnx.save(model([node("MatMul", ["x", "w"], ["y"], name="product")], [weight]), folder / "dims.onnx")
    onnx.save(model([node("Relu", ["nowhere"], ["y"], name="dangling")]), folder / "undefined.onnx")
    onnx.save(model([node("Relu", ["b"], ["a"], name="one"), node("Relu", ["a"], ["b"], name="two"), node("Add", ["x", "a"], ["y"])]),
              folder / "cycle.onnx")
    onnx.save(model([node("Softmax", ["x"], ["y"], name="typed", axis=1.5)]), folder / "attribute-type.onnx")
    onnx.save(model([node("Softmax", ["x"], ["y"], name="named", axiss=1)]), folder / "attribute-name.onnx")
    for name, location in (("missing", "gone.bin"), ("escape", "../outside.bin"), ("absolute", "/etc/passwd"), ("short", "short.bin")):
        weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 2048], data_location=TensorProto.EXTERNAL)
        weight.external_data.add(key="location", value=location)
        weight.external_data.add(key="length", value=str(4 * 4 * 2048))
        (folder / f"{name}.onnx").write_bytes(model([node("MatMul", ["x", "w"], ["y"], name="product")], [weight]).SerializeToString())
    (folder / "short.bin").write_bytes(b"\0" * 100)
    (folder.parent / "outside.bin").write_bytes(b"\0" * 4 * 4 * 2048)


if __name__ == "__main__":
    main()
