"""Mixtures whose experts are no matrices of a layer: convolutions, matrices that gates merge, rows of tables; and loops that put rows in place by a mask.
As handwritten_models.py, for check_handwritten.py.
"""

import numpy as np
from onnx import TensorProto

from handwritten_forms import expert_pair, up_first
from handwritten_loops import any_choice, assigned, at_elements, equals, found, zeros
from handwritten_models import einsum, matrix, scattered, softmax_of_all, sum_before_columns, unsqueezed
from routed_models import EXPERTS, HIDDEN, INNER, logits_of, top

# ===-- masked_scatter ------------------------------------------------------------------------------------------------------===


def masked_scatter(w, x, ids, weights):
    """y += zeros.masked_scatter(mask, rows)."""
    y = zeros(w, x)
    for number in range(EXPERTS):
        mask = equals(w, ids, number)
        any_mask = any_choice(w, mask)
        token = w.node("Squeeze", found(w, any_mask), w.ints(1))
        factors = w.node("Reshape", at_elements(w, weights, mask, token), w.ints(-1, 1))
        rows = w.node("Mul", expert_pair(w, w.node("Gather", x, token, axis=0), up_first), factors)
        y = w.node("Add", y, assigned(w, zeros(w, x), any_mask, rows, sliced=True))
    return y


def below_each_other(w, x, ids, weights):
    """The matrices of all experts in one of [E·F, H] (DBRX)."""
    def bank(outputs, inputs):
        whole = w.node("Reshape", w.weight(EXPERTS * outputs, inputs), w.ints(EXPERTS, outputs, inputs))
        return [w.node("Squeeze", part, w.ints(0)) for part in w.node("Split", whole, outputs=EXPERTS, axis=0, num_outputs=EXPERTS)]

    first, second = bank(INNER, HIDDEN), bank(HIDDEN, INNER)
    y = zeros(w, x)
    for number in range(EXPERTS):
        places = w.node("NonZero", equals(w, ids, number))
        token = w.node("Gather", places, w.array(0, np.int64), axis=0)
        factors = unsqueezed(w, w.node("GatherND", weights, w.node("Transpose", places, perm=[1, 0])), -1)
        h = w.node("Relu", w.node("MatMul", w.node("Gather", x, token, axis=0), w.node("Transpose", first[number], perm=[1, 0])))
        rows = w.node("MatMul", h, w.node("Transpose", second[number], perm=[1, 0]))
        y = w.node("ScatterND", y, unsqueezed(w, token, -1), w.node("Mul", rows, factors), reduction="add")
    return y


def rounded_loop(w, x, ids, weights, activation=lambda w, rows: w.node("Relu", rows)):
    """Rows that are rounded to integers in front of each product, as dynamic quantisation leaves them."""
    def product(rows, inputs, outputs):
        codes, scale, zero = w.node("DynamicQuantizeLinear", rows, outputs=3)
        matrix_codes = w.array(w.random.integers(-128, 128, (inputs, outputs)), np.int8)
        sums = w.node("Cast", w.node("MatMulInteger", codes, matrix_codes, zero), to=TensorProto.FLOAT)
        return w.node("Mul", sums, w.node("Mul", scale, w.array(0.002)))

    y = zeros(w, x)
    for number in range(EXPERTS):
        places = w.node("NonZero", equals(w, ids, number))
        token = w.node("Gather", places, w.array(0, np.int64), axis=0)
        factors = unsqueezed(w, w.node("GatherND", weights, w.node("Transpose", places, perm=[1, 0])), -1)
        rows = product(activation(w, product(w.node("Gather", x, token, axis=0), HIDDEN, INNER)), INNER, HIDDEN)
        added = w.node("ScatterND", zeros(w, x), unsqueezed(w, token, -1), w.node("Mul", rows, factors))
        y = w.node("Add", y, added)
    return y


def rounded_inside(w, x, ids, weights):
    """The activation itself is rounded on the way, as a quantiser of all nodes leaves it."""
    def silu(w, rows):
        steps = [w.array(1 / 256), w.array(0, np.uint8)]
        return w.node("Mul", rows, w.node("DequantizeLinear", w.node("QuantizeLinear", w.node("Sigmoid", rows), *steps), *steps))
    return rounded_loop(w, x, ids, weights, silu)


def sparse_dispatcher(w, x, ids, weights):
    """The tokens of each expert side by side, in the order of the gates that are not 0."""
    gates = scattered(w, x, ids, weights)
    positive = w.node("Greater", gates, w.array(0.0))
    places = w.node("NonZero", w.node("Transpose", positive, perm=[1, 0]))
    of_expert, token = (w.node("Gather", places, w.array(row, np.int64), axis=0) for row in (0, 1))
    sizes = w.node("ReduceSum", w.node("Cast", positive, to=TensorProto.INT64), w.ints(0), keepdims=0)
    pieces = w.node("Split", w.node("Gather", x, token, axis=0), sizes, outputs=EXPERTS, axis=0)
    rows = w.node("Concat", *[expert_pair(w, piece, up_first) for piece in pieces], axis=0)
    factors = w.node("GatherElements", w.node("Gather", gates, token, axis=0), unsqueezed(w, of_expert, -1), axis=1)
    return w.node("ScatterND", zeros(w, x), unsqueezed(w, token, -1), w.node("Mul", rows, factors), reduction="add")


# ===-- Convolutions --------------------------------------------------------------------------------------------------------===


def grouped_convolution(combine):
    """All experts in one Conv, a group of channels each."""
    def layer(w, x, ids, weights):
        repeated = unsqueezed(w, w.node("Tile", x, w.ints(1, EXPERTS)), -1)
        h = w.node("Relu", w.node("Conv", repeated, w.weight(EXPERTS * INNER, HIDDEN, 1), group=EXPERTS))
        y = w.node("Reshape", w.node("Conv", h, w.weight(EXPERTS * HIDDEN, INNER, 1), group=EXPERTS), w.ints(-1, EXPERTS, HIDDEN))
        return combine(w, scattered(w, x, ids, weights), y)
    return layer


def single_convolutions(w, x, ids, weights):
    """Each expert is two convolutions of size 1."""
    image, gates = unsqueezed(w, x, 2, 3), scattered(w, x, ids, weights)
    terms = []
    for number in range(EXPERTS):
        y = w.node("Conv", w.node("Relu", w.node("Conv", image, w.weight(INNER, HIDDEN, 1, 1))), w.weight(HIDDEN, INNER, 1, 1))
        terms.append(w.node("Mul", y, unsqueezed(w, w.node("Gather", gates, w.ints(number), axis=1), 2, 3)))
    return w.node("Squeeze", w.node("Sum", *terms), w.ints(2, 3))


def three_products(w, x, ids, weights):
    gates, terms = scattered(w, x, ids, weights), []
    for number in range(EXPERTS):
        h = w.node("Relu", w.node("MatMul", x, w.weight(HIDDEN, INNER)))
        h = w.node("Relu", w.node("MatMul", h, w.weight(INNER, INNER)))
        terms.append(w.node("Mul", w.node("MatMul", h, w.weight(INNER, HIDDEN)), w.node("Gather", gates, w.ints(number), axis=1)))
    return w.node("Sum", *terms)


# ===-- Merged matrices -----------------------------------------------------------------------------------------------------===


def merged(matrix_of, gates_of=softmax_of_all):
    """An expert of each token's own, whose matrices are sums of all experts'."""
    def layer(w, x, ids, weights):
        gates = gates_of(w, x, ids, weights)
        h = w.node("Relu", w.node("MatMul", unsqueezed(w, x, 1), matrix_of(w, gates, HIDDEN, INNER)))
        return w.node("Squeeze", w.node("MatMul", h, matrix_of(w, gates, INNER, HIDDEN)), w.ints(1))
    return layer


def by_einsum(w, gates, inputs, outputs):
    return einsum(w, "te,eio->tio", gates, w.weight(EXPERTS, inputs, outputs))


def by_rows(w, gates, inputs, outputs):
    rows = w.node("Reshape", w.weight(EXPERTS, inputs, outputs), w.ints(EXPERTS, -1))
    return w.node("Reshape", w.node("MatMul", gates, rows), w.ints(-1, inputs, outputs))


def by_columns(w, gates, inputs, outputs):
    column = lambda number: unsqueezed(w, w.node("Gather", gates, w.ints(number), axis=1), -1)
    return w.node("Sum", *[w.node("Mul", column(number), w.weight(inputs, outputs)) for number in range(EXPERTS)])


def codebook(w, x, ids, weights):
    """A Softmax over entries that are rows, each added to its token: nothing is merged, and nothing is said."""
    entry = w.node("MatMul", w.node("Softmax", logits_of(w, x), axis=-1), w.weight(EXPERTS, HIDDEN))
    scores = w.node("Softmax", w.node("MatMul", entry, w.node("Transpose", x, perm=[1, 0])), axis=-1)
    return w.node("MatMul", scores, entry)


# ===-- Rows of tables ------------------------------------------------------------------------------------------------------===


def product_keys(w, x, _, __):
    """Expert i is row i of two tables."""
    values, ids = top(w, logits_of(w, x))
    down, up = (w.node("Gather", w.weight(EXPERTS, HIDDEN), ids, axis=0) for _ in range(2))
    h = w.node("Relu", w.node("Squeeze", w.node("MatMul", down, unsqueezed(w, x, -1)), w.ints(-1)))
    h = w.node("Mul", h, w.node("Softmax", values, axis=-1))
    return w.node("Squeeze", w.node("MatMul", unsqueezed(w, h, 1), up), w.ints(1))


MERGED, CONVOLUTIONS = "experts are merged by gates", "the experts are convolutions"
LAYERS = {
    "masked_scatter": (matrix(masked_scatter), ['"unrolled"', "moe.select"]),
    "below_each_other": (matrix(below_each_other), ['"unrolled"', "moe.select"]),
    "rounded_loop": (matrix(rounded_loop), ['"unrolled"', "#moe.steps<at = input, lower = 0, upper = 255>, #moe.steps<at = hidden,"]),
}
REFUSED = {
    "grouped_convolution": (matrix(grouped_convolution(sum_before_columns)), CONVOLUTIONS),
    "grouped_convolution_einsum": (matrix(grouped_convolution(lambda w, gates, y: einsum(w, "te,teh->th", gates, y))), CONVOLUTIONS),
    "single_convolutions": (matrix(single_convolutions), CONVOLUTIONS),
    "three_products_by_map": (matrix(three_products), "an expert of rows of its own"),
    "merged_by_einsum": (matrix(merged(by_einsum)), MERGED),
    "merged_by_rows": (matrix(merged(by_rows)), MERGED),
    "merged_by_columns": (matrix(merged(by_columns)), MERGED),
    "merged_of_chosen": (matrix(merged(by_einsum, scattered)), MERGED),
    "sparse_dispatcher": (matrix(sparse_dispatcher), "pieces as long as each has gates above 0"),
    "product_keys": (matrix(product_keys), "the experts are rows of two tables"),
}
# The report gives this reason for each of their nodes.
ALIKE = {
    "rounded_inside": (matrix(rounded_inside), "rows are rounded to integers"),
}
SILENT = {
    "codebook": matrix(codebook),
}
