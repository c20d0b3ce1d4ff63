"""The layer on ggml, as llama.cpp builds it: the graph of its build_moe_ffn, weights in the repacked buffers that it picks where there are any.

Integer weights are Q4_0 and Q8_0: the values are ours, a scale of f16 for each block of 32.
"""

import ctypes
import pathlib

import numpy as np

from layers import BLOCK

F32, Q4_0, Q8_0, BF16 = 0, 2, 8, 30
TYPES = {"f32": F32, "bf16": BF16, "int8": Q8_0, "int4": Q4_0}
CPU_DEVICE = 0
pointer, i64, size_t, integer = ctypes.c_void_p, ctypes.c_int64, ctypes.c_size_t, ctypes.c_int


class InitParams(ctypes.Structure):
    _fields_ = [("mem_size", size_t), ("mem_buffer", pointer), ("no_alloc", ctypes.c_bool)]


SIGNATURES = {
    "ggml_init": (pointer, InitParams), "ggml_new_tensor_2d": (pointer, pointer, integer, i64, i64),
    "ggml_new_tensor_3d": (pointer, pointer, integer, i64, i64, i64), "ggml_reshape_2d": (pointer, pointer, pointer, i64, i64),
    "ggml_reshape_3d": (pointer, pointer, pointer, i64, i64, i64), "ggml_soft_max": (pointer, pointer, pointer),
    "ggml_argsort_top_k": (pointer, pointer, pointer, integer), "ggml_get_rows": (pointer, pointer, pointer, pointer),
    "ggml_sum_rows": (pointer, pointer, pointer), "ggml_div": (pointer, pointer, pointer, pointer), "ggml_mul": (pointer, pointer, pointer, pointer),
    "ggml_add": (pointer, pointer, pointer, pointer), "ggml_mul_mat_id": (pointer, pointer, pointer, pointer, pointer),
    "ggml_swiglu_split": (pointer, pointer, pointer, pointer), "ggml_view_2d": (pointer, pointer, pointer, i64, i64, size_t, size_t),
    "ggml_new_graph": (pointer, pointer), "ggml_build_forward_expand": (None, pointer, pointer), "ggml_set_input": (None, pointer),
    "ggml_set_output": (None, pointer), "ggml_nbytes": (size_t, pointer), "ggml_backend_cpu_init": (pointer,),
    "ggml_backend_cpu_set_n_threads": (None, pointer, integer), "ggml_backend_cpu_buffer_type": (pointer,), "ggml_gallocr_new": (pointer, pointer),
    "ggml_gallocr_alloc_graph": (ctypes.c_bool, pointer, pointer), "ggml_backend_graph_compute": (integer, pointer, pointer),
    "ggml_backend_alloc_ctx_tensors_from_buft": (pointer, pointer, pointer), "ggml_backend_tensor_set": (None, pointer, pointer, size_t, size_t),
    "ggml_backend_tensor_get": (None, pointer, pointer, size_t, size_t), "ggml_backend_dev_by_type": (pointer, integer),
    "ggml_backend_dev_backend_reg": (pointer, pointer), "ggml_backend_reg_get_proc_address": (pointer, pointer, ctypes.c_char_p),
    "ggml_backend_dev_supports_op": (ctypes.c_bool, pointer, pointer), "ggml_backend_buft_name": (ctypes.c_char_p, pointer)}


class Library:
    """The functions of ggml's libraries, found in the installed llama-cpp-python."""

    def __init__(self):
        import importlib.util
        found = importlib.util.find_spec("llama_cpp")
        if found is None:
            raise ModuleNotFoundError("No module named 'llama_cpp'", name="llama_cpp_python")
        folder = pathlib.Path(found.origin).parent / "lib"
        libraries = [ctypes.CDLL(str(next(folder.glob(f"lib{name}.so*"))), mode=ctypes.RTLD_GLOBAL) for name in ("ggml-base", "ggml-cpu", "ggml")]
        for name, (result, *arguments) in SIGNATURES.items():
            function = next(getattr(library, name) for library in libraries if hasattr(library, name))
            function.restype, function.argtypes = result, arguments
            setattr(self, name.removeprefix("ggml_"), function)

    def context(self):
        return self.init(InitParams(4 << 20, None, True))

    def set(self, tensor, array):
        array = np.ascontiguousarray(array)
        assert array.nbytes == self.nbytes(tensor), (array.nbytes, self.nbytes(tensor))
        self.backend_tensor_set(tensor, array.ctypes.data_as(pointer), 0, array.nbytes)

    def buffer_types(self):
        """Kinds of buffers that the CPU offers, repacked ones first."""
        device = self.backend_dev_by_type(CPU_DEVICE)
        address = self.backend_reg_get_proc_address(self.backend_dev_backend_reg(device), b"ggml_backend_dev_get_extra_bufts")
        extra, kinds = ctypes.CFUNCTYPE(ctypes.POINTER(pointer), pointer)(address)(device) if address else [], []
        for index in range(16):
            if not extra or not extra[index]:
                break
            kinds.append(extra[index])
        return kinds + [self.backend_cpu_buffer_type()]


def _stored(layer, name, part):
    """Weights of all experts in ggml's layout."""
    which = 1 if name == "down" else 0
    if layer.format not in ("int8", "int4"):
        return layer.store.read(f"w{which}")[:, part]
    codes, scales = layer.store.read(f"codes{which}")[:, part], layer.store.read(f"scales{which}")[:, part]
    if layer.format == "int8":
        blocks = (codes.reshape(*codes.shape[:2], -1, BLOCK) ^ 128)
        scales = np.broadcast_to(scales[:, :, None], blocks.shape[:3])
    else:
        pairs = codes.reshape(*codes.shape[:2], -1, BLOCK // 2)
        values = np.stack([pairs & 15, pairs >> 4], -1).reshape(*pairs.shape[:3], BLOCK)
        blocks = values[..., :BLOCK // 2] | values[..., BLOCK // 2:] << 4
    heads = np.ascontiguousarray(scales.astype(np.float16)).view(np.uint8).reshape(*blocks.shape[:3], 2)
    return np.concatenate([heads, blocks.view(np.uint8)], -1)


class _Layer:
    def __init__(self, layer, threads):
        self.layer, self.g = layer, Library()
        self.backend = self.g.backend_cpu_init()
        self.g.backend_cpu_set_n_threads(self.backend, threads)
        shapes = {"gate": (layer.hidden, layer.intermediate), "up": (layer.hidden, layer.intermediate), "down": (layer.intermediate, layer.hidden)}
        parts = {"gate": slice(0, None, 2), "up": slice(1, None, 2), "down": slice(None)}
        self.weights = {}
        for name, (depth, columns) in shapes.items():
            self.weights[name] = self._weight(depth, columns)
            self.g.set(self.weights[name], _stored(layer, name, parts[name]))
        self.graphs = {}

    def _weight(self, depth, columns):
        g = self.g
        for kind in g.buffer_types():
            context = g.context()
            weight = g.new_tensor_3d(context, TYPES[self.layer.format], depth, columns, self.layer.experts)
            if not g.backend_alloc_ctx_tensors_from_buft(context, kind):
                continue
            probe = g.context()
            product = g.mul_mat_id(probe, weight, g.new_tensor_3d(probe, F32, depth, 1, 512), g.new_tensor_2d(probe, 26, self.layer.k, 512))
            if g.backend_dev_supports_op(g.backend_dev_by_type(CPU_DEVICE), product):
                return weight
        raise MemoryError("no buffer for the weights")

    def _graph(self, tokens):
        g, layer = self.g, self.layer
        context = g.context()
        x, logits = g.new_tensor_2d(context, F32, layer.hidden, tokens), g.new_tensor_2d(context, F32, layer.experts, tokens)
        g.set_input(x)
        g.set_input(logits)
        scores = g.soft_max(context, logits)
        chosen = g.argsort_top_k(context, scores, layer.k)
        weights = g.reshape_2d(context, g.get_rows(context, g.reshape_3d(context, scores, 1, layer.experts, tokens), chosen), layer.k, tokens)
        weights = g.reshape_3d(context, g.div(context, weights, g.sum_rows(context, weights)), 1, layer.k, tokens)
        rows = g.reshape_3d(context, x, layer.hidden, 1, tokens)
        up = g.mul_mat_id(context, self.weights["up"], rows, chosen)
        gate = g.mul_mat_id(context, self.weights["gate"], rows, chosen)
        down = g.mul_mat_id(context, self.weights["down"], g.swiglu_split(context, gate, up), chosen)
        down = g.mul(context, down, weights)
        views = [g.view_2d(context, down, layer.hidden, tokens, 4 * layer.hidden * layer.k, 4 * layer.hidden * rank) for rank in range(layer.k)]
        graph = g.new_graph(context)
        y = views[0]
        for view in views[1:]:
            y = g.add(context, y, view)
        g.set_output(y)
        g.build_forward_expand(graph, y)
        allocator = g.gallocr_new(g.backend_cpu_buffer_type())
        if not g.gallocr_alloc_graph(allocator, graph):
            raise MemoryError("no memory for the graph")
        return graph, x, logits, y

    def __call__(self, x, logits):
        if len(x) not in self.graphs:
            self.graphs[len(x)] = self._graph(len(x))
        graph, rows, scores, result = self.graphs[len(x)]
        self.g.set(rows, x.astype(np.float32, copy=False))
        self.g.set(scores, logits.astype(np.float32, copy=False))
        if self.g.backend_graph_compute(self.backend, graph):
            raise RuntimeError("ggml_backend_graph_compute failed")
        y = np.empty((len(x), self.layer.hidden), np.float32)
        self.g.backend_tensor_get(result, y.ctypes.data_as(pointer), 0, y.nbytes)
        return y


def start(layer, threads):
    return _Layer(layer, threads)
