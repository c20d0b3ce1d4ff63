"""Loops whose number of runs only a run tells, on one to three threads, compared with ONNX Runtime; models that are refused go into a folder."""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

import moe_opt

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
rng = np.random.default_rng(7)
FOLDER = pathlib.Path(sys.argv[1])
node = helper.make_node


def value(name, shape, element=FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def constant(name, array):
    return node("Constant", [], [name], value=onnx.numpy_helper.from_array(np.asarray(array)))


def weight(*shape):
    return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)


def graph(nodes, inputs, outputs, name="body"):
    return helper.make_graph(nodes, name, inputs, outputs)


def body(nodes, carried, scans=(), condition="k", number="i"):
    """A Loop's body on carried values (name, next name, shape, element type)."""
    condition, again = ("k" + number, "k" + number + "_next") if condition == "k" else (condition, "again" + number)
    nodes = nodes + [node("Identity", [condition], [again])]
    inputs = [value(number, [], INT64), value("k" + number, [], BOOL)] + [value(name, shape, element) for name, _, shape, element in carried]
    outputs = [value(again, [], BOOL)] + [value(name, shape, element) for _, name, shape, element in carried]
    return graph(nodes, inputs, outputs + [value(name, None, element) for name, element in scans])


def model(nodes, inputs, outputs):
    return helper.make_model(graph(nodes, inputs, outputs, "g"), opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def agree(what, proto, *feeds, layers=None):
    feeds = [{name: np.asarray(array) for name, array in feed.items()} for feed in feeds]
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    folder = str(FOLDER / what.replace(" ", "-"))
    compiled = moe_opt.compile(proto, output=folder)
    if layers is not None:
        found = [(layer["export_form"], layer["experts"]) for layer in json.loads((pathlib.Path(folder) / "manifest.json").read_text())["moe_layers"]]
        assert found == layers, (what, found)
    for threads in (1, 2, 3):
        compiled = moe_opt.load(folder, threads=threads)
        for feed in feeds:
            expected, found = session.run(None, feed), compiled.run(feed)
            for info, wanted in zip(proto.graph.output, expected):
                got = np.asarray(found[info.name])
                # Of no rows, ONNX Runtime does not say how large they would be.
                assert got.shape == wanted.shape or (got.shape[0] == wanted.shape[0] == 0 and got.ndim == wanted.ndim), (what, info.name, got.shape, wanted.shape)
                assert got.dtype == wanted.dtype, (what, info.name, got.shape, wanted.shape)
                np.testing.assert_allclose(got, wanted.reshape(got.shape), rtol=2e-5, atol=2e-6, err_msg=f"{what}, {info.name}, {threads} threads")
    print(f"{what}: agrees")


def counted():
    """The input says how often rows are multiplied: layers of one weight."""
    w = weight(8, 8)
    nodes = [node("MatMul", ["h", "w"], ["p"]), node("Tanh", ["p"], ["t"]), node("Add", ["t", "x"], ["h_next"])]
    loop = node("Loop", ["n", "", "x"], ["y"], body=body(nodes, [("h", "h_next", ["t", 8], FLOAT)]))
    proto = model([constant("w", w), loop, node("Add", ["y", "x"], ["z"])], [value("n", [], INT64), value("x", ["t", 8])], [value("z", ["t", 8])])
    x = weight(5, 8)
    agree("runs that an input counts", proto, *({"n": np.int64(n), "x": x} for n in (0, 1, 2, 7, -3)), {"n": np.int64(4), "x": weight(1, 8)})


def sized():
    """As many runs as rows; the number of the run picks the row."""
    nodes = [node("Gather", ["x", "i"], ["row"], axis=0), node("Mul", ["a", "half"], ["b"]), node("Add", ["b", "row"], ["a_next"])]
    loop = node("Loop", ["n", "yes", "zero"], ["y"], body=body(nodes, [("a", "a_next", [4], FLOAT)]))
    before = [constant("half", np.float32(0.5)), constant("zero", np.zeros(4, np.float32)), constant("yes", np.array(True)),
              node("Shape", ["x"], ["s"]), constant("at", np.int64(0)), node("Gather", ["s", "at"], ["n"], axis=0)]
    agree("runs that a size counts", model(before + [loop], [value("x", ["t", 4])], [value("y", [4])]), {"x": weight(6, 4)}, {"x": weight(1, 4)})


def while_condition():
    """Runs until a sum is great enough, at most n times; values that trade places; one that stays."""
    nodes = [node("Add", ["a", "b"], ["c"]), node("ReduceSum", ["c"], ["sum"], keepdims=0), node("Less", ["sum", "limit"], ["go"])]
    carried = [("a", "b", [3], FLOAT), ("b", "c", [3], FLOAT), ("s", "s", [3], FLOAT)]
    loop_body = body(nodes, carried, condition="go")
    inputs = [value("x", [3]), value("y", [3]), value("limit", [])]
    outputs = [value("p", [3]), value("q", [3]), value("r", [3])]
    x, y = np.float32([1, 0, 2]), np.float32([1, 1, 1])
    feeds = [{"x": x, "y": y, "limit": np.float32(limit)} for limit in (-1, 10, 100, 1e4)]
    agree("a condition ends them", model([constant("yes", np.array(True)), node("Loop", ["", "yes", "x", "y", "x"], ["p", "q", "r"], body=loop_body)], inputs, outputs),
          *feeds)
    agree("a condition or a maximum", model([constant("yes", np.array(True)), constant("most", np.int64(5)),
                                             node("Loop", ["most", "yes", "x", "y", "x"], ["p", "q", "r"], body=loop_body)], inputs, outputs), *feeds)
    go = [node("ReduceSum", ["x"], ["total"], keepdims=0), node("Less", ["total", "limit"], ["first"])]
    agree("a condition that may not hold at first", model(go + [node("Loop", ["", "first", "x", "y", "x"], ["p", "q", "r"], body=loop_body)], inputs, outputs), *feeds)


def nested():
    """A loop in a loop, whose count is the outer's number; what neither changes is computed before them."""
    inner = body([node("Mul", ["v", "w"], ["m"]), node("Add", ["m", "e"], ["v_next"])], [("v", "v_next", [4], FLOAT)], number="j")
    outer = body([node("Add", ["h", "e"], ["g"]), node("Loop", ["i", "", "g"], ["h2"], body=inner), node("Sub", ["h2", "x"], ["h_next"])],
                 [("h", "h_next", [4], FLOAT)])
    before = [constant("w", np.float32(0.9)), node("Exp", ["x"], ["e"])]
    after = [node("Exp", ["x"], ["e2"]), node("Mul", ["y", "e2"], ["z"])]
    proto = model(before + [node("Loop", ["n", "", "x"], ["y"], body=outer)] + after, [value("n", [1], INT64), value("x", [4])], [value("z", [4])])
    agree("a loop in a loop", proto, *({"n": np.int64([n]), "x": weight(4)} for n in (0, 1, 4)))


def branch():
    """An endless loop in a branch that is not taken does not run."""
    loop = body([node("Add", ["v", "v"], ["v_next"]), node("ReduceSum", ["v_next"], ["s"], keepdims=0), node("Less", ["s", "most"], ["go"])],
                [("v", "v_next", [2], FLOAT)], condition="go")
    then = graph([constant("most", np.float32(100)), constant("yes", np.array(True)), node("Loop", ["", "yes", "x"], ["r"], body=loop)], [], [value("r", [2])], "then")
    other = graph([node("Neg", ["x"], ["r2"])], [], [value("r2", [2])], "else")
    choice = [constant("zero", np.float32(0)), node("ReduceSum", ["x"], ["total"], keepdims=0), node("Greater", ["total", "zero"], ["c"]),
              node("If", ["c"], ["y"], then_branch=then, else_branch=other)]
    agree("a loop in a branch", model(choice, [value("x", [2])], [value("y", [2])]), {"x": np.float32([1, 2])}, {"x": np.float32([-1, -2])}, {"x": np.float32([0, 0])})


def gathered():
    """Scan outputs: a row for each run that took place, of a size that the inputs give."""
    nodes = [node("MatMul", ["h", "w"], ["p"]), node("Tanh", ["p"], ["h_next"]), node("ReduceSum", ["h_next"], ["sum"], keepdims=0), node("Add", ["h", "x"], ["all"]),
             node("Less", ["sum", "limit"], ["go"])]
    inputs = [value("n", [], INT64), value("x", ["t", 4]), value("limit", [])]
    outputs = [value("y", ["t", 4]), value("rows", ["r", "t", 4]), value("sums", ["r"])]
    x = np.abs(weight(3, 4))
    for what, condition in (("rows of runs that an input counts", "k"), ("rows of runs that a condition ends", "go")):
        loop = node("Loop", ["n", "yes", "x"], ["y", "rows", "sums"], body=body(nodes, [("h", "h_next", ["t", 4], FLOAT)], [("all", FLOAT), ("sum", FLOAT)], condition))
        proto = model([constant("w", np.abs(weight(4, 4))), constant("yes", np.array(True)), loop], inputs, outputs)
        agree(what, proto, *({"n": np.int64(n), "x": x, "limit": np.float32(limit)} for n, limit in ((0, 5), (1, 5), (4, 5), (4, -1), (4, 100))))


def scanned():
    """A Scan over as many places as the inputs have, of two inputs from both ends, joined along another dim."""
    step = graph([node("Mul", ["s", "half"], ["h"]), node("Sum", ["h", "a", "b"], ["t"]), node("Sub", ["t", "b"], ["r"]), node("Identity", ["t"], ["u"])],
                 [value("s", [3]), value("a", [3]), value("b", [3])], [value("t", [3]), value("r", [3]), value("u", [3])])
    scan = node("Scan", ["start", "x", "y"], ["last", "rows", "columns"], body=step, num_scan_inputs=2, scan_input_axes=[0, 1], scan_input_directions=[0, 1],
                scan_output_axes=[0, -1], scan_output_directions=[1, 0])
    proto = model([constant("half", np.float32(0.5)), constant("start", np.float32([1, 2, 3])), scan], [value("x", ["t", 3]), value("y", [3, "t"])],
                  [value("last", [3]), value("rows", ["t", 3]), value("columns", [3, "t"])])
    agree("a scan of open length", proto, *({"x": weight(t, 3), "y": weight(3, t)} for t in (1, 2, 5)))


def greedy():
    """A decoder with an MoE layer that makes tokens until one ends the text, each from those in front of it; and as many layers as an input says."""
    hidden, experts, inner, words, length, k = 16, 4, 24, 11, 8, 2
    weights = [constant("table", weight(words, hidden) * 4), constant("router", weight(hidden, experts)), constant("w1", weight(experts, hidden, inner)),
               constant("w2", weight(experts, inner, hidden)), constant("head", weight(hidden, words)), constant("k2", np.int64([k])), constant("one", np.int64([1])),
               constant("last", np.int64([-1])), constant("both", np.int64([1, 2])), constant("two", np.int64([2])), constant("unit", np.int64(1)),
               constant("square", np.int64([1, 1]))]

    def layer(x, y):
        return [node("MatMul", [x, "router"], ["logits"]), node("Softmax", ["logits"], ["probs"], axis=-1),
                node("TopK", ["probs", "k2"], ["weights", "ids"], axis=-1), node("Gather", ["w1", "ids"], ["g1"]), node("Gather", ["w2", "ids"], ["g2"]),
                node("Unsqueeze", [x, "both"], ["x4"]), node("MatMul", ["x4", "g1"], ["h1"]), node("Relu", ["h1"], ["h2"]), node("MatMul", ["h2", "g2"], ["h3"]),
                node("Squeeze", ["h3", "two"], ["h4"]), node("Unsqueeze", ["weights", "last"], ["ws"]), node("Mul", ["h4", "ws"], ["h5"]),
                node("ReduceSum", ["h5", "one"], ["h6"], keepdims=0), node("Add", [x, "h6"], [y])]

    loop = node("Loop", ["n", "", "x"], ["y"], body=body(layer("h", "h_next"), [("h", "h_next", ["t", hidden], FLOAT)]))
    agree("layers that an input counts", model([*weights, loop], [value("n", [], INT64), value("x", ["t", hidden])], [value("y", ["t", hidden])]),
          *({"n": np.int64(n), "x": weight(5, hidden)} for n in (0, 1, 3)), layers=[("gathered", experts)])

    # The text is a row of the greatest length; a step reads the token before it and writes its own.
    step = [node("Gather", ["text", "i"], ["token"]), node("Gather", ["table", "token"], ["e0"]), node("Unsqueeze", ["e0", "zero"], ["e1"]),
            node("Add", ["e1", "state"], ["e"]), *layer("e", "state_next"), node("MatMul", ["state_next", "head"], ["scores"]),
            node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0), node("Add", ["i", "unit"], ["at"]), node("Reshape", ["at", "square"], ["where"]),
            node("ScatterND", ["text", "where", "best"], ["text_next"]), node("Squeeze", ["best"], ["word"]), node("Equal", ["word", "stop"], ["is_end"]),
            node("Not", ["is_end"], ["go"])]
    loop = node("Loop", ["n", "yes", "prompt", "start"], ["out", "state_last", "tokens"],
                body=body(step, [("text", "text_next", [length], INT64), ("state", "state_next", [1, hidden], FLOAT)], [("word", INT64)], "go"))
    proto = model([*weights, constant("zero", np.int64([0])), constant("yes", np.array(True)), constant("start", np.zeros((1, hidden), np.float32)), loop],
                  [value("n", [], INT64), value("prompt", [length], INT64), value("stop", [], INT64)],
                  [value("out", [length], INT64), value("tokens", ["made"], INT64)])
    prompt = np.int64([3] + [0] * (length - 1))
    agree("tokens until one ends the text", proto, *({"n": np.int64(n), "prompt": prompt, "stop": np.int64(stop)} for n in (0, 7) for stop in range(-1, words)),
          layers=[("gathered", experts)])


def main():
    only = sys.argv[2:] or ["counted", "sized", "while_condition", "nested", "branch", "gathered", "scanned", "greedy"]
    for name in only:
        globals()[name]()


main()
