"""Experts that stand one by one, on slots: how slots are filled, taken apart and put together again, and what nearly is such a layer; for check_handwritten.py."""

import numpy as np

from handwritten_models import batches, einsum, expert, matrix, scattered, silu, squeezed, unsqueezed
from routed_models import EXPERTS, HIDDEN, INNER

SLOTS = 3

# ===-- Slots -------------------------------------------------------------------------------------------------------------===


def mixed(w, x):
    """Soft MoE on batches: the slots [B, E, C, H], and what mixes their results."""
    logits = einsum(w, "bsh,hec->bsec", x, w.weight(HIDDEN, EXPERTS, SLOTS))
    slots = einsum(w, "bsec,bsh->bech", w.node("Softmax", logits, axis=1), x)
    return slots, w.node("Softmax", w.node("Reshape", logits, w.ints(0, 0, EXPERTS * SLOTS)), axis=-1)


def mixed_rows(w, x, slots):
    """Soft MoE on a matrix: the slots [S, H] and what mixes their results."""
    logits = w.node("MatMul", x, w.weight(HIDDEN, slots))
    return w.node("MatMul", w.node("Transpose", w.node("Softmax", logits, axis=0), perm=[1, 0]), x), w.node("Softmax", logits, axis=1)


# ===-- Experts -----------------------------------------------------------------------------------------------------------===


def gated(w, x):
    gate = w.node("Add", w.node("MatMul", x, w.weight(HIDDEN, INNER)), w.weight(INNER))
    up = w.node("MatMul", x, w.weight(HIDDEN, INNER))
    return w.node("Add", w.node("MatMul", w.node("Mul", silu(w, gate), up), w.weight(INNER, HIDDEN)), w.weight(HIDDEN))


def of_slot(w, slots, number, axis):
    return w.node("Gather", slots, w.array(number, np.int64), axis=axis)


# ===-- Layers ------------------------------------------------------------------------------------------------------------===


def stacked(axis, compute=gated):
    """torch.stack of the results, along the dim that the slots were taken from or another."""
    def layer(w, x, ids, weights):
        slots, combine = mixed(w, x)
        y = w.node("Concat", *[unsqueezed(w, compute(w, of_slot(w, slots, e, 1)), axis) for e in range(EXPERTS)], axis=axis)
        if axis == 0:
            y = w.node("Transpose", y, perm=[1, 0, 2, 3])
        return w.node("MatMul", combine, w.node("Reshape", y, w.ints(0, EXPERTS * SLOTS, HIDDEN)))
    return layer


def joined(w, x, ids, weights):
    """torch.cat along the slots: [B, E·C, H] at once."""
    slots, combine = mixed(w, x)
    return w.node("MatMul", combine, w.node("Concat", *[expert(w, of_slot(w, slots, e, 1)) for e in range(EXPERTS)], axis=1))


def experts_last(w, x, ids, weights):
    """[B, C, E, H]: the slots of an expert do not lie together, and the results come together another way."""
    slots, combine = mixed(w, x)
    turned = w.node("Transpose", slots, perm=[0, 2, 1, 3])
    return w.node("MatMul", combine, w.node("Concat", *[expert(w, of_slot(w, turned, e, 2)) for e in range(EXPERTS)], axis=1))


def chunks(w, x, ids, weights):
    slots, combine = mixed_rows(w, x, EXPERTS * SLOTS)
    parts = w.node("Split", slots, outputs=EXPERTS, axis=0, num_outputs=EXPERTS)
    return w.node("MatMul", combine, w.node("Concat", *[gated(w, part) for part in parts], axis=0))


def slices(order=range(EXPERTS), slots_of_none=0, odd=None):
    def layer(w, x, ids, weights):
        slots, combine = mixed_rows(w, x, EXPERTS * SLOTS + slots_of_none)
        results = []
        for number, e in enumerate(order):
            part = w.node("Slice", slots, w.ints(e * SLOTS), w.ints((e + 1) * SLOTS), w.ints(0), w.ints(1))
            results.append((odd if odd and number == 2 else expert)(w, part))
        if slots_of_none:
            results.append(w.node("Slice", slots, w.ints(EXPERTS * SLOTS), w.ints(2**63 - 1), w.ints(0)))
        return w.node("MatMul", combine, w.node("Concat", *results, axis=0))
    return layer


def one_each(w, x, ids, weights):
    """As many slots as tokens: the map times the tokens. Their number depends on the input."""
    weight_map = scattered(w, x, ids, weights)
    slots = einsum(w, "te,th->eth", weight_map, x)
    y = w.node("Concat", *[unsqueezed(w, expert(w, of_slot(w, slots, e, 0)), 0) for e in range(EXPERTS)], axis=0)
    return einsum(w, "te,eth->th", weight_map, y)


def gathered(w, x, ids, weights):
    """A slot of each expert, for the token that wants it most."""
    wanted = w.node("ArgMax", w.node("MatMul", x, w.weight(HIDDEN, EXPERTS)), axis=0, keepdims=0)
    slots = unsqueezed(w, w.node("Gather", x, wanted, axis=0), 1)
    y = w.node("Concat", *[unsqueezed(w, gated(w, of_slot(w, slots, e, 0)), 0) for e in range(EXPERTS)], axis=0)
    return einsum(w, "te,ech->th", scattered(w, x, ids, weights), y)


def added(w, x, ids, weights):
    """Tokens are added up in the slot of their first expert, in zeros, and the sum is added to a matrix of zeros; factors of 1 around biases."""
    first = w.node("Gather", ids, w.array(0, np.int64), axis=1)
    index = w.node("Expand", unsqueezed(w, first, -1), w.node("Shape", x))
    nothing = w.array(np.zeros((EXPERTS, HIDDEN)))
    slots = w.node("Add", nothing, w.node("ScatterElements", nothing, index, x, axis=0, reduction="add"))
    once = lambda value: w.node("Mul", value, w.array(1.0))
    h = w.node("Add", once(w.node("MatMul", unsqueezed(w, slots, 1), w.weight(EXPERTS, HIDDEN, INNER))), w.weight(EXPERTS, 1, INNER))
    y = w.node("Add", once(w.node("MatMul", w.node("Relu", h), w.weight(EXPERTS, INNER, HIDDEN))), w.weight(EXPERTS, 1, HIDDEN))
    return w.node("Gather", squeezed(w, y, 1), first, axis=0)


SOFT, PADDED = '"soft"', '"padded"'

LAYERS = {
    "slots_stacked": (batches(stacked(1)), [SOFT, "gate_bias", "down_bias"]),
    "slots_stacked_in_front": (batches(stacked(0)), [SOFT, "gate_bias"]),
    "slots_joined": (batches(joined), [SOFT]),
    "slots_experts_last": (batches(experts_last), [SOFT]),
    "slots_in_chunks": (matrix(chunks), [SOFT, "gate_bias"]),
    "slots_in_slices": (matrix(slices()), [SOFT]),
    "slots_for_all": (matrix(one_each), ["moe.experts"]),
    "slots_gathered": (matrix(gathered), [PADDED, "gate_bias"]),
    "slots_added": (matrix(added), [PADDED, "gate_bias", "down_bias"]),
}

REFUSED = {
    "slots_out_of_order": (matrix(slices(order=[1, 0, *range(2, EXPERTS)])), "the experts do not read the parts of one tensor of slots in the order"),
    "slots_used_twice": (matrix(slices(order=[0, 1, 2, 2, *range(4, EXPERTS)])), "the experts do not read the parts of one tensor of slots in the order"),
    "slots_of_none": (matrix(slices(slots_of_none=SLOTS)), "no product of rows with a stored matrix"),
    "slots_of_two_kinds": (matrix(slices(odd=gated)), "the experts compute different functions"),
}
