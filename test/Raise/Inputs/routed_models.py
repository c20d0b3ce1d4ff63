"""Small models of one MoE layer, a router of each family before experts of one form, as exporters write them; for check_routed_models.py.

A model is a function of a Writer that returns the name of its output, [tokens, H] (or [batch, sequence, H]). ROUTERS are raised to score, select and
weigh and must say EXPECTED there; OTHERS are nearly such routers, must stay ordinary ops, and must compute the same as they are.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HIDDEN, INNER, EXPERTS, K = 16, 12, 8, 2
INF = np.float32(np.inf)


class Writer:
    def __init__(self, seed):
        self.nodes, self.initializers, self.random = [], [], np.random.default_rng(seed)

    def node(self, op, *inputs, outputs=1, **attributes):
        names = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"node_{op}_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def array(self, values, dtype=np.float32):
        name = f"value_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def ints(self, *values):
        return self.array(values, np.int64)

    def weight(self, *shape):
        return self.array(self.random.standard_normal(shape) / np.sqrt(shape[-1]))

    def model(self, output, rank):
        dims = (["tokens"] if rank == 2 else ["batch", "sequence"]) + [HIDDEN]
        value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        graph = helper.make_graph(self.nodes, "layer", [value("x")], [value(output)], self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


# ===-- Routers: of x [tokens, H], ids and weights [tokens, K] ------------------------------------------------------------===


def logits_of(w, x):
    return w.node("MatMul", x, w.array(2 * w.random.standard_normal((HIDDEN, EXPERTS)) / np.sqrt(HIDDEN)))


def top(w, scores, k=K, **attributes):
    return w.node("TopK", scores, w.ints(k), outputs=2, axis=-1, **attributes)


def picked(w, scores, ids):
    return w.node("GatherElements", scores, ids, axis=1)


def normalised(w, values, guard=None, norm="ReduceSum"):
    total = w.node(norm, values, w.ints(-1), keepdims=1)
    return w.node("Div", values, guard(total) if guard else total)


def scaled(w, values, factor=2.5):
    return w.node("Mul", values, w.array(factor))


def grouped(w, choice, best_of_group, groups=4):
    """The scores of the groups by `best_of_group`, of the choice as [tokens, G, E / G]."""
    return best_of_group(w.node("Reshape", choice, w.ints(-1, groups, EXPERTS // groups)))


def sum_of_two(w, in_groups):
    return w.node("ReduceSum", top(w, in_groups)[0], w.ints(-1), keepdims=0)


def group_mask(w, group_scores, keep=2, groups=4, repeat="Expand"):
    """1 at the experts of the kept groups, 0 elsewhere: f32 [tokens, E]."""
    ids = top(w, group_scores, keep, sorted=0)[1]
    zeros = w.node("Expand", w.array(0.0), w.node("Shape", group_scores))
    ones = w.node("ConstantOfShape", w.node("Shape", ids), value=numpy_helper.from_array(np.ones(1, np.float32)))
    single = w.node("Unsqueeze", w.node("ScatterElements", zeros, ids, ones, axis=1), w.ints(-1))
    repeated = w.node(repeat, single, w.ints(1, groups if repeat == "Expand" else 1, EXPERTS // groups))
    return w.node("Reshape", repeated, w.ints(-1, EXPERTS))


def masked(w, mask, choice, fill):
    dropped = w.node("Not", w.node("Cast", mask, to=TensorProto.BOOL))
    return w.node("Where", dropped, w.array(fill), choice)


def deepseek_v2(w, x):
    scores = w.node("Softmax", logits_of(w, x), axis=-1)
    best = grouped(w, scores, lambda groups: w.node("ReduceMax", groups, w.ints(-1), keepdims=0))
    values, ids = top(w, masked(w, group_mask(w, best), scores, 0.0), sorted=0)
    return ids, scaled(w, values, 16.0)


def deepseek_v3(w, x, fill, bias, guard=1e-20, keep=2, repeat="Expand", group_scores=sum_of_two, by_product=False, k=K):
    scores = w.node("Sigmoid", logits_of(w, x))
    choice = w.node("Add", scores, w.array(bias))
    mask = group_mask(w, grouped(w, choice, lambda groups: group_scores(w, groups)), keep, repeat=repeat)
    limited = w.node("Mul", choice, mask) if by_product else masked(w, mask, choice, fill)
    ids = top(w, limited, k, sorted=0)[1]
    return ids, scaled(w, normalised(w, picked(w, scores, ids), lambda total: w.node("Add", total, w.array(guard))))


def deepseek_one_hot(w, x, fill, reduce="ReduceMax", bound=0.5, off_on=(0.0, 1.0), groups=4, keep=2):
    """The groups that are kept by one-hot rows of their numbers."""
    scores = w.node("Sigmoid", logits_of(w, x))
    choice = w.node("Add", scores, w.array(HIGH))
    named = top(w, sum_of_two(w, w.node("Reshape", choice, w.ints(-1, groups, EXPERTS // groups))), keep)[1]
    hot = w.node("OneHot", named, w.ints(groups), w.array(off_on), axis=-1)
    kept = w.node("Unsqueeze", w.node(reduce, hot, w.ints(1), keepdims=0), w.ints(2))
    kept = w.node("Reshape", w.node("Expand", kept, w.ints(1, 1, EXPERTS // groups)), w.ints(-1, EXPERTS))
    ids = top(w, w.node("Where", w.node("Greater", kept, w.array(bound)), choice, w.array(fill)))[1]
    return ids, normalised(w, picked(w, scores, ids), lambda total: w.node("Add", total, w.array(1e-20)))


def biased(function, guard=None, axis=1, bias_of=lambda w, scores, logits: scores):
    """Chosen by scores plus a bias, weighted by the scores (GLM-4-MoE, ERNIE 4.5, MiniMax)."""
    def router(w, x):
        logits = logits_of(w, x)
        scores = w.node(function, logits)
        ids = top(w, w.node("Add", bias_of(w, scores, logits), w.array(w.random.uniform(-0.2, 0.2, EXPERTS))))[1]
        return ids, normalised(w, picked(w, scores, ids), guard and (lambda total: guard(w, total)))
    return router


def sigmoid_of_chosen(w, x):
    values, ids = top(w, logits_of(w, x))
    return ids, w.node("Sigmoid", values)


def softmax_of_chosen(w, x):
    logits = logits_of(w, x)
    ids = top(w, w.node("Softmax", logits))[1]
    return ids, w.node("Softmax", picked(w, logits, ids), axis=1)


def norm_l1(w, x):
    values, ids = top(w, w.node("Softmax", logits_of(w, x)))
    return ids, normalised(w, values, norm="ReduceL1")


def norm_l2(w, x):
    values, ids = top(w, w.node("Softmax", logits_of(w, x)))
    return ids, normalised(w, values, norm="ReduceL2")


def sqrt_softplus(w, x):
    values, ids = top(w, w.node("Sqrt", w.node("Softplus", logits_of(w, x))))
    return ids, normalised(w, values)


def unknown_scores(w, x):
    values, ids = top(w, w.node("Tanh", logits_of(w, x)))
    return ids, values


def ones(w, x):
    ids = top(w, logits_of(w, x))[1]
    return ids, w.node("ConstantOfShape", w.node("Shape", ids), value=numpy_helper.from_array(np.array([0.5], np.float32)))


def halves(w, value):
    """As f16 models leave what torch computes in f32 between nodes."""
    return w.node("Cast", w.node("Cast", value, to=TensorProto.FLOAT16), to=TensorProto.FLOAT)


def sparse_mixer(w, x, jitters=(0.02, 0.02), of_near=False, rest_of_near=False, size=lambda w, z: w.node("Abs", z)):
    """`of_near`: as mobius writes it, with picks from the near ones and distances of what is left; `rest_of_near`: what is left is so of the near ones."""
    logits = logits_of(w, x)
    pool, ids, weights = logits, [], []
    for jitter in jitters:
        greatest, z = w.node("ReduceMax", pool, w.ints(-1), keepdims=1), pool if of_near else logits
        distance = w.node("Div", w.node("Sub", greatest, z), w.node("Max", size(w, z), greatest))
        near = w.node("Where", w.node("Greater", distance, w.array(jitter)), w.array(-INF), pool)
        pick = top(w, near, 1)[1] if of_near else w.node("ArgMax", pool, axis=-1, keepdims=1)
        weights.append(w.node("GatherElements", w.node("Softmax", near, axis=-1), pick, axis=-1))
        ids.append(pick)
        lowest = w.node("Expand", w.array(-INF), w.node("Shape", pick))
        pool = w.node("ScatterElements", near if rest_of_near else logits, pick, lowest, axis=-1)
    return w.node("Concat", *ids, axis=-1), w.node("Concat", *weights, axis=-1)


def argmax(w, x):
    scores = w.node("Softmax", logits_of(w, x), axis=-1)
    ids = w.node("ArgMax", scores, axis=-1, keepdims=0)
    return w.node("Unsqueeze", ids, w.ints(-1)), w.node("ReduceMax", scores, w.ints(-1), keepdims=1)


def scaled_by_expert(w, x, lookup="Gather", of_others=False):
    """Gemma 4: each weight times a stored number of its expert (or, wrongly, of the expert that the smallest scores choose)."""
    scores = w.node("Softmax", logits_of(w, x))
    values, ids = top(w, scores)
    at = top(w, scores, largest=0)[1] if of_others else ids
    numbers = w.array(w.random.uniform(0.5, 2.0, EXPERTS))
    numbers = w.node("GatherND", numbers, w.node("Unsqueeze", at, w.ints(-1))) if lookup == "GatherND" else w.node("Gather", numbers, at)
    return ids, scaled(w, w.node("Mul", numbers, normalised(w, values)))


def sum_of_one_and_a_half(w, in_groups):
    return w.node("ReduceSum", w.node("Mul", top(w, in_groups)[0], w.array([1.0, 0.5])), w.ints(-1), keepdims=0)


def clipped(least):
    return lambda w, total: w.node("Clip", total, w.array(least))


# Kept groups can be worth less than the 0 of dropped ones: then the two masks differ.
LOW = np.linspace(-0.9, -1.2, EXPERTS)
HIGH = np.linspace(-0.1, 0.1, EXPERTS)
# Epsilons so great that they cannot be overlooked.
ROUTERS = {
    "deepseek_v2": (deepseek_v2, ["score softmax", "groups<count = 4, keep = 2, top_r = 1, mask = neg_inf>", "scale = 1.600000e+01"]),
    "deepseek_v3": (lambda w, x: deepseek_v3(w, x, -INF, HIGH), ["score sigmoid", "bias(", "top_r = 2, mask = neg_inf>", "epsilon_mode add", "l1"]),
    "deepseek_v3_zero": (lambda w, x: deepseek_v3(w, x, 0.0, LOW, 0.5), ["bias(", "mask = zero>", "epsilon = 5.000000e-01"]),
    "deepseek_v3_low": (lambda w, x: deepseek_v3(w, x, -2.0, LOW, repeat="Tile"), ["bias(", "mask = neg_inf>"]),
    "deepseek_v3_product": (lambda w, x: deepseek_v3(w, x, 0.0, LOW, by_product=True), ["bias(", "mask = zero>"]),
    "glm": (biased("Sigmoid", lambda w, total: w.node("Add", total, w.array(0.25))), ["score sigmoid", "bias(", "epsilon_mode add"]),
    "ernie": (biased("Softmax", clipped(0.75)), ["score softmax", "bias(", "epsilon_mode clamp"]),
    "ernie_max": (biased("Softmax", lambda w, total: w.node("Max", w.array(0.75), total)), ["epsilon_mode clamp"]),
    "biased_logits": (biased("Sigmoid", bias_of=lambda w, scores, logits: logits), ["choice_basis logits", "bias("]),
    "sigmoid_of_chosen": (sigmoid_of_chosen, ["score sigmoid", "choice_basis logits"]),
    "softmax_of_chosen": (softmax_of_chosen, ["score softmax", "weigh softmax_selected"]),
    "norm_l1": (norm_l1, ["weight_norm lp"]),
    "norm_l2": (norm_l2, ["weight_norm lp", "p = 2.0"]),
    "sqrt_softplus": (sqrt_softplus, ["score sqrt_softplus"]),
    "unknown_scores": (unknown_scores, ["score identity"]),
    "ones": (ones, ["weigh one", "scale = 5.000000e-01"]),
    "sparse_mixer": (sparse_mixer, ["select sparse_mixer", "weigh sparse_mixer", "jitter = 0.00999"]),
    "sparse_mixer_wide": (lambda w, x: sparse_mixer(w, x, (0.75, 0.75)), ["select sparse_mixer", "jitter = 3.750000e-01"]),
    "sparse_mixer_half": (lambda w, x: sparse_mixer(w, x, (0.75, 0.75), size=lambda w, z: halves(w, w.node("Abs", z))), ["select sparse_mixer"]),
    "sparse_mixer_of_near": (lambda w, x: sparse_mixer(w, x, (0.5, 0.5), of_near=True), ["select sparse_mixer", "jitter = 2.500000e-01"]),
    "groups_one_hot": (lambda w, x: deepseek_one_hot(w, x, -1e30), ["score sigmoid", "bias(", "top_r = 2, mask = neg_inf>"]),
    "groups_one_hot_sum": (lambda w, x: deepseek_one_hot(w, x, -INF, "ReduceSum"), ["bias(", "mask = neg_inf>"]),
    "argmax": (argmax, ["score softmax", "select top_k"]),
    "divided_by_number": (lambda w, x: (lambda ids, weights: (ids, w.node("Div", weights, w.array(4.0))))(*topk_softmax(w, x)), ["weigh softmax_selected", "scale = 2.500000e-01"]),
    "scaled_by_expert": (scaled_by_expert, ["score softmax", "weight_norm l1", "scale = 2.500000e+00"]),
    "scaled_by_expert_nd": (lambda w, x: scaled_by_expert(w, x, "GatherND"), ["score softmax", "weight_norm l1", "scale = 2.500000e+00"]),
}
OTHERS = {
    "mask_between": lambda w, x: deepseek_v3(w, x, -1.0, LOW),
    "too_few_kept": lambda w, x: deepseek_v3(w, x, 0.0, LOW, keep=1, k=3),
    "weighted_groups": lambda w, x: deepseek_v3(w, x, -INF, HIGH, group_scores=sum_of_one_and_a_half),
    "negative_epsilon": biased("Sigmoid", lambda w, total: w.node("Add", total, w.array(-0.25))),
    "clipped_above": biased("Softmax", lambda w, total: w.node("Clip", total, w.array(0.1), w.array(0.3))),
    "unrelated_choice": biased("Sigmoid", bias_of=lambda w, scores, logits: w.node("Tanh", logits)),
    "groups_one_hot_bound": lambda w, x: deepseek_one_hot(w, x, -1e30, bound=1.5),
    "groups_one_hot_off": lambda w, x: deepseek_one_hot(w, x, -1e30, "ReduceSum", off_on=(0.4, 1.0)),
    "mixer_rest_of_near": lambda w, x: sparse_mixer(w, x, (0.5, 0.5), of_near=True, rest_of_near=True),
    "scaled_by_others": lambda w, x: scaled_by_expert(w, x, of_others=True),
    "mixer_jitters": lambda w, x: sparse_mixer(w, x, (0.02, 0.5)),
}


# ===-- Experts -----------------------------------------------------------------------------------------------------------===


def batched(w, x, ids, weights, k):
    """Form C: each routed row gathers the matrix of its expert."""
    rows = w.node("Reshape", w.node("Expand", w.node("Unsqueeze", x, w.ints(1)), w.ints(1, k, 1)), w.ints(-1, HIDDEN))
    at = w.node("Unsqueeze", w.node("Reshape", ids, w.ints(-1)), w.ints(-1))

    def product(rows, *shape):
        matrices = w.node("GatherND", w.weight(EXPERTS, *shape), at)
        return w.node("Squeeze", w.node("MatMul", matrices, w.node("Unsqueeze", rows, w.ints(-1))), w.ints(-1))

    y = product(w.node("Relu", product(rows, INNER, HIDDEN)), HIDDEN, INNER)
    y = w.node("Mul", y, w.node("Unsqueeze", w.node("Reshape", weights, w.ints(-1)), w.ints(-1)))
    return w.node("ReduceSum", w.node("Reshape", y, w.ints(-1, k, HIDDEN)), w.ints(1), keepdims=0)


def router_model(router, seed):
    w = Writer(seed)
    ids, weights = router(w, "x")
    k = 3 if router is OTHERS["too_few_kept"] else 1 if router is argmax else K
    return w.model(batched(w, "x", ids, weights, k), 2)


def gathered(w, x, ids, weights, k, gated=True, trailing=True, keepdims=0, bias=True, repeat=(1, 1, None, 1)):
    """Form G: as C, with dims for batch, sequence and choice, rows as columns, and no reshape (GenAI's gpt-oss for DirectML)."""
    last = w.ints(-1)
    expanded = w.node("Expand", w.node("Unsqueeze", x, w.ints(2)), w.ints(*[k if size is None else size for size in repeat]))

    def product(rows, outputs, inputs):
        weight = w.weight(EXPERTS, outputs, inputs)
        product = w.node("MatMul", w.node("Gather", weight, ids, axis=0), rows)
        if not bias:
            return product
        return w.node("Add", product, w.node("Unsqueeze", w.node("Gather", w.weight(EXPERTS, outputs), ids, axis=0), last))

    both = product(w.node("Unsqueeze", expanded, last), 2 * INNER if gated else INNER, HIDDEN)
    if gated:
        part = lambda start: w.node("Slice", both, w.ints(start), w.ints(2**63 - 1), w.ints(3), w.ints(2))
        gate = w.node("Clip", part(0), "", w.array(0.7))
        up = w.node("Clip", part(1), w.array(-0.7), w.array(0.7))
        silu = w.node("Mul", gate, w.node("Sigmoid", w.node("Mul", gate, w.array(1.703125))))
        hidden = w.node("Mul", silu, w.node("Add", up, w.array(1.0)))
    else:
        hidden = w.node("Relu", both)
    y = product(hidden, HIDDEN, INNER)
    if not trailing:
        y = w.node("Squeeze", y, last)
    factors = w.node("Unsqueeze", weights, w.ints(-1, -2) if trailing else last)
    total = w.node("ReduceSum", w.node("Mul", y, factors), w.ints(2), keepdims=keepdims)
    axes = ([2] if keepdims else []) + ([-1] if trailing else [])
    return w.node("Squeeze", total, w.ints(*axes)) if axes else total


def topk_softmax(w, x):
    values, ids = top(w, logits_of(w, x))
    return ids, w.node("Softmax", values, axis=-1)


# What may differ, and whether the layer is raised: each row must meet the matrix of one choice of its own token.
GATHERED = {
    "gathered": ({}, ["interleaved", "1.703125", '"gathered"']),
    "gathered_ungated": ({"gated": False, "bias": False}, ["activation = relu>", '"gathered"']),
    "gathered_rows": ({"gated": False, "trailing": False}, ['"gathered"']),
    "gathered_kept": ({"keepdims": 1}, ['"gathered"']),
}


def gathered_model(options, seed):
    w = Writer(seed)
    ids, weights = topk_softmax(w, "x")
    return w.model(gathered(w, "x", ids, weights, K, **options), 3)


def gathered_by_others(seed):
    """The biases are those of the experts of another TopK: no layer."""
    w = Writer(seed)
    ids, weights = topk_softmax(w, "x")
    others = topk_softmax(w, "x")[0]
    nodes = len(w.nodes)
    output = gathered(w, "x", ids, weights, K, gated=False)
    lookups = [node for node in w.nodes[nodes:] if node.op_type == "Gather"]
    lookups[-1].input[1] = others
    return w.model(output, 3)


SLOTS = 3


def on_slots(w, slots):
    """The experts, on [E, SLOTS, H]."""
    inner = w.node("Add", w.node("MatMul", slots, w.weight(EXPERTS, HIDDEN, INNER)), w.weight(EXPERTS, 1, INNER))
    return w.node("Add", w.node("MatMul", w.node("Relu", inner), w.weight(EXPERTS, INNER, HIDDEN)), w.weight(EXPERTS, 1, HIDDEN))


def soft(seed):
    """Soft MoE (Puigcerver et al. 2023, section 2.1), as torch.onnx.export writes it."""
    w = Writer(seed)
    logits = w.node("MatMul", "x", w.weight(HIDDEN, EXPERTS * SLOTS))
    dispatch = w.node("Transpose", w.node("Softmax", logits, axis=0), perm=[1, 0])
    y = on_slots(w, w.node("Reshape", w.node("MatMul", dispatch, "x"), w.ints(EXPERTS, SLOTS, HIDDEN)))
    return w.model(w.node("MatMul", w.node("Softmax", logits, axis=1), w.node("Reshape", y, w.ints(EXPERTS * SLOTS, HIDDEN))), 2)


def vision(seed):
    """V-MoE (Riquelme et al. 2021, section 2): first choices claim slots before second ones; what finds none is dropped."""
    w = Writer(seed)
    ids, weights = topk_softmax(w, "x")
    by_rank = w.node("Unsqueeze", w.node("Reshape", w.node("Transpose", ids, perm=[1, 0]), w.ints(-1)), w.ints(-1))
    hot = w.node("Cast", w.node("Equal", by_rank, w.ints(*range(EXPERTS))), to=TensorProto.INT64)
    place = w.node("Sub", w.node("Mul", w.node("CumSum", hot, w.array(0, np.int64)), hot), w.ints(1))
    slot = w.node("Cast", w.node("Equal", w.node("Unsqueeze", place, w.ints(-1)), w.ints(*range(SLOTS))), to=TensorProto.FLOAT)
    slot = w.node("Reshape", slot, w.ints(K, -1, EXPERTS, SLOTS))
    factors = w.node("Reshape", w.node("Transpose", weights, perm=[1, 0]), w.ints(K, -1, 1, 1))
    combine = w.node("ReduceSum", w.node("Mul", slot, factors), w.ints(0), keepdims=0)
    rows = w.node("Einsum", w.node("ReduceSum", slot, w.ints(0), keepdims=0), "x", equation="tec,th->ech")
    return w.model(w.node("Einsum", combine, on_slots(w, rows), equation="tec,ech->th"), 2)


def switch(seed):
    """Switch Transformer (Fedus et al. 2021, section 2.2), exported for any number of tokens: the capacity is computed from it, in floats."""
    w = Writer(seed)
    scores = w.node("Softmax", logits_of(w, "x"), axis=-1)
    hot = w.node("OneHot", w.node("ArgMax", scores, axis=-1, keepdims=0), w.ints(EXPERTS), w.array([0, 1], np.float32), axis=-1)
    place = w.node("Mul", w.node("CumSum", hot, w.array(0, np.int64)), hot)
    tokens = w.node("Cast", w.node("Shape", "x", start=0, end=1), to=TensorProto.FLOAT)
    capacity = w.node("Cast", w.node("Ceil", w.node("Mul", tokens, w.array([1.25 / EXPERTS], np.float32))), to=TensorProto.INT64)
    kept = w.node("Mul", hot, w.node("Cast", w.node("LessOrEqual", place, w.node("Cast", capacity, to=TensorProto.FLOAT)), to=TensorProto.FLOAT))
    number = w.node("Sub", w.node("ReduceSum", w.node("Mul", place, kept), w.ints(-1), keepdims=0), w.array(1.0))
    slots = w.node("Range", w.array(0, np.int64), w.node("Squeeze", capacity, w.ints(0)), w.array(1, np.int64))
    taken = w.node("Equal", w.node("Unsqueeze", w.node("Cast", number, to=TensorProto.INT64), w.ints(-1)), w.node("Unsqueeze", slots, w.ints(0)))
    dispatch = w.node("Mul", w.node("Unsqueeze", kept, w.ints(2)), w.node("Unsqueeze", w.node("Cast", taken, to=TensorProto.FLOAT), w.ints(1)))
    y = on_slots(w, w.node("Einsum", dispatch, "x", equation="tec,th->ech"))
    return w.model(w.node("Mul", w.node("Einsum", dispatch, y, equation="tec,ech->th"), w.node("ReduceMax", scores, w.ints(-1), keepdims=1)), 2)


def traced_loop(hit, seed=0):
    """A Python loop over the experts that tokens chose, as the TorchScript exporter traces it with an input that chose `hit` of them. Broken."""
    w = Writer(seed)
    values, ids = top(w, w.node("Softmax", logits_of(w, "x"), axis=-1))
    depth, on_off = w.ints(EXPERTS), w.ints(0, 1)
    mask = w.node("Transpose", w.node("OneHot", ids, depth, on_off, axis=-1), perm=[2, 1, 0])
    found = w.node("NonZero", w.node("Greater", w.node("ReduceSum", mask, w.ints(-1, -2), keepdims=0), w.array(0, np.int64)))
    pieces = w.node("Split", w.node("Transpose", found, perm=[1, 0]), w.ints(*[1] * hit), outputs=hit, axis=0)
    inner, outer, total = w.weight(EXPERTS, HIDDEN, INNER), w.weight(EXPERTS, INNER, HIDDEN), None
    for piece in pieces:
        expert = w.node("Squeeze", piece, w.ints(1))
        rows = w.node("Transpose", w.node("NonZero", w.node("Squeeze", w.node("Gather", mask, expert, axis=0), w.ints(0))), perm=[1, 0])
        choice, token = w.node("Split", rows, w.ints(1, 1), outputs=2, axis=1)
        hidden = w.node("Relu", w.node("MatMul", w.node("GatherND", "x", token), w.node("Squeeze", w.node("Gather", inner, expert, axis=0), w.ints(0))))
        y = w.node("MatMul", hidden, w.node("Squeeze", w.node("Gather", outer, expert, axis=0), w.ints(0)))
        factors = w.node("GatherND", w.node("Unsqueeze", values, w.ints(2)), w.node("Concat", token, choice, axis=-1))
        start = total or w.node("Expand", w.array(0.0), w.node("Shape", "x"))
        total = w.node("ScatterND", start, token, w.node("Mul", y, factors), reduction="add")
    return w.model(total, 2)
