"""MoE layers in which experts choose tokens, by lookups; as handwritten_models.py, for check_handwritten.py."""

import numpy as np

from handwritten_models import PADDED, matrix, silu, unsqueezed
from routed_models import EXPERTS, HIDDEN, INNER, logits_of


def capacity(w, x, part=8):
    """T / part + 1, [1]."""
    return w.node("Add", w.node("Div", w.node("Shape", x, end=1), w.ints(part)), w.ints(1))


def choices(w, x, first=True):
    """The tokens of each expert: weights and numbers, [E, C]; or [C, E] where the experts come last."""
    scores = w.node("Softmax", logits_of(w, x), axis=-1)
    if first:
        scores = w.node("Transpose", scores, perm=[1, 0])
    return w.node("TopK", scores, capacity(w, x), outputs=2, axis=-1 if first else 0)


def experts(w, rows, bias=False):
    h = w.node("Mul", silu(w, w.node("MatMul", rows, w.weight(EXPERTS, HIDDEN, INNER))), w.node("MatMul", rows, w.weight(EXPERTS, HIDDEN, INNER)))
    y = w.node("MatMul", h, w.weight(EXPERTS, INNER, HIDDEN))
    return w.node("Add", y, w.weight(EXPERTS, 1, HIDDEN)) if bias else y


def flat(w, value, columns):
    return w.node("Reshape", value, w.ints(-1, columns))


def put_back(w, x, ids, weights, y):
    rows = flat(w, w.node("Mul", y, unsqueezed(w, weights, -1)), HIDDEN)
    return w.node("ScatterND", w.node("Mul", x, w.array(0.0)), flat(w, ids, 1), rows, reduction="add")


def by_gather(w, x, ids, weights):
    return put_back(w, x, ids, weights, experts(w, w.node("Gather", x, ids, axis=0), bias=True))


def by_gather_nd(w, x, ids, weights):
    return put_back(w, x, ids, weights, experts(w, w.node("GatherND", x, unsqueezed(w, ids, -1))))


def by_elements(w, x, ids, weights):
    """torch.gather and scatter_add, with the numbers repeated along the columns."""
    like = w.node("Concat", w.node("Shape", ids), w.ints(HIDDEN), axis=0)
    all_rows = w.node("Expand", unsqueezed(w, x, 0), w.ints(EXPERTS, 1, 1))
    index = w.node("Expand", unsqueezed(w, ids, -1), like)
    y = experts(w, w.node("GatherElements", all_rows, index, axis=1))
    rows = flat(w, w.node("Mul", unsqueezed(w, weights, -1), y), HIDDEN)
    return w.node("ScatterElements", w.node("Mul", x, w.array(0.0)), flat(w, index, HIDDEN), rows, axis=0, reduction="add")


def turned(w, x, ids, weights):
    """Chosen along the first dim: [C, E]."""
    ids, weights = (w.node("Transpose", value, perm=[1, 0]) for value in (ids, weights))
    return by_gather(w, x, ids, weights)


def by_table(w, x, ids, weights):
    """Tokens whose numbers stand in the model, which no expert chose."""
    numbers = w.array(np.zeros((EXPERTS, 2)), np.int64)
    y = experts(w, w.node("Gather", x, numbers, axis=0))
    return w.node("Add", x, w.node("ReduceSum", w.node("ReduceSum", y, w.ints(0), keepdims=0), w.ints(0), keepdims=1))


def chosen(first=True):
    return lambda w, x: list(reversed(choices(w, x, first)))


LAYERS = {
    "choice": (matrix(by_gather, chosen()), [PADDED, "down_bias"]),
    "choice_nd": (matrix(by_gather_nd, chosen()), [PADDED]),
    "choice_elements": (matrix(by_elements, chosen()), [PADDED]),
    "choice_turned": (matrix(turned, chosen(False)), [PADDED]),
}
REFUSED = {
    "choice_of_none": (matrix(by_table, chosen()), "no computed indices put them there"),
}
