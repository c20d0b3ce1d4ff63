"""Layers in which each reader of the tokens rounds them by nodes of its own, as converters to float16 leave them; as handwritten_models.py, for
check_handwritten.py.
"""

from onnx import TensorProto

from handwritten_forms import added_at, sorted_rows
from handwritten_models import (GATHERED, GROUPED, MASKED, PADDED, TILED, argmax_kept, batches, einsum, fixed, lookup, matrix, mul_and_sum, scattered,
                                silu, squeezed, switch_slots, unsqueezed)
from routed_models import EXPERTS, HIDDEN, INNER


def rounded(w, value):
    return w.node("Cast", w.node("Cast", value, to=TensorProto.FLOAT16), to=TensorProto.FLOAT)


def of_halves(layer):
    """Tokens that float16 has exactly: whether a layer rounds them once more makes no difference."""
    def on_halves(w, x, ids, weights):
        return layer(w, w.node("Abs", rounded(w, x)), ids, weights)
    return on_halves


def gated(w, product):
    return w.node("Mul", silu(w, product()), product())


def gathered(w, x, ids, weights):
    h = gated(w, lambda: w.node("MatMul", unsqueezed(w, rounded(w, x), 1, 2), lookup(w, ids, HIDDEN, INNER)))
    return mul_and_sum(w, squeezed(w, w.node("MatMul", h, lookup(w, ids, INNER, HIDDEN)), 2), weights, 1)


def grouped(w, x, ids, weights):
    order, token, _, counts = sorted_rows(w, x, ids)

    def product(rows, inputs, outputs):
        pieces = w.node("Split", rows, counts, outputs=EXPERTS, axis=0)
        return w.node("Concat", *[w.node("MatMul", piece, w.weight(inputs, outputs)) for piece in pieces], axis=0)

    h = gated(w, lambda: product(w.node("Gather", rounded(w, x), token, axis=0), HIDDEN, INNER))
    return added_at(w, x, product(h, INNER, HIDDEN), weights, order, token)


def masked(w, x, ids, weights):
    terms = []
    weight_map = scattered(w, x, ids, weights)
    for number in range(EXPERTS):
        rows = lambda: w.node("Reshape", rounded(w, x), w.ints(-1, HIDDEN))
        h = gated(w, lambda: w.node("MatMul", rows(), w.weight(HIDDEN, INNER)))
        column = w.node("Slice", weight_map, w.ints(number), w.ints(number + 1), w.ints(1))
        terms.append(w.node("Mul", w.node("MatMul", h, w.weight(INNER, HIDDEN)), column))
    return w.node("Sum", *terms)


def tiled(w, x, ids, weights):
    h = gated(w, lambda: einsum(w, "th,ehf->tef", rounded(w, x), w.weight(EXPERTS, HIDDEN, INNER)))
    return einsum(w, "te,teh->th", scattered(w, x, ids, weights), einsum(w, "tef,efh->teh", h, w.weight(EXPERTS, INNER, HIDDEN)))


def padded(w, x, ids, weights):
    """The slots are rounded once more for each product."""
    def experts(rows):
        h = gated(w, lambda: einsum(w, "ebch,ehf->ebcf", rounded(w, rows), w.weight(EXPERTS, HIDDEN, INNER)))
        return einsum(w, "ebcf,efh->ebch", h, w.weight(EXPERTS, INNER, HIDDEN))
    return switch_slots(w, x, ids, weights, fixed(2), experts)


LAYERS = {
    "casts_gathered": (matrix(of_halves(gathered)), [GATHERED, "moe.select", "up("]),
    "casts_grouped": (matrix(of_halves(grouped)), [GROUPED, "moe.select", "up("]),
    "casts_masked": (matrix(of_halves(masked)), [MASKED, "moe.select", "up("]),
    "casts_tiled": (matrix(of_halves(tiled)), [TILED, "moe.select", "up("]),
    "casts_padded": (batches(of_halves(padded), argmax_kept), [PADDED, "up("]),
}
REFUSED = {}
