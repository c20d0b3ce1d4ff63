"""Loops in which every expert computes all tokens and a Where or a comparison with 0 chooses, and results that are stacked behind their columns; as
handwritten_models.py, for check_handwritten.py.
"""

import numpy as np
from onnx import TensorProto

from handwritten_forms import expert_pair, up_first
from handwritten_loops import any_choice, equals, found, twice
from handwritten_models import (MASKED, TILED, argmax_kept, batches, compared, einsum, expert, matrix, scattered, softmax_of_all, squeezed, unsqueezed,
                                zeros)
from routed_models import EXPERTS, HIDDEN, INNER, K, logits_of, normalised, top

# ===-- Which tokens chose the expert --------------------------------------------------------------------------------------===


def by_count(w, x, ids, number):
    return any_choice(w, equals(w, ids, number))


def by_greatest(w, x, ids, number):
    """any(-1), as exporters write it."""
    return w.node("Cast", w.node("ReduceMax", w.node("Cast", equals(w, ids, number), to=TensorProto.INT32), w.ints(-1), keepdims=0), to=TensorProto.BOOL)


def by_hot(w, x, ids, number):
    """A row of one_hot(ids).permute(2, 1, 0), any of its choices."""
    hot = w.node("Transpose", w.node("OneHot", ids, w.array(EXPERTS, np.int64), w.array([0, 1], np.int64), axis=-1), perm=[2, 1, 0])
    return w.node("Greater", w.node("ReduceSum", w.node("Gather", hot, w.array(number, np.int64), axis=0), w.ints(0), keepdims=0), w.array(0, np.int64))


def by_marks(w, x, ids, number):
    """A column of zeros.scatter(ids, 1)."""
    ones = w.node("Expand", w.array(1.0), w.node("Shape", ids))
    marks = w.node("ScatterElements", zeros(w, x), ids, ones, axis=-1)
    return w.node("Cast", w.node("Gather", marks, w.array(number, np.int64), axis=-1), to=TensorProto.BOOL)


def by_next(w, x, ids, number):
    return by_count(w, x, ids, (number + 1) % EXPERTS)


# ===-- What weighs it -----------------------------------------------------------------------------------------------------===


def of_choices(w, x, ids, weights, number):
    chosen = w.node("Cast", equals(w, ids, number), to=TensorProto.FLOAT)
    return w.node("ReduceSum", w.node("Mul", chosen, weights), w.ints(-1), keepdims=1)


def of_map(w, x, ids, weights, number):
    if not hasattr(w, "scores"):
        w.scores = scattered(w, x, ids, weights)
    return w.node("Gather", w.scores, w.ints(number), axis=-1)


def of_scores(w, x, ids, weights, number):
    """Of the scores of all experts, which the Writer keeps from expert to expert."""
    if not hasattr(w, "scores"):
        w.scores = w.node("Softmax", logits_of(w, x), axis=-1)
    return w.node("Slice", w.scores, w.ints(number), w.ints(number + 1), w.ints(-1))


def of_token(w, x, ids, weights, number):
    return weights


def inside(w, mask, rows, weight):
    return w.node("Where", mask, w.node("Mul", rows, weight), w.array(0.0))


def outside(w, mask, rows, weight):
    return w.node("Mul", w.node("Where", mask, rows, w.array([0.0])), weight)


def filled(w, mask, rows, weight):
    """masked_fill of the other tokens."""
    return w.node("Mul", weight, w.node("Where", w.node("Not", mask), w.array(0.0), rows))


def unweighted(w, mask, rows, weight):
    return w.node("Where", mask, rows, w.array(0.0))


def chosen_by(mask_of, weight_of, term, in_chain=False, bank=expert):
    def layer(w, x, ids, weights):
        terms = []
        for number in range(EXPERTS):
            mask = unsqueezed(w, mask_of(w, x, ids, number), -1)
            terms.append(term(w, mask, bank(w, x), weight_of(w, x, ids, weights, number)))
        if not in_chain:
            return w.node("Sum", *terms)
        y = w.node("Mul", x, w.array(0.5))
        for one in terms:
            y = w.node("Add", y, one)
        return y
    return layer


def only_choice(w, x, ids, number):
    return squeezed(w, equals(w, ids, number), -1)


# ===-- Gates that are not 0 -----------------------------------------------------------------------------------------------===


def noisy(softmax=True):
    """Noisy top-k gating without its noise: the first K of K + 1, scattered."""
    def router(w, x):
        values, ids = top(w, logits_of(w, x), K + 1)
        first = lambda of: w.node("Slice", of, w.ints(0), w.ints(K), w.ints(1))
        return first(ids), w.node("Softmax", first(values), axis=1) if softmax else first(values)
    return router


def of_gates(positive=True, others=0, dense=False, threshold=0.0, whole=False):
    """An expert's tokens are those whose gate is not 0."""
    def layer(w, x, ids, weights):
        gates = scattered(w, x, ids, weights)
        y = w.node("ConstantOfShape", w.node("Shape", x))
        all_positive = w.node("Greater", gates, w.array(threshold)) if whole else None
        for number in range(EXPERTS):
            column = lambda of, number=number: w.node("Gather", of, w.array(number, np.int64), axis=1)
            if whole:
                mask = column(all_positive)
            else:
                mask = w.node("Greater", column(gates), w.array(threshold)) if positive else column(gates)
            own = column(gates, (number + others) % EXPERTS)
            if dense:
                rows = w.node("Where", unsqueezed(w, mask, -1), expert(w, x), w.array(0.0))
                y = w.node("Add", y, w.node("Mul", rows, unsqueezed(w, own, -1)))
                continue
            token = w.node("Squeeze", found(w, mask), w.ints(1))
            factors = unsqueezed(w, w.node("Gather", own, token, axis=0), -1)
            rows = w.node("Mul", expert_pair(w, w.node("Gather", x, token, axis=0), up_first), factors)
            y = w.node("ScatterND", y, unsqueezed(w, token, -1), rows, reduction="add")
        return y
    return layer


# ===-- Stacked behind the columns -----------------------------------------------------------------------------------------===


def stacked_last(combine, make_map=scattered):
    def layer(w, x, ids, weights):
        y = w.node("Concat", *[unsqueezed(w, expert(w, x), -1) for _ in range(EXPERTS)], axis=-1)
        return combine(w, make_map(w, x, ids, weights), y)
    return layer


def matmul_of_columns(w, gates, y):
    return squeezed(w, w.node("MatMul", y, unsqueezed(w, gates, -1)), -1)


def sum_of_columns(w, gates, y):
    return w.node("ReduceSum", w.node("Mul", y, unsqueezed(w, gates, -2)), w.ints(-1), keepdims=0)


def einsum_of_columns(equation):
    return lambda w, gates, y: einsum(w, equation, y, gates)


def dense_turned(w, x, ids, weights):
    """[T, E, H] turned to [T, H, E] in front of the sum."""
    h = w.node("Relu", einsum(w, "th,ehf->tef", x, w.weight(EXPERTS, HIDDEN, INNER)))
    y = w.node("Transpose", einsum(w, "tef,efh->teh", h, w.weight(EXPERTS, INNER, HIDDEN)), perm=[0, 2, 1])
    return matmul_of_columns(w, scattered(w, x, ids, weights), y)


UNROLLED = '"unrolled"'
LAYERS = {
    "where_inside": (matrix(chosen_by(by_count, of_choices, inside)), [MASKED, "moe.select"]),
    "where_outside": (matrix(chosen_by(by_greatest, of_choices, outside)), [MASKED, "moe.select"]),
    "where_hot": (matrix(chosen_by(by_hot, of_choices, outside, bank=lambda w, x: expert_pair(w, x, up_first))), [MASKED, "moe.select"]),
    "where_filled": (matrix(chosen_by(by_greatest, of_map, filled, in_chain=True)), [MASKED, "moe.select"]),
    "where_marks": (matrix(chosen_by(by_marks, of_choices, inside, in_chain=True)), [MASKED, "moe.select"]),
    "where_scores": (matrix(chosen_by(by_count, of_scores, inside)), [MASKED]),
    "where_scores_marks": (matrix(chosen_by(by_marks, of_scores, outside)), [MASKED]),
    "where_batches": (batches(chosen_by(by_greatest, of_choices, inside)), [MASKED, "moe.select"]),
    "where_unweighted": (matrix(chosen_by(by_count, of_choices, unweighted)), [MASKED]),
    "where_single": (matrix(chosen_by(only_choice, of_token, inside), argmax_kept), [MASKED, "moe.select"]),
    "where_single_outside": (batches(chosen_by(only_choice, of_token, outside), argmax_kept), [MASKED, "moe.select"]),
    "gates_positive": (matrix(of_gates(), noisy()), [UNROLLED]),
    "gates_positive_whole": (matrix(of_gates(whole=True), noisy()), [UNROLLED]),
    "gates_not_zero": (matrix(of_gates(positive=False), noisy(softmax=False)), [UNROLLED]),
    "gates_dense": (matrix(of_gates(dense=True), noisy()), [MASKED]),
    "gates_of_any_sign": (matrix(of_gates(), noisy(softmax=False)), [UNROLLED, "tensor<?x8xi64>"]),
    "stacked_last": (matrix(stacked_last(matmul_of_columns)), [MASKED, "moe.select"]),
    "stacked_last_sum": (matrix(stacked_last(sum_of_columns, compared)), [MASKED]),
    "stacked_last_einsum": (matrix(stacked_last(einsum_of_columns("the,te->th"))), [MASKED, "moe.select"]),
    "stacked_last_batches": (batches(stacked_last(matmul_of_columns)), [MASKED, "moe.select"]),
    "stacked_last_dense": (matrix(dense_turned), [TILED, "moe.select"]),
}
REFUSED = {
    "where_twice": (matrix(chosen_by(by_count, of_scores, inside), twice), "a token may choose an expert twice"),
    "where_next": (matrix(chosen_by(by_next, of_choices, inside)), "are weighted as those of another"),
    "where_hashed": (matrix(chosen_by(by_count, of_choices, unweighted), twice), "a token may choose an expert twice"),
    "gates_over_some": (matrix(of_gates(threshold=0.4), noisy()), "does not compare the chosen ids with its number"),
    "gates_of_others": (matrix(of_gates(others=1), noisy()), "are not those of its tokens"),
    "stacked_last_of_all": (matrix(stacked_last(matmul_of_columns, softmax_of_all)), "are no row that a ScatterElements"),
}
