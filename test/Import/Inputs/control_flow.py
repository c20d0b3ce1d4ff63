"""Writes models with subgraphs and functions into a folder: good ones are run and compared with onnx's reference evaluator, bad ones are left."""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from moe_opt import backend

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
OPSETS = [helper.make_opsetid("", 20)]


def value(name, shape, element=FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def constant(name, array):
    return helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(np.asarray(array)))


def model(nodes, inputs, outputs, functions=(), opsets=OPSETS):
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=list(opsets), functions=list(functions), ir_version=10)


def agree(what, proto, *feeds, expected=None):
    names = [info.name for info in proto.graph.input]
    expected = expected or ReferenceEvaluator(proto).run(None, dict(zip(names, feeds)))
    found = backend.BackendRep(proto, {}).run(feeds)
    for one, other in zip(expected, found):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)
        assert other.shape == one.shape and other.dtype == one.dtype, (other.shape, one.shape)
    print(f"{what}: agrees")


def branch(op, *operands):
    return helper.make_graph([helper.make_node(op, list(operands), ["r"])], op, [], [value("r", None)])


def good():
    x, y = np.float32([1, -2, 3]), np.float32([10, 20, 30])
    choice = helper.make_node("If", ["c"], ["z"], then_branch=branch("Add", "x", "y"), else_branch=branch("Sub", "x", "y"))
    pair = [value("x", [3]), value("y", [3])]
    agree("if with a known condition", model([constant("c", np.array(False)), choice], pair, [value("z", [3])]), x, y)
    # The condition has a dim, which is not broadcast.
    choosing = model([constant("zero", np.int64([0])), constant("one", np.int64([1])), helper.make_node("Slice", ["x", "zero", "one"], ["s"]),
                      helper.make_node("Slice", ["y", "zero", "one"], ["t"]), helper.make_node("Greater", ["s", "t"], ["c"]), choice],
                     pair, [value("z", [3])])
    agree("if with a condition of the inputs", choosing, x, y)
    assert (backend.run_model(choosing, [y, x])[0] == x + y).all()

    body = helper.make_graph([helper.make_node("Cast", ["i"], ["f"], to=FLOAT), helper.make_node("Add", ["v", "f"], ["w"]),
                              helper.make_node("Mul", ["w", "y"], ["s"]), helper.make_node("Identity", ["k"], ["k2"])],
                             "body", [value("i", [], INT64), value("k", [], BOOL), value("v", [3])],
                             [value("k2", [], BOOL), value("w", [3]), value("s", [3])])
    agree("loop with a known count", model([constant("n", np.array(4)), constant("yes", np.array(True)),
                                            helper.make_node("Loop", ["n", "yes", "x"], ["last", "all"], body=body)], pair, [value("last", [3]), value("all", [4, 3])]), x, y)
    body = helper.make_graph([helper.make_node("Add", ["v", "y"], ["w"]), helper.make_node("ReduceSum", ["w"], ["sum"], keepdims=0),
                              helper.make_node("Less", ["sum", "limit"], ["k2"])],
                             "body", [value("i", [], INT64), value("k", [], BOOL), value("v", [3])], [value("k2", [], BOOL), value("w", [3])])
    agree("loop that a condition ends", model([constant("n", np.array(9)), constant("limit", np.float32(150)), constant("yes", np.array(True)),
                                               helper.make_node("Loop", ["n", "yes", "x"], ["last"], body=body)], pair, [value("last", [3])]), x, y)

    inner = helper.make_graph([helper.make_node("Add", ["sum", "element"], ["next"]), helper.make_node("Mul", ["next", "factor"], ["out"])], "inner",
                              [value("sum", []), value("element", [])], [value("next", []), value("out", [])])
    outer = helper.make_graph([constant("factor", np.float32(0.5)), constant("zero", np.float32(0)),
                               helper.make_node("Scan", ["zero", "row"], ["total", "sums"], body=inner, num_scan_inputs=1, scan_input_directions=[1],
                                                scan_output_directions=[1]),
                               helper.make_node("Add", ["state", "total"], ["state2"])],
                              "outer", [value("state", []), value("row", [4])], [value("state2", []), value("sums", [4])])
    scan = model([constant("start", np.float32(1)),
                  helper.make_node("Scan", ["start", "m"], ["state", "all"], body=outer, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[-1])],
                 [value("m", [4, 3])], [value("state", []), value("all", [4, 3])])
    # The evaluator has no directions: the inner scan gives half the sums from each element to the last.
    m = np.arange(12, dtype=np.float32).reshape(4, 3)
    sums = np.float32(0.5) * np.cumsum(m[::-1], axis=0)[::-1]
    agree("nested scan, backwards and along another axis", scan, m, expected=[1 + m.sum(), sums])

    # ceil(relu((7.5 - 1) / 2)) = 4 runs, the first sum in f16: 7.5 + 0.0001 is 7.5 there.
    body = helper.make_graph([helper.make_node("Add", ["v", "y"], ["w"]), helper.make_node("Identity", ["k"], ["k2"])],
                             "body", [value("i", [], INT64), value("k", [], BOOL), value("v", [3])], [value("k2", [], BOOL), value("w", [3])])
    computed = [constant("limit", np.float16(7.5)), constant("small", np.float16(0.0001)), constant("start", np.float32(1)), constant("delta", np.float32(2)),
                helper.make_node("Add", ["limit", "small"], ["l"]), helper.make_node("Cast", ["l"], ["wide"], to=FLOAT),
                helper.make_node("Sub", ["wide", "start"], ["d"]), helper.make_node("Div", ["d", "delta"], ["q"]), helper.make_node("Relu", ["q"], ["r"]),
                helper.make_node("Ceil", ["r"], ["c"]), helper.make_node("Cast", ["c"], ["n"], to=INT64), helper.make_node("Cast", ["c"], ["yes"], to=BOOL),
                helper.make_node("Loop", ["n", "yes", "x"], ["last"], body=body)]
    agree("loop with a count computed from floats", model(computed, pair, [value("last", [3])]), x, y)

    body = helper.make_graph([helper.make_node("Add", ["s", "e"], ["t"]), helper.make_node("Mul", ["t", "t"], ["u"])], "body",
                             [value("s", [2]), value("e", [2])], [value("t", [2]), value("u", [2])])
    old = model([helper.make_node("Scan", ["", "s0", "seq"], ["last", "all"], body=body, num_scan_inputs=1, directions=[1])],
                [value("s0", [2, 2]), value("seq", [2, 3, 2])], [value("last", [2, 2]), value("all", [2, 3, 2])], opsets=[helper.make_opsetid("", 8)])
    s0, seq = np.float32([[1, 2], [3, 4]]), np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    steps = s0[:, None] + np.cumsum(seq[:, ::-1], axis=1)
    agree("scan of version 8, each row of a batch by itself", old, s0, seq, expected=[steps[:, -1], steps**2])

    reference = onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope")
    leaky = helper.make_node("LeakyRelu", ["a"], ["b"])
    leaky.attribute.append(reference)
    function = helper.make_function("my", "F", ["a", "unused"], ["b"], [leaky], OPSETS, attribute_protos=[helper.make_attribute("slope", 0.25)])
    call = helper.make_node("F", ["c"], ["d"], domain="my")
    call.attribute.append(onnx.AttributeProto(name="slope", type=onnx.AttributeProto.FLOAT, ref_attr_name="steep"))
    caller = helper.make_function("my", "G", ["c"], ["e"], [call, helper.make_node("F", ["d"], ["e"], domain="my")], [helper.make_opsetid("my", 1)],
                                  attributes=["steep"])
    both = model([helper.make_node("G", ["x"], ["h"], domain="my", steep=0.5), helper.make_node("F", ["y"], ["k"], domain="my"),
                  helper.make_node("Add", ["h", "k"], ["z"])], pair, [value("z", [3])], [function, caller], [*OPSETS, helper.make_opsetid("my", 1)])
    # The evaluator wants all inputs; the second is left out here.
    leak = lambda v, slope: np.where(v < 0, np.float32(slope) * v, v)
    agree("functions in functions, with defaults", both, x, -y, expected=[leak(leak(x, 0.5), 0.25) + leak(-y, 0.25)])

    # `late` is captured by the body of a node that stands before the node that makes it.
    unsorted = model([helper.make_node("If", ["c"], ["z"], then_branch=branch("Neg", "late"), else_branch=branch("Abs", "late")),
                      helper.make_node("Mul", ["x", "y"], ["late"]), constant("c", np.array(True))], pair, [value("z", [3])])
    np.testing.assert_array_equal(backend.BackendRep(unsorted, {}).run([x, y])[0], -x * y)
    print("nodes of a body that come in any order: agrees")


def bad(folder):
    def write(name, proto):
        (folder / f"{name}.onnx").write_bytes(proto.SerializeToString())

    c, x = value("c", [], BOOL), value("x", [3])
    cut = lambda to: helper.make_graph([constant("a", np.int64([0])), constant("b", np.int64([to])), helper.make_node("Slice", ["x", "a", "b"], ["r"])],
                                       "cut", [], [value("r", None)])
    write("sizes", model([helper.make_node("If", ["c"], ["z"], "choice", then_branch=cut(2), else_branch=cut(3))], [c, x], [value("z", None)]))

    loop_inputs = [value("i", [], INT64), value("k", [], BOOL), value("v", [3])]
    body = helper.make_graph([helper.make_node("Neg", ["v"], ["w"]), helper.make_node("Identity", ["k"], ["k2"])], "body", loop_inputs,
                             [value("k2", [], BOOL), value("w", [3])])
    growing = helper.make_graph([helper.make_node("Concat", ["v", "v"], ["w"], axis=0), helper.make_node("Identity", ["k"], ["k2"])], "body",
                                [*loop_inputs[:2], value("v", ["m"])], [value("k2", [], BOOL), value("w", ["l"])])
    counted = lambda inner: model([helper.make_node("Loop", ["n", "", "x"], ["z"], "runs", body=inner)], [value("n", [], INT64), x], [value("z", None)])
    write("growing", counted(growing))
    wide = model([helper.make_node("Loop", ["n", "", "x"], ["z"], "runs", body=body)], [value("n", [2], INT64), x], [value("z", [3])])
    write("wide", wide)
    write("endless", model([constant("yes", np.array(True)), helper.make_node("Loop", ["", "yes", "x"], ["z"], "runs", body=helper.make_graph(
        [helper.make_node("Identity", ["k"], ["k2"]), helper.make_node("Identity", ["v"], ["w"])], "body", loop_inputs,
        [value("k2", [], BOOL), value("w", [3])]))], [x], [value("z", [3])]))
    gathering = helper.make_graph([helper.make_node("Neg", ["v"], ["w"]), helper.make_node("ReduceSum", ["v"], ["sum"], keepdims=0),
                                   helper.make_node("Cast", ["sum"], ["k2"], to=BOOL), helper.make_node("Identity", ["v"], ["s"])], "body", loop_inputs,
                                  [value("k2", [], BOOL), value("w", [3]), value("s", [3])])
    write("gathered", model([constant("yes", np.array(True)), helper.make_node("Loop", ["", "yes", "x"], ["z", "all"], "runs", body=gathering)], [x],
                            [value("z", [3]), value("all", None)]))
    step = helper.make_graph([helper.make_node("Sum", ["s", "e", "f"], ["t"])], "step", [value("s", []), value("e", []), value("f", [])], [value("t", [])])
    write("length", model([constant("zero", np.float32(0)), helper.make_node("Scan", ["zero", "m", "o"], ["z"], "steps", body=step, num_scan_inputs=2)],
                          [value("m", ["n"]), value("o", ["p"])], [value("z", [])]))

    opsets = [*OPSETS, helper.make_opsetid("my", 1)]
    call = lambda op, name, inputs=("x",), outputs=("z",): helper.make_node(op, list(inputs), list(outputs), name, domain="my")
    function = lambda name, nodes: helper.make_function("my", name, ["a"], ["b"], nodes, opsets)
    write("cyclic", model([call("F", "call")], [x], [value("z", [3])],
                          [function("F", [call("G", "inner", "a", "b")]), function("G", [call("F", "back", "a", "b")])], opsets))
    doubling = [function("F0", [helper.make_node("Neg", ["a"], ["b"])])]
    for i in range(1, 24):
        doubling.append(function(f"F{i}", [call(f"F{i - 1}", "p", "a", "t"), call(f"F{i - 1}", "q", "t", "b")]))
    write("bomb", model([call("F23", "call")], [x], [value("z", [3])], doubling, opsets))
    simple = function("F", [helper.make_node("Neg", ["a"], ["b"])])
    write("arguments", model([call("F", "call", ["x", "x"])], [x], [value("z", [3])], [simple], opsets))
    write("capture", model([call("F", "call")], [x], [value("z", [3])], [function("F", [helper.make_node("Add", ["a", "x"], ["b"], "add")])], opsets))


if __name__ == "__main__":
    good()
    bad(pathlib.Path(sys.argv[1]))
