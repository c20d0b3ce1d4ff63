"""Arrays that are not copied, other libraries' tensors, threads, and errors taken apart: check_arrays.py SCRATCH_FOLDER."""

import ctypes
import gc
import pathlib
import sys
import threading
import time
import tracemalloc
import unittest

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper

import moe_opt

SCRATCH = pathlib.Path(sys.argv[1])


def one_node(op, element=TensorProto.FLOAT, dims=("n", 4), out=("n", 4), **attributes):
    """y = op(x)."""
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"], "the node", **attributes)], "g", [helper.make_tensor_value_info("x", element, dims)],
                              [helper.make_tensor_value_info("y", element, out)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


class DlTensor(ctypes.Structure):
    """DLManagedTensor, written down from DLPack's header."""

    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32),
                ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Foreign:
    """A tensor of another library on an array's memory: as torch gives bfloat16, with strides and an offset."""

    def __init__(self, array, code, device=1, strides=True):
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        steps = (ctypes.c_int64 * array.ndim)(*(step // array.itemsize for step in array.strides)) if strides else None
        self.keep = array, shape, steps
        self.device = device
        self.tensor = DlTensor(array.ctypes.data - 2, device, 0, array.ndim, code, 8 * array.itemsize, 1, shape, steps, 2)

    def __dlpack__(self, **kwargs):
        return new_capsule(ctypes.addressof(self.tensor), b"dltensor", None)

    def __dlpack_device__(self):
        return (self.device, 0)


class ArraysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.negate = moe_opt.compile(one_node("Neg"))

    def test_neither_inputs_nor_outputs_are_copied(self):
        """The memory that numpy allocates in a run is less than one input."""
        x, y = np.ones((1 << 20, 4), np.float32), np.empty((1 << 20, 4), np.float32)
        for value in (x, Foreign(x, 2)):
            y[...] = 0
            gc.collect()
            tracemalloc.start()
            result = self.negate.run({"x": value}, {"y": y})["y"]
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertIs(result, y)
            self.assertTrue((y == -1).all())
            self.assertLess(peak, x.nbytes // 16)

    def test_a_copy_is_seen(self):
        """The same measure finds the copy of an array that is not dense."""
        x, y = np.ones((1 << 20, 8), np.float32)[:, ::2], np.empty((1 << 20, 4), np.float32)
        tracemalloc.start()
        self.negate.run({"x": x}, {"y": y})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertGreaterEqual(peak, y.nbytes)

    def test_outputs_that_do_not_fit(self):
        x = np.ones((2, 4), np.float32)
        for output, status, text in ((np.empty((3, 4), np.float32), "bad_shape", r"expected the shape \[2, 4\], found \[3, 4\]"),
                                     (np.empty((2, 4), np.float64), "bad_dtype", "expected float32, found float64"),
                                     (np.empty((4, 2), np.float32).T, "bad_argument", "expected a dense row-major array"),
                                     ([[0.0] * 4] * 2, "bad_argument", "found list"), (x, "bad_argument", "")):
            with self.assertRaisesRegex(moe_opt.Error, text) as caught:
                self.negate.run({"x": x}, {"y": output})
            self.assertEqual(caught.exception.status, status)
        read_only = np.zeros((2, 4), np.float32)
        read_only.flags.writeable = False
        with self.assertRaisesRegex(moe_opt.Error, "that can be written"):
            self.negate.run({"x": x}, {"y": read_only})
        with self.assertRaisesRegex(moe_opt.Error, "unknown output 'z'"):
            self.negate.run({"x": x}, {"z": x})
        np.testing.assert_array_equal(x, 1)
        np.testing.assert_array_equal(read_only, 0)

    def test_bfloat16_of_other_libraries(self):
        model = moe_opt.compile(one_node("Neg", TensorProto.BFLOAT16))
        x = np.arange(24).reshape(6, 4).astype(ml_dtypes.bfloat16)
        for array in (x, x[::2], x[4:], x[:0], np.asfortranarray(x)):
            result = model(Foreign(array, 4))
            self.assertEqual(result.dtype, ml_dtypes.bfloat16)
            np.testing.assert_array_equal(result.astype(np.float32), -array.astype(np.float32))
        np.testing.assert_array_equal(model(Foreign(x, 4, strides=False)).astype(np.float32), -x.astype(np.float32))

    def test_types_and_devices_that_are_refused(self):
        x = np.ones((2, 4), np.float32)
        with self.assertRaisesRegex(moe_opt.Error, r"input 'x': expected memory of the CPU \(DLPack device 1\), found device 2") as caught:
            self.negate(Foreign(x, 2, device=2))
        self.assertEqual(caught.exception.status, "bad_argument")
        with self.assertRaisesRegex(moe_opt.Error, "input 'x'") as caught:
            self.negate(Foreign(x, 3))
        self.assertEqual(caught.exception.status, "bad_dtype")

    def test_load_of_the_class(self):
        self.negate.save(SCRATCH / "negate")
        np.testing.assert_array_equal(moe_opt.Model.load(SCRATCH / "negate", threads=1, verify=True)(np.ones((1, 4), np.float32)), -np.ones((1, 4)))


class ThreadsTest(unittest.TestCase):
    def steps_during(self, action):
        """How often another thread wakes while `action` runs, where Python itself never takes turns: only what gives the GIL away lets it."""
        done, steps, interval = threading.Event(), [0], sys.getswitchinterval()

        def step():
            while not done.is_set():
                steps[0] += 1
                time.sleep(0.0005)

        thread = threading.Thread(target=step)
        sys.setswitchinterval(1000)
        try:
            thread.start()
            before = steps[0]
            action()
            return steps[0] - before
        finally:
            sys.setswitchinterval(interval)
            done.set()
            thread.join()

    def test_the_gil_is_not_held(self):
        weight = helper.make_tensor("w", TensorProto.FLOAT, [1024, 1024], np.ones((1024, 1024), np.float32).tobytes(), raw=True)
        nodes = [helper.make_node("MatMul", [f"v{i}", "w"], [f"v{i + 1}"]) for i in range(8)]
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("v0", TensorProto.FLOAT, [1024, 1024])],
                                  [helper.make_tensor_value_info("v8", TensorProto.FLOAT, [1024, 1024])], [weight])
        proto, models = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), []
        self.assertGreater(self.steps_during(lambda: models.append(moe_opt.compile(proto, threads=1))), 20)
        x = np.zeros((1024, 1024), np.float32)
        self.assertGreater(self.steps_during(lambda: models[0](x)), 20)
        # The measure itself: work in Python gives nothing away.
        self.assertLess(self.steps_during(lambda: sum(range(10_000_000))), 3)

    def test_threads_share_a_model(self):
        model, wrong = moe_opt.compile(one_node("Neg")), []

        def work(number):
            for rows in range(1, 40):
                x = np.full((rows, 4), number, np.float32)
                if not np.array_equal(model(x), -x):
                    wrong.append((number, rows))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class DiagnosticsTest(unittest.TestCase):
    def refused(self, model):
        with self.assertRaises(moe_opt.Error) as caught:
            moe_opt.compile(model)
        self.assertEqual(caught.exception.status, "compile")
        return caught.exception.diagnostics

    def test_expected_and_found(self):
        path = SCRATCH / "transpose.onnx"
        path.write_bytes(one_node("Transpose", perm=[0, 1, 2]).SerializeToString())
        diagnostic, = [one for one in self.refused(path) if one.severity == "error"]
        self.assertEqual((diagnostic.file, diagnostic.line, diagnostic.node), (str(path), 0, "the node"))
        self.assertTrue(diagnostic.expected and diagnostic.found, diagnostic)
        self.assertIn(f"expected {diagnostic.expected}", diagnostic.message)

    def test_line_and_column(self):
        path = SCRATCH / "undeclared.mlir"
        path.write_text("func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n  return %y : tensor<2xf32>\n}\n")
        diagnostic, = self.refused(path)
        self.assertEqual((diagnostic.severity, diagnostic.file, diagnostic.line, diagnostic.column), ("error", str(path), 2, 10))
        self.assertEqual(diagnostic.location, f"{path}:2:10")

    def test_notes(self):
        """What belongs to an error is in it, not beside it."""
        path = SCRATCH / "weight.mlir"
        path.write_text("moe.weight @w : tensor<4xf32> source(#moe.file<\"w.bin\", offset = 0, length = 16>)\n"
                        "func.func @main() -> tensor<2xf32> {\n  %w = moe.weight_ref @w : tensor<2xf32>\n  return %w : tensor<2xf32>\n}\n")
        diagnostic, = self.refused(path)
        self.assertEqual((diagnostic.severity, diagnostic.line, len(diagnostic.notes)), ("error", 3, 1), diagnostic)
        self.assertIn("the weight is here", diagnostic.notes[0])
        self.assertEqual(diagnostic.found, "'tensor<2xf32>'")

    def test_of_the_runtime(self):
        model = moe_opt.compile(one_node("Neg"))
        with self.assertRaises(moe_opt.Error) as caught:
            model(np.ones((2, 5), np.float32))
        diagnostic, = caught.exception.diagnostics
        self.assertEqual((diagnostic.severity, diagnostic.message, diagnostic.expected, diagnostic.found),
                         ("error", str(caught.exception), "4", "5"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
