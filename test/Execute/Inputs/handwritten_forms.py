"""More ways to write MoE layers by hand, and what nearly is one; as handwritten_models.py, for check_handwritten.py.

What differs is between the products (which half is the gate, how the halves are told apart), around them (factors of rows, no weights), or how a product, a
sort and ranges of rows are written.
"""

import numpy as np
from onnx import TensorProto

from handwritten_models import (GATHERED, GROUPED, MASKED, TILED, batches, einsum, lookup, matrix, mul_and_sum, scattered, silu, squeezed,
                                sum_of_transposed, unsqueezed)
from routed_models import EXPERTS, HIDDEN, INNER, K, topk_softmax

# ===-- Gate and up in one product ----------------------------------------------------------------------------------------===


def up_first(w, both, rank=4):
    return reversed(w.node("Split", both, outputs=2, axis=-1, num_outputs=2))


def by_slices(w, both, rank):
    """The second half is the gate, from where the first one ends."""
    part = lambda start, end: w.node("Slice", both, w.ints(start), w.ints(end), w.ints(rank - 1))
    return part(INNER, 2**63 - 1), part(0, INNER)


def by_steps(w, both, rank):
    """x[..., 1::2] is the gate."""
    part = lambda start: w.node("Slice", both, w.ints(start), w.ints(2**63 - 1), w.ints(rank - 1), w.ints(2))
    return part(1), part(0)


def regrouped(shape, axis, gate, up):
    """One of two, by a Reshape and a Gather each."""
    def parts(w, both, rank):
        groups = w.node("Reshape", both, w.ints(*[0] * (rank - 1), *shape))
        return [w.node("Gather", groups, w.array(index, np.int64), axis=axis) for index in (gate, up)]
    return parts


def taken_apart(w, both, rank):
    """unbind: [.., 2, I] split into its two, the gate first."""
    groups = w.node("Reshape", both, w.ints(*[0] * (rank - 1), 2, INNER))
    return [squeezed(w, part, -2) for part in w.node("Split", groups, outputs=2, axis=-2, num_outputs=2)]


def gathered_pair(parts, bias=False, second=None):
    """[.., K, 1, 2·I] of matrices that are looked up; `second` makes the gate's half from a product of its own."""
    def layer(w, x, ids, weights):
        def product(rows, inputs, outputs):
            y = w.node("MatMul", rows, lookup(w, ids, inputs, outputs))
            return w.node("Add", y, unsqueezed(w, lookup(w, ids, outputs), -2)) if bias else y

        row = unsqueezed(w, x, 1, 2)
        gate, up = parts(w, product(row, HIDDEN, 2 * INNER), 4)
        if second:
            gate = list(parts(w, product(row, HIDDEN, 2 * INNER), 4))[0]
        return mul_and_sum(w, squeezed(w, product(w.node("Mul", silu(w, gate), up), INNER, HIDDEN), -2), weights, 1)
    return layer


def dense_pair(parts):
    def layer(w, x, ids, weights):
        both = w.node("Add", w.node("MatMul", x, w.weight(EXPERTS, HIDDEN, 2 * INNER)), w.weight(EXPERTS, 1, 2 * INNER))
        gate, up = parts(w, both, 3)
        y = w.node("MatMul", w.node("Mul", silu(w, gate), up), w.weight(EXPERTS, INNER, HIDDEN))
        return sum_of_transposed(w, scattered(w, x, ids, weights), y)
    return layer


def expert_pair(w, rows, parts):
    first, bias, second = w.weight(HIDDEN, 2 * INNER), w.weight(2 * INNER), w.weight(INNER, HIDDEN)
    gate, up = parts(w, w.node("Gemm", rows, first, bias), 2)
    return w.node("MatMul", w.node("Mul", silu(w, gate), up), second)


def masked_pair(parts):
    def layer(w, x, ids, weights):
        terms = []
        for number in range(EXPERTS):
            chosen = w.node("Where", w.node("Equal", ids, w.array(number, np.int64)), weights, w.array(0.0))
            terms.append(w.node("Mul", expert_pair(w, x, parts), w.node("ReduceSum", chosen, w.ints(-1), keepdims=1)))
        return w.node("Sum", *terms)
    return layer


def loop_pair(parts):
    """Each expert adds its rows at its tokens."""
    def layer(w, x, ids, weights):
        y = w.node("Expand", w.array(0.0), w.node("Shape", x))
        for number in range(EXPERTS):
            found = w.node("NonZero", w.node("Equal", ids, w.array(number, np.int64)))
            token = w.node("Gather", found, w.array(0, np.int64), axis=0)
            factors = unsqueezed(w, w.node("GatherND", weights, w.node("Transpose", found, perm=[1, 0])), -1)
            rows = w.node("Mul", expert_pair(w, w.node("Gather", x, token, axis=0), parts), factors)
            y = w.node("ScatterND", y, unsqueezed(w, token, -1), rows, reduction="add")
        return y
    return layer


# ===-- Rows sorted by expert ---------------------------------------------------------------------------------------------===


def sorted_rows(w, x, ids):
    """The order of the sort, the tokens' rows in it, and how many each expert has."""
    flat = w.node("Reshape", ids, w.ints(-1))
    order = w.node("TopK", flat, w.node("Shape", flat), outputs=2, axis=0, largest=0, sorted=1)[1]
    token = w.node("Div", order, w.array(K, np.int64))
    hot = w.node("OneHot", flat, w.ints(EXPERTS), w.array([0, 1], np.int64), axis=-1)
    return order, token, w.node("Gather", x, token, axis=0), w.node("ReduceSum", hot, w.ints(0), keepdims=0)


def added_at(w, x, rows, weights, order, token, start=0.0):
    factors = unsqueezed(w, w.node("Gather", w.node("Reshape", weights, w.ints(-1)), order, axis=0), -1)
    into = w.node("Expand", w.array(start), w.node("Shape", x))
    return w.node("ScatterND", into, unsqueezed(w, token, -1), w.node("Mul", rows, factors), reduction="add")


def in_pieces(w, x, ids, weights):
    """A whole expert for each piece of a Split."""
    order, token, rows, counts = sorted_rows(w, x, ids)
    pieces = w.node("Split", rows, counts, outputs=EXPERTS, axis=0)
    return added_at(w, x, w.node("Concat", *[expert_pair(w, piece, up_first) for piece in pieces], axis=0), weights, order, token)


def in_ranges(start_of=None, order_of=range(EXPERTS), weights_of_others=False, reverse=0):
    """A whole expert for each range between the running sums of the counts."""
    def layer(w, x, ids, weights):
        order, token, rows, counts = sorted_rows(w, x, ids)
        ends = w.node("CumSum", counts, w.array(0, np.int64), reverse=reverse)
        one = lambda vector, e: w.node("Slice", vector, w.ints(e), w.ints(e + 1), w.ints(0))
        start = start_of or (lambda w, one, ends, counts, e: w.node("Sub", one(ends, e), one(counts, e)))
        pieces = []
        for e in order_of:
            piece = w.node("Slice", rows, start(w, one, ends, counts, e), one(ends, e), w.ints(0))
            pieces.append(expert_pair(w, piece, up_first))
        if weights_of_others:
            order = sorted_rows(w, x, topk_softmax(w, x)[0])[0]
        return added_at(w, x, w.node("Concat", *pieces, axis=0), weights, order, token)
    return layer


def end_before(w, one, ends, counts, e):
    return one(ends, e - 1) if e else w.ints(0)


# ===-- Factors of rows, and none -----------------------------------------------------------------------------------------===


def factored(before=False, scale=False, bias=False, normed=False):
    """Weights before the second product; a factor of each expert; a norm of the rows."""
    def layer(w, x, ids, weights):
        h = w.node("Relu", w.node("MatMul", unsqueezed(w, x, 1, 2), lookup(w, ids, HIDDEN, INNER)))
        if before:
            h = w.node("Mul", h, unsqueezed(w, weights, 2, 3))
        y = w.node("MatMul", h, lookup(w, ids, INNER, HIDDEN))
        if bias:
            y = w.node("Add", y, unsqueezed(w, lookup(w, ids, HIDDEN), -2))
        y = squeezed(w, y, -2)
        if normed:
            y = w.node("Mul", y, w.node("Reciprocal", w.node("Add", w.node("ReduceL2", y, w.ints(-1), keepdims=1), w.array(1.0))))
        if scale:
            factors = w.node("Gather", w.array(w.random.uniform(0.5, 2.0, EXPERTS)), ids, axis=0)
            y = w.node("Mul", y, unsqueezed(w, factors, -1))
        return w.node("ReduceSum", y if before else w.node("Mul", y, unsqueezed(w, weights, -1)), w.ints(1), keepdims=0)
    return layer


def three_products(w, x, ids, weights):
    h = w.node("Relu", w.node("MatMul", unsqueezed(w, x, 1, 2), lookup(w, ids, HIDDEN, INNER)))
    h = w.node("Relu", w.node("MatMul", h, lookup(w, ids, INNER, INNER)))
    return mul_and_sum(w, squeezed(w, w.node("MatMul", h, lookup(w, ids, INNER, HIDDEN)), 2), weights, 1)


def hashed(divisor=EXPERTS):
    """One expert per token, by a hash of it."""
    def router(w, x):
        first = w.node("Slice", x, w.ints(0), w.ints(1), w.ints(1))
        number = w.node("Cast", w.node("Floor", w.node("Mul", first, w.array(100.0))), to=TensorProto.INT64)
        return squeezed(w, w.node("Mod", number, w.array(divisor, np.int64)), 1), None
    return router


def unweighted(w, x, ids, _):
    h = w.node("Relu", w.node("MatMul", unsqueezed(w, x, 1), lookup(w, ids, HIDDEN, INNER)))
    y = w.node("Add", w.node("MatMul", h, lookup(w, ids, INNER, HIDDEN)), unsqueezed(w, lookup(w, ids, HIDDEN), 1))
    return w.node("Add", x, squeezed(w, y, 1))


def masks(w, x, ids, _):
    terms = []
    for number in range(EXPERTS):
        mask = w.node("Cast", w.node("Equal", ids, w.array(number, np.int64)), to=TensorProto.FLOAT)
        terms.append(w.node("Mul", unsqueezed(w, mask, -1), expert_pair(w, x, up_first)))
    return w.node("Sum", *terms)


def replaced(from_zeros=False):
    """Each expert's rows take the place of what is there."""
    def layer(w, x, ids, _):
        y = w.node("ConstantOfShape", w.node("Shape", x)) if from_zeros else w.node("Mul", x, w.array(0.5))
        for number in range(EXPERTS):
            y = w.node("Where", unsqueezed(w, w.node("Equal", ids, w.array(number, np.int64)), -1), expert_pair(w, x, up_first), y)
        return y
    return layer


# ===-- Einsums of three --------------------------------------------------------------------------------------------------===


def einsum_of_three(first, last, order=(0, 1, 2), wrapped=False):
    """Rows, matrices and weights in one; ids as jax2onnx writes them, counted from the end where negative."""
    def layer(w, x, ids, weights):
        def at():
            if not wrapped:
                return ids
            small = w.node("Cast", ids, to=TensorProto.INT32)
            end = w.node("Where", w.node("Less", small, w.array(0, np.int32)), w.node("Add", small, w.array(EXPERTS, np.int32)), small)
            same = w.node("Concat", w.node("Shape", x, end=1), w.ints(K, 1), axis=0)
            return w.node("Reshape", w.node("Expand", unsqueezed(w, end, -1), same), w.ints(-1, K))

        h = w.node("Relu", einsum(w, first, x, lookup(w, at(), HIDDEN, INNER)))
        operands = [h, lookup(w, at(), INNER, HIDDEN), weights]
        return einsum(w, last, *[operands[i] for i in order])
    return layer


def dense_of_three(w, x, ids, weights):
    h = silu(w, einsum(w, "th,ehf->etf", x, w.weight(EXPERTS, HIDDEN, INNER)))
    return einsum(w, "etf,efh,te->th", h, w.weight(EXPERTS, INNER, HIDDEN), scattered(w, x, ids, weights))


def sum_over_tokens(w, x, ids, weights):
    """The rows of a choice summed over the tokens, then spread over them: no layer."""
    h = w.node("Relu", einsum(w, "th,tkhf->tkf", x, lookup(w, ids, HIDDEN, INNER)))
    y = einsum(w, "tkf,tkfh,tk->kh", h, lookup(w, ids, INNER, HIDDEN), weights)
    return w.node("Add", x, w.node("ReduceSum", y, w.ints(0), keepdims=1))


UP_FIRST = "gate = up_first"
LAYERS = {
    "up_first": (matrix(gathered_pair(up_first, bias=True)), [GATHERED, UP_FIRST, "gate_bias"]),
    "up_first_slices": (matrix(gathered_pair(by_slices)), [GATHERED, UP_FIRST]),
    "up_first_dense": (matrix(dense_pair(up_first)), [TILED, UP_FIRST, "gate_bias"]),
    "up_first_masked": (matrix(masked_pair(up_first)), [MASKED, UP_FIRST, "gate_bias"]),
    "up_first_loop": (matrix(loop_pair(up_first)), ['"unrolled"', UP_FIRST, "gate_bias"]),
    "regrouped_halves": (matrix(gathered_pair(regrouped((2, INNER), -2, 0, 1), bias=True)), [GATHERED, "gate = halves", "gate_bias"]),
    "regrouped_up_first": (matrix(gathered_pair(regrouped((2, INNER), 3, 1, 0))), [GATHERED, UP_FIRST]),
    "regrouped_pairs": (matrix(gathered_pair(regrouped((INNER, 2), -1, 0, 1), bias=True)), [GATHERED, "gate = interleaved"]),
    "gate_second_of_pairs": (matrix(gathered_pair(regrouped((INNER, 2), -1, 1, 0), bias=True)), [GATHERED, UP_FIRST + "_pairs", "gate_bias"]),
    "gate_second_of_pairs_loop": (matrix(loop_pair(by_steps)), ['"unrolled"', UP_FIRST + "_pairs", "gate_bias"]),
    "taken_apart": (matrix(gathered_pair(taken_apart)), [GATHERED, "gate = halves"]),
    "regrouped_dense": (matrix(dense_pair(regrouped((2, INNER), -2, 1, 0))), [TILED, UP_FIRST]),
    "pieces": (matrix(in_pieces), [GROUPED, UP_FIRST, "moe.select"]),
    "ranges": (matrix(in_ranges()), [GROUPED, UP_FIRST, "moe.select"]),
    "ranges_between_ends": (matrix(in_ranges(end_before)), [GROUPED, UP_FIRST]),
    "weights_before": (matrix(factored(before=True)), [GATHERED, "moe.select"]),
    "scale_behind": (matrix(factored(scale=True)), [GATHERED]),
    "scale_and_bias": (matrix(factored(scale=True, bias=True)), [GATHERED, "down_bias"]),
    "scale_and_weights_before": (matrix(factored(before=True, scale=True)), [GATHERED]),
    "hashed": (matrix(unweighted, hashed()), ['"batched"', "down_bias"]),
    "hashed_masks": (matrix(masks, hashed()), [MASKED, UP_FIRST]),
    "hashed_masks_of_more": (matrix(masks, hashed(EXPERTS + 2)), [MASKED, UP_FIRST]),
    "hashed_where_of_some": (matrix(replaced(from_zeros=True), hashed(EXPERTS + 2)), [MASKED, UP_FIRST]),
    "hashed_where": (matrix(replaced(), hashed()), [MASKED, UP_FIRST]),
    "einsum_of_three": (matrix(einsum_of_three("th,tkhf->tkf", "tkf,tkfh,tk->th")), [GATHERED, "moe.select"]),
    "einsum_of_three_batches": (batches(einsum_of_three("bsh,bskhf->bskf", "bsk,bskfh,bskf->bsh", (2, 1, 0))), [GATHERED]),
    "einsum_of_three_wrapped": (matrix(einsum_of_three("th,tkhf->tkf", "tkf,tkfh,tk->th", wrapped=True)), [GATHERED]),
    "einsum_of_three_dense": (matrix(dense_of_three), [TILED, "moe.select"]),
}
REFUSED = {
    "one_half_twice": (matrix(gathered_pair(regrouped((2, INNER), -2, 1, 1))), "gate and up are not halves"),
    "halves_of_two_products": (matrix(gathered_pair(up_first, second=True)), "gate and up are not parts of the same product"),
    "weights_before_bias": (matrix(factored(before=True, bias=True)), "rows are weighted before a product with a bias"),
    "normed_rows": (matrix(factored(normed=True)), "depend on what it computes"),
    "three_products": (matrix(three_products), "an expert has more products than two"),
    "where_of_some": (matrix(replaced(), hashed(EXPERTS + 2)), "rows are put in the place of others by ids that may name none of the experts"),
    "ranges_from_behind": (matrix(in_ranges(reverse=1)), "the ends of the ranges are not a running sum"),
    "ranges_turned_round": (matrix(in_ranges(order_of=[1, 0, *range(2, EXPERTS)])), "range 1 of the sorted rows stands at place 0"),
    "weights_of_others": (matrix(in_ranges(weights_of_others=True)), "the running sum is not over a histogram of the ids that the rows are sorted by"),
    "sum_over_tokens": (matrix(sum_over_tokens), "it is in no weighted expert that is known"),
}
