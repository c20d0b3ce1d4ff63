"""The choices that MoE schemes are made of, as the papers define them: float64, one token and one expert at a time.

Nothing here follows the compiler: no permutation, no slots. A routing is a list, per token, of (expert, weight) pairs, best choice first.
"""

import math

import numpy as np

EPS_F32 = float(np.finfo(np.float32).eps)


def softmax(z, axis=-1):
    e = np.exp(z - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softplus(z):
    return np.logaddexp(0, z)


def silu(z):
    return z * sigmoid(z)


def relu(z):
    return np.maximum(z, 0)


def gelu_erf(z):
    return 0.5 * z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) if z.size else z


def gelu_tanh(z):
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def top_k(row, k):
    """Indices of the k greatest; of equal ones the lowest index is first."""
    return [int(i) for i in np.argsort(-row, kind="stable")[:k]]


def route(choice, weights, k, *, normalize=False, scale=1.0):
    """Per token the k experts of greatest choice with their weights, divided by their sum if `normalize`."""
    routing = []
    for c, w in zip(choice, weights):
        chosen = top_k(c, k)
        total = sum(w[e] for e in chosen) if normalize else 1.0
        routing.append([(e, scale * w[e] / total) for e in chosen])
    return routing


def softmax_over_chosen(choice, logits, k):
    """Top-k first, then a softmax over the chosen logits."""
    chosen = [top_k(c, k) for c in choice]
    return [list(zip(experts, softmax(row[experts]))) for experts, row in zip(chosen, logits)]


def limit_groups(choice, groups, keep, top_r, masked=-np.inf):
    """DeepSeek: only the experts of the `keep` best groups stay; a group is as good as the sum of its top_r best choices."""
    limited = np.full_like(choice, masked)
    for row, out in zip(choice, limited):
        members = np.split(np.arange(choice.shape[1]), groups)
        value = np.array([np.sort(row[m])[::-1][:top_r].sum() for m in members])
        for group in top_k(value, keep):
            out[members[group]] = row[members[group]]
    return limited


def claim_slots(routing, experts, capacity, *, order="rank_major", priority=None):
    """Which assignments fit: (keep, count), keep a list like `routing` of bools, count the assignments per expert before the drop.

    order: rank_major (all first choices in token order, then all second ones), token_major, or per_expert (best priority first).
    """
    pairs = [(t, r) for t, choices in enumerate(routing) for r in range(len(choices))]
    value = (lambda t, r: 0) if priority is None else (lambda t, r: -(priority[t][r] if np.ndim(priority[t]) else priority[t]))
    keys = {"rank_major": lambda p: (p[1], value(*p), p[0]), "token_major": lambda p: (value(*p), p[0], p[1]),
            "per_expert": lambda p: (value(*p), p[0])}
    keep = [[False] * len(choices) for choices in routing]
    count = np.zeros(experts, np.int64)
    for t, r in sorted(pairs, key=keys[order]):
        expert = routing[t][r][0]
        keep[t][r] = bool(count[expert] < capacity)
        count[expert] += 1
    return keep, count


def drop(routing, keep):
    return [[choice for choice, kept in zip(choices, fits) if kept] for choices, fits in zip(routing, keep)]


def renormalize(routing, *, clamp=0.0, add=0.0):
    """Weights divided by their sum, which `add` is added to or which is at least `clamp`."""
    totals = [max(sum(w for _, w in choices), clamp) + add for choices in routing]
    return [[(e, w / total) for e, w in choices] for choices, total in zip(routing, totals)]


def mixture(x, routing, expert):
    """y[t] = sum of weight · expert(e, x[t]). A token without an expert gives zero."""
    y = np.zeros_like(x)
    for t, choices in enumerate(routing):
        for e, w in choices:
            y[t] += w * expert(e, x[t])
    return y


def dense(x, gates, expert):
    """Every expert on every token."""
    return mixture(x, [list(enumerate(row)) for row in gates], expert)


def swiglu(gate_up, down, activation=silu):
    """Gated experts whose gate rows lie before their up rows."""

    def expert(e, row):
        gate, up = np.split(gate_up[e] @ row, 2)
        return down[e] @ (activation(gate) * up)

    return expert


def mlp(up, down, activation, up_bias=None, down_bias=None):
    """Two-layer experts."""

    def expert(e, row):
        hidden = up[e] @ row + (0 if up_bias is None else up_bias[e])
        return down[e] @ activation(hidden) + (0 if down_bias is None else down_bias[e])

    return expert


def cv_squared(values):
    """Population variance over the squared mean."""
    return values.var() / values.mean() ** 2


def fractions(routing, experts, *, first_only=True):
    """f and the number of what it counts: assignments per expert over tokens, before any drop."""
    count = np.zeros(experts)
    for choices in routing:
        for e, _ in choices[: 1 if first_only else None]:
            count[e] += 1
    return count / np.float64(len(routing))


def balance_loss(f, p):
    """E · sum of f · P."""
    return len(f) * (f * p).sum()


def z_loss(z):
    top = z.max(-1)
    return np.float64(((top + np.log(np.exp(z - top[:, None]).sum(-1))) ** 2).sum()) / np.float64(len(z))
