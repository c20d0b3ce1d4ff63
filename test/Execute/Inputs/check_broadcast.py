"""Dims of inputs that are 1 in some runs, against numpy: check_broadcast.py. One compiled model for all patterns of sizes."""

import itertools

import moe_opt
import numpy as np
from onnx import TensorProto, helper

rng = np.random.default_rng(0)
TYPES = {np.float32: TensorProto.FLOAT, np.int64: TensorProto.INT64, np.bool_: TensorProto.BOOL}


def session(nodes, inputs, output):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(name, TYPES[kind], dims) for name, (kind, dims) in inputs.items()],
                              [helper.make_tensor_value_info("y", TYPES[output], None)])
    return moe_opt.InferenceSession(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString())


def draw(kind, shape):
    if kind is np.bool_:
        return rng.random(shape) < 0.5
    return rng.standard_normal(shape).astype(kind) if kind is np.float32 else rng.integers(-9, 9, shape)


def check(name, nodes, inputs, reference, shapes, output=np.float32):
    model = session(nodes, inputs, output)
    for sizes in shapes:
        feed = {n: draw(kind, shape) for (n, (kind, _)), shape in zip(inputs.items(), sizes)}
        expected = reference(*feed.values())
        found, = model.run(None, feed)
        assert found.shape == expected.shape, (name, sizes, found.shape, expected.shape)
        np.testing.assert_array_equal(found, expected, err_msg=f"{name} {sizes}")


def expect_refusal(nodes, inputs, shapes, part):
    model = session(nodes, inputs, np.float32)
    for sizes in shapes:
        try:
            model.run(None, {n: draw(kind, shape) for (n, (kind, _)), shape in zip(inputs.items(), sizes)})
        except moe_opt.Error as error:
            assert error.status == "bad_shape" and part in str(error), str(error)
        else:
            raise AssertionError(f"{sizes} must be refused")


F, I, B = np.float32, np.int64, np.bool_
node = helper.make_node
# Either input may be 1 in either of two outer dims; the last dim is one size.
patterns = [((a, b, 5), (c, d, 5)) for a, b, c, d in itertools.product((1, 3), (1, 4), (1, 3), (1, 4))]
pair = {"x": (F, ["a", "b", 5]), "z": (F, ["c", "d", 5])}
for kind, reference in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Max", np.maximum)):
    check(kind, [node(kind, ["x", "z"], ["y"])], pair, reference, patterns)
check("Less", [node("Less", ["x", "z"], ["y"])], pair, np.less, patterns, B)
check("int", [node("Add", ["x", "z"], ["y"])], {"x": (I, ["a", "b", 5]), "z": (I, ["c", "d", 5])}, np.add, patterns, I)
# Also with a last dim of a size that only the run has, and empty inputs.
check("dynamic last", [node("Add", ["x", "z"], ["y"])], {"x": (F, ["a", "n"]), "z": (F, ["c", "n"])}, np.add,
      [((3, 37), (1, 37)), ((1, 37), (3, 37)), ((3, 37), (3, 37)), ((1, 1), (1, 1)), ((0, 7), (0, 7)), ((3, 0), (1, 0))])
# Other ranks: the dims in front are the longer input's.
check("ranks", [node("Mul", ["x", "z"], ["y"])], {"x": (F, ["b", 5]), "z": (F, ["c", "d", 5])}, np.multiply,
      [((4, 5), (3, 1, 5)), ((1, 5), (3, 4, 5)), ((4, 5), (1, 4, 5))])
# Against a size that the file has.
check("static", [node("Add", ["x", "z"], ["y"])], {"x": (F, ["a", 5]), "z": (F, [3, 5])}, np.add, [((3, 5), (3, 5)), ((1, 5), (3, 5))])
# Where, with three inputs; two of them 1 in the same run.
check("Where", [node("Where", ["x", "u", "v"], ["y"])], {"x": (B, ["a", 4]), "u": (F, ["b", 4]), "v": (F, ["c", 4])}, np.where,
      [((p, 4), (q, 4), (r, 4)) for p, q, r in itertools.product((1, 3), repeat=3)])
check("Max of three", [node("Max", ["x", "u", "v"], ["y"])], {"x": (F, ["a", 4]), "u": (F, ["b", 4]), "v": (F, ["c", 4])},
      lambda x, u, v: np.maximum(np.maximum(x, u), v), [((p, 4), (q, 4), (r, 4)) for p, q, r in itertools.product((1, 3), repeat=3)])
# An input against what a node has made: the input may be 1.
check("intermediate", [node("Neg", ["z"], ["w"]), node("Add", ["w", "x"], ["y"])], {"x": (F, ["a", "b", 5]), "z": (F, ["c", "d", 5])}, lambda x, z: x - z,
      [(p, (3, 4, 5)) for p in ((3, 4, 5), (1, 4, 5), (3, 1, 5), (1, 1, 5))])
# The input has its own size for its other readers: a sum over the dim that is broadcast.
check("two readers", [node("Add", ["x", "z"], ["s"]), node("ReduceSum", ["x"], ["r"], keepdims=0), node("Add", ["s", "r"], ["y"])],
      {"x": (I, ["a", 4]), "z": (I, ["c", 4])}, lambda x, z: x + z + x.sum(), [((3, 4), (3, 4)), ((1, 4), (3, 4)), ((3, 4), (1, 4))], I)
# The last dim, where two inputs meet.
check("last", [node("Add", ["x", "z"], ["y"])], {"x": (F, ["a", "n"]), "z": (F, ["c", "m"])}, np.add,
      [((3, 37), (3, 1)), ((3, 1), (1, 37)), ((1, 37), (3, 37)), ((3, 37), (3, 37)), ((1, 1), (1, 1))])
# Batches of MatMul, of one rank and of two.
check("MatMul", [node("MatMul", ["x", "z"], ["y"])], {"x": (I, ["a", "b", 2, 3]), "z": (I, ["c", "d", 3, 2])}, np.matmul,
      [((a, b, 2, 3), (c, d, 3, 2)) for a, b, c, d in itertools.product((1, 3), (1, 4), (1, 3), (1, 4))], I)
check("MatMul of ranks", [node("MatMul", ["x", "z"], ["y"])], {"x": (I, ["b", 2, 3]), "z": (I, ["c", "d", 3, 2])}, np.matmul,
      [((4, 2, 3), (3, 4, 3, 2)), ((1, 2, 3), (3, 4, 3, 2)), ((4, 2, 3), (3, 1, 3, 2))], I)
# Expand to another input's dims, and to a shape that is an input.
like = lambda x, z: x * np.ones(z.shape, x.dtype)
check("Expand like", [node("Shape", ["z"], ["s"]), node("Expand", ["x", "s"], ["y"])], {"x": (F, ["a", "b"]), "z": (F, ["c", "d"])}, like,
      [((3, 4), (3, 4)), ((1, 4), (3, 4)), ((3, 1), (3, 4)), ((3, 4), (1, 4)), ((1, 1), (3, 4)), ((3, 4), (1, 1)), ((1, 4), (3, 1))])
for sizes, shape in (((3, 4), (3, 4)), ((1, 4), (3, 4)), ((3, 1), (3, 4)), ((3, 4), (1, 1)), ((1, 4), (3, 1))):
    model = session([node("Expand", ["x", "s"], ["y"])], {"x": (F, ["a", "b"]), "s": (I, [2])}, F)
    x = draw(F, sizes)
    found, = model.run(None, {"x": x, "s": np.array(shape)})
    np.testing.assert_array_equal(found, x * np.ones(shape, F), err_msg=f"Expand {sizes} {shape}")
# What does not broadcast, or not at run time.
expect_refusal([node("Add", ["x", "z"], ["y"])], {"x": (F, ["a", 4]), "z": (F, ["c", 4])}, [((3, 4), (2, 4)), ((0, 4), (1, 4)), ((1, 4), (0, 4))],
               "needs a = c, or one of them 1")
expect_refusal([node("Neg", ["z"], ["w"]), node("Add", ["w", "x"], ["y"])], {"x": (F, ["a", 4]), "z": (F, ["c", 4])}, [((3, 4), (1, 4)), ((3, 4), (2, 4))],
               "needs a = c, or a 1")
expect_refusal([node("Neg", ["z"], ["w"]), node("Add", ["x", "w"], ["y"])], {"x": (F, ["a"]), "z": (F, ["c"])}, [((3,), (1,)), ((1,), (3,))], "")
expect_refusal([node("MatMul", ["x", "z"], ["y"])], {"x": (F, ["a", 2, 3]), "z": (F, ["b", 3, 2])}, [((3, 2, 3), (2, 3, 2))], "needs a = b, or one of them 1")
print("broadcast passed")
