"""Loops over the experts as tutorials and small models write them, and what nearly is one; as handwritten_models.py, for check_handwritten.py.

An expert's tokens are found with a mask over the tokens (whichever of their choices it is) or over all choices of all tokens; the weights are read
with another mask, or when all experts are done.
"""

import numpy as np
from onnx import TensorProto

from handwritten_forms import hashed
from handwritten_models import batches, matrix, silu, unsqueezed
from routed_models import EXPERTS, HIDDEN, INNER, K, topk_softmax


def expert(w, rows):
    gate, up, down = w.weight(HIDDEN, INNER), w.weight(HIDDEN, INNER), w.weight(INNER, HIDDEN)
    return w.node("MatMul", w.node("Mul", silu(w, w.node("MatMul", rows, gate)), w.node("MatMul", rows, up)), down)


def equals(w, ids, number):
    return w.node("Equal", ids, w.array(number, np.int64))


def found(w, mask):
    """Where a mask over rows is true: [n, 1]."""
    return w.node("Transpose", w.node("NonZero", mask), perm=[1, 0])


def zeros(w, like):
    return w.node("ConstantOfShape", w.node("Shape", like))


# ===-- Rows of all choices, put in place by a mask ------------------------------------------------------------------------===


def assigned(w, into, mask, rows, sliced=False):
    """into[mask] = rows, element by element."""
    everywhere = w.node("Expand", unsqueezed(w, mask, -1), w.node("Shape", into))
    places = w.node("Transpose", w.node("NonZero", everywhere), perm=[1, 0])
    values = w.node("Reshape", rows, w.ints(-1))
    if sliced:
        count = unsqueezed(w, w.node("Gather", w.node("Shape", places), w.array(0, np.int64), axis=0), 0)
        values = w.node("Slice", values, w.ints(0), count, w.ints(0))
    return w.node("ScatterND", into, places, values)


def for_all_choices(tile=False, sliced=False, repeats=True, weighted=True, start=0.0):
    """y[ids == e] = expert(x[ids == e]) over the tokens repeated for their choices; weighted and summed at the end."""
    def layer(w, x, ids, weights):
        single = unsqueezed(w, x, 1)
        rows = w.node("Tile", single, w.ints(1, K, 1)) if tile else w.node("Expand", single, w.ints(1, K, 1))
        if not repeats:  # The tokens once in order and once again, as torch.repeat has them.
            rows = w.node("Transpose", rows, perm=[1, 0, 2])
        rows = w.node("Reshape", rows, w.ints(-1, HIDDEN))
        y = zeros(w, rows) if start == 0.0 else w.node("Expand", w.array(start), w.node("Shape", rows))
        flat = w.node("Reshape", ids, w.ints(-1))
        for number in range(EXPERTS):
            mask = equals(w, flat, number)
            y = assigned(w, y, mask, expert(w, w.node("GatherND", rows, found(w, mask))), sliced)
        y = w.node("Reshape", y, w.ints(-1, K, HIDDEN))
        return w.node("ReduceSum", w.node("Mul", y, unsqueezed(w, weights, -1)) if weighted else y, w.ints(1), keepdims=0)
    return layer


# ===-- Rows of the tokens that chose the expert ---------------------------------------------------------------------------===


def any_choice(w, mask):
    """[T]: is one of the choices the expert?"""
    counts = w.node("ReduceSum", w.node("Cast", mask, to=TensorProto.INT64), w.ints(-1), keepdims=0)
    return w.node("Greater", counts, w.array(0, np.int64))


def at_elements(w, weights, mask, token):
    """weights[mask]: one for each choice that is the expert."""
    return w.node("GatherND", weights, w.node("Transpose", w.node("NonZero", mask), perm=[1, 0]))


def at_first(of=lambda w, mask, token: w.node("Gather", mask, token, axis=0)):
    """The weight of the first choice that is the expert, in the token's own row."""
    def read(w, weights, mask, token):
        first = w.node("ArgMax", w.node("Cast", of(w, mask, token), to=TensorProto.INT32), axis=-1, keepdims=1)
        return w.node("GatherElements", w.node("Gather", weights, token, axis=0), first, axis=1)
    return read


def for_tokens(weight, others=False, cast=False):
    """With `cast`, each expert rounds the tokens by nodes of its own, as converters to float16 leave them."""
    def layer(w, x, ids, weights):
        y = zeros(w, x)
        rounded = lambda: w.node("Cast", w.node("Cast", x, to=TensorProto.FLOAT16), to=TensorProto.FLOAT) if cast else x
        for number in range(EXPERTS):
            mask = equals(w, ids, number)
            token = w.node("Squeeze", found(w, any_choice(w, mask)), w.ints(1))
            read = equals(w, ids, (number + 1) % EXPERTS) if others else mask
            factors = w.node("Reshape", weight(w, weights, read, token), w.ints(-1, 1))
            rows = w.node("Mul", expert(w, w.node("Gather", rounded(), token, axis=0)), factors)
            y = w.node("ScatterND", y, unsqueezed(w, token, -1), rows, reduction="add")
        return y
    return layer


def twice(w, x):
    """Two choices that may be the same expert."""
    ids, weights = topk_softmax(w, x)
    return w.node("Mod", w.node("Mul", ids, w.array(2, np.int64)), w.array(EXPERTS, np.int64)), weights


def hashed_twice(w, x):
    """Every choice by the same hash; ids that may name no expert."""
    ids, _ = hashed(EXPERTS + 1)(w, x)
    return w.node("Expand", unsqueezed(w, ids, -1), w.ints(1, K)), topk_softmax(w, x)[1]


def last_row(w, mask, token):
    """Another row of the mask than the token's own."""
    return w.node("Gather", mask, w.node("Sub", token, w.array(1, np.int64)), axis=0)


# ===-- Rows of the tokens that have a weight for the expert ---------------------------------------------------------------===


def above_threshold(w, x, ids, weights):
    """[T, E]: any number of experts, those whose score is high enough."""
    return w.node("Relu", w.node("Sub", w.node("Softmax", w.node("MatMul", x, w.weight(HIDDEN, EXPERTS)), axis=-1), w.array(0.11)))


def softmax_of_all(w, x, ids, weights):
    return w.node("Softmax", w.node("MatMul", x, w.weight(HIDDEN, EXPERTS)), axis=-1)


def signed(w, x, ids, weights):
    """As many below 0 as above."""
    return w.node("MatMul", x, w.weight(HIDDEN, EXPERTS))


def two_in_turn(capacity=3, distinct=True):
    """NLLB-MoE: the greatest and the greatest beside it, each as long as the expert has room."""
    def gates(w, x, ids, weights):
        logits = w.node("MatMul", x, w.weight(HIDDEN, EXPERTS))
        scores, masks, rest = w.node("Softmax", logits, axis=-1), [], logits
        for _ in range(2):
            best = w.node("ArgMax", rest, axis=-1, keepdims=0)
            hot = w.node("OneHot", best, w.ints(EXPERTS), w.ints(0, 1), axis=-1)
            room = w.node("LessOrEqual", w.node("CumSum", hot, w.array(0, np.int64)), w.array(capacity, np.int64))
            masks.append(w.node("Cast", w.node("Mul", hot, w.node("Cast", room, to=TensorProto.INT64)), to=TensorProto.FLOAT))
            if distinct:
                rest = w.node("Where", w.node("Cast", hot, to=TensorProto.BOOL), w.array(-np.inf), logits)
        parts = [w.node("ReduceSum", w.node("Mul", scores, mask), w.ints(1), keepdims=1) for mask in masks]
        return w.node("Add", *[w.node("Mul", part, mask) for part, mask in zip(parts, masks)])
    return gates


def for_gates(gates_of, test=None, others=False, bound=0.0, apart=False):
    """The rows where `test` holds of the expert's column of the gates, times that column (`others`: of another map). With a bound the test is of all,
    by one node or (`apart`) by one for each expert."""
    def layer(w, x, ids, weights):
        gates = gates_of(w, x, ids, weights)
        factors = w.node("Relu", gates) if others else gates
        y = zeros(w, x)
        above = [w.node("Greater", gates, w.array(bound)) for _ in range(EXPERTS if apart else 1)] if bound else []
        for number in range(EXPERTS):
            column = lambda of: w.node("Gather", of, w.array(number, np.int64), axis=1)
            if bound:
                mask = column(above[number if apart else 0])
            else:
                mask = w.node("Greater", column(gates), w.array(0.0)) if test else w.node("Not", w.node("Equal", column(gates), w.array(0.0)))
            token = found(w, mask)
            weight = w.node("GatherND", unsqueezed(w, column(factors), 1), token)
            y = w.node("ScatterND", y, token, w.node("Mul", expert(w, w.node("GatherND", x, token)), weight), reduction="add")
        return y
    return layer


# ===-- Experts in stored tensors of all, and some that compute nothing ---------------------------------------------------===


def stored_expert(w, number, inner, outer, orders):
    """Expert `number` of gate, up and down; `orders` say which of them are stored [E, in, out] (True) or [E, out, in]."""
    def product(rows, whole, in_out):
        own = w.node("Gather", whole, w.array(number, np.int64), axis=0)
        return w.node("MatMul", rows, own) if in_out else w.node("Gemm", rows, own, transB=1)
    first, second = orders
    return lambda rows: product(w.node("Mul", silu(w, product(rows, inner[0], first)), product(rows, inner[1], first)), outer, second)


def for_stored(orders, passing=0, between=False):
    """The rows of each choice that is the expert. The last `passing` experts hand their rows on (`between`: those that stand in front do)."""
    def layer(w, x, ids, weights):
        first, second = orders
        computing = EXPERTS - passing
        inner = [w.weight(EXPERTS, HIDDEN, INNER) if first else w.weight(EXPERTS, INNER, HIDDEN) for _ in range(2)]
        outer = w.weight(computing, INNER, HIDDEN) if second else w.weight(computing, HIDDEN, INNER)
        mask = w.node("Transpose", w.node("OneHot", ids, w.ints(EXPERTS), w.ints(0, 1), axis=-1), perm=[2, 1, 0])
        y = zeros(w, x)
        for number in range(EXPERTS):
            choice, token = w.node("Split", found(w, w.node("Gather", mask, w.array(number, np.int64), axis=0)), w.ints(1, 1), outputs=2, axis=1)
            rows = w.node("GatherND", x, token)
            passes = number < passing if between else number >= computing
            if not passes:
                rows = stored_expert(w, number - passing if between else number, inner, outer, orders)(rows)
            factors = w.node("GatherND", unsqueezed(w, weights, 2), w.node("Concat", token, choice, axis=-1))
            y = w.node("ScatterND", y, token, w.node("Mul", rows, factors), reduction="add")
        return y
    return layer


# ===-- Rows of Switch Transformer, by the TorchScript exporter -----------------------------------------------------------===


def switch_of_batches(w, x, ids, weights):
    """One choice per token, [batch, sequence], as far as the experts have room in a sequence."""
    scores = w.node("Softmax", w.node("MatMul", x, w.weight(HIDDEN, EXPERTS)), axis=-1)
    hot = w.node("OneHot", w.node("ArgMax", scores, axis=-1, keepdims=0), w.ints(EXPERTS), w.ints(0, 1), axis=-1)
    room = w.node("LessOrEqual", w.node("CumSum", hot, w.array(-2, np.int64)), w.array(2, np.int64))
    masks = w.node("Transpose", w.node("Reshape", w.node("Mul", hot, w.node("Cast", room, to=TensorProto.INT64)), w.ints(-1, 1, EXPERTS)), perm=[2, 1, 0])
    factors = w.node("Reshape", w.node("ReduceMax", scores, w.ints(-1), keepdims=0), w.ints(-1, 1))
    rows = w.node("Reshape", x, w.ints(-1, HIDDEN))
    y = zeros(w, rows)
    for number in range(EXPERTS):
        mask = w.node("Cast", w.node("Gather", masks, w.array(number, np.int64), axis=0), to=TensorProto.BOOL)
        _, token = w.node("Split", found(w, mask), w.ints(1, 1), outputs=2, axis=1)
        token = w.node("Squeeze", token, w.ints(1))
        result = w.node("Mul", expert(w, w.node("Gather", rows, token, axis=0)), w.node("Gather", factors, token, axis=0))
        places = w.node("Expand", unsqueezed(w, token, 1), w.node("Shape", result))
        y = w.node("Add", y, w.node("ScatterElements", zeros(w, rows), places, result, axis=0))
    return w.node("Reshape", y, w.node("Shape", x))


UNROLLED = '"unrolled"'
LAYERS = {
    "all_choices": (matrix(for_all_choices()), [UNROLLED, "moe.select"]),
    "all_choices_tiled": (matrix(for_all_choices(tile=True, sliced=True)), [UNROLLED, "moe.select"]),
    "all_choices_unweighted": (matrix(for_all_choices(weighted=False)), [UNROLLED]),
    "all_choices_twice": (matrix(for_all_choices(), twice), [UNROLLED]),
    "all_choices_of_none": (matrix(for_all_choices(), hashed_twice), [UNROLLED]),
    "all_choices_other_order": (matrix(for_all_choices(repeats=False)), [UNROLLED]),
    "weights_of_the_mask": (matrix(for_tokens(at_elements)), [UNROLLED, "moe.select"]),
    "weights_of_the_first": (matrix(for_tokens(at_first())), [UNROLLED, "moe.select"]),
    "gates_above_threshold": (matrix(for_gates(above_threshold)), [UNROLLED, "tensor<?x8xi64>"]),
    "gates_signed": (matrix(for_gates(signed)), [UNROLLED]),
    "gates_signed_above": (matrix(for_gates(signed, "Greater")), [UNROLLED]),
    "gates_of_another_map": (matrix(for_gates(signed, others=True)), [UNROLLED]),
    "gates_over_bound": (matrix(for_gates(softmax_of_all, "Greater", bound=0.11)), [UNROLLED]),
    "gates_in_turn": (matrix(for_gates(two_in_turn())), [UNROLLED, "moe.assign", "tensor<?x2xi64>"]),
    "gates_not_in_turn": (matrix(for_gates(two_in_turn(distinct=False))), [UNROLLED, "moe.assign", "tensor<?x8xi64>"]),
    "switch_of_batches": (batches(switch_of_batches), [UNROLLED]),
    "orders_mixed": (matrix(for_stored((False, True))), [UNROLLED, "moe.select", "down_order = #moe<weight_order in_out>"]),
    "orders_mixed_other": (matrix(for_stored((True, False))), [UNROLLED, "moe.select", "down_order = #moe<weight_order out_in>"]),
    "experts_passing": (matrix(for_stored((False, False), passing=3)), [UNROLLED, "experts = 5 : i64"]),
    "casts_of_its_own": (matrix(for_tokens(at_elements, cast=True)), [UNROLLED, "moe.select"]),
}
REFUSED = {
    "gates_apart": (matrix(for_gates(softmax_of_all, "Greater", bound=0.11, apart=True)), "one expert stands alone"),
    "experts_passing_first": (matrix(for_stored((False, False), passing=3, between=True)), "experts that compute nothing are not the last"),
    "all_choices_of_some": (matrix(for_all_choices(start=0.25), hashed_twice), "rows are put in the place of others by ids that may name none"),
    "weights_of_the_first_twice": (matrix(for_tokens(at_first()), twice), "the weights of an expert's rows are not those of its tokens"),
    "weights_of_another_row": (matrix(for_tokens(at_first(last_row))), "the weights of an expert's rows are not those of its tokens"),
    "weights_of_another_expert": (matrix(for_tokens(at_first(), others=True)), "the weights of an expert's rows are not those of its tokens"),
}
