"""Unit tests of the Python package: check_api.py SCRATCH_FOLDER TINYMOE_FOLDER."""

import pathlib
import pickle
import subprocess
import sys
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper

import moe_opt
import moe_opt.backend

SCRATCH, TINYMOE = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


def small_model(op="Add"):
    """z = x op y for x and y [n, 3], and s = Neg(z)."""
    pair = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy"]
    nodes = [helper.make_node(op, ["x", "y"], ["z"], "joined"), helper.make_node("Neg", ["z"], ["s"], "negated")]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "zs"]
    return helper.make_model(helper.make_graph(nodes, "g", pair, outputs), opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


X, Y = np.arange(6, dtype=np.float32).reshape(2, 3), np.float32([[1, 2, 3], [4, 5, 6]])


class Dense:
    """What another library's tensor looks like to numpy."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **kwargs):
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class CompileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = moe_opt.compile(small_model())

    def test_version(self):
        compiler = subprocess.run(["moe-compile", "--version"], check=True, capture_output=True, text=True).stdout
        self.assertEqual(compiler.strip(), f"moe-compile {moe_opt.__version__}")

    def test_run_by_name(self):
        results = self.model.run({"y": Y, "x": X})
        self.assertEqual(list(results), ["z", "s"])
        np.testing.assert_array_equal(results["z"], X + Y)

    def test_call_in_order(self):
        z, s = self.model(X, Dense(Y))
        np.testing.assert_array_equal(z, X + Y)
        np.testing.assert_array_equal(s, -(X + Y))

    def test_call_takes_any_strides(self):
        np.testing.assert_array_equal(self.model(X[::-1], Y.T.copy().T)[0], X[::-1] + Y)

    def test_call_with_too_few_arrays(self):
        with self.assertRaisesRegex(moe_opt.Error, r"expected 2 arrays \(x, y\), found 1") as caught:
            self.model(X)
        self.assertEqual(caught.exception.status, "bad_argument")

    def test_wrong_shape_and_type(self):
        with self.assertRaises(moe_opt.Error) as caught:
            self.model(X, Y[:1])
        self.assertEqual(caught.exception.status, "bad_shape")
        with self.assertRaises(moe_opt.Error) as caught:
            self.model(X.astype(np.float64), Y)
        self.assertEqual(caught.exception.status, "bad_dtype")

    def test_bytes_and_fixed_dims(self):
        model = moe_opt.compile(small_model().SerializeToString(), dims={"n": 2})
        self.assertEqual(model.inputs[0].dims, (2, 3))

    def test_target(self):
        with self.assertRaisesRegex(moe_opt.Error, "--target expects cpu or cuda, got 'tpu'"):
            moe_opt.compile(small_model(), target="tpu")

    def test_require_raised(self):
        """A model without an MoE layer is refused."""
        with self.assertRaises(moe_opt.Error) as caught:
            moe_opt.compile(small_model(), require_raised=True)
        self.assertEqual(caught.exception.status, "compile")

    def test_links(self):
        """External data that is a link: refused, and read where that is allowed."""
        tensor = TensorProto(name="y", data_type=TensorProto.FLOAT, dims=[2, 3], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="link.bin")
        proto = small_model()
        del proto.graph.input[1]
        proto.graph.initializer.append(tensor)
        folder = SCRATCH / "links"
        folder.mkdir()
        (folder / "data").write_bytes(Y.tobytes())
        (folder / "link.bin").symlink_to("data")
        (folder / "model.onnx").write_bytes(proto.SerializeToString())
        with self.assertRaisesRegex(moe_opt.Error, "symbolic link"):
            moe_opt.compile(folder / "model.onnx")
        np.testing.assert_array_equal(moe_opt.compile(folder / "model.onnx", allow_links=True)(X)[0], X + Y)

    def test_what_is_no_model(self):
        with self.assertRaisesRegex(TypeError, "found int"):
            moe_opt.compile(3)

    def test_save_and_load(self):
        folder = SCRATCH / "saved"
        self.model.save(folder)
        with self.assertRaises(FileExistsError):
            self.model.save(folder)
        np.testing.assert_array_equal(moe_opt.load(folder, verify=True)(X, Y)[0], X + Y)

    def test_temporary_artifact_goes_with_the_model(self):
        model = moe_opt.compile(small_model())
        path = pathlib.Path(model.path)
        self.assertTrue(path.exists())
        del model
        self.assertFalse(path.exists())

    def test_output_folder_stays(self):
        folder = SCRATCH / "kept"
        del_me = moe_opt.compile(small_model(), folder)
        del del_me
        self.assertTrue((folder / "model.so").exists())


class LayersTest(unittest.TestCase):
    def test_layers_and_report(self):
        model = moe_opt.compile(TINYMOE / "model.onnx")
        self.assertEqual([layer["export_form"] for layer in model.moe_layers], ["batched"] * 4)
        self.assertEqual(model.report["moe_layers"], model.moe_layers)

    def test_report_of_a_damaged_artifact(self):
        folder = SCRATCH / "damaged"
        model = moe_opt.compile(small_model(), folder)
        (folder / "manifest.json").write_text("{")
        with self.assertRaisesRegex(moe_opt.Error, "manifest.json"):
            model.report


class ErrorTest(unittest.TestCase):
    def test_diagnostics(self):
        with self.assertRaises(moe_opt.Error) as caught:
            moe_opt.compile(small_model("Frobnicate"))
        error = caught.exception
        self.assertEqual(error.status, "compile")
        errors = [diagnostic for diagnostic in error.diagnostics if diagnostic.severity == "error"]
        self.assertEqual(len(errors), 1)
        self.assertEqual(errors[0].node, "joined")
        self.assertTrue(errors[0].location.endswith("model.onnx"), errors[0].location)
        self.assertIn("not supported", errors[0].message)

    def test_survives_pickling(self):
        error = moe_opt.Error("compile", "text", (moe_opt.Diagnostic("error", "text", file="model.onnx", node="n", notes=("more",)),))
        copy = pickle.loads(pickle.dumps(error))
        self.assertEqual((copy.status, str(copy), copy.diagnostics), (error.status, str(error), error.diagnostics))

    def test_missing_file(self):
        with self.assertRaises(moe_opt.Error) as caught:
            moe_opt.compile(SCRATCH / "missing.onnx")
        self.assertIn("missing.onnx", str(caught.exception))


class SessionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.session = moe_opt.InferenceSession(small_model().SerializeToString(), providers=["CPUExecutionProvider"])

    def test_names_types_and_shapes(self):
        self.assertEqual(self.session.get_inputs(), [moe_opt.NodeArg("x", "tensor(float)", ["n", 3]), moe_opt.NodeArg("y", "tensor(float)", ["n", 3])])
        self.assertEqual([output.name for output in self.session.get_outputs()], ["z", "s"])
        self.assertEqual(self.session.get_providers(), ["CPUExecutionProvider"])

    def test_run(self):
        s, = self.session.run(["s"], {"x": X, "y": Y})
        np.testing.assert_array_equal(s, -(X + Y))
        self.assertEqual(len(self.session.run(None, {"x": X, "y": Y})), 2)

    def test_unknown_names(self):
        with self.assertRaisesRegex(moe_opt.Error, "unknown output 'q'; the model's outputs are z, s"):
            self.session.run(["q"], {"x": X, "y": Y})
        with self.assertRaisesRegex(moe_opt.Error, "missing input 'y'"):
            self.session.run(None, {"x": X})

    def test_artifact_and_options(self):
        options = moe_opt.SessionOptions(intra_op_num_threads=1)
        options.add_free_dimension_override_by_name("n", 2)
        session = moe_opt.InferenceSession(small_model(), options)
        self.assertEqual(session.get_inputs()[0].shape, [2, 3])
        session.model.save(SCRATCH / "session")
        np.testing.assert_array_equal(moe_opt.InferenceSession(SCRATCH / "session").run(["z"], {"x": X, "y": Y})[0], X + Y)


class BackendTest(unittest.TestCase):
    def prepare(self, nodes, inputs, rank):
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*value) for value in inputs],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)])
        return moe_opt.backend.prepare(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))

    def test_sizes_from_values(self):
        """A Reshape whose shape is an input is compiled once; a Slice whose axes are one, for the axes that it is given."""
        prepared = self.prepare([helper.make_node("Reshape", ["x", "shape"], ["y"])], [("x", TensorProto.FLOAT, [2, 3]), ("shape", TensorProto.INT64, [2])], 2)
        for shape in ([3, 2], [1, -1]):
            y, = prepared.run([X, np.int64(shape)])
            np.testing.assert_array_equal(y, X.reshape(shape))
        self.assertEqual(prepared.fixed_inputs, ())
        prepared = self.prepare([helper.make_node("Slice", ["x", "start", "end", "axes"], ["y"])],
                                [("x", TensorProto.FLOAT, [2, 3])] + [(name, TensorProto.INT64, [1]) for name in ("start", "end", "axes")], 2)
        for axis in (0, 1):
            y, = prepared.run([X, np.int64([1]), np.int64([2]), np.int64([axis])])
            np.testing.assert_array_equal(y, X.take([1], axis))
        self.assertEqual(prepared.fixed_inputs, ("start", "end", "axes"))

    def test_counts(self):
        """How many elements are not zero is found out by the run."""
        model = moe_opt.compile(helper.make_model(helper.make_graph(
            [helper.make_node("NonZero", ["x"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
            [helper.make_tensor_value_info("y", TensorProto.INT64, [2, None])]), opset_imports=[helper.make_opsetid("", 20)], ir_version=10))
        for x in (X, X * 0, np.maximum(X - 2, 0)):
            np.testing.assert_array_equal(model.run({"x": x})["y"], np.nonzero(x))
        room = np.full((2, 6), -1, np.int64)
        part = model.run({"x": np.float32([[0, 0, 7], [0, 0, 0]])}, {"y": room})["y"]
        np.testing.assert_array_equal(part, [[0], [2]])
        np.testing.assert_array_equal(room.reshape(-1)[:3], [0, 2, -1])

    def test_values_that_do_not_help(self):
        prepared = self.prepare([helper.make_node("Cast", ["s"], ["shape"], to=TensorProto.INT64), helper.make_node("Reshape", ["x", "shape"], ["y"], "where")],
                                [("x", TensorProto.FLOAT, [2, 3]), ("s", TensorProto.FLOAT, [2])], 2)
        with self.assertRaisesRegex(moe_opt.Error, "node 'where'"):
            prepared.run([X, np.float32([3, 2])])

    def test_node_and_device(self):
        y, = moe_opt.backend.run_node(helper.make_node("Relu", ["x"], ["y"]), [-X])
        np.testing.assert_array_equal(y, np.maximum(-X, 0))
        self.assertTrue(moe_opt.backend.supports_device("CPU:0"))
        self.assertFalse(moe_opt.backend.supports_device("CUDA"))
        with self.assertRaisesRegex(moe_opt.Error, "expected the device CPU, found CUDA"):
            moe_opt.backend.prepare(small_model(), "CUDA")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
