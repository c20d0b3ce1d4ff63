"""MoE layers as exporters unroll a loop over experts, at any size; generated_model.py writes models of them.

Each function appends the nodes of a layer to a writer and returns the name of its result [tokens, HIDDEN]: of `x` [tokens, HIDDEN] and the `ids` (int64) and
`weights` (f32) [tokens, TOP_K] of the chosen experts.
"""

import numpy as np
from onnx import TensorProto


def silu(w, x):
    return w.node("Mul", [x, w.node("Sigmoid", [x])])


def zeros_like(w, x):
    return w.node("ConstantOfShape", [w.node("Shape", [x])])


def traced(w, x, ids, weights, prefix, experts, hidden, inner, k):
    """Form D as the TorchScript exporter writes it: sizes are computed by nodes, and ScatterElements puts rows into zeros of their own."""
    one_hot = w.node("OneHot", [ids, w.constant(experts), w.constant([0, 1])], axis=-1)
    masks = w.node("Transpose", [one_hot], perm=[2, 1, 0])
    total = empty = zeros_like(w, x)
    for expert in range(experts):
        mask = w.node("Cast", [w.node("Gather", [masks, w.constant(expert)], axis=0)], to=TensorProto.BOOL)
        where = w.node("Transpose", [w.node("NonZero", [mask])], perm=[1, 0])
        slot, token = (w.node("Squeeze", [part, w.constant([1])]) for part in w.node("Split", [where, w.constant([1, 1])], 2, axis=1))
        both = w.node("MatMul", [w.node("Gather", [x, token], axis=0), w.weight(f"{prefix}experts.{expert}.gate_up", [hidden, 2 * inner])])
        size = w.node("Gather", [w.node("Shape", [both]), w.constant([-1])], axis=0)
        half = w.node("Div", [w.node("Add", [size, w.constant([1])]), w.constant([2])])
        middle, end = (w.node("Mul", [half, w.constant([factor])]) for factor in (1, 2))
        gate = w.node("Slice", [both, w.constant([0]), middle, w.constant([-1])])
        up = w.node("Slice", [both, middle, end, w.constant([-1])])
        rows = w.node("MatMul", [w.node("Mul", [silu(w, gate), up]), w.weight(f"{prefix}experts.{expert}.down", [inner, hidden])])
        columns = w.node("Unsqueeze", [weights, w.constant([2])])
        count, one = (w.node("Gather", [w.node("Shape", [columns]), w.constant([axis])], axis=0) for axis in (1, 2))
        flat = w.node("Flatten", [columns], axis=2)
        place = w.node("Add", [slot, w.node("Mul", [token, count])])
        picked = w.node("Reshape", [w.node("Gather", [flat, place], axis=0), w.node("Concat", [w.constant([-1]), one], axis=0)])
        picked = w.node("Reshape", [picked, w.node("Concat", [w.node("Shape", [place]), one], axis=0)])
        first = w.node("Slice", [empty, w.constant([0, 0]), w.constant([1, 2**63 - 1]), w.constant([0, 1])])
        weighted = w.node("Expand", [w.node("Mul", [rows, picked]), w.node("Shape", [first])])
        index = w.node("Expand", [w.node("Unsqueeze", [token, w.constant([1])]), w.node("Shape", [weighted])])
        total = w.node("Add", [total, w.node("ScatterElements", [zeros_like(w, empty), index, weighted], axis=0)])
    return total


def unrolled(w, x, ids, weights, prefix, experts, hidden, inner, k):
    """Form D as torch.export unrolls it: matrices picked from one tensor, rows added by ScatterND."""
    chosen = w.node("Equal", [w.node("Unsqueeze", [ids, w.constant([-1])]), w.constant(np.arange(experts))])
    masks = w.node("Transpose", [w.node("Cast", [chosen], to=TensorProto.INT64)], perm=[2, 1, 0])
    gate_up = w.weight(prefix + "experts.gate_up", [experts, 2 * inner, hidden])
    down = w.weight(prefix + "experts.down", [experts, hidden, inner])
    columns = w.node("Unsqueeze", [weights, w.constant([2])])
    total = zeros_like(w, x)
    for expert in range(experts):
        number = w.constant(expert)
        where = w.node("Transpose", [w.node("NonZero", [w.node("Gather", [masks, number], axis=0)])], perm=[1, 0])
        slot, token = (
            w.node("Squeeze", [w.node("Slice", [where, w.constant([part]), w.constant([part + 1]), w.constant([1])]), w.constant([1])]) for part in (0, 1)
        )
        index = w.node("Unsqueeze", [token, w.constant([-1])])
        both = w.node("Gemm", [w.node("GatherND", [x, index]), w.node("Gather", [gate_up, number], axis=0)], transB=1)
        gate, up = w.node("Split", [both], 2, axis=1, num_outputs=2)
        rows = w.node("Gemm", [w.node("Mul", [silu(w, gate), up]), w.node("Gather", [down, number], axis=0)], transB=1)
        place = w.node("Concat", [index, w.node("Unsqueeze", [slot, w.constant([-1])])], axis=-1)
        weighted = w.node("Mul", [rows, w.node("GatherND", [columns, place])])
        total = w.node("ScatterND", [total, index, weighted], reduction="add")
    return total


def masked(w, x, ids, weights, prefix, experts, hidden, inner, k):
    """Form F: every expert on all tokens, times the weight of the choices that are this expert."""
    total = None
    for expert in range(experts):
        name = f"{prefix}experts.{expert}."
        gate, up = (w.node("MatMul", [x, w.weight(name + part, [hidden, inner])]) for part in ("gate", "up"))
        rows = w.node("MatMul", [w.node("Mul", [silu(w, gate), up]), w.weight(name + "down", [inner, hidden])])
        chosen = w.node("Cast", [w.node("Equal", [ids, w.constant(expert)])], to=TensorProto.FLOAT)
        weight = w.node("ReduceSum", [w.node("Mul", [chosen, weights]), w.constant([-1])], keepdims=1)
        weighted = w.node("Mul", [rows, weight])
        total = weighted if total is None else w.node("Add", [total, weighted])
    return total


def expert_rows(w, x, name, hidden, inner):
    gate, up = (w.node("MatMul", [x, w.weight(name + part, [hidden, inner])]) for part in ("gate", "up"))
    return w.node("MatMul", [w.node("Mul", [silu(w, gate), up]), w.weight(name + "down", [inner, hidden])])


def any_choice(w, x, ids, weights, prefix, experts, hidden, inner, k):
    """A loop by hand: `mask = (ids == e).any(-1)`, the masked tokens (by index or by Compress), the choice's weight summed over the choices."""
    total = zeros_like(w, x)
    for expert in range(experts):
        chosen = w.node("Equal", [ids, w.constant(expert)])
        mask = w.node("Greater", [w.node("ReduceSum", [w.node("Cast", [chosen], to=TensorProto.INT64), w.constant([-1])], keepdims=0), w.constant(0)])
        weight = w.node("ReduceSum", [w.node("Where", [chosen, weights, w.constant(0, np.float32)]), w.constant([1])], keepdims=1)
        token = w.node("Squeeze", [w.node("NonZero", [mask]), w.constant([0])])
        if expert % 2:
            rows, factors = (w.node("Compress", [part, mask], axis=0) for part in (x, weight))
        else:
            rows, factors = (w.node("Gather", [part, token], axis=0) for part in (x, weight))
        weighted = w.node("Mul", [expert_rows(w, rows, f"{prefix}experts.{expert}.", hidden, inner), factors])
        total = w.node("ScatterND", [total, w.node("Unsqueeze", [token, w.constant([-1])]), weighted], reduction="add")
    return total


def assigned(w, x, ids, weights, prefix, experts, hidden, inner, k):
    """A loop by hand with `y[mask] += rows * scores[mask, e]`, as the TorchScript exporter writes it: the rows are read, added to and put back one
    element at a time."""
    total = zeros_like(w, x)
    empty = w.node("ConstantOfShape", [w.node("Concat", [w.node("Shape", [x], start=0, end=1), w.constant([experts])], axis=0)])
    scores = w.node("ScatterElements", [empty, ids, weights], axis=1)
    for expert in range(experts):
        chosen = w.node("Cast", [w.node("Equal", [ids, w.constant(expert)])], to=TensorProto.INT64)
        mask = w.node("Greater", [w.node("ReduceSum", [chosen, w.constant([-1])], keepdims=0), w.constant(0)])
        flat = w.node("Transpose", [w.node("NonZero", [w.node("Reshape", [mask, w.constant([-1])])])], perm=[1, 0])
        rows = expert_rows(w, w.node("GatherND", [x, flat]), f"{prefix}experts.{expert}.", hidden, inner)
        factor = w.node("GatherND", [w.node("Gather", [scores, w.constant(expert)], axis=1), flat])
        weighted = w.node("Mul", [rows, w.node("Unsqueeze", [factor, w.constant([1])])])
        old = w.node("GatherND", [total, w.node("Transpose", [w.node("NonZero", [mask])], perm=[1, 0])])
        everywhere = w.node("Expand", [w.node("Unsqueeze", [mask, w.constant([-1])]), w.node("Shape", [total])])
        places = w.node("Transpose", [w.node("NonZero", [everywhere])], perm=[1, 0])
        values = w.node("Reshape", [w.node("Add", [old, weighted]), w.constant([-1])])
        count = w.node("Unsqueeze", [w.node("Gather", [w.node("Shape", [places]), w.constant(0)], axis=0), w.constant([0])])
        total = w.node("ScatterND", [total, places, w.node("Slice", [values, w.constant([0]), count, w.constant([0])])])
    return total


def read_back(w, x, ids, weights, prefix, experts, hidden, inner, k):
    """A loop by hand with `y[token] += weight * expert(x[token])`, as in Mistral's and DeepSeek's reference code: an assignment that reads first."""
    total = zeros_like(w, x)
    columns = w.node("Unsqueeze", [weights, w.constant([2])])
    for expert in range(experts):
        found = w.node("Transpose", [w.node("NonZero", [w.node("Equal", [ids, w.constant(expert)])])], perm=[1, 0])
        token, slot = w.node("Split", [found, w.constant([1, 1])], 2, axis=1)
        factors = w.node("GatherND", [columns, w.node("Concat", [token, slot], axis=-1)])
        rows = expert_rows(w, w.node("GatherND", [x, token]), f"{prefix}experts.{expert}.", hidden, inner)
        old = w.node("Gather", [total, w.node("Squeeze", [token, w.constant([1])])], axis=0)
        total = w.node("ScatterND", [total, token, w.node("Add", [old, w.node("Mul", [factors, rows])])])
    return total
