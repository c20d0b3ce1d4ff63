"""MoE layers whose experts' results are scaled by a number of each expert, or one of all; as handwritten_models.py, for check_handwritten.py."""

import numpy as np

from handwritten_forms import expert_pair, sorted_rows, up_first
from handwritten_models import GROUPED, MASKED, TILED, einsum, expert, matrix, scattered, sum_before_columns, sum_of_transposed, unsqueezed
from routed_models import EXPERTS, HIDDEN, INNER, topk_softmax


def scales(w, *shape):
    return w.array(w.random.uniform(0.5, 2.0, shape or (EXPERTS,)))


def weight_of(w, ids, weights, number):
    chosen = w.node("Where", w.node("Equal", ids, w.array(number, np.int64)), weights, w.array(0.0))
    return w.node("ReduceSum", chosen, w.ints(-1), keepdims=1)


def masked(scaled):
    """`scaled` gives one expert's weighted rows."""
    def layer(w, x, ids, weights):
        numbers = scales(w)
        scale_of = lambda number: w.node("Gather", numbers, w.array(number, np.int64), axis=0)
        return w.node("Sum", *[scaled(w, expert(w, x), weight_of(w, ids, weights, n), scale_of(n)) for n in range(EXPERTS)])
    return layer


def of_rows(w, y, weight, scale):
    return w.node("Mul", w.node("Mul", y, scale), weight)


def of_weights(w, y, weight, scale):
    return w.node("Mul", y, w.node("Mul", scale, weight))


def of_terms(w, y, weight, scale):
    return w.node("Div", w.node("Mul", scale, w.node("Mul", weight, y)), w.array(1.5))


def too_small(w, y, weight, scale):
    return w.node("Mul", w.node("Mul", w.node("Mul", y, w.array(1e-25)), w.array(1e-25)), weight)


def loop(order):
    """Each expert adds its rows at its tokens; `order` multiplies rows, weights and a number."""
    def layer(w, x, ids, weights):
        y = w.node("Expand", w.array(0.0), w.node("Shape", x))
        numbers = scales(w, EXPERTS, 1)
        for number in range(EXPERTS):
            found = w.node("NonZero", w.node("Equal", ids, w.array(number, np.int64)))
            token = w.node("Gather", found, w.array(0, np.int64), axis=0)
            factors = unsqueezed(w, w.node("GatherND", weights, w.node("Transpose", found, perm=[1, 0])), -1)
            scale = w.array(w.random.uniform(0.5, 2.0, 1))
            rows = order(w, expert_pair(w, w.node("Gather", x, token, axis=0), up_first), factors, scale)
            y = w.node("ScatterND", y, unsqueezed(w, token, -1), rows, reduction="add")
        return y
    return layer


def dense(shape, bias=False, of_map=False):
    """[E, T, H], times numbers of `shape`."""
    def layer(w, x, ids, weights):
        y = w.node("MatMul", w.node("Relu", w.node("MatMul", x, w.weight(EXPERTS, HIDDEN, INNER))), w.weight(EXPERTS, INNER, HIDDEN))
        if bias:
            y = w.node("Add", y, w.weight(EXPERTS, 1, HIDDEN))
        weight_map = scattered(w, x, ids, weights)
        if of_map:
            weight_map = w.node("Mul", weight_map, scales(w, *shape))
        else:
            y = w.node("Mul", y, scales(w, *shape))
        return sum_of_transposed(w, weight_map, y)
    return layer


def dense_last(w, x, ids, weights):
    h = w.node("Relu", einsum(w, "th,ehf->tef", x, w.weight(EXPERTS, HIDDEN, INNER)))
    y = w.node("Mul", scales(w, EXPERTS, 1), einsum(w, "tef,efh->teh", h, w.weight(EXPERTS, INNER, HIDDEN)))
    return sum_before_columns(w, scattered(w, x, ids, weights), y)


def grouped(by=lambda w, x, ids: ids):
    """A product for each range of the sorted rows, then each row times the number of its expert."""
    def layer(w, x, ids, weights):
        order, token, rows, counts = sorted_rows(w, x, ids)
        sorted_ids = w.node("Gather", w.node("Reshape", by(w, x, ids), w.ints(-1)), order, axis=0)

        def product(of, inputs, outputs):
            pieces = w.node("Split", of, counts, outputs=EXPERTS, axis=0)
            return w.node("Concat", *[w.node("MatMul", piece, w.weight(inputs, outputs)) for piece in pieces], axis=0)

        y = product(w.node("Relu", product(rows, HIDDEN, INNER)), INNER, HIDDEN)
        y = w.node("Mul", y, unsqueezed(w, w.node("Gather", scales(w), sorted_ids, axis=0), -1))
        factors = unsqueezed(w, w.node("Gather", w.node("Reshape", weights, w.ints(-1)), order, axis=0), -1)
        into = w.node("Expand", w.array(0.0), w.node("Shape", x))
        return w.node("ScatterND", into, unsqueezed(w, token, -1), w.node("Mul", y, factors), reduction="add")
    return layer


LAYERS = {
    "scaled_rows": (matrix(masked(of_rows)), [MASKED]),
    "scaled_weights": (matrix(masked(of_weights)), [MASKED]),
    "scaled_terms": (matrix(masked(of_terms)), [MASKED]),
    "scaled_loop": (matrix(loop(of_rows)), ['"unrolled"', "gate_bias"]),
    "scaled_loop_terms": (matrix(loop(of_terms)), ['"unrolled"']),
    "scaled_dense": (matrix(dense((EXPERTS, 1, 1), bias=True)), [TILED, "down_bias"]),
    "scaled_dense_all": (matrix(dense((1,))), [TILED, "moe.weigh softmax_selected"]),
    "scaled_dense_last": (matrix(dense_last), [TILED]),
    "scaled_grouped": (matrix(grouped()), [GROUPED, "moe.weigh softmax_selected"]),
    "scaled_map": (matrix(dense((EXPERTS,), of_map=True)), [TILED]),
    "scaled_map_all": (matrix(dense((1, 1), of_map=True)), [TILED]),
}
REFUSED = {
    "scaled_columns": (matrix(dense((EXPERTS, 1, HIDDEN))), "are not scaled by one known number each"),
    "scaled_by_others": (matrix(grouped(lambda w, x, ids: topk_softmax(w, x)[0])), "are not scaled by one known number each"),
    "scaled_too_small": (matrix(masked(too_small)), "too large or too small together"),
}
