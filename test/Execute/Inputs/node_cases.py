"""Nodes on random inputs, compiled as one model and compared with ONNX Runtime without its optimisations, or with formulas where it has no kernel. Codes
(integers of 8 bits and less) may differ by one where a product falls between two.

    cases = Cases()
    cases.add("FusedGemm", [cases.given(x), cases.const(w)], activation="Relu")
    cases.check("FusedGemm")
"""
import sys

import numpy as np
import onnxruntime
from onnx import helper, numpy_helper

import moe_opt


class Cases:
    def __init__(self, seed=5, opset=21):
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.clear()

    def clear(self):
        self.nodes, self.feed, self.dims, self.stored, self.formulas, self.masks, self.shared = [], {}, {}, [], {}, {}, {}

    def add(self, kind, inputs, outputs=1, domain="com.microsoft", **attributes):
        """Gives the names of the outputs; a list of flags for `outputs` leaves some out."""
        flags = [True] * outputs if isinstance(outputs, int) else outputs
        names = [f"y{len(self.nodes)}_{i}" if flag else "" for i, flag in enumerate(flags)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"{kind}{len(self.nodes)}", domain=domain, **attributes))
        return names

    def const(self, value, dtype=np.float32):
        self.stored.append(numpy_helper.from_array(np.asarray(value, dtype), f"c{len(self.stored)}"))
        return self.stored[-1].name

    def given(self, value, dims=None):
        """An input of the model; `dims` has names for those that only the run knows."""
        name = f"x{len(self.feed)}"
        self.feed[name], self.dims[name] = value, dims or list(value.shape)
        return name

    def codes(self, dtype, *dims):
        info = np.iinfo(dtype)
        return self.rng.integers(info.min, info.max + 1, dims).astype(dtype)

    def floats(self, *dims, dtype=np.float32):
        return self.rng.standard_normal(dims).astype(dtype)

    def outputs(self):
        return [name for node in self.nodes for name in node.output if name]

    def model(self):
        inputs = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), self.dims[n]) for n, v in self.feed.items()]
        graph = helper.make_graph(self.nodes, "cases", inputs, [helper.make_empty_tensor_value_info(name) for name in self.outputs()], self.stored)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()

    def oracle(self, blob):
        """`shared` names the outputs whose memory ONNX Runtime wants to be an input's."""
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
        if not self.shared:
            return dict(zip(self.outputs(), session.run(self.outputs(), self.feed)))
        binding, values = session.io_binding(), {name: onnxruntime.OrtValue.ortvalue_from_numpy(value.copy()) for name, value in self.feed.items()}
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        for name in self.outputs():
            if name in self.shared:
                binding.bind_ortvalue_output(name, values[self.shared[name]])
            else:
                binding.bind_output(name)
        session.run_with_iobinding(binding)
        return dict(zip(self.outputs(), binding.copy_outputs_to_cpu()))

    def check(self, title, tolerance=1e-5):
        """Gives what ONNX Runtime gave. `formulas` replace it, and `masks` say which elements of an output count."""
        blob = self.model()
        got = moe_opt.compile(blob, cpu_features="avx2").run(self.feed)
        expected = self.formulas if self.formulas else self.oracle(blob)
        worst, off, total = 0.0, 0, 0
        for node in self.nodes:
            where = f"{title}: {node.name} {[(a.name, helper.get_attribute_value(a)) for a in node.attribute]}"
            for name in filter(None, node.output):
                have, want = got[name], expected[name]
                if have.shape != want.shape or have.dtype != want.dtype:
                    sys.exit(f"{where}: {name} is {have.dtype} {have.shape}, expected {want.dtype} {want.shape}")
                error = np.abs(have.astype(np.float64) - want.astype(np.float64))[np.broadcast_to(self.masks.get(name, True), want.shape)]
                if want.dtype.kind in "iu" and want.dtype.itemsize == 1:
                    off, total = off + int((error > 0).sum()), total + error.size
                    if error.size and (error.max() > 1 or (error > 0).mean() > 0.02):
                        sys.exit(f"{where}: codes differ by {error.max()}, {int((error > 0).sum())} of {error.size}")
                    continue
                worst = max(worst, float(error.max(initial=0)))
                if not worst <= tolerance:
                    sys.exit(f"{where}: {name}: error {worst}")
        print(f"{title}: {len(self.nodes)} nodes, " + (f"{off} of {total} codes differ by one" if total else f"largest error {worst:.2g}"))
        self.clear()
        return expected

    def refused(self, title, part, *node, **attributes):
        """A node, besides those added, is refused, when the model is compiled or run, with `part` in the message."""
        if node:
            self.add(*node, **attributes)
        blob, feed = self.model(), self.feed
        self.clear()
        try:
            moe_opt.compile(blob, cpu_features="avx2").run(feed)
        except moe_opt.Error as error:
            if part not in str(error):
                sys.exit(f"{title}: expected '{part}' in: {error}")
            print(f"{title}: refused")
        else:
            sys.exit(f"{title}: was compiled and run")
