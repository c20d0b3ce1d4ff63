"""Whole decoders with random weights at real widths: one set of values, written as the ONNX file that ONNX Runtime GenAI's builder makes of such a model, and
as llama.cpp's GGUF (ggml_decoder.py).

Every weight matrix is made anew from its name, so that nothing but the two files is kept. Integer weights have blocks of 32 along the depth with a scale of
f16 each: Q4_0 and Q8_0 to llama.cpp, MatMulNBits, QMoE and GatherBlockQuantized to ONNX.
"""

import dataclasses
import pathlib
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper

BLOCK = 32
BITS = {"int4": 4, "int8": 8}
EPSILON = 1e-5
CONTEXT = 4096


@dataclasses.dataclass(frozen=True)
class Sizes:
    """A decoder's shape. `dense` layers without experts come first, each with an FFN of that width."""
    arch: str  # llama.cpp's name
    hidden: int
    heads: int
    key_heads: int
    head: int
    experts: int
    chosen: int
    intermediate: int
    vocabulary: int
    theta: float
    interleaved: bool = False  # rotary on neighbours instead of halves
    normalized: bool = True  # the chosen experts' weights are divided by their sum
    query_norm: bool = False
    biases: bool = False
    clamped: bool = False  # gpt-oss's activation
    window: int = 0  # of every other layer, from the first; with learned sinks
    shared: int = 0  # width of the shared expert
    dense: tuple = ()


MODELS = {
    "mixtral": Sizes("llama", 4096, 32, 8, 128, 8, 2, 14336, 32000, 1e6, interleaved=True),
    "qwen3-moe": Sizes("qwen3moe", 2048, 32, 4, 128, 128, 8, 768, 151936, 1e6, query_norm=True),
    "gpt-oss": Sizes("gpt-oss", 2880, 64, 8, 64, 32, 4, 2880, 201088, 150000.0, biases=True, clamped=True, window=128),
    "deepseek-moe": Sizes("deepseek", 2048, 16, 16, 128, 64, 6, 1408, 102400, 10000.0, interleaved=True, normalized=False, shared=2816, dense=(10944,)),
}


class Decoder:
    """The values. `layers` counts those with experts."""

    def __init__(self, name, layers, format):
        self.name, self.sizes, self.format = name, MODELS[name], format
        self.layers = len(self.sizes.dense) + layers

    def has_experts(self, layer):
        return layer >= len(self.sizes.dense)

    def window(self, layer):
        return self.sizes.window if layer % 2 == 0 else 0

    @staticmethod
    def _random(name):
        return np.random.Generator(np.random.SFC64(zlib.crc32(name.encode())))

    def matrix(self, name, columns, depth):
        """Codes [columns, depth] as bytes (two to a byte for int4) and scales [columns, depth / 32] of f16's values."""
        rng, bits = self._random(name), BITS[self.format]
        codes = np.frombuffer(rng.bytes(columns * depth * bits // 8), np.uint8).reshape(columns, -1)
        # Of a size that gives results near 1.
        deviation = 4.6 if bits == 4 else 73.9
        scales = (rng.uniform(0.5, 1.5, (columns, depth // BLOCK)) / deviation / np.sqrt(depth)).astype(np.float16)
        return codes, scales.astype(np.float32)

    def router(self, layer):
        return self._random(f"{layer}.router").standard_normal((self.sizes.experts, self.sizes.hidden), np.float32) / np.float32(np.sqrt(self.sizes.hidden))

    def vector(self, name, *shape):
        return self._random(name).uniform(0.5, 1.5, shape).astype(np.float32)

    def bias(self, name, *shape):
        return self._random(name).standard_normal(shape, np.float32) * np.float32(0.1)

    def attention_matrices(self, layer):
        s = self.sizes
        return {name: (f"{layer}.{name}", columns, s.hidden) for name, columns in (("q", s.heads * s.head), ("k", s.key_heads * s.head), ("v", s.key_heads * s.head))}

    def tokens(self, count):
        return np.random.default_rng(count).integers(0, self.sizes.vocabulary, count)


class OnnxWriter:
    """Writes model.onnx and weights.bin."""

    def __init__(self, decoder, folder):
        self.d, self.s, self.folder = decoder, decoder.sizes, pathlib.Path(folder)
        self.bits = BITS[decoder.format]
        self.nodes, self.initializers, self.known = [], [], set()
        self.inputs = [("input_ids", TensorProto.INT64, ["batch", "tokens"]), ("attention_mask", TensorProto.INT64, ["batch", "total"])]
        self.outputs = [("logits", TensorProto.FLOAT, ["batch", 1, self.s.vocabulary])]

    def node(self, op, inputs, outputs, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [outputs] if isinstance(outputs, str) else outputs, domain=domain, **attributes))
        return self.nodes[-1].output[0]

    def contrib(self, op, inputs, outputs, **attributes):
        return self.node(op, inputs, outputs, "com.microsoft", **attributes)

    def stored(self, name, parts, kind, dims):
        """An initializer whose bytes are those of the parts, one behind the other."""
        if name not in self.known:
            self.known.add(name)
            self.stream.seek(-(-self.stream.tell() // 4096) * 4096)
            start = self.stream.tell()
            for part in parts:
                np.ascontiguousarray(part).tofile(self.stream)
            tensor = TensorProto(name=name, data_type=kind, dims=dims, data_location=TensorProto.EXTERNAL)
            for key, value in (("location", "weights.bin"), ("offset", str(start)), ("length", str(self.stream.tell() - start))):
                tensor.external_data.add(key=key, value=value)
            self.initializers.append(tensor)
        return name

    def floats(self, name, array):
        return self.stored(name, [array], TensorProto.FLOAT, array.shape)

    def constant(self, name, values, kind=np.int64):
        if name not in self.known:
            self.known.add(name)
            self.initializers.append(onnx.numpy_helper.from_array(np.array(values, kind), name))
        return name

    def product(self, x, name, matrices, out):
        """x times matrices (name, columns, depth) of one depth, side by side."""
        parts = [self.d.matrix(*matrix) for matrix in matrices]
        columns, depth = sum(matrix[1] for matrix in matrices), matrices[0][2]
        codes = self.stored(name + ".codes", [codes for codes, _ in parts], TensorProto.UINT8, [columns, depth // BLOCK, BLOCK * self.bits // 8])
        scales = self.stored(name + ".scales", [scales for _, scales in parts], TensorProto.FLOAT, [columns * depth // BLOCK])
        return self.contrib("MatMulNBits", [x, codes, scales], out, K=depth, N=columns, bits=self.bits, block_size=BLOCK, accuracy_level=4)

    def norm(self, x, name, out, axis=-1, size=None):
        return self.node("SimplifiedLayerNormalization", [x, self.floats(name, self.d.vector(name, size or self.s.hidden))], out, axis=axis, epsilon=EPSILON)

    def add_norm(self, x, skip, name, layer):
        """The sum, and the sum normalised."""
        total = f"{layer}.{name}.sum"
        weight = self.floats(f"{layer}.{name}", self.d.vector(f"{layer}.{name}", self.s.hidden))
        return total, self.contrib("SkipSimplifiedLayerNormalization", [x, skip, weight], [f"{layer}.{name}.out", "", "", total], epsilon=EPSILON)

    def head_norm(self, x, layer, which, heads):
        """Each head by itself, as the builder writes it."""
        name = f"{layer}.{which}_norm"
        rows = self.node("Reshape", [x, self.constant("per_head", [0, -1, self.s.head])], name + ".heads")
        rows = self.norm(rows, name, name + ".normed", size=self.s.head)
        return self.node("Reshape", [rows, self.constant(f"heads_{heads}", [0, -1, heads * self.s.head])], name + ".out")

    def attention(self, x, layer):
        s, d = self.s, self.d
        matrices = d.attention_matrices(layer)
        if s.query_norm:
            q, k, v = (self.product(x, f"{layer}.{name}", [matrices[name]], f"{layer}.{name}.out") for name in "qkv")
            rows = [self.head_norm(q, layer, "q", s.heads), self.head_norm(k, layer, "k", s.key_heads), v]
        else:
            packed = self.product(x, f"{layer}.qkv", list(matrices.values()), f"{layer}.qkv.out")
            if s.biases:
                bias = np.concatenate([d.bias(f"{layer}.{name}.bias", matrices[name][1]) for name in "qkv"])
                packed = self.node("Add", [packed, self.floats(f"{layer}.qkv.bias", bias)], f"{layer}.qkv.sum")
            rows = [packed, "", ""]
        cache = [f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"], [f"present.{layer}.key", f"present.{layer}.value"]
        for names, values, length in ((cache[0], self.inputs, "past"), (cache[1], self.outputs, "total")):
            values += [(name, TensorProto.FLOAT, ["batch", s.key_heads, length, s.head]) for name in names]
        sinks = ["", "", self.floats(f"{layer}.sinks", d.bias(f"{layer}.sinks", s.heads))] if s.window else []
        out = self.contrib("GroupQueryAttention", [*rows, *cache[0], "seqlens_k", "total_length", "cos_cache", "sin_cache", *sinks],
                           [f"{layer}.attention", *cache[1]], num_heads=s.heads, kv_num_heads=s.key_heads, scale=float(s.head ** -0.5), do_rotary=1,
                           rotary_interleaved=int(s.interleaved), local_window_size=d.window(layer) or -1)
        out = self.product(out, f"{layer}.o", [(f"{layer}.o", s.hidden, s.heads * s.head)], f"{layer}.o.out")
        return self.node("Add", [out, self.floats(f"{layer}.o.bias", d.bias(f"{layer}.o.bias", s.hidden))], f"{layer}.o.sum") if s.biases else out

    def ffn(self, x, name, width):
        gate = self.product(x, name + ".gate", [(name + ".gate", width, self.s.hidden)], name + ".gate.out")
        up = self.product(x, name + ".up", [(name + ".up", width, self.s.hidden)], name + ".up.out")
        silu = self.node("Mul", [gate, self.node("Sigmoid", [gate], name + ".sigmoid")], name + ".silu")
        return self.product(self.node("Mul", [silu, up], name + ".inner"), name + ".down", [(name + ".down", self.s.hidden, width)], name + ".out")

    def experts(self, x, layer):
        s, d = self.s, self.d
        logits = self.node("MatMul", [x, self.floats(f"{layer}.router", d.router(layer).T)], f"{layer}.logits")
        if s.biases:
            logits = self.node("Add", [logits, self.floats(f"{layer}.router.bias", d.bias(f"{layer}.router.bias", s.experts))], f"{layer}.logits.sum")
        rows = self.node("Reshape", [logits, self.constant("router_rows", [-1, s.experts])], f"{layer}.logits.rows")

        def interleaved(e):
            parts = [d.matrix(f"{layer}.{e}.{name}", s.intermediate, s.hidden) for name in ("gate", "up")]
            return [np.stack(pair, 1).reshape(2 * s.intermediate, -1) for pair in zip(*parts)]
        down = lambda e: d.matrix(f"{layer}.{e}.down", s.hidden, s.intermediate)
        operands = []
        for number, (make, columns, depth) in enumerate(((interleaved, 2 * s.intermediate, s.hidden), (down, s.hidden, s.intermediate)), 1):
            name = f"{layer}.experts.{number}"
            made = [make(e) for e in range(s.experts)]
            operands.append(self.stored(name + ".codes", [codes for codes, _ in made], TensorProto.UINT8, [s.experts, columns, depth * self.bits // 8]))
            operands.append(self.stored(name + ".scales", [scales for _, scales in made], TensorProto.FLOAT, [s.experts, columns, depth // BLOCK]))
            bias = ""
            if s.biases and number == 1:
                bias = self.floats(name + ".bias", np.stack([d.bias(f"{layer}.{part}.bias", s.experts, s.intermediate) for part in ("gate", "up")], -1).reshape(s.experts, -1))
            elif s.biases:
                bias = self.floats(name + ".bias", d.bias(f"{layer}.down.bias", s.experts, s.hidden))
            operands.append(bias)
        activation = dict(activation_alpha=1.702, activation_beta=1.0, swiglu_limit=7.0) if s.clamped else dict(activation_alpha=1.0, activation_beta=0.0)
        y = self.contrib("QMoE", [x, rows, *operands], f"{layer}.experts", k=s.chosen, activation_type="swiglu", swiglu_fusion=1, accuracy_level=4,
                         expert_weight_bits=self.bits, block_size=BLOCK, normalize_routing_weights=int(s.normalized), **activation)
        return self.node("Add", [y, self.ffn(x, f"{layer}.shared", s.shared)], f"{layer}.moe") if s.shared else y

    def write(self):
        s, d = self.s, self.d
        with open(self.folder / "weights.bin", "wb") as self.stream:
            self.constant("one_axis", [1]), self.constant("one", 1), self.constant("axis1", 1)
            counts = self.node("ReduceSum", ["attention_mask", "one_axis"], "counts", keepdims=0)
            self.node("Cast", [self.node("Sub", [counts, "one"], "last")], "seqlens_k", to=TensorProto.INT32)
            total = self.node("Gather", [self.node("Shape", ["attention_mask"], "mask_shape"), "axis1"], "total_i64", axis=0)
            self.node("Cast", [total], "total_length", to=TensorProto.INT32)
            angles = np.outer(np.arange(CONTEXT), s.theta ** (-np.arange(0, s.head, 2) / s.head))
            self.floats("cos_cache", np.cos(angles).astype(np.float32)), self.floats("sin_cache", np.sin(angles).astype(np.float32))
            codes, scales = d.matrix("embedding", s.vocabulary, s.hidden)
            codes = self.stored("embedding.codes", [codes], TensorProto.UINT8, codes.shape)
            scales = self.stored("embedding.scales", [scales], TensorProto.FLOAT, scales.shape)
            x = self.contrib("GatherBlockQuantized", [codes, "input_ids", scales], "embedded", bits=self.bits, block_size=BLOCK, gather_axis=0, quantize_axis=1)
            normed = self.norm(x, "0.input_norm", "0.input_norm.out")
            for layer in range(d.layers):
                x, normed = self.add_norm(x, self.attention(normed, layer), "post_norm", layer)
                y = self.experts(normed, layer) if d.has_experts(layer) else self.ffn(normed, f"{layer}.dense", s.dense[layer])
                following = "input_norm" if layer + 1 < d.layers else "final_norm"
                x, normed = self.add_norm(x, y, following, layer + 1)
            last = self.node("Slice", [normed, self.constant("minus_one", [-1]), self.constant("end", [2**62]), "one_axis"], "last_row")
            self.product(last, "head", [("head", s.vocabulary, s.hidden)], "logits")
        value = lambda name, kind, dims: helper.make_tensor_value_info(name, kind, dims)
        graph = helper.make_graph(self.nodes, d.name, [value(*v) for v in self.inputs], [value(*v) for v in self.outputs], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
        onnx.save(model, self.folder / "model.onnx")
        return self.folder / "model.onnx"


class Compiled:
    """The decoder as moe-opt runs it: caches in place, of which a call sees the tokens so far and writes the new ones."""

    def __init__(self, decoder, folder, threads):
        import moe_opt
        folder = pathlib.Path(folder)
        if not (folder / "artifact").exists():
            moe_opt.compile(str(OnnxWriter(decoder, folder).write()), output=str(folder / "artifact"), activations="int8", threads=threads)
            (folder / "weights.bin").unlink()
        self.model = moe_opt.load(str(folder / "artifact"), threads=threads)
        s = decoder.sizes
        self.caches = {(layer, which): np.zeros((1, s.key_heads, CONTEXT, s.head), np.float32) for layer in range(decoder.layers) for which in ("key", "value")}
        self.logits = np.empty((1, 1, s.vocabulary), np.float32)

    def __call__(self, tokens, past):
        """Logits [vocabulary] after `tokens`, the first of which has the position `past`."""
        total = past + len(tokens)
        inputs = {"input_ids": np.asarray(tokens, np.int64)[None], "attention_mask": np.ones((1, total), np.int64)}
        outputs = {"logits": self.logits}
        for (layer, which), cache in self.caches.items():
            inputs[f"past_key_values.{layer}.{which}"] = cache[:, :, :past]
            outputs[f"present.{layer}.{which}"] = cache[:, :, :total]
        self.model.run(inputs, outputs)
        return self.logits[0, 0]
