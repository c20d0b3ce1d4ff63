"""One MoE layer with random weights: its files for every side of the benchmark, its routing, and its result in float64.

A folder holds the weights once, in the layout of com.microsoft's MoE and QMoE (gate and up rows interleaved), and a second time as exporters write
them (gate, up and down apart) once that graph is asked for. Arrays are mapped, so that sides in processes of their own share the pages.
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper

BLOCK = 32
FORMATS = ("f32", "bf16", "int8", "int4")
INTEGERS = ("int8", "int4")
LOADS = ("random", "balanced", "zipf")


class Store:
    """Arrays by name in one file, page aligned."""

    def __init__(self, folder, name):
        self.folder, self.file, self.index = pathlib.Path(folder), name + ".bin", pathlib.Path(folder) / (name + ".json")
        self.entries = json.loads(self.index.read_text()) if self.index.exists() else {}

    def write(self, arrays):
        """`arrays`: pairs of a name and an array, or a list of arrays that lie one behind the other as one more dim."""
        with open(self.folder / self.file, "wb") as stream:
            for name, parts in arrays:
                stream.seek(-(-stream.tell() // 4096) * 4096)
                start, shape, count = stream.tell(), None, 0
                for part in parts:
                    part.tofile(stream)
                    shape, kind, count = part.shape, part.dtype, count + 1
                self.entries[name] = [start, [count, *shape], str(kind)]
        self.index.write_text(json.dumps(self.entries))

    def read(self, name):
        start, shape, kind = self.entries[name]
        if kind == "bfloat16":
            import ml_dtypes
            kind = ml_dtypes.bfloat16
        return np.memmap(self.folder / self.file, np.dtype(kind), "r", start, tuple(shape))

    def initializer(self, name, entry, kind, part=None, dims=None):
        """An ONNX tensor of an entry, or of one part of it."""
        start, shape, dtype = self.entries[entry]
        nbytes = int(np.prod(shape)) * (2 if dtype == "bfloat16" else np.dtype(dtype).itemsize)
        if part is not None:
            nbytes //= shape[0]
            start, shape = start + part * nbytes, shape[1:]
        tensor = TensorProto(name=name, data_type=kind, dims=dims or shape, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self.file), ("offset", str(start)), ("length", str(nbytes))):
            tensor.external_data.add(key=key, value=value)
        return tensor


class Layer:
    """A gated-silu layer of E experts, K per token, hidden H, intermediate I: y = sum of weight · down(silu(gate x) · up x)."""

    def __init__(self, sizes, format, folder):
        self.sizes, self.format, self.folder = tuple(sizes), format, pathlib.Path(folder)
        self.experts, self.k, self.hidden, self.intermediate = sizes
        self.kind = TensorProto.BFLOAT16 if format == "bf16" else TensorProto.FLOAT
        self.store = Store(folder, "weights")
        if not self.store.entries:
            self.store.write(self._random())

    def _random(self):
        rng = np.random.default_rng(0)
        shapes = [(2 * self.intermediate, self.hidden), (self.hidden, self.intermediate)]
        for which, (n, k) in enumerate(shapes):
            if self.format in INTEGERS:
                width, groups = (k // 2, k // BLOCK) if self.format == "int4" else (k, 1)
                yield f"codes{which}", [rng.integers(0, 256, (n, width), dtype=np.uint8) for _ in range(self.experts)]
                # Of a size that keeps results near 1, and values of f16: peers store their scales so.
                deviation = 4.6 if self.format == "int4" else 73.9
                scale = lambda: (rng.uniform(0.5, 1.5, (n, groups)) / deviation / np.sqrt(k)).astype(np.float16).astype(np.float32)
                yield f"scales{which}", [scale() if groups > 1 else scale()[:, 0] for _ in range(self.experts)]
                continue
            kind = np.float32
            if self.format == "bf16":
                import ml_dtypes
                kind = ml_dtypes.bfloat16
            yield f"w{which}", ((rng.standard_normal((n, k), dtype=np.float32) / np.float32(np.sqrt(k))).astype(kind) for _ in range(self.experts))

    def expert(self, which, e):
        """The f32 matrix [out, in] of one expert: 0 is gate and up, interleaved, 1 is down."""
        if self.format not in INTEGERS:
            return np.asarray(self.store.read(f"w{which}")[e]).astype(np.float32)
        codes, scales = self.store.read(f"codes{which}")[e], self.store.read(f"scales{which}")[e]
        if self.format == "int8":
            return (codes.astype(np.float32) - 128) * scales[:, None]
        values = np.stack([codes & 15, codes >> 4], -1).reshape(codes.shape[0], -1).astype(np.float32) - 8
        return values * np.repeat(scales, BLOCK, 1)

    def bytes_per_expert(self):
        n, k = 3 * self.intermediate, self.hidden
        return n * k * {"f32": 4, "bf16": 2, "int8": 1, "int4": 0.5 + 4 / BLOCK}[self.format]

    def _save(self, name, nodes, initializers):
        value = lambda name, columns: helper.make_tensor_value_info(name, self.kind, ["tokens", columns])
        graph = helper.make_graph(nodes, "layer", [value("x", self.hidden), value("logits", self.experts)], [value("y", self.hidden)], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
        path = self.folder / name
        onnx.save(model, path)
        return path

    def fused_op(self, activations):
        """Path of the model of one node, MoE or QMoE. A quantised one allows rows of int8 where these are asked for."""
        attributes = dict(k=self.k, activation_type="swiglu", swiglu_fusion=1, activation_alpha=1.0, activation_beta=0.0, normalize_routing_weights=1)
        if self.format in INTEGERS:
            stored = dict(expert_weight_bits=4, block_size=BLOCK) if self.format == "int4" else dict(expert_weight_bits=8)
            initializers = [self.store.initializer(f"{short}{i}", f"{name}{i}", kind) for i in range(2)
                            for short, name, kind in (("q", "codes", TensorProto.UINT8), ("s", "scales", TensorProto.FLOAT))]
            nodes = [helper.make_node("QMoE", ["x", "logits", "q0", "s0", "", "q1", "s1"], ["y"], domain="com.microsoft",
                                      accuracy_level=4 if activations == "int8" else 0, **stored, **attributes)]
        else:
            initializers = [self.store.initializer(f"w{i}", f"w{i}", self.kind) for i in range(2)]
            nodes = [helper.make_node("MoE", ["x", "logits", "w0", "", "w1"], ["y"], domain="com.microsoft", **attributes)]
        return self._save("fused.onnx", nodes, initializers)

    def exported_graph(self, activations):
        """Path of the layer as PyTorch's exporter leaves a loop over experts: NonZero, Gather, three products, ScatterND. Integer weights are
        MatMulNBits in blocks of 32, as the exporters of quantised models write them."""
        apart = Store(self.folder, "apart")
        if not apart.entries:
            apart.write(self._apart())
        constant = lambda name, values: onnx.numpy_helper.from_array(np.array(values, np.int64), name)
        initializers = [constant("k", [self.k]), constant("last", [-1]), constant("zero", 0), constant("one", 1)]
        nodes = [helper.make_node("Softmax", ["logits"], ["scores"], axis=-1), helper.make_node("TopK", ["scores", "k"], ["top", "chosen"]),
                 helper.make_node("ReduceSum", ["top", "last"], ["total"]), helper.make_node("Div", ["top", "total"], ["weights"]),
                 helper.make_node("Sub", ["x", "x"], ["y.0"])]

        def product(e, name, source, target, columns, depth):
            if self.format in INTEGERS:
                bits = 4 if self.format == "int4" else 8
                initializers.append(apart.initializer(f"{target}.q", f"{name}.q", TensorProto.UINT8, e, [columns, depth // BLOCK, BLOCK * bits // 8]))
                initializers.append(apart.initializer(f"{target}.s", f"{name}.s", TensorProto.FLOAT, e, [columns * depth // BLOCK]))
                nodes.append(helper.make_node("MatMulNBits", [source, f"{target}.q", f"{target}.s"], [target], domain="com.microsoft", K=depth, N=columns,
                                              bits=bits, block_size=BLOCK, accuracy_level=4 if activations == "int8" else 0))
            else:
                initializers.append(apart.initializer(f"{target}.w", name, self.kind, e))
                nodes.append(helper.make_node("Gemm", [source, f"{target}.w"], [target], transB=1))

        for e in range(self.experts):
            own = lambda name: f"{name}.{e}"
            initializers.append(constant(own("e"), e))
            add = lambda op, inputs, outputs, **attributes: nodes.append(helper.make_node(op, inputs, [own(name) for name in outputs], **attributes))
            add("Equal", ["chosen", own("e")], ["hit"])
            add("NonZero", [own("hit")], ["places"])
            add("Gather", [own("places"), "zero"], ["token"], axis=0)
            add("Gather", ["x", own("token")], ["rows"], axis=0)
            product(e, "gate", own("rows"), own("gate"), self.intermediate, self.hidden)
            product(e, "up", own("rows"), own("up"), self.intermediate, self.hidden)
            add("Sigmoid", [own("gate")], ["sigmoid"])
            add("Mul", [own("gate"), own("sigmoid")], ["silu"])
            add("Mul", [own("silu"), own("up")], ["inner"])
            product(e, "down", own("inner"), own("down"), self.hidden, self.intermediate)
            add("Transpose", [own("places")], ["pairs"], perm=[1, 0])
            add("GatherND", ["weights", own("pairs")], ["weight"])
            add("Unsqueeze", [own("weight"), "last"], ["column"])
            add("Mul", [own("down"), own("column")], ["part"])
            add("Unsqueeze", [own("token"), "last"], ["where"])
            target = "y" if e + 1 == self.experts else f"y.{e + 1}"
            nodes.append(helper.make_node("ScatterND", [f"y.{e}", own("where"), own("part")], [target], reduction="add"))
        return self._save("graph.onnx", nodes, initializers)

    def _apart(self):
        matrices = {"gate": (0, slice(0, None, 2)), "up": (0, slice(1, None, 2)), "down": (1, slice(None))}
        for name, (which, part) in matrices.items():
            if self.format not in INTEGERS:
                source = self.store.read(f"w{which}")
                yield name, (np.ascontiguousarray(source[e][part]) for e in range(self.experts))
                continue
            codes, scales = self.store.read(f"codes{which}"), self.store.read(f"scales{which}")
            depth = codes.shape[-1] * (2 if self.format == "int4" else 1)
            per_block = lambda s: s if self.format == "int4" else np.repeat(s[:, None], depth // BLOCK, 1)
            yield name + ".q", (np.ascontiguousarray(codes[e][part]) for e in range(self.experts))
            yield name + ".s", (np.ascontiguousarray(per_block(scales[e][part])) for e in range(self.experts))

    def inputs(self, tokens, count, load="random"):
        """`count` pairs of rows [T, H] and logits [T, E], of the layer's type. One token at a time takes the experts in turn, so that all weights are
        read before the first ones are again. `load` says how tokens spread over experts: by chance, evenly, or as 1 / rank (Zipf's law)."""
        kind = np.float32
        if self.format == "bf16":
            import ml_dtypes
            kind = ml_dtypes.bfloat16
        rng = np.random.default_rng(tokens)
        order, place = rng.permutation(self.experts), 0
        pairs = []
        for _ in range(count):
            logits = rng.standard_normal((tokens, self.experts))
            if load == "zipf":
                logits = rng.gumbel(size=logits.shape) - np.log(1 + order)
            elif load == "balanced" or tokens == 1:
                for token in range(tokens):
                    logits[token, order[(place + np.arange(self.k)) % self.experts]] += 20
                    place += self.k
            # Values by rank: far enough apart to be distinct in bf16, since not all peers take the lower expert of equals.
            logits = np.linspace(-2, 2, self.experts)[logits.argsort(axis=1).argsort(axis=1)]
            pairs.append((rng.standard_normal((tokens, self.hidden)).astype(kind), logits.astype(kind)))
        return pairs

    def route(self, logits):
        """Experts [T, K] by falling logit, ties to the lower one, and their weights: softmax, the chosen ones divided by their sum."""
        order = np.argsort(-logits, axis=1, kind="stable")[:, :self.k]
        chosen = np.exp(np.take_along_axis(logits, order, 1).astype(np.float64) - logits.max(1, keepdims=True))
        return order, chosen / chosen.sum(1, keepdims=True)

    def reference(self, x, logits):
        x, logits = x.astype(np.float32), logits.astype(np.float32)
        order, weights = self.route(logits)
        y = np.zeros(x.shape)
        for e in np.unique(order):
            token, rank = np.nonzero(order == e)
            product = x[token].astype(np.float64) @ self.expert(0, e).astype(np.float64).T
            gate, up = product[:, 0::2], product[:, 1::2]
            y[token] += weights[token, rank][:, None] * ((gate / (1 + np.exp(-gate)) * up) @ self.expert(1, e).astype(np.float64).T)
        return y
