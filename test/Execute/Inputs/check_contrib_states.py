"""Compiles com.microsoft ops that carry a state from step to step (CausalConvWithState, LinearAttention) and compares with ONNX Runtime, in two steps
where the second starts from the first one's state.

usage: check_contrib_states.py
"""
import itertools
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import moe_opt

rng = np.random.default_rng(9)


def floats(*dims):
    return rng.standard_normal(dims).astype(np.float32)


def model(kind, inputs, feed, stored=(), **attributes):
    node = helper.make_node(kind, inputs, ["y", "state"], domain="com.microsoft", **attributes)
    graph = helper.make_graph([node], kind, [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(v.shape)) for n, v in feed.items()],
                              [helper.make_empty_tensor_value_info(name) for name in node.output], list(stored))
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def compare(kind, inputs, feed, stored=(), formula=None, **attributes):
    """The largest error; gives the state too."""
    blob = model(kind, inputs, feed, stored, **attributes)
    want = formula or onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"]).run(["y", "state"], feed)
    got = moe_opt.compile(blob).run(feed)
    worst = 0.0
    for name, expected in zip(("y", "state"), want):
        if got[name].shape != expected.shape:
            sys.exit(f"{kind} {attributes}: {name} is {got[name].shape}, expected {expected.shape}")
        if expected.size:
            worst = max(worst, float(np.abs(got[name] - expected).max()))
    if not worst <= 2e-5:
        sys.exit(f"{kind} {attributes}: error {worst}")
    return worst, want[1]


def conv_formula(x, w, bias, past, dilation, activation, last):
    """The schema's text in numpy."""
    shape = x.shape
    if last:
        x = x.reshape(shape[0], shape[1], w.shape[0]).transpose(0, 2, 1)
        past = None if past is None else past.reshape(*past.shape[:2], w.shape[0]).transpose(0, 2, 1)
    kernel, length = w.shape[2], x.shape[2]
    before = (kernel - 1) * dilation
    whole = np.concatenate([np.zeros((*x.shape[:2], before), np.float32) if past is None else past, x], 2)
    y = sum(whole[:, :, j * dilation:j * dilation + length] * w[:, 0, j, None] for j in range(kernel)) + (0 if bias is None else bias[:, None])
    if activation != "none":
        y = y / (1 + np.exp(-y))
    state = whole[:, :, length:]
    if last:
        y, state = y.transpose(0, 2, 1).reshape(shape), state.transpose(0, 2, 1).reshape(shape[0], before, *shape[2:])
    return [y, state]


def causal_conv():
    worst, count = 0.0, 0
    for kernel, activation, biased, last, dilation in itertools.product((1, 4), ("none", "silu"), (False, True), (0, 1), (1, 3)):
        if (biased and dilation == 3) or (kernel == 1 and dilation == 3):
            continue
        w, bias = floats(12, 1, kernel), floats(12)
        stored = [numpy_helper.from_array(w, "w")] + ([numpy_helper.from_array(bias, "b")] if biased else [])
        past = None
        for length in (5, 1):
            feed = {"x": floats(2, length, 3, 4) if last else floats(2, 12, length)}
            if past is not None:
                feed["past"] = past
            inputs = ["x", "w", "b" if biased else ""] + (["past"] if past is not None else [])
            attributes = {"activation": activation, "ndim": 1}
            if last or dilation > 1:
                attributes.update(channels_last=last, dilation=dilation)
            formula = conv_formula(feed["x"], w, bias if biased else None, past, dilation, activation, last)
            if not last and dilation == 1:
                oracle = onnxruntime.InferenceSession(model("CausalConvWithState", inputs, feed, stored, **attributes)).run(None, feed)
                worst = max(worst, float(np.abs(oracle[0] - formula[0]).max()))
            error, past = compare("CausalConvWithState", inputs, feed, stored, formula, **attributes)
            worst, count = max(worst, error), count + 1
    if not worst <= 2e-5:
        sys.exit(f"CausalConvWithState: formula and ONNX Runtime differ by {worst}")
    print(f"CausalConvWithState: {count} steps, largest error {worst:.2g}")


def linear_attention():
    worst, count = 0.0, 0
    for rule, (queries, heads), (wide, scale) in itertools.product(("linear", "gated", "delta", "gated_delta"), ((2, 2), (4, 2), (2, 4)), ((False, 0.0), (True, 0.3))):
        past = None
        for length in (4, 1):
            key = floats(2, length, heads, 8)
            key /= np.linalg.norm(key, axis=-1, keepdims=True)
            feed = {"q": floats(2, length, queries * 8), "k": key.reshape(2, length, heads * 8), "v": floats(2, length, heads * 6)}
            inputs = ["q", "k", "v", ""] + ([""] * 2)
            if past is not None:
                feed["past"], inputs[3] = past, "past"
            if rule.startswith("gated"):
                feed["g"], inputs[4] = -np.abs(floats(2, length, heads * 8 if wide else heads)), "g"
            if rule.endswith("delta"):
                feed["beta"], inputs[5] = 1 / (1 + np.exp(floats(2, length, 1 if wide else heads))), "beta"
            while inputs[-1] == "":
                inputs.pop()
            error, past = compare("LinearAttention", inputs, feed, update_rule=rule, q_num_heads=queries, kv_num_heads=heads, scale=scale)
            worst, count = max(worst, error), count + 1
    print(f"LinearAttention: {count} steps, largest error {worst:.2g}")


def refused(title, part, *node, **attributes):
    try:
        moe_opt.compile(model(*node, **attributes))
    except moe_opt.Error as error:
        if part not in str(error):
            sys.exit(f"{title}: expected '{part}' in: {error}")
        print(f"{title}: refused")
    else:
        sys.exit(f"{title}: was compiled")


causal_conv()
linear_attention()
x = {"x": floats(2, 12, 5), "w": floats(12, 1, 4)}
refused("a window of states", "attribute 'state_window' = 2 is not supported", "CausalConvWithState", ["x", "w"], x, state_window=2)
refused("images", "attribute 'ndim' = 2 is not supported", "CausalConvWithState", ["x", "w"], x, ndim=2)
refused("no dilation", "'dilation' to be positive", "CausalConvWithState", ["x", "w"], x, dilation=0)
q = {"q": floats(2, 3, 16), "k": floats(2, 3, 24), "v": floats(2, 3, 24)}
refused("heads that do not divide", "or to divide it", "LinearAttention", ["q", "k", "v"], q, q_num_heads=2, kv_num_heads=3, update_rule="linear")
