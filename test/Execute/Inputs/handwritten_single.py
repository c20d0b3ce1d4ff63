"""MoE layers of one expert, in which every dim of the experts is 1 and a form may lack what it ends in; as handwritten_models.py, for check_handwritten.py."""

import numpy as np
from onnx import TensorProto

from handwritten_models import MASKED, TILED, einsum, expert, matrix, unsqueezed
from routed_models import HIDDEN, INNER, top


def scores(w, x, experts=1):
    return w.node("Sigmoid", w.node("MatMul", x, w.weight(HIDDEN, experts)))


def only(experts=1):
    """TopK of 1 among `experts`."""
    def router(w, x):
        values, ids = top(w, scores(w, x, experts), 1)
        return ids, values
    return router


def scattered(w, x, ids, weights):
    shape = w.node("Concat", w.node("Shape", x, end=-1), w.ints(1), axis=0)
    return w.node("ScatterElements", w.node("Expand", w.array(0.0), shape), ids, weights, axis=-1)


def one_hot(w, x, ids, weights):
    hot = w.node("OneHot", ids, w.array(1, np.int64), w.array([0.0, 1.0]), axis=-1)
    return w.node("ReduceSum", w.node("Mul", hot, unsqueezed(w, weights, -1)), w.ints(-2), keepdims=0)


def chosen(w, x, ids, weights):
    """The weight of the choice that is number 0."""
    return w.node("ReduceSum", w.node("Where", w.node("Equal", ids, w.array(0, np.int64)), weights, w.array(0.0)), w.ints(-1), keepdims=1)


def compared(w, x, ids, weights):
    hot = w.node("Cast", w.node("Equal", ids, w.array(0, np.int64)), to=TensorProto.FLOAT)
    return w.node("ReduceSum", w.node("Mul", weights, hot), w.ints(-1), keepdims=1)


def alone(weight_of):
    return lambda w, x, ids, weights: w.node("Mul", weight_of(w, x, ids, weights), expert(w, x))


def into(weight_of):
    """Two such layers one after the other, and what they start from."""
    def layer(w, x, ids, weights):
        y = w.node("Mul", expert(w, x), weight_of(w, x, ids, weights))
        again, factors = only()(w, y)
        return w.node("Add", x, w.node("Mul", expert(w, y), weight_of(w, y, again, factors)))
    return layer


def dense_matmul(w, x, ids, weights):
    h = w.node("Relu", w.node("MatMul", unsqueezed(w, x, 0), w.weight(1, HIDDEN, INNER)))
    y = w.node("Add", w.node("MatMul", h, w.weight(1, INNER, HIDDEN)), w.weight(1, 1, HIDDEN))
    turned = unsqueezed(w, w.node("Transpose", scattered(w, x, ids, weights), perm=[1, 0]), -1)
    return w.node("ReduceSum", w.node("Mul", y, turned), w.ints(0), keepdims=0)


def dense_einsum(w, x, ids, weights):
    h = w.node("Relu", einsum(w, "th,ehf->tef", x, w.weight(1, HIDDEN, INNER)))
    return einsum(w, "te,teh->th", one_hot(w, x, ids, weights), einsum(w, "tef,efh->teh", h, w.weight(1, INNER, HIDDEN)))


LAYERS = {
    "only_scattered": (matrix(alone(scattered), only()), [MASKED, "moe.select"]),
    "only_one_hot": (matrix(alone(one_hot), only()), [MASKED]),
    "only_chosen": (matrix(alone(chosen), only()), [MASKED]),
    "only_compared_twice": (matrix(into(compared), only()), [MASKED]),
    "only_dense_matmul": (matrix(dense_matmul, only()), [TILED, "down_bias"]),
    "only_dense_einsum": (matrix(dense_einsum, only()), [TILED, "moe.select"]),
}
REFUSED = {
    "one_of_two": (matrix(alone(chosen), only(2)), "one expert stands alone"),
}
