"""Initializers that are inputs of the graph too, and element types that a file declares, against ONNX Runtime: check_overridable.py FOLDER."""

import pathlib
import subprocess
import sys

import moe_opt
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ort.set_default_logger_severity(4)
folder = pathlib.Path(sys.argv[1])
info, node = helper.make_tensor_value_info, helper.make_node
rng = np.random.default_rng(0)
SCALE, SHIFT = rng.standard_normal(3).astype(np.float32), np.array([True, False, True])
X = rng.standard_normal((2, 3)).astype(np.float32)


def model(scale=(TensorProto.FLOAT, (3,)), output=(TensorProto.FLOAT, ("n", 3)), middle=None, ir_version=8):
    """y = -where(mask, x * scale, x), with scale and mask as inputs that have initializers, and bias as an initializer alone."""
    nodes = [node("Mul", ["x", "scale"], ["product"]), node("Where", ["mask", "product", "x"], ["chosen"]), node("Add", ["chosen", "bias"], ["sum"]),
             node("Neg", ["sum"], ["y"])]
    graph = helper.make_graph(nodes, "g", [info("x", TensorProto.FLOAT, ["n", 3]), info("scale", *scale), info("mask", TensorProto.BOOL, [3])],
                              [info("y", *output)], [numpy_helper.from_array(SCALE, "scale"), numpy_helper.from_array(SHIFT, "mask"),
                                                     numpy_helper.from_array(np.float32([1, 2, 3]), "bias")],
                              value_info=[middle] if middle else [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=ir_version)


def options(*names):
    return moe_opt.SessionOptions(overridable_initializers=list(names))


def refused(proto, part, *names):
    try:
        moe_opt.InferenceSession(proto.SerializeToString(), options(*names))
    except moe_opt.Error as error:
        assert part in str(error), str(error)
    else:
        raise AssertionError(f"must be refused: {part}")


def refused_by_both(proto, part):
    refused(proto, part)
    try:
        ort.InferenceSession(proto.SerializeToString())
    except Exception as error:
        assert "Type Error" in str(error), str(error)
    else:
        raise AssertionError(f"ONNX Runtime takes what is refused here: {part}")


# Without the option both are constants, and feeding one is refused by name.
theirs = ort.InferenceSession(model().SerializeToString())
plain = moe_opt.InferenceSession(model().SerializeToString())
assert plain.get_overridable_initializers() == [] and [i.name for i in plain.get_inputs()] == ["x"]
np.testing.assert_array_equal(plain.run(None, {"x": X})[0], theirs.run(None, {"x": X})[0])
try:
    plain.run(None, {"x": X, "scale": SCALE})
except moe_opt.Error as error:
    assert error.status == "bad_argument" and "'scale'" in str(error), str(error)
else:
    raise AssertionError("a constant took a value")

# With it a run may give either, both or none.
runs = 0
for names in (["scale"], ["mask"], ["scale", "mask"]):
    ours = moe_opt.InferenceSession(model().SerializeToString(), options(*names))
    described = {(i.name, i.type, tuple(i.shape)) for i in theirs.get_overridable_initializers()}
    assert {(i.name, i.type, tuple(i.shape)) for i in ours.get_overridable_initializers()} == {d for d in described if d[0] in names}
    assert [i.name for i in ours.get_inputs()] == [i.name for i in theirs.get_inputs()] == ["x"]
    values = {"scale": np.float32([2, -1, 0.5]), "mask": ~SHIFT}
    for given in ([], names[:1], names):
        feed = {"x": X, **{name: values[name] for name in given}}
        np.testing.assert_array_equal(ours.run(None, feed)[0], theirs.run(None, feed)[0])
        runs += 1
    try:
        ours.run(None, {"mask": SHIFT} if "mask" in names else {"scale": SCALE})
    except moe_opt.Error as error:
        assert "missing input 'x'" in str(error), str(error)
    else:
        raise AssertionError("x has no default")

# A symbolic dim lets a run give another size.
open_dim = model(scale=(TensorProto.FLOAT, ("k",)))
ours, theirs = moe_opt.InferenceSession(open_dim.SerializeToString(), options("scale")), ort.InferenceSession(open_dim.SerializeToString())
for feed in ({"x": X}, {"x": X, "scale": np.float32([3, 4, 5])}):
    np.testing.assert_array_equal(ours.run(None, feed)[0], theirs.run(None, feed)[0])
    runs += 1

# The artifact keeps the defaults; a saved one has them as well.
onnx.save(model(), folder / "model.onnx")
subprocess.run(["moe-compile", folder / "model.onnx", "--overridable", "scale", "--overridable=mask", "--quiet", "-o", folder / "artifact"], check=True)
loaded = moe_opt.load(folder / "artifact")
np.testing.assert_array_equal(loaded.defaults["scale"], SCALE)
np.testing.assert_array_equal(loaded.defaults["mask"], SHIFT)
np.testing.assert_array_equal(loaded.run({"x": X})["y"], ort.InferenceSession(model().SerializeToString()).run(None, {"x": X})[0])
runs += 1

np.testing.assert_array_equal(loaded(X), loaded(X, SCALE, SHIFT))
try:
    loaded(X, SCALE)
except moe_opt.Error as error:
    assert "expected 3 arrays (x, scale, mask), or 1 (x), found 2" in str(error), str(error)
else:
    raise AssertionError("two of three arrays")
binding = moe_opt.IOBinding(loaded)
binding.bind_cpu_input("x", X)
binding.bind_output("y")
binding.run(loaded)
np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], loaded(X))
runs += 2

# So does moe-run, and takes what is given in its place.
np.save(folder / "x.npy", X)
np.save(folder / "other.npy", np.float32([2, -1, 0.5]))
theirs = ort.InferenceSession(model().SerializeToString())
for extra, feed in (([], {}), ([f"--input=scale={folder / 'other.npy'}"], {"scale": np.float32([2, -1, 0.5])})):
    subprocess.run(["moe-run", folder / "artifact", f"--input=x={folder / 'x.npy'}", *extra, "--output-dir", folder / "out"], check=True)
    np.testing.assert_array_equal(np.load(folder / "out" / "y.npy"), theirs.run(None, {"x": X, **feed})[0])
    runs += 1

refused(model(), "expected 'bias' to be an input of the graph with an initializer, found an initializer that is no input", "bias")
refused(model(), "expected 'x' to be an input of the graph with an initializer, found an input without one", "x")
refused(model(), "expected 'w' to be an input of the graph with an initializer, found neither", "w")
refused(model(ir_version=3), "expected an IR version of at least 4 to make the initializer 'scale' overridable, found 3", "scale")
try:
    moe_opt.SessionOptions(overridable_initializers="scale")
except TypeError as error:
    assert "found the str 'scale'" in str(error), str(error)
else:
    raise AssertionError("a str is no list of names")

refused_by_both(model(scale=(TensorProto.DOUBLE, (3,))), "input 'scale': expected an initializer of DOUBLE")
refused_by_both(model(scale=(TensorProto.FLOAT, (2,))), "input 'scale': expected an initializer of 2 in dim 0, which the input is declared as, found 3")
refused_by_both(model(scale=(TensorProto.FLOAT, (1, 3))), "input 'scale': expected an initializer of rank 2, which the input is declared as, found rank 1")
refused_by_both(model(output=(TensorProto.DOUBLE, ("n", 3))), "output 'y': expected elements of DOUBLE, which the file declares, found 'f32' by inference")
refused_by_both(model(middle=info("chosen", TensorProto.INT64, ("n", 3))), "value 'chosen': expected elements of INT64, which the file declares, found 'f32'")
refused_by_both(model(middle=info("chosen", TensorProto.STRING, ("n", 3))), "value 'chosen': expected elements of STRING, which the file declares")

# Shapes that are declared are hints, as are declarations of what no node makes.
for proto in (model(output=(TensorProto.FLOAT, ("n", 4))), model(middle=info("chosen", TensorProto.FLOAT, (7,))),
              model(middle=info("nothing", TensorProto.INT64, (7,))), model(middle=info("x", TensorProto.INT64, (7,)))):
    np.testing.assert_array_equal(moe_opt.InferenceSession(proto.SerializeToString()).run(None, {"x": X})[0],
                                  ort.InferenceSession(proto.SerializeToString()).run(None, {"x": X})[0])
    runs += 1
print(runs, "runs agree")
