"""Loops over the experts as tutorials and small models write them, and what nearly is one; as handwritten_models.py, for check_handwritten.py.

An expert's tokens are found with a mask over the tokens (whichever of their choices it is) or over all choices of all tokens; the weights are read
with another mask, or when all experts are done.
"""

import numpy as np
from onnx import TensorProto

from handwritten_forms import hashed
from handwritten_models import matrix, silu, unsqueezed
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
    "casts_of_its_own": (matrix(for_tokens(at_elements, cast=True)), [UNROLLED, "moe.select"]),
}
REFUSED = {
    "all_choices_of_some": (matrix(for_all_choices(start=0.25), hashed_twice), "rows are put in the place of others by ids that may name none"),
    "weights_of_the_first_twice": (matrix(for_tokens(at_first()), twice), "the weights of an expert's rows are not those of its tokens"),
    "weights_of_another_row": (matrix(for_tokens(at_first(last_row))), "the weights of an expert's rows are not those of its tokens"),
    "weights_of_another_expert": (matrix(for_tokens(at_first(), others=True)), "the weights of an expert's rows are not those of its tokens"),
}
