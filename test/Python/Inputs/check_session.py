"""moe_opt.InferenceSession beside onnxruntime's, call by call: check_session.py TINYMOE_FOLDER.

Each test makes the same calls with both packages, as a user who changes one import does, and compares what they give. What onnxruntime computes
is what moe-opt must compute.
"""

import os
import pathlib
import pickle
import sys
import tempfile
import threading
import unittest
import warnings

import ml_dtypes
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

    def test_run_async(self):
        """Results, or nothing and a text, with the caller's data, on another thread; a name or size that is wrong is told there, a missing input here."""
        def answer(package, session, names, feed):
            done, told = threading.Event(), []

            def callback(results, user_data, error):
                told.append((results, user_data, bool(error), threading.current_thread() is not threading.main_thread()))
                done.set()
            if package is onnxruntime:
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 2
                session = onnxruntime.InferenceSession(small_model(), options)
            self.assertIsNone(session.run_async(names, feed, callback, "data"))
            self.assertTrue(done.wait(60))
            self.assertEqual(len(told), 1)
            self.assertEqual(told[0][1:2] + told[0][3:], ("data", True))
            return told[0]

        for names in (["z", "m"], None):
            expected, found = self.on_both(lambda package, session: answer(package, session, names, {"x": X, "y": Y}))
            self.assertEqual((len(found[0]), found[2]), (len(expected[0]), False))
            for one, other in zip(expected[0], found[0]):
                np.testing.assert_array_equal(other, one)
        for names, feed in ((["q"], {"x": X, "y": Y}), (["z"], {"x": X[:, :2], "y": Y}), (["z"], {"x": X.astype(np.float64), "y": Y})):
            for results, _, failed, _ in self.on_both(lambda package, session: answer(package, session, names, feed)):
                self.assertEqual((len(results), failed), (0, True))
        self.assert_both_refuse(lambda package, session: session.run_async(["z"], {"x": X}, print, None), "bad_argument")

    def test_run_async_in_order(self):
        """Many calls at once: each is answered, in their order, also behind a callback that raises."""
        session, answers, done = self.sessions[1], [], threading.Event()

        def callback(results, user_data, error):
            answers.append((user_data, results[0][0, 0], error))
            if len(answers) == 50:
                done.set()
            if user_data == 20:
                raise ValueError("of the callback")
        told = []
        before, threading.excepthook = threading.excepthook, lambda arguments: told.append(str(arguments.exc_value))
        try:
            for i in range(50):
                session.run_async(["z"], {"x": X + i, "y": Y}, callback, i)
            self.assertTrue(done.wait(60))
        finally:
            threading.excepthook = before
        self.assertEqual(answers, [(i, 1 + i, "") for i in range(50)])
        self.assertEqual(told, ["of the callback"])

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
            self.assertEqual(session._model_path, None)
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "small.onnx")
                with open(path, "wb") as file:
                    file.write(small_model())
                self.assertEqual(package.InferenceSession(path, sess_options=options)._model_path, path)
            shapes.append(session.get_inputs()[0].shape)
        self.assertEqual(shapes[1], shapes[0])


class Sources(unittest.TestCase):
    NAMES = ("producer_name", "graph_name", "domain", "description", "graph_description", "version", "custom_metadata_map")

    @staticmethod
    def described():
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "the graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])], doc_string="of the graph\n\u00e9")
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10, producer_name="a \"producer\"", domain="org.example",
                                  model_version=7, doc_string="of the model")
        helper.set_model_props(model, {"license": "none", "": "empty key", "b": ""})
        return model.SerializeToString()

    def test_modelmeta(self):
        for model in (self.described(), small_model()):
            expected, found = [[getattr(package.InferenceSession(model).get_modelmeta(), name) for name in self.NAMES] for package in BOTH]
            self.assertEqual(found, expected)

    def test_modelmeta_of_an_artifact(self):
        with tempfile.TemporaryDirectory() as folder:
            moe_opt.compile(self.described()).save(folder + "/copy")
            found = moe_opt.InferenceSession(folder + "/copy").get_modelmeta()
            self.assertEqual((found.version, found.custom_metadata_map["license"]), (7, "none"))
            session = moe_opt.InferenceSession(folder + "/copy")
        self.assertEqual(session.get_outputs()[0].name, "y")

    def test_names_of_types(self):
        """All that both packages take as inputs, by way of a Cast to float."""
        checked = 0
        for name in ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "BOOL", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64", "INT4", "UINT4",
                     "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT4E2M1", "FLOAT8E8M0", "INT2", "UINT2"):
            graph = helper.make_graph([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)], "g",
                                      [helper.make_tensor_value_info("x", getattr(TensorProto, name), ["n"])],
                                      [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])])
            opset = {"FLOAT4E2M1": 23, "FLOAT8E8M0": 24, "INT2": 25, "UINT2": 25}.get(name, 21)
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=13 if opset == 25 else 11).SerializeToString()
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            try:
                expected = onnxruntime.InferenceSession(model, options).get_inputs()[0].type
            except Exception as error:
                print(f"onnxruntime does not take {name}: {str(error)[:100]}")
                continue
            self.assertEqual(moe_opt.InferenceSession(model).get_inputs()[0].type, expected)
            checked += 1
        self.assertGreaterEqual(checked, 15)

    def test_numbers_of_types(self):
        """An OrtValue's element type is ONNX's number, and makes one."""
        for name, number in (("float8_e4m3fn", TensorProto.FLOAT8E4M3FN), ("float8_e5m2fnuz", TensorProto.FLOAT8E5M2FNUZ), ("int4", TensorProto.INT4),
                             ("uint2", TensorProto.UINT2), ("float4_e2m1fn", TensorProto.FLOAT4E2M1), ("bfloat16", TensorProto.BFLOAT16)):
            value = moe_opt.OrtValue.ortvalue_from_shape_and_type([3], int(number))
            self.assertEqual((value.numpy().dtype, value.element_type()), (np.dtype(getattr(ml_dtypes, name)), number))
        with self.assertRaises(moe_opt.Error) as caught:
            moe_opt.OrtValue.ortvalue_from_shape_and_type([3], int(TensorProto.COMPLEX64))
        self.assertEqual(caught.exception.status, "bad_dtype")


class Refusals(unittest.TestCase):
    """What onnxruntime does and a compiled model cannot is refused, never left out in silence."""

    def assert_refused(self, action, status, text):
        with self.assertRaises(moe_opt.Error) as caught:
            action()
        self.assertEqual(caught.exception.status, status)
        self.assertRegex(str(caught.exception), text)

    def test_options(self):
        options = moe_opt.SessionOptions(optimized_model_filepath="optimised.onnx")
        self.assert_refused(lambda: moe_opt.InferenceSession(small_model(), options), "unsupported", "optimized_model_filepath = 'optimised.onnx'")
        options = moe_opt.SessionOptions()
        options.add_session_config_entry("session.load_model_format", "ORT")
        self.assert_refused(lambda: moe_opt.InferenceSession(small_model(), options), "unsupported", "session.load_model_format = 'ORT'")
        self.assert_refused(lambda: moe_opt.InferenceSession("model.ort"), "unsupported", "found an .ort file")
        self.assert_refused(lambda: moe_opt.SessionOptions().register_custom_ops_library("ops.so"), "unsupported", "ops.so: libraries of custom ops")
        self.assert_refused(lambda: moe_opt.RunOptions().add_active_adapter(None), "unsupported", "adapters")
        with self.assertRaisesRegex(TypeError, "has no option 'activation'"):
            moe_opt.SessionOptions(activation="f32")
        with self.assertRaisesRegex(TypeError, "activations: expected a str, found 32"):
            moe_opt.SessionOptions(activations=32)
        with self.assertRaisesRegex(TypeError, "expected moe_opt.SessionOptions or None, found onnxruntime"):
            moe_opt.InferenceSession(small_model(), onnxruntime.SessionOptions())

    def test_options_of_an_artifact(self):
        with tempfile.TemporaryDirectory() as folder:
            moe_opt.compile(small_model(), folder + "/model")
            options = moe_opt.SessionOptions()
            options.add_free_dimension_override_by_name("n", 2)
            self.assert_refused(lambda: moe_opt.InferenceSession(folder + "/model", options), "unsupported", "which only compiling takes")
            self.assertEqual(moe_opt.InferenceSession(folder + "/model").get_inputs()[0].shape, ["n", 3])

    def test_external_data_stays_below_the_folder(self):
        """A model of bytes whose data is elsewhere: the folder that the options name bounds it, and no link leads out of it."""
        with tempfile.TemporaryDirectory() as outer:
            folder = os.path.join(outer, "model")
            os.mkdir(folder)
            X.tofile(os.path.join(outer, "outside.bin"))
            os.symlink("../outside.bin", os.path.join(folder, "link.bin"))
            os.symlink("..", os.path.join(folder, "up"))
            for location in ("../outside.bin", "link.bin", "up/outside.bin"):
                tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
                tensor.external_data.add(key="location", value=location)
                graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])],
                                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])], [tensor])
                model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
                options = moe_opt.SessionOptions()
                options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
                self.assert_refused(lambda: moe_opt.InferenceSession(model, options), "bad_argument", location)

    def test_global_threads(self):
        moe_opt.set_global_thread_pool_sizes(1)
        try:
            session = moe_opt.InferenceSession(small_model(), moe_opt.SessionOptions(use_per_session_threads=False))
            np.testing.assert_array_equal(session.run(["z"], {"x": X, "y": Y})[0], X + Y)
        finally:
            moe_opt.set_global_thread_pool_sizes()
        self.assert_refused(lambda: moe_opt.set_global_thread_pool_sizes(-1), "bad_argument", "at least 0, found -1 and 0")

    def test_classes(self):
        """An Error is one of the classes that onnxruntime's users catch, also after a journey to another process."""
        state = moe_opt.capi.onnxruntime_pybind11_state
        for status, kind in (("bad_shape", state.InvalidArgument), ("compile", state.Fail), ("no_memory", state.RuntimeException), ("unsupported", state.NotImplemented)):
            error = moe_opt.Error(status, "text")
            self.assertIs(type(error), kind)
            copy = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(copy), copy.status, str(copy)), (kind, status, "text"))


class Faults(unittest.TestCase):
    def test_index_out_of_range(self):
        """Refused by both; the message says what and where, and the session lives on."""
        nodes = [helper.make_node("Gather", ["x", "i"], ["y"], name="pick")]
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]), helper.make_tensor_value_info("i", TensorProto.INT64, ["m"])],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["m"])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
        x = np.float32([5, 6, 7])
        for package in BOTH:
            session = package.InferenceSession(model)
            with self.assertRaises(Exception) as caught:
                session.run(None, {"x": x, "i": np.int64([0, 3, 1])})
            if package is moe_opt:
                self.assertIsInstance(caught.exception, moe_opt.Error)
                self.assertEqual(caught.exception.status, "bad_argument")
                self.assertIn("node 'pick' (Gather): an index: expected -3 to 2, found 3 (element 1)", str(caught.exception))
            np.testing.assert_array_equal(session.run(None, {"x": x, "i": np.int64([0, -3, 2])})[0], [5, 5, 7])


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
