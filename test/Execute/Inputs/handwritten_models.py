"""MoE layers as people write them by hand, with gathered or batched matrices, MatMul or Einsum; for check_handwritten.py.

LAYERS: name → (model, its rank, texts that the raised IR has). REFUSED: nearly such layers, that compute the same as the nodes they are written in, with
the reason that the report must give.
"""

import numpy as np
from onnx import TensorProto

from routed_models import EXPERTS, HIDDEN, INNER, K, Writer, logits_of, topk_softmax


def unsqueezed(w, value, *axes):
    return w.node("Unsqueeze", value, w.ints(*axes))


def squeezed(w, value, *axes):
    return w.node("Squeeze", value, w.ints(*axes))


def einsum(w, equation, *operands):
    return w.node("Einsum", *operands, equation=equation)


def silu(w, value):
    return w.node("Mul", value, w.node("Sigmoid", value))


def lookup(w, ids, *shape, axis=0):
    return w.node("Gather", w.weight(EXPERTS, *shape), ids, axis=axis)


def of(rank):
    """A model of x [tokens, H] or [batch, sequence, H] from a function of a Writer, x, ids and weights."""
    def make(layer, router=topk_softmax, seed=3):
        w = Writer(seed)
        return w.model(layer(w, "x", *router(w, "x")), rank), rank
    return make


matrix, batches = of(2), of(3)


# ===-- Matrices gathered by expert id ------------------------------------------------------------------------------------===


def by_matmul(combine, dims=1, bias=False, columns=False):
    """x as [.., 1, 1, H] (or as columns) times W[ids] of [.., K, H, F]."""
    def layer(w, x, ids, weights):
        def product(rows, inputs, outputs):
            if columns:
                y = w.node("MatMul", lookup(w, ids, outputs, inputs), rows)
            else:
                y = w.node("MatMul", rows, lookup(w, ids, inputs, outputs))
            return w.node("Add", y, unsqueezed(w, lookup(w, ids, outputs), -1 if columns else -2)) if bias else y

        row = unsqueezed(w, x, dims, -1 if columns else dims + 1)
        h = w.node("Mul", silu(w, product(row, HIDDEN, INNER)), product(row, HIDDEN, INNER))
        y = squeezed(w, product(h, INNER, HIDDEN), -1 if columns else -2)
        return combine(w, y, weights, dims)
    return layer


def mul_and_sum(w, y, weights, dims):
    return w.node("ReduceSum", w.node("Mul", y, unsqueezed(w, weights, -1)), w.ints(dims), keepdims=0)


def sum_of_rows(w, y, weights, dims):
    """Before the squeeze: [.., K, 1, H]."""
    y = unsqueezed(w, y, -2)
    return squeezed(w, w.node("ReduceSum", w.node("Mul", unsqueezed(w, weights, -1, -2), y), w.ints(dims), keepdims=0), dims)


def matmul_of_weights(w, y, weights, dims):
    return squeezed(w, w.node("MatMul", unsqueezed(w, weights, -2), y), -2)


def by_einsum(first, second, combine, transposed=False):
    def layer(w, x, ids, weights):
        gate, up = (lookup(w, ids, *((INNER, HIDDEN) if transposed else (HIDDEN, INNER))) for _ in range(2))
        h = w.node("Mul", silu(w, einsum(w, first, x, gate)), einsum(w, first, x, up))
        y = einsum(w, second, h, lookup(w, ids, *((HIDDEN, INNER) if transposed else (INNER, HIDDEN))))
        return einsum(w, combine, weights, y) if combine else mul_and_sum(w, y, weights, 1)
    return layer


def argmax(w, x):
    scores = w.node("Softmax", logits_of(w, x), axis=-1)
    return w.node("ArgMax", scores, axis=-1, keepdims=0), w.node("ReduceMax", scores, w.ints(-1), keepdims=1)


def argmax_kept(w, x):
    scores = w.node("Softmax", logits_of(w, x), axis=-1)
    return w.node("ArgMax", scores, axis=-1, keepdims=1), w.node("ReduceMax", scores, w.ints(-1), keepdims=1)


def single(w, x, ids, weights):
    """One expert per token, and no sum."""
    h = w.node("Relu", w.node("MatMul", unsqueezed(w, x, 1), lookup(w, ids, HIDDEN, INNER)))
    return w.node("Mul", squeezed(w, w.node("MatMul", h, lookup(w, ids, INNER, HIDDEN)), 1), weights)


def added_up(w, x, ids, weights):
    """The choices of a token are taken apart and added: each is a row of its own."""
    rows = w.node("Reshape", w.node("Expand", unsqueezed(w, x, 1), w.ints(1, K, 1)), w.ints(-1, 1, HIDDEN))
    flat = w.node("Reshape", ids, w.ints(-1))
    h = w.node("Relu", w.node("MatMul", rows, lookup(w, flat, HIDDEN, INNER)))
    y = w.node("Mul", squeezed(w, w.node("MatMul", h, lookup(w, flat, INNER, HIDDEN)), 1), w.node("Reshape", weights, w.ints(-1, 1)))
    parts = w.node("Split", w.node("Reshape", y, w.ints(-1, K, HIDDEN)), outputs=K, axis=1, num_outputs=K)
    return squeezed(w, w.node("Add", *parts), 1)


# ===-- Rows sorted by expert and split ------------------------------------------------------------------------------------===


def by_split(by_float=False, of_others=False, at_choice=False, start=0.0):
    """Sizes of a Split from the column sums of a mask, and the results added up at their tokens (JetMoe, GraniteMoe)."""
    def layer(w, x, ids, weights):
        flat = w.node("Reshape", ids, w.ints(-1))
        order = w.node("TopK", flat, w.node("Shape", flat), outputs=2, axis=0, largest=0, sorted=1)[1]
        token = w.node("Div", order, w.array(K, np.int64))
        if by_float:
            quotient = w.node("Div", w.node("Cast", order, to=TensorProto.FLOAT), w.array(float(K)))
            token = w.node("Cast", w.node("Mul", w.node("Floor", w.node("Abs", quotient)), w.node("Sign", quotient)), to=TensorProto.INT64)
        counted = topk_softmax(w, x)[0] if of_others else ids
        ones = w.node("Expand", w.array(1.0), w.node("Shape", counted))
        mask = w.node("ScatterElements", zeros(w, x), counted, ones, axis=1)
        counts = w.node("ReduceSum", w.node("Cast", mask, to=TensorProto.INT64), w.ints(0), keepdims=0)
        single = [squeezed(w, w.node("Slice", counts, w.ints(e), w.ints(e + 1), w.ints(0)), 0) for e in range(EXPERTS)]
        sizes = w.node("Concat", *[w.node("Reshape", one, w.ints(-1)) for one in single], axis=0)

        def product(rows, inputs, outputs):
            weight = w.weight(EXPERTS, outputs, inputs)
            pieces = w.node("Split", rows, sizes, outputs=EXPERTS, axis=0)
            parts = [w.node("Gemm", piece, w.node("Gather", weight, w.array(e, np.int64), axis=0), transB=1) for e, piece in enumerate(pieces)]
            return w.node("Concat", *parts, axis=0)

        both = product(w.node("Gather", x, token, axis=0), HIDDEN, 2 * INNER)
        gate, up = w.node("Split", both, outputs=2, axis=-1, num_outputs=2)
        y = product(w.node("Mul", silu(w, gate), up), INNER, HIDDEN)
        factors = unsqueezed(w, w.node("Gather", w.node("Reshape", weights, w.ints(-1)), order, axis=0), -1)
        places = w.node("Mod", order, w.node("Squeeze", w.node("Shape", x, start=0, end=1))) if at_choice else token
        into = w.node("Expand", w.array(start), w.node("Shape", x))
        return w.node("ScatterND", into, unsqueezed(w, places, -1), w.node("Mul", y, factors), reduction="add")
    return layer


# ===-- Every expert on every token ---------------------------------------------------------------------------------------===


def scattered(w, x, ids, weights):
    """The map [.., E] of weights."""
    return w.node("ScatterElements", zeros(w, x), ids, weights, axis=-1)


def zeros(w, x):
    shape = w.node("Concat", w.node("Shape", x, end=-1), w.ints(EXPERTS), axis=0)
    return w.node("Expand", w.array(0.0), shape)


def one_hot(w, x, ids, weights):
    hot = w.node("OneHot", ids, w.array(EXPERTS, np.int64), w.array([0.0, 1.0]), axis=-1)
    return w.node("ReduceSum", w.node("Mul", hot, unsqueezed(w, weights, -1)), w.ints(-2), keepdims=0)


def compared(w, x, ids, weights):
    hot = w.node("Cast", w.node("Equal", unsqueezed(w, ids, -1), w.ints(*range(EXPERTS))), to=TensorProto.FLOAT)
    return einsum(w, "tk,tke->te", weights, hot)


def softmax_of_all(w, x, ids, weights):
    return w.node("Softmax", logits_of(w, x), axis=-1)


def dense_einsum(first, second, combine, make_map=scattered, bias=None):
    def layer(w, x, ids, weights):
        def product(equation, rows, inputs, outputs):
            y = einsum(w, equation, rows, w.weight(EXPERTS, inputs, outputs))
            return w.node("Add", y, w.weight(*bias, outputs)) if bias else y

        h = w.node("Mul", silu(w, product(first, x, HIDDEN, INNER)), product(first, x, HIDDEN, INNER))
        y = product(second, h, INNER, HIDDEN)
        weight_map = make_map(w, x, ids, weights)
        if callable(combine):
            return combine(w, weight_map, y)
        return einsum(w, combine, weight_map, y)
    return layer


def experts_first(w, x):
    """[E, T, H] by MatMul: the product repeats the tokens."""
    both = w.node("MatMul", x, w.weight(EXPERTS, HIDDEN, 2 * INNER))
    gate, up = w.node("Split", both, outputs=2, axis=-1, num_outputs=2)
    return w.node("MatMul", w.node("Mul", silu(w, gate), up), w.weight(EXPERTS, INNER, HIDDEN))


def dense_matmul(combine, make_map=scattered):
    return lambda w, x, ids, weights: combine(w, make_map(w, x, ids, weights), experts_first(w, x))


def matmul_of_map(w, weight_map, y):
    """[T, 1, E] times [T, E, H]."""
    return squeezed(w, w.node("MatMul", unsqueezed(w, weight_map, 1), w.node("Transpose", y, perm=[1, 0, 2])), 1)


def sum_of_transposed(w, weight_map, y):
    return w.node("ReduceSum", w.node("Mul", y, unsqueezed(w, w.node("Transpose", weight_map, perm=[1, 0]), -1)), w.ints(0), keepdims=0)


def sum_before_columns(w, weight_map, y):
    return w.node("ReduceSum", w.node("Mul", y, unsqueezed(w, weight_map, -1)), w.ints(-2), keepdims=0)


# ===-- One expert beside another -----------------------------------------------------------------------------------------===


def expert(w, x):
    return w.node("MatMul", w.node("Relu", w.node("MatMul", x, w.weight(HIDDEN, INNER))), w.weight(INNER, HIDDEN))


def weighted_experts(w, x, ids, weights):
    terms = []
    for number in range(EXPERTS):
        chosen = w.node("Cast", w.node("Equal", ids, w.array(number, np.int64)), to=TensorProto.FLOAT)
        terms.append(w.node("Mul", expert(w, x), w.node("ReduceSum", w.node("Mul", chosen, weights), w.ints(-1), keepdims=1)))
    return terms


def summed(w, x, ids, weights):
    return w.node("Sum", *weighted_experts(w, x, ids, weights))


def summed_with_shared(w, x, ids, weights):
    terms = weighted_experts(w, x, ids, weights)
    return w.node("Sum", *terms[:3], expert(w, x), *terms[3:])


def summed_in_parts(w, x, ids, weights):
    terms = weighted_experts(w, x, ids, weights)
    return w.node("Sum", *terms[5:], w.node("Sum", *terms[:5]))


def stacked(axis, combine, make_map=scattered):
    def layer(w, x, ids, weights):
        y = w.node("Concat", *[unsqueezed(w, expert(w, x), axis) for _ in range(EXPERTS)], axis=axis)
        return combine(w, make_map(w, x, ids, weights), y)
    return layer


# ===-- Capacity: slots that a dispatch fills ------------------------------------------------------------------------------===


def switch_slots(w, x, ids, weights, capacity, experts, by_einsum=True):
    """Top 1 with a capacity per sequence (Switch Transformer): dispatch [B, S, E, C], `experts` of [E, B, C, H] or [B, E, C, H]."""
    hot = w.node("Cast", w.node("Equal", ids, w.ints(*range(EXPERTS))), to=TensorProto.INT64)
    place = w.node("Sub", w.node("Mul", w.node("CumSum", hot, w.array(-2, np.int64)), hot), w.ints(1))
    numbers = w.node("Range", w.array(0, np.int64), capacity(w, x), w.array(1, np.int64))
    dispatch = w.node("Cast", w.node("Equal", unsqueezed(w, place, -1), numbers), to=TensorProto.FLOAT)
    combine = w.node("Mul", dispatch, unsqueezed(w, weights, -1))
    rows = einsum(w, "bsec,bsh->ebch" if by_einsum else "bsec,bsh->bech", dispatch, x)
    return einsum(w, "bsec,ebch->bsh" if by_einsum else "bsec,bech->bsh", combine, experts(rows))


def switch(capacity, by_einsum=True, bias=False):
    def layer(w, x, ids, weights):
        def expert(rows, inputs, outputs):
            weight = w.weight(EXPERTS, inputs, outputs)
            if by_einsum:
                y = einsum(w, "ebch,ehf->ebcf", rows, weight)
                return w.node("Add", y, w.weight(EXPERTS, 1, 1, outputs)) if bias else y
            y = w.node("MatMul", rows, weight)
            return w.node("Add", y, w.weight(EXPERTS, 1, outputs)) if bias else y

        experts = lambda rows: expert(w.node("Relu", expert(rows, HIDDEN, INNER)), INNER, HIDDEN)
        return switch_slots(w, x, ids, weights, capacity, experts, by_einsum)
    return layer


def fixed(slots):
    return lambda w, x: w.array(slots, np.int64)


def of_length(w, x):
    """⌈2·S/E⌉"""
    length = w.node("Squeeze", w.node("Shape", x, start=1, end=2))
    return w.node("Div", w.node("Add", w.node("Mul", length, w.array(2, np.int64)), w.array(EXPERTS - 1, np.int64)), w.array(EXPERTS, np.int64))


def of_tokens(w, x, ids, weights):
    """GShard on [T, H]: both choices claim ⌈2·T/E⌉ slots of their experts, first choices before second ones."""
    by_rank = unsqueezed(w, w.node("Reshape", w.node("Transpose", ids, perm=[1, 0]), w.ints(-1)), -1)
    hot = w.node("Cast", w.node("Equal", by_rank, w.ints(*range(EXPERTS))), to=TensorProto.INT64)
    place = w.node("Sub", w.node("Mul", w.node("CumSum", hot, w.array(0, np.int64)), hot), w.ints(1))
    tokens = w.node("Squeeze", w.node("Shape", x, start=0, end=1))
    slots = w.node("Div", w.node("Add", w.node("Mul", tokens, w.array(2, np.int64)), w.array(EXPERTS - 1, np.int64)), w.array(EXPERTS, np.int64))
    numbers = w.node("Range", w.array(0, np.int64), slots, w.array(1, np.int64))
    taken = w.node("Cast", w.node("Equal", unsqueezed(w, place, -1), numbers), to=TensorProto.FLOAT)
    shape = w.node("Concat", w.ints(K, -1, EXPERTS), unsqueezed(w, slots, 0), axis=0)
    taken = w.node("Reshape", taken, shape)
    factors = w.node("Reshape", w.node("Transpose", weights, perm=[1, 0]), w.ints(K, -1, 1, 1))
    combine = w.node("ReduceSum", w.node("Mul", taken, factors), w.ints(0), keepdims=0)
    rows = einsum(w, "tec,th->ech", w.node("ReduceSum", taken, w.ints(0), keepdims=0), x)
    h = w.node("Relu", w.node("MatMul", rows, w.weight(EXPERTS, HIDDEN, INNER)))
    return einsum(w, "tec,ech->th", combine, w.node("MatMul", h, w.weight(EXPERTS, INNER, HIDDEN)))


def chosen(w, y, ids):
    """The rows [T, K, H] of the chosen experts among [T, E, H]."""
    shape = w.node("Concat", w.node("Shape", ids), w.ints(HIDDEN), axis=0)
    return w.node("GatherElements", y, w.node("Expand", unsqueezed(w, ids, -1), shape), axis=-2)


def picked_of_dense(w, x, ids, weights):
    h = silu(w, einsum(w, "th,ehf->tef", x, w.weight(EXPERTS, HIDDEN, INNER)))
    return mul_and_sum(w, chosen(w, einsum(w, "tef,efh->teh", h, w.weight(EXPERTS, INNER, HIDDEN)), ids), weights, 1)


def picked_of_stack(w, x, ids, weights):
    y = w.node("Concat", *[unsqueezed(w, expert(w, x), -2) for _ in range(EXPERTS)], axis=-2)
    return matmul_of_weights(w, chosen(w, y, ids), weights, 2)


# ===-- Nearly layers -----------------------------------------------------------------------------------------------------===


def regrouped(w, x, ids, weights):
    """[E, T, F] taken for [T, E, F]: the rows of one expert meet the matrices of another."""
    h = w.node("Reshape", w.node("Relu", einsum(w, "th,ehf->etf", x, w.weight(EXPERTS, HIDDEN, INNER))), w.ints(-1, EXPERTS, INNER))
    return einsum(w, "te,teh->th", scattered(w, x, ids, weights), einsum(w, "tef,efh->teh", h, w.weight(EXPERTS, INNER, HIDDEN)))


def other_ids(w, x, ids, weights):
    others = topk_softmax(w, x)[0]
    h = w.node("Relu", einsum(w, "th,tkhf->tkf", x, lookup(w, ids, HIDDEN, INNER)))
    return einsum(w, "tk,tkh->th", weights, einsum(w, "tkf,tkfh->tkh", h, lookup(w, others, INNER, HIDDEN)))


def swapped_choices(w, x, ids, weights):
    """The result of the first product in the order of choices first."""
    h = w.node("Relu", einsum(w, "th,tkhf->ktf", x, lookup(w, ids, HIDDEN, INNER)))
    return einsum(w, "tk,tkh->th", weights, einsum(w, "ktf,tkfh->tkh", h, lookup(w, ids, INNER, HIDDEN)))


def unweighted(w, x, ids, weights):
    h = w.node("Relu", einsum(w, "th,tkhf->tkf", x, lookup(w, ids, HIDDEN, INNER)))
    return w.node("ReduceMax", einsum(w, "tkf,tkfh->tkh", h, lookup(w, ids, INNER, HIDDEN)), w.ints(1), keepdims=0)


def mixed_up(w, x, ids, weights):
    """Experts on [B, E, C, H], C = 3, whose hidden rows are then taken for [B, C, E, F]."""
    dispatch = einsum(w, "bse,sc->bsec", scattered(w, x, ids, weights), w.node("Expand", w.weight(1, 3), w.node("Concat", w.node("Shape", x, start=1, end=2), w.ints(3), axis=0)))
    h = w.node("Relu", w.node("MatMul", einsum(w, "bsec,bsh->bech", dispatch, x), w.weight(EXPERTS, HIDDEN, INNER)))
    y = einsum(w, "bcef,efh->bceh", w.node("Reshape", h, w.ints(-1, 3, EXPERTS, INNER)), w.weight(EXPERTS, INNER, HIDDEN))
    return einsum(w, "bsec,bceh->bsh", dispatch, y)


def flat_bank(w, x, ids, weights):
    """Matrices stored as rows; and the second product is of other choices, so that it is no layer."""
    def bank(of, inputs, outputs):
        return w.node("Reshape", w.node("Gather", w.weight(EXPERTS, inputs * outputs), of), w.ints(-1, K, inputs, outputs))

    h = w.node("Relu", einsum(w, "th,tkhf->tkf", x, bank(ids, HIDDEN, INNER)))
    return einsum(w, "tk,tkh->th", weights, einsum(w, "tkf,tkfh->tkh", h, bank(topk_softmax(w, x)[0], INNER, HIDDEN)))


def two_strangers(w, x, ids, weights):
    terms = weighted_experts(w, x, ids, weights)
    return w.node("Sum", *terms, expert(w, x), expert(w, x))


GROUPED = '"grouped"'
GATHERED, TILED, MASKED, PADDED = '"gathered"', '"tiled"', '"masked"', '"padded"'
LAYERS = {
    "matmul": (matrix(by_matmul(mul_and_sum)), [GATHERED, "moe.select"]),
    "matmul_rows": (matrix(by_matmul(sum_of_rows, bias=True)), [GATHERED, "gate_bias"]),
    "matmul_columns": (matrix(by_matmul(mul_and_sum, columns=True, bias=True)), [GATHERED, "down_bias"]),
    "matmul_of_weights": (matrix(by_matmul(matmul_of_weights)), [GATHERED, "weight_order in_out"]),
    "matmul_batches": (batches(by_matmul(mul_and_sum, 2)), [GATHERED]),
    "matmul_of_weights_batches": (batches(by_matmul(matmul_of_weights, 2, bias=True)), [GATHERED]),
    "einsum": (matrix(by_einsum("th,tkhf->tkf", "tkf,tkfh->tkh", "tk,tkh->th")), [GATHERED, "moe.select"]),
    "einsum_out_in": (matrix(by_einsum("th,tkfh->tkf", "tkf,tkhf->tkh", None, True)), [GATHERED]),
    "einsum_batches": (batches(by_einsum("bsh,bskhf->bskf", "bskf,bskfh->bskh", "bsk,bskh->bsh")), [GATHERED]),
    "einsum_ellipsis": (batches(by_einsum("...h,...khf->...kf", "...kf,...kfh->...kh", "...k,...kh->...h")), [GATHERED]),
    "single": (matrix(single, argmax), ['"batched"', "moe.select"]),
    "added_up": (matrix(added_up), ['"batched"', "moe.assign"]),
    "split": (matrix(by_split()), [GROUPED, "moe.select", "gate = halves"]),
    "split_by_float": (matrix(by_split(by_float=True, start=0.25)), [GROUPED, "moe.select"]),
    "dense_last": (matrix(dense_einsum("th,ehf->tef", "tef,efh->teh", "te,teh->th")), [TILED, "moe.select"]),
    "dense_last_bias": (matrix(dense_einsum("th,ehf->tef", "tef,efh->teh", sum_before_columns, bias=(EXPERTS,))), [TILED, "down_bias"]),
    "dense_first": (matrix(dense_einsum("th,ehf->etf", "etf,efh->eth", "te,eth->th", bias=(EXPERTS, 1))), [TILED, "down_bias"]),
    "dense_turned": (matrix(dense_einsum("th,ehf->tef", "tef,efh->eth", sum_of_transposed)), [TILED]),
    "dense_one_hot": (matrix(dense_einsum("th,ehf->tef", "tef,efh->teh", "te,teh->th", one_hot)), [TILED, "moe.select"]),
    "dense_compared": (matrix(dense_einsum("th,ehf->tef", "tef,efh->teh", "te,teh->th", compared)), [TILED]),
    "dense_batches": (batches(dense_einsum("bsh,ehf->bsef", "bsef,efh->bseh", "bse,bseh->bsh")), [TILED]),
    "dense_matmul": (matrix(dense_matmul(matmul_of_map)), [TILED, "gate = halves"]),
    "dense_matmul_sum": (matrix(dense_matmul(sum_of_transposed, one_hot)), [TILED]),
    "picked_of_dense": (matrix(picked_of_dense), [TILED, "moe.select"]),
    "picked_of_stack": (batches(picked_of_stack), [MASKED, "moe.select"]),
    "summed": (matrix(summed), [MASKED]),
    "summed_with_shared": (matrix(summed_with_shared), [MASKED]),
    "summed_in_parts": (matrix(summed_in_parts), [MASKED]),
    "stacked": (matrix(stacked(1, sum_before_columns)), [MASKED, "moe.select"]),
    "stacked_first": (matrix(stacked(0, sum_of_transposed, one_hot)), [MASKED]),
    "stacked_matmul": (matrix(stacked(1, lambda w, m, y: einsum(w, "te,teh->th", m, y), compared)), [MASKED]),
    "switch": (batches(switch(fixed(2)), argmax_kept), [PADDED]),
    "switch_bias": (batches(switch(fixed(2), bias=True), argmax_kept), [PADDED, "down_bias"]),
    "switch_middle": (batches(switch(fixed(2), False, True), argmax_kept), [PADDED, "gate_bias"]),
    "switch_of_length": (batches(switch(of_length), argmax_kept), [PADDED]),
    "switch_middle_of_length": (batches(switch(of_length, False), argmax_kept), [PADDED]),
    "gshard": (matrix(of_tokens), [PADDED]),
}
REFUSED = {
    "regrouped": (matrix(regrouped), "the products do not keep the rows in the same order"),
    "other_ids": (matrix(other_ids), "its experts are not looked up by the layer's expert ids"),
    "swapped_choices": (matrix(swapped_choices), "rows and gathered matrices do not pair up one to one"),
    "unweighted": (matrix(unweighted), "it is in no weighted expert that is known"),
    "softmax_of_all": (matrix(dense_einsum("th,ehf->tef", "tef,efh->teh", "te,teh->th", softmax_of_all)), "are no row that a ScatterElements"),
    "split_by_others": (matrix(by_split(of_others=True)), "the ends of the ranges are not a running sum"),
    "split_at_choices": (matrix(by_split(at_choice=True)), "the rows are not added up at their tokens"),
    "flat_bank": (matrix(flat_bank), "it is in no weighted expert that is known"),
    "mixed_up": (batches(mixed_up), "the products do not keep the rows in the same order"),
    "two_strangers": (matrix(two_strangers), "more than one addend of a sum of experts is no weighted expert"),
}
