"""moe_opt.InferenceSession beside onnxruntime's, call by call: check_session.py TINYMOE_FOLDER.

Each test makes the same calls with both packages, as a user who changes one import does, and compares what they give. What onnxruntime computes
is what moe-opt must compute.
"""

import pathlib
import sys
import unittest
import warnings

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

import moe_opt

TINYMOE = pathlib.Path(sys.argv[1])
BOTH = (onnxruntime, moe_opt)


def small_model():
    """z = x + y [n, 3], c = (x > y) as int64, m = x in half precision; the first dim of y has no name."""
    nodes = [helper.make_node("Add", ["x", "y"], ["z"]), helper.make_node("Greater", ["x", "y"], ["b"]),
             helper.make_node("Cast", ["b"], ["c"], to=TensorProto.INT64), helper.make_node("Cast", ["x"], ["m"], to=TensorProto.FLOAT16)]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3]), helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 3]), helper.make_tensor_value_info("c", TensorProto.INT64, ["n", 3]),
               helper.make_tensor_value_info("b", TensorProto.BOOL, ["n", 3]), helper.make_tensor_value_info("m", TensorProto.FLOAT16, ["n", 3])]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


X, Y = np.float32([[0, 1.5, 2], [-3, 4, 5]]), np.float32([[1, 1, 1], [-4, 4, 6]])


class SmallModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sessions = [package.InferenceSession(small_model(), providers=["CPUExecutionProvider"]) for package in BOTH]

    def on_both(self, action):
        """What `action` gives for the sessions of both packages."""
        return [action(package, session) for package, session in zip(BOTH, self.sessions)]

    def assert_same(self, action):
        """Both give lists of the same arrays, in type, shape and value."""
        expected, found = self.on_both(action)
        self.assertEqual(len(found), len(expected))
        self.assertGreater(len(expected), 0)
        for one, other in zip(expected, found):
            self.assertEqual((other.dtype, other.shape), (one.dtype, one.shape))
            np.testing.assert_array_equal(other, one)

    def assert_both_refuse(self, action, status):
        """Both raise; what moe-opt raises has this status."""
        with self.assertRaises(Exception):
            action(onnxruntime, self.sessions[0])
        with self.assertRaises(moe_opt.Error) as caught:
            action(moe_opt, self.sessions[1])
        self.assertEqual(caught.exception.status, status)

    def test_names_types_and_shapes(self):
        expected, found = self.on_both(lambda package, session: [(arg.name, arg.type, arg.shape) for arg in session.get_inputs() + session.get_outputs()])
        self.assertEqual(found, expected)

    def test_run(self):
        feed = {"x": X, "y": Y}
        for names in (None, [], ["m"], ["c", "z"], ["b"]):
            self.assert_same(lambda package, session: session.run(names, feed))
        self.assert_same(lambda package, session: session.run(["z"], feed, package.RunOptions()))
        self.assert_same(lambda package, session: session.run(["z"], {"x": X.tolist(), "y": Y}))
        self.assert_same(lambda package, session: session.run(["z"], {"x": package.OrtValue.ortvalue_from_numpy(X), "y": Y}))

    def test_run_on_nothing(self):
        self.assert_same(lambda package, session: session.run(["z"], {"x": X[:0], "y": Y[:0]}))

    def test_run_refuses(self):
        self.assert_both_refuse(lambda package, session: session.run(["q"], {"x": X, "y": Y}), "bad_argument")
        self.assert_both_refuse(lambda package, session: session.run(None, {"x": X}), "bad_argument")
        self.assert_both_refuse(lambda package, session: session.run(None, {"x": X, "y": Y, "w": X}), "bad_argument")
        self.assert_both_refuse(lambda package, session: session.run(None, {"x": X.astype(np.float64), "y": Y}), "bad_dtype")
        self.assert_both_refuse(lambda package, session: session.run(None, {"x": X[:, :2], "y": Y}), "bad_shape")
        for session in self.sessions:
            with self.assertRaises(TypeError):
                session.run("z", {"x": X, "y": Y})

    def test_run_with_ort_values(self):
        def run(package, session):
            value, = session.run_with_ort_values(["m"], {name: package.OrtValue.ortvalue_from_numpy(array) for name, array in (("x", X), ("y", Y))})
            self.assertEqual((value.data_type(), value.element_type(), value.shape(), value.device_name(), value.tensor_size_in_bytes()),
                             ("tensor(float16)", 10, [2, 3], "cpu", 12))
            return [value.numpy()]
        self.assert_same(run)

    def test_binding(self):
        def run(package, session):
            binding = session.io_binding()
            binding.bind_cpu_input("x", X)
            binding.bind_input("y", "cpu", 0, np.float32, Y.shape, Y.ctypes.data)
            binding.bind_output("c")
            into = np.full((2, 3), -1, np.float32)
            binding.bind_output("z", "cpu", 0, np.float32, into.shape, into.ctypes.data)
            session.run_with_iobinding(binding)
            self.assertTrue((into != -1).all())
            outputs = binding.copy_outputs_to_cpu()
            # Inputs bound anew; memory bound before is written again.
            binding.bind_ortvalue_input("x", package.OrtValue.ortvalue_from_numpy(2 * X))
            session.run_with_iobinding(binding)
            return [*outputs, *binding.copy_outputs_to_cpu(), into, *(value.numpy() for value in binding.get_outputs())]
        self.assert_same(run)

    def test_binding_to_a_tensor(self):
        def run(package, session):
            binding = session.io_binding()
            target = package.OrtValue.ortvalue_from_shape_and_type([2, 3], np.int64)
            for name, array in (("x", X), ("y", Y)):
                binding.bind_ortvalue_input(name, package.OrtValue.ortvalue_from_numpy(array))
            binding.bind_ortvalue_output("c", target)
            session.run_with_iobinding(binding)
            return [target.numpy()]
        self.assert_same(run)

    def test_binding_refuses(self):
        def bound(session, **outputs):
            binding = session.io_binding()
            binding.bind_cpu_input("x", X)
            binding.bind_cpu_input("y", Y)
            for name, arguments in outputs.items():
                binding.bind_output(name, *arguments)
            return binding
        into = np.zeros((3, 3), np.float32)
        self.assert_both_refuse(lambda package, session: session.run_with_iobinding(bound(session)), "bad_argument")
        self.assert_both_refuse(lambda package, session: bound(session).bind_cpu_input("q", X), "bad_argument")
        self.assert_both_refuse(lambda package, session: session.run_with_iobinding(
            bound(session, z=("cpu", 0, np.float32, into.shape, into.ctypes.data))), "bad_shape")
        np.testing.assert_array_equal(into, 0)
        binding = bound(self.sessions[1], z=())
        with self.assertRaisesRegex(moe_opt.Error, "unknown output 'q'; the model's outputs are z, c, b, m"):
            binding.bind_output("q")
        with self.assertRaisesRegex(moe_opt.Error, "expected memory of the device cpu:0, found cuda:1"):
            binding.bind_output("z", "cuda", 1)

    def test_providers(self):
        for providers, warned in ((None, 0), ([], 0), (["CPUExecutionProvider"], 0), ([("CPUExecutionProvider", {})], 0),
                                  (["CUDAExecutionProvider"], 1), (["CUDAExecutionProvider", "CPUExecutionProvider"], 1)):
            found = []
            for package in BOTH:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    session = package.InferenceSession(small_model(), providers=providers)
                found.append((session.get_providers(), session.get_provider_options(), sum(issubclass(one.category, UserWarning) for one in caught)))
            self.assertEqual(found[0][2], warned)
            self.assertEqual(found[1], found[0])
        self.assertEqual(moe_opt.get_device(), onnxruntime.get_device())
        with self.assertRaisesRegex(moe_opt.Error, r"expected options for each provider \(1\), found 2"):
            moe_opt.InferenceSession(small_model(), providers=["CPUExecutionProvider"], provider_options=[{}, {}])

    def test_options(self):
        shapes = []
        for package in BOTH:
            options = package.SessionOptions()
            options.graph_optimization_level = package.GraphOptimizationLevel.ORT_ENABLE_ALL
            options.execution_mode = package.ExecutionMode.ORT_SEQUENTIAL
            options.intra_op_num_threads = 1
            options.inter_op_num_threads = 1
            options.log_severity_level = 3
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self.assertEqual(options.get_session_config_entry("session.intra_op.allow_spinning"), "0")
            options.add_free_dimension_override_by_name("n", 2)
            session = package.InferenceSession(small_model(), sess_options=options)
            self.assertEqual(session.get_session_options().intra_op_num_threads, 1)
            shapes.append(session.get_inputs()[0].shape)
        self.assertEqual(shapes[1], shapes[0])


class TinyMoe(unittest.TestCase):
    def test_prompt_and_step(self):
        """A prompt, then one token with the KV cache that it gave, on both; the largest difference of a logit is that of float sums in two orders."""
        options = moe_opt.SessionOptions(activations="f32")
        sessions = [onnxruntime.InferenceSession(TINYMOE / "model.onnx"), moe_opt.InferenceSession(TINYMOE / "model.onnx", options)]
        shapes = [[(arg.name, arg.type) for arg in session.get_inputs() + session.get_outputs()] for session in sessions]
        self.assertEqual(shapes[1], shapes[0])
        ids = np.int64([[1, 41, 280, 284, 279, 223, 23]])
        found = []
        for session in sessions:
            names = [arg.name for arg in session.get_outputs()]
            cached = [arg for arg in session.get_inputs() if arg.name.startswith("past")]
            self.assertTrue(cached)
            feed = {arg.name: np.zeros([1, arg.shape[1], 0, arg.shape[3]], np.float32) for arg in cached}
            first = dict(zip(names, session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids), "position_ids": np.arange(7)[None], **feed})))
            feed = {arg.name: first[arg.name.replace("past_key_values", "present")] for arg in cached}
            second = session.run([names[0]], {"input_ids": np.int64([[14]]), "attention_mask": np.ones((1, 8), np.int64),
                                              "position_ids": np.int64([[7]]), **feed})
            found.append([*first.values(), *second])
        for one, other in zip(*found):
            self.assertEqual((other.dtype, other.shape), (one.dtype, one.shape))
            np.testing.assert_allclose(other, one, rtol=0, atol=2e-5 * max(1, np.abs(one).max()))


    def test_cache_in_place(self):
        """The cache lies in one larger buffer that each run extends; logits are onnxruntime's, which is given copies."""
        session = onnxruntime.InferenceSession(TINYMOE / "model.onnx")
        model = moe_opt.compile(TINYMOE / "model.onnx", activations="f32")
        cached = [info for info in model.inputs if info.pair]
        self.assertEqual(len(cached), 8)
        buffers = {info.name: np.full([1, info.dims[1], 16, info.dims[3]], 7, np.float32) for info in cached}
        past, theirs = 0, {info.name: buffers[info.name][:, :, :0].copy() for info in cached}
        names = [arg.name for arg in session.get_outputs()]
        for ids in ([1, 41, 280, 284, 279], [14], [437, 261]):
            total = past + len(ids)
            feed = {"input_ids": np.int64([ids]), "attention_mask": np.ones((1, total), np.int64), "position_ids": np.arange(past, total)[None]}
            expected = dict(zip(names, session.run(None, {**feed, **theirs})))
            before = {name: buffer.copy() for name, buffer in buffers.items()}
            results = model.run({**feed, **{info.name: buffers[info.name][:, :, :past] for info in cached}},
                                {info.pair: buffers[info.name][:, :, :total] for info in cached})
            np.testing.assert_allclose(results["logits"], expected["logits"], rtol=0, atol=2e-5 * np.abs(expected["logits"]).max())
            for info in cached:
                self.assertTrue(np.shares_memory(results[info.pair], buffers[info.name]))
                np.testing.assert_allclose(results[info.pair], expected[info.pair], rtol=0, atol=2e-5 * max(1, np.abs(expected[info.pair]).max()))
                # What was there and what lies behind is as it was.
                np.testing.assert_array_equal(buffers[info.name][:, :, :past], before[info.name][:, :, :past])
                np.testing.assert_array_equal(buffers[info.name][:, :, total:], 7)
                theirs[info.name] = expected[info.pair]
            past = total

    def test_cache_that_overlaps_otherwise(self):
        """Shifted by one token: refused, and nothing is written."""
        model = moe_opt.compile(TINYMOE / "model.onnx", activations="f32")
        info = next(info for info in model.inputs if info.pair)
        buffer = np.full([1, info.dims[1], 16, info.dims[3]], 7, np.float32)
        feed = {other.name: np.zeros([1, other.dims[1], 2, other.dims[3]], np.float32) for other in model.inputs if other.pair}
        feed.update(input_ids=np.int64([[1]]), attention_mask=np.ones((1, 3), np.int64), position_ids=np.int64([[2]]))
        with self.assertRaises(moe_opt.Error) as caught:
            model.run({**feed, info.name: buffer[:, :, 1:3]}, {info.pair: buffer[:, :, :3]})
        self.assertEqual(caught.exception.status, "bad_argument")
        np.testing.assert_array_equal(buffer, 7)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
