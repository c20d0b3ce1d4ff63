"""Compiles every variant of ONNX Runtime's attention ops, one model per scenario, and compares with ONNX Runtime on random inputs.

usage: check_contrib_attention.py

Rows that the ops leave unspecified (queries of padding, cache rows behind the last token) are not compared.
"""
import itertools
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

import moe_opt

HEADS, KEY_HEADS, SIZE = 4, 2, 16
TOLERANCE = 2e-5
rng = np.random.default_rng(11)


def random(*dims):
    return rng.standard_normal(dims).astype(np.float32)


class Model:
    """Nodes that share named inputs; each output is compared where its mask allows."""

    def __init__(self):
        self.feed, self.dims, self.nodes, self.masks, self.oracles = {}, {}, [], {}, {}

    def input(self, name, value, dims=None):
        """An input; `dims` names those that may change between runs (all are fixed where it is not given)."""
        if name not in self.feed:
            self.feed[name], self.dims[name] = value, dims or list(value.shape)
        return name

    def node(self, kind, inputs, masks, ahead=(), **attributes):
        """A node; `ahead`: what ONNX Runtime runs in its place, as (nodes in front, inputs), where its kernel lacks something."""
        number = len(self.nodes)
        outputs = [f"y{number}_{i}" for i in range(len(masks))]
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=f"{kind}{number}", domain="com.microsoft", **attributes))
        if ahead:
            self.oracles[f"{kind}{number}"] = [*ahead[0], helper.make_node(kind, ahead[1], outputs, domain="com.microsoft", **attributes)]
        self.masks.update(zip(outputs, masks))

    def check(self, title):
        kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32, np.dtype(np.int64): TensorProto.INT64}
        graph = helper.make_graph(
            self.nodes, "attention", [helper.make_tensor_value_info(n, kinds[v.dtype], self.dims[n]) for n, v in self.feed.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.masks])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 3  # It warns where its inference guesses another length of a cache than it computes.
        oracle = onnx.ModelProto.FromString(model.SerializeToString())
        del oracle.graph.node[:]
        oracle.graph.node.extend(part for node in self.nodes for part in self.oracles.get(node.name, [node]))
        session = onnxruntime.InferenceSession(oracle.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
        expected = dict(zip(self.masks, session.run(list(self.masks), self.feed)))
        compiled = moe_opt.compile(model.SerializeToString(), cpu_features="avx2")
        got = compiled.run(self.feed)
        worst = 0.0
        for node in self.nodes:
            for name in filter(self.masks.__contains__, node.output):
                if got[name].shape != expected[name].shape:
                    sys.exit(f"{title}: {node.name} {name}: dims {got[name].shape}, expected {expected[name].shape}")
                mask = np.broadcast_to(True if self.masks[name] is None else self.masks[name], got[name].shape)
                error = float(np.max(np.abs(got[name] - expected[name])[mask]))
                worst = max(worst, error)
                if not error <= TOLERANCE:
                    sys.exit(f"{title}: {node.name} {[(a.name, helper.get_attribute_value(a)) for a in node.attribute]} {name}: error {error}")
        print(f"{title}: {sum(bool(node.domain) for node in self.nodes)} nodes, largest error {worst:.2g}")


def resident(tokens, capacity, window):
    """Rows of a window-sized cache that hold tokens, by the op's description."""
    gap = capacity - window + 1
    return np.where(tokens <= capacity, tokens, tokens - gap * -(-(tokens - capacity) // gap))


def group_query(title, tokens, block, past, prompt, window=None):
    """`tokens` after the block of each sequence; `past` is the cache's length, None where there is none; `window` is that of a window-sized cache."""
    model = Model()
    batch, total = len(tokens), block if prompt else max(tokens)
    tokens = np.array(tokens)
    present = past if window else max(past or 0, total)
    query = model.input("q", random(batch, block, HEADS * SIZE), ["batch", "block", HEADS * SIZE])
    key = model.input("k", random(batch, block, KEY_HEADS * SIZE), ["batch", "block", KEY_HEADS * SIZE])
    value = model.input("v", random(batch, block, KEY_HEADS * SIZE), ["batch", "block", KEY_HEADS * SIZE])
    packed = model.input("qkv", random(batch, block, (HEADS + 2 * KEY_HEADS) * SIZE))
    last = model.input("seqlens_k", (tokens - 1).astype(np.int32))
    # The cache's length must follow from dims of inputs, as exporters have it: the mask's.
    model.input("mask", np.ones((batch, total), np.int64), ["batch", "total"])
    model.nodes += [helper.make_node("Shape", ["mask"], ["total64"], start=1, end=2), helper.make_node("Cast", ["total64"], ["total"], to=TensorProto.INT32)]
    graph_total = "total"
    caches = ["", ""]
    if past is not None:
        caches = [model.input(name, random(batch, KEY_HEADS, past, SIZE)) for name in ("pk", "pv")]
    angles = rng.uniform(0, 6, (32, SIZE // 2))
    cosine, sine = model.input("cos", np.cos(angles).astype(np.float32)), model.input("sin", np.sin(angles).astype(np.float32))
    bias = model.input("bias", random(1, HEADS, block, total))
    sink = model.input("sink", random(HEADS))
    rows = tokens if prompt else np.full(batch, block)
    query_mask = (np.arange(block) < rows[:, None])[:, :, None]
    kept = resident(tokens, past, window) if window else tokens
    cache_mask = (np.arange(present) < kept[:, None])[:, None, :, None]
    masks = [query_mask, cache_mask, cache_mask]

    norms = [model.input(name, random(SIZE)) for name in ("qn", "kn")]

    def node(qkv=(query, key, value), rotary=False, bias="", sink="", norm=False, **attributes):
        inputs = [*qkv, *caches, last, graph_total, *((cosine, sine) if rotary else ("", "")), "", bias, sink, *(["", "", *norms] if norm else [])]
        ahead = ()
        if norm:  # The CPU provider's kernel has no norms: there they stand in front of it.
            parts, names = [], []
            for i, weight in enumerate(norms):
                name = f"n{len(model.nodes)}_{i}"
                parts += [helper.make_node("Constant", [], [name + "s"], value_ints=[0, 0, -1, SIZE]), helper.make_node("Constant", [], [name + "j"], value_ints=[0, 0, -1]),
                          helper.make_node("Reshape", [qkv[i], name + "s"], [name + "h"]),
                          helper.make_node("SimplifiedLayerNormalization", [name + "h", weight], [name + "n"], epsilon=attributes.get("qk_norm_epsilon", 1e-6), axis=-1),
                          helper.make_node("Reshape", [name + "n", name + "j"], [name])]
                names.append(name)
            ahead = (parts, [*names, *inputs[2:12]])
        model.node("GroupQueryAttention", inputs, masks, ahead, num_heads=HEADS, kv_num_heads=KEY_HEADS, do_rotary=int(rotary), **attributes)

    if window:
        node(local_window_size=window, sliding_window_cache=1)
        node((packed, "", ""), rotary=True, sink=sink, local_window_size=window, sliding_window_cache=1)
        node(bias=bias, local_window_size=window, sliding_window_cache=1)
        node(norm=True, rotary=True, local_window_size=window, sliding_window_cache=1)
        model.check(title)
        return
    node()
    node((packed, "", ""))
    node(rotary=True, rotary_interleaved=0)
    node((packed, "", ""), rotary=True, rotary_interleaved=1)
    node(local_window_size=3)
    node(local_window_size=1, rotary=True)
    node(softcap=2.0, scale=0.3)
    node(sink=sink)
    node(sink=sink, local_window_size=2, rotary=True, softcap=1.5)
    node(smooth_softmax=1)
    node(norm=True, rotary=True, qk_norm_epsilon=1e-3)
    node(norm=True)
    if not (prompt and (tokens != block).any()):
        node(bias=bias)
        node(bias=bias, sink=sink, softcap=2.0, rotary=True)
    model.check(title)


def in_place(title, tokens, block, capacity):
    """The cache of GroupQueryAttention as one buffer for past and present: rows that hold no new token must stay as they are."""
    batch, total = len(tokens), max(tokens)
    inputs = {"q": random(batch, block, HEADS * SIZE), "k": random(batch, block, KEY_HEADS * SIZE), "v": random(batch, block, KEY_HEADS * SIZE),
              "pk": random(batch, KEY_HEADS, capacity, SIZE), "pv": random(batch, KEY_HEADS, capacity, SIZE),
              "last": np.array(tokens, np.int32) - 1, "mask": np.ones((batch, total), np.int64)}
    dims = {name: list(value.shape) for name, value in inputs.items()}
    for name in ("pk", "pv"):
        dims[name][2] = "capacity"
    dims["mask"] = [batch, "total"]
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32, np.dtype(np.int64): TensorProto.INT64}
    nodes = [helper.make_node("Shape", ["mask"], ["total64"], start=1, end=2), helper.make_node("Cast", ["total64"], ["total"], to=TensorProto.INT32),
             helper.make_node("GroupQueryAttention", ["q", "k", "v", "pk", "pv", "last", "total"], ["y", "nk", "nv"], domain="com.microsoft", num_heads=HEADS,
                              kv_num_heads=KEY_HEADS)]
    graph = helper.make_graph(nodes, "in_place", [helper.make_tensor_value_info(n, kinds[v.dtype], dims[n]) for n, v in inputs.items()],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "nk", "nv")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    expected = dict(zip(("y", "nk", "nv"), session.run(None, inputs)))
    compiled = moe_opt.compile(model.SerializeToString(), cpu_features="avx2")
    pairs = {info.name: info.pair for info in compiled.inputs if info.pair}
    if pairs != {"pk": "nk", "pv": "nv"}:
        sys.exit(f"{title}: pairs {pairs}")
    apart = compiled.run(inputs)
    buffers = {name: inputs[name].copy() for name in ("pk", "pv")}
    got = compiled.run({**inputs, **buffers}, {"nk": buffers["pk"], "nv": buffers["pv"]})
    for name in ("y", "nk", "nv"):
        if not np.array_equal(got[name], apart[name]):
            sys.exit(f"{title}: {name} differs in place")
        rows = np.broadcast_to((np.arange(capacity) < np.array(tokens)[:, None])[:, None, :, None] if name != "y" else True, got[name].shape)
        error = float(np.max(np.abs(got[name] - expected[name])[rows]))
        if not error <= TOLERANCE:
            sys.exit(f"{title}: {name}: error {error}")
    old = np.broadcast_to((np.arange(capacity) < np.array(tokens)[:, None] - block)[:, None, :, None], buffers["pk"].shape)
    if not (buffers["pk"][old] == inputs["pk"][old]).all() or (buffers["pk"] == inputs["pk"]).all():
        sys.exit(f"{title}: the buffer does not hold the old rows and the new ones")
    print(f"{title}: updated")


def small_cache():
    """A window-sized cache below its window is refused, as ONNX Runtime does."""
    window, past = 16, 7
    inputs = {"q": random(1, 1, HEADS * SIZE), "k": random(1, 1, KEY_HEADS * SIZE), "v": random(1, 1, KEY_HEADS * SIZE), "pk": random(1, KEY_HEADS, past, SIZE),
              "pv": random(1, KEY_HEADS, past, SIZE), "seqlens_k": np.array([7], np.int32), "total": np.array(8, np.int32)}
    node = helper.make_node("GroupQueryAttention", list(inputs), ["y", "nk", "nv"], name="attention", domain="com.microsoft", num_heads=HEADS,
                            kv_num_heads=KEY_HEADS, local_window_size=window, sliding_window_cache=1)
    dims = {name: [1, KEY_HEADS, "past_length", SIZE] if name in ("pk", "pv") else list(value.shape) for name, value in inputs.items()}
    graph = helper.make_graph([node], "attention", [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), dims[n]) for n, v in inputs.items()],
                              [helper.make_empty_tensor_value_info(name) for name in node.output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    try:
        moe_opt.compile(model.SerializeToString(), cpu_features="avx2").run(inputs)
    except moe_opt.Error as error:
        print(f"small cache: {error}")
    else:
        sys.exit("a cache of 7 for a window of 16 was taken")


def multi_head(title, past, block, keys):
    model = Model()
    batch = 2
    value_size = 5 if past is None else SIZE  # ONNX Runtime's caches have one head size.
    query = model.input("q", random(batch, block, HEADS * SIZE), ["batch", "block", HEADS * SIZE])
    key = model.input("k", random(batch, keys, HEADS * SIZE), ["batch", "keys", HEADS * SIZE])
    value = model.input("v", random(batch, keys, HEADS * value_size), ["batch", "keys", HEADS * value_size])
    total = keys + (past or 0)
    bias = model.input("b", random(HEADS * (2 * SIZE + value_size)))
    added = model.input("added", random(1, HEADS, block, total))
    padding = model.input("padding", (rng.random((batch, total)) < 0.7).astype(np.int32))
    lengths = model.input("lengths", np.array([1, keys], np.int32))
    caches = ["", ""] if past is None else [model.input("pk", random(batch, HEADS, past, SIZE)), model.input("pv", random(batch, HEADS, past, value_size))]
    masks = [None] if past is None else [None] * 3
    for biased, mask, extra in itertools.product(("", bias), ("", padding), ("", added)):
        model.node("MultiHeadAttention", [query, key, value, biased, mask, extra, *caches], masks, num_heads=HEADS)
    if past is None:
        model.node("MultiHeadAttention", [query, key, value, "", lengths], masks, num_heads=HEADS, scale=0.2)
    model.node("MultiHeadAttention", [query, key, value], [None], num_heads=HEADS, mask_filter_value=-5.0)
    if keys == block:
        model.node("MultiHeadAttention", [query, key, value, "", "", "", *caches], masks, num_heads=HEADS, unidirectional=1)
    model.check(title)


def rotary():
    model = Model()
    angles = rng.uniform(0, 6, (16, SIZE // 2))
    cosine, sine = model.input("cos", np.cos(angles).astype(np.float32)), model.input("sin", np.sin(angles).astype(np.float32))
    half_cosine, half_sine = model.input("cos2", cosines := np.cos(angles[:, :4]).astype(np.float32)), model.input("sin2", np.sin(angles[:, :4]).astype(np.float32))
    assert cosines.shape == (16, 4)
    flat, heads = model.input("flat", random(2, 3, HEADS * SIZE)), model.input("heads", random(2, HEADS, 3, SIZE))
    places, offset = model.input("places", np.array([[4, 0, 15], [1, 2, 3]], np.int64)), model.input("offset", np.array([5], np.int64))
    for x, at, interleaved in itertools.product((flat, heads), (places, offset), (0, 1)):
        model.node("RotaryEmbedding", [x, at, cosine, sine], [None], interleaved=interleaved)
        if x == flat:
            model.node("RotaryEmbedding", [x, at, half_cosine, half_sine], [None], interleaved=interleaved, num_heads=HEADS, rotary_embedding_dim=8)
    model.check("rotary")


group_query("prompt without cache", [5, 5], 5, None, True)
group_query("prompt, padded", [3, 6], 6, 0, True)
group_query("prompt into a buffer", [4, 4], 4, 9, True)
group_query("one token each, ragged", [6, 3], 1, 5, False)
group_query("one token into a buffer", [6, 3], 1, 11, False)
group_query("several tokens behind a cache", [7], 3, 4, False)
group_query("window-sized cache, prompt", [7, 7], 7, 5, True, window=4)
group_query("window-sized cache, one token", [9, 3], 1, 5, False, window=3)
group_query("window-sized cache, several tokens", [12], 4, 6, False, window=3)
in_place("one buffer, one token", [300, 7], 1, 310)
in_place("one buffer, several tokens", [12], 4, 12)
multi_head("multi-head", None, 4, 4)
multi_head("multi-head, other keys", None, 2, 5)
multi_head("multi-head behind a cache", 3, 2, 2)
rotary()
small_cache()
