"""Writes models with nodes in the bodies of If, Loop and Scan whose indices only data decides: make_bodies.py FOLDER.

Model NAME is NAME.onnx; NAME-good* are folders of test data, NAME-bad*.npy inputs of runs that must fail.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(0)
TYPES = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}


def value(name, dims):
    """f32, but i64 for a name that starts with i, and bool for one that starts with b."""
    return helper.make_tensor_value_info(name, TYPES.get(name[0], TensorProto.FLOAT), dims)


def graph(name, nodes, inputs, outputs):
    return helper.make_graph(nodes, name, [value(*pair) for pair in inputs.items()], [value(*pair) for pair in outputs.items()])


def model(name, nodes, inputs, outputs):
    whole = graph("g", nodes, inputs, outputs)
    onnx.save(helper.make_model(whole, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), FOLDER / f"{name}.onnx")


def good(folder, inputs, *outputs):
    (FOLDER / folder).mkdir()
    for number, (name, values) in enumerate(inputs.items()):
        onnx.save_tensor(numpy_helper.from_array(np.array(values, order="C"), name), FOLDER / folder / f"input_{number}.pb")
    for number, values in enumerate(outputs):
        onnx.save_tensor(numpy_helper.from_array(np.array(values, order="C"), f"y{number}"), FOLDER / folder / f"output_{number}.pb")


x = rng.standard_normal((5, 4)).astype(np.float32)
np.save(FOLDER / "x.npy", x)

# A branch that is not taken must not look at its indices; the one that is taken must.
then = graph("then", [helper.make_node("Gather", ["x", "i"], ["then_y"], name="taken")], {}, {"then_y": ["m", 4]})
otherwise = graph("else", [helper.make_node("Shape", ["i"], ["size"]), helper.make_node("Concat", ["size", "four"], ["sizes"], axis=0),
                           helper.make_node("ConstantOfShape", ["sizes"], ["else_y"])], {}, {"else_y": ["m", 4]})
four = helper.make_node("Constant", [], ["four"], value_ints=[4])
model("if", [four, helper.make_node("If", ["b"], ["y0"], then_branch=then, else_branch=otherwise)], {"x": [5, 4], "i": ["m"], "b": []}, {"y0": ["m", 4]})
good("if-good0", {"x": x, "i": np.array([4, -5, 0]), "b": np.array(True)}, x[[4, -5, 0]])
good("if-good1", {"x": x, "i": np.array([4, 5, 0]), "b": np.array(False)}, np.zeros((3, 4), np.float32))
np.save(FOLDER / "if-bad.npy", np.array([4, 5, 0]))
np.save(FOLDER / "true.npy", np.array(True))

# Each iteration reads a row of its own; what an iteration that does not take place would read is no error.
body = graph("body", [helper.make_node("Gather", ["i", "i_step"], ["index"], name="own"), helper.make_node("Gather", ["x", "index"], ["row"], name="row"),
                      helper.make_node("Add", ["f_in", "row"], ["f_out"]), helper.make_node("Add", ["i_step", "one"], ["next"]),
                      helper.make_node("Less", ["next", "i_trips"], ["b_out"])],
             {"i_step": [], "b_in": [], "f_in": [4]}, {"b_out": [], "f_out": [4]})
start = helper.make_node("Constant", [], ["start"], value=numpy_helper.from_array(np.zeros(4, np.float32)))
yes = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
numbers = [helper.make_node("Constant", [], [name], value_int=number) for name, number in (("zero", 0), ("one", 1), ("most", 5), ("three", 3))]
model("loop", [start, *numbers, helper.make_node("Less", ["zero", "i_trips"], ["any"]), helper.make_node("Loop", ["most", "any", "start"], ["y0"], body=body)],
      {"x": [5, 4], "i": ["m"], "i_trips": []}, {"y0": [4]})
i = np.array([4, 0, -5, 2])
good("loop-good0", {"x": x, "i": i, "i_trips": np.array(4)}, x[i].cumsum(0)[-1])
good("loop-good1", {"x": x, "i": np.array([4, 0, 7, 2]), "i_trips": np.array(2)}, x[[4, 0]].cumsum(0)[-1])
good("loop-good2", {"x": x, "i": np.array([9]), "i_trips": np.array(0)}, np.zeros(4, np.float32))
np.save(FOLDER / "loop-bad.npy", np.array([4, 0, 7, 2]))
for trips in (3, 5):
    np.save(FOLDER / f"trips{trips}.npy", np.array(trips))
np.save(FOLDER / "loop-i.npy", i)

# Scan hands each iteration one of the indices.
body = graph("body", [helper.make_node("Gather", ["x", "i_one"], ["row"], name="scanned"), helper.make_node("Add", ["f_in", "row"], ["f_out"]),
                      helper.make_node("Identity", ["f_out"], ["f_row"])], {"f_in": [4], "i_one": []}, {"f_out": [4], "f_row": [4]})
model("scan", [start, helper.make_node("Scan", ["start", "i"], ["y0", "y1"], body=body, num_scan_inputs=1)], {"x": [5, 4], "i": [4]}, {"y0": [4], "y1": [4, 4]})
good("scan-good", {"x": x, "i": i}, x[i].cumsum(0)[-1], x[i].cumsum(0))
np.save(FOLDER / "scan-bad.npy", np.array([4, 0, -6, 2]))

# A branch inside a loop: of the rows that are looked at only when a flag says so.
then = graph("then", [helper.make_node("Gather", ["x", "index"], ["then_row"], name="flagged")], {}, {"then_row": [4]})
otherwise = graph("else", [helper.make_node("Identity", ["f_in"], ["else_row"])], {}, {"else_row": [4]})
body = graph("body", [helper.make_node("Gather", ["i", "i_step"], ["index"]), helper.make_node("Gather", ["b_flags", "i_step"], ["flag"]),
                      helper.make_node("If", ["flag"], ["f_out"], then_branch=then, else_branch=otherwise), helper.make_node("Identity", ["b_in"], ["b_out"])],
             {"i_step": [], "b_in": [], "f_in": [4]}, {"b_out": [], "f_out": [4]})
model("nested", [start, yes, *numbers, helper.make_node("Loop", ["three", "yes", "start"], ["y0"], body=body)],
      {"x": [5, 4], "i": ["m"], "b_flags": ["m"]}, {"y0": [4]})
flags = np.array([True, True, False])
good("nested-good", {"x": x, "i": np.array([1, 3, 11]), "b_flags": flags}, x[3])
np.save(FOLDER / "nested-bad.npy", np.array([1, 11, 3]))
np.save(FOLDER / "flags.npy", flags)

# A branch that no setting of the model takes may be one that nobody could compile; where an input decides, it may not.
setting = [helper.make_node("Constant", [], ["scale"], value=numpy_helper.from_array(np.array(2.5, np.float32))),
           helper.make_node("Constant", [], ["bound"], value=numpy_helper.from_array(np.array(2, np.float32))),
           helper.make_node("Greater", ["scale", "bound"], ["above"]), helper.make_node("Not", ["above"], ["below"])]
unknown = graph("then", [helper.make_node("Nonsense", ["x"], ["then_x"], name="nonsense")], {}, {"then_x": [5, 4]})
relu = graph("else", [helper.make_node("Relu", ["x"], ["else_x"])], {}, {"else_x": [5, 4]})
model("setting", [*setting, helper.make_node("If", ["below"], ["y0"], then_branch=unknown, else_branch=relu)], {"x": [5, 4]}, {"y0": [5, 4]})
good("setting-good", {"x": x}, np.maximum(x, 0))
model("choice", [helper.make_node("If", ["b"], ["y0"], then_branch=unknown, else_branch=relu)], {"x": [5, 4], "b": []}, {"y0": [5, 4]})
