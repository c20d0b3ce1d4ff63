"""Compiles com.microsoft ops that carry a state from step to step (CausalConvWithState, LinearAttention) and compares with ONNX Runtime, in two steps
where the second starts from the first one's state.

usage: check_contrib_states.py
"""
import itertools

import numpy as np

from node_cases import Cases

cases = Cases(seed=9)
floats = cases.floats
TOLERANCE = 2e-5


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
    """The formula on all nodes, ONNX Runtime on those whose attributes it has."""
    forms = [form for form in itertools.product((1, 4), ("none", "silu"), (False, True), (0, 1), (1, 3)) if not (form[4] == 3 and (form[2] or form[0] == 1))]
    weights, states = [(floats(12, 1, form[0]), floats(12)) for form in forms], [None] * len(forms)
    for with_runtime in (False, True):
        for length in (5, 1):
            formulas, after = {}, [None] * len(forms)
            for i, ((kernel, activation, biased, last, dilation), (w, bias)) in enumerate(zip(forms, weights)):
                if with_runtime and (last or dilation > 1):
                    continue
                x, past = floats(2, length, 3, 4) if last else floats(2, 12, length), states[i] if length == 1 else None
                attributes = {"channels_last": last, "dilation": dilation} if last or dilation > 1 else {}
                inputs = [cases.given(x), cases.const(w), cases.const(bias) if biased else ""] + ([] if past is None else [cases.given(past)])
                names = cases.add("CausalConvWithState", inputs, 2, activation=activation, ndim=1, **attributes)
                results = conv_formula(x, w, bias if biased else None, past, dilation, activation, last)
                after[i] = results[1]
                formulas.update(zip(names, results))
            cases.formulas, states = {} if with_runtime else formulas, after
            cases.check(f"CausalConvWithState, {length} tokens, {'ONNX Runtime' if with_runtime else 'formula'}", TOLERANCE)


def linear_attention():
    forms = list(itertools.product(("linear", "gated", "delta", "gated_delta"), ((2, 2), (4, 2), (2, 4)), ((False, 0.0), (True, 0.3))))
    states = [None] * len(forms)
    for length in (4, 1):
        names = []
        for past, (rule, (queries, heads), (wide, scale)) in zip(states, forms):
            key = floats(2, length, heads, 8)
            key /= np.linalg.norm(key, axis=-1, keepdims=True)
            inputs = [cases.given(floats(2, length, queries * 8)), cases.given(key.reshape(2, length, heads * 8)), cases.given(floats(2, length, heads * 6)),
                      "" if past is None else cases.given(past)]
            inputs.append(cases.given(-np.abs(floats(2, length, heads * 8 if wide else heads))) if rule.startswith("gated") else "")
            inputs.append(cases.given(1 / (1 + np.exp(floats(2, length, 1 if wide else heads)))) if rule.endswith("delta") else "")
            while inputs[-1] == "":
                inputs.pop()
            names.append(cases.add("LinearAttention", inputs, 2, update_rule=rule, q_num_heads=queries, kv_num_heads=heads, scale=scale)[1])
        expected = cases.check(f"LinearAttention, {length} tokens", TOLERANCE)
        states = [expected[name] for name in names]


def refused(title, part, kind, arrays, **attributes):
    cases.add(kind, [cases.given(array) for array in arrays], 2, **attributes)
    cases.refused(title, part)


causal_conv()
linear_attention()
x = [floats(2, 12, 5), floats(12, 1, 4)]
refused("a window of states", "attribute 'state_window' = 2 is not supported", "CausalConvWithState", x, state_window=2)
refused("images", "attribute 'ndim' = 2 is not supported", "CausalConvWithState", x, ndim=2)
refused("no dilation", "'dilation' to be positive", "CausalConvWithState", x, dilation=0)
q = [floats(2, 3, 16), floats(2, 3, 24), floats(2, 3, 24)]
refused("heads that do not divide", "or to divide it", "LinearAttention", q, q_num_heads=2, kv_num_heads=3, update_rule="linear")
