"""Oracles of layers that choose by a table, by a balanced assignment, by a threshold, by the experts, or not at all."""

import random as python_random

from oracle import *
from registry import *

VOCABULARY, EXPERTS = 32, 4


def ids(random, shape, sizes):
    return random.integers(0, VOCABULARY, shape)


def random_table(random, shape, sizes):
    """ParlAI's: Python's generator, seed 42."""
    generator = python_random.Random(42)
    return [generator.randrange(EXPERTS) for _ in range(VOCABULARY)]


def balanced_table(random, shape, sizes):
    """Ids by falling frequency, each to the expert that is emptiest so far."""
    frequency, load, table = np.sort(random.random(VOCABULARY))[::-1], np.zeros(EXPERTS), np.zeros(VOCABULARY, int)
    for token, often in enumerate(frequency):
        table[token] = load.argmin()
        load[table[token]] += often
    return table


def clusters(random):
    """The nearest of four centres for each id's embedding."""
    embeddings, centres = random.standard_normal((VOCABULARY, 6)), random.standard_normal((EXPERTS, 6))
    return np.argmin(((embeddings[:, None] - centres) ** 2).sum(-1), axis=1)


def clustered_table(random, shape, sizes):
    return clusters(random)


def dispersed_table(random, shape, sizes):
    """The ids of a cluster go to the experts in turn."""
    cluster, table = clusters(random), np.zeros(VOCABULARY, int)
    for number in range(EXPERTS):
        members = np.flatnonzero(cluster == number)
        table[members] = np.arange(len(members)) % EXPERTS
    return table


TABLES = [random_table, balanced_table, clustered_table, dispersed_table]


def table_of_case(random, shape, sizes):
    return TABLES[sizes["table"]](random, shape, sizes)


def hash_case(kind, **given):
    """A vector: 32 tokens, every id once."""
    random = np.random.default_rng(5)
    return {"x": random.standard_normal((32, 24)), "ids": np.arange(32), "table": np.reshape(kind(random, None, None), (32, 1))} | given


# Equal frequencies: the balanced table gives every expert 8 of 32 ids. ParlAI's first sixteen are in section 6.3 of the reference.
FIRST_SIXTEEN = [0, 0, 2, 1, 1, 1, 0, 0, 3, 0, 0, 0, 1, 1, 0, 1]
HASH_VECTORS = [
    ("balanced", hash_case(lambda *_: np.arange(32) % 4), {"count": [8, 8, 8, 8]}),
    ("ParlAI's first sixteen", hash_case(random_table, ids=np.arange(16), x=np.ones((16, 24))),
     {"count": np.bincount(FIRST_SIXTEEN, minlength=4)}),
]


@system("hash-layers", sizes=[{"tokens": t, "table": k} for t, k in ((0, 0), (1, 1), (2, 2), (13, 3), (37, 0), (64, 1), (64, 2), (64, 3))],
        inputs={"ids": ids, "table": table_of_case}, vectors=HASH_VECTORS)
def hash_layers(i, w):
    chosen = i["table"][i["ids"], 0]
    y = mixture(i["x"], [[(e, 1.0)] for e in chosen], mlp(w["up"], w["down"], relu, w["up_bias"], w["down_bias"]))
    return {"output": y, "count": np.bincount(chosen, minlength=4)}


def unit(name, random, dims, earlier):
    return np.broadcast_to(np.eye(dims[-1]), dims)


@system("multi-head-hash", inputs={"ids": ids, "table0": random_table, "table1": clustered_table}, weights={"unit": unit, "unit_half": unit})
def multi_head_hash(i, w):
    x = i["x"]
    first = [i[f"table{m}"][i["ids"], 0] for m in (0, 1)]
    hidden = [relu(np.concatenate([w[f"first{m}"][first[m][t]] @ x[t] for m in (0, 1)])) for t in range(len(x))]
    return {"output": per_token(x, lambda t: np.concatenate([w[f"second{m}"][first[m][t]] @ hidden[t] for m in (0, 1)]))}


def best_balanced(affinity):
    """Greatest sum of affinities with T/E tokens per expert, by trying all counts token by token."""
    tokens, experts = affinity.shape
    share = tokens // experts
    best = {(0,) * experts: 0.0}
    for row in affinity:
        following = {}
        for counts, total in best.items():
            for e in range(experts):
                if counts[e] < share:
                    key = counts[:e] + (counts[e] + 1,) + counts[e + 1 :]
                    following[key] = max(following.get(key, -np.inf), total + row[e])
        best = following
    return best[(share,) * experts]


def base_output(i, w, chosen):
    routing = [[(e, sigmoid(i["affinity"][t, e]))] for t, e in enumerate(chosen)]
    y = i["x"] + mixture(i["x"], routing, mlp(w["up"], w["down"], relu))
    return {"output": y, "chosen": np.array(chosen, int), "count": np.bincount(np.array(chosen, int), minlength=3)}


def accept_balanced(slack):
    """T/E tokens per expert, and a sum of affinities that is the best one less at most T · slack."""

    def accept(got, i, w):
        affinity, chosen = i["affinity"], got["chosen"]
        if (np.bincount(chosen, minlength=3) != len(affinity) // 3).any():
            return f"the assignment is not balanced: {chosen}"
        total, best = affinity[np.arange(len(chosen)), chosen].sum(), best_balanced(affinity)
        if total < best - len(affinity) * slack - 1e-5:
            return f"the affinities sum to {total}, the best is {best}"
        return None

    return accept


SIX_BY_THREE = np.array([[5.0, 1, 0], [4, 3, 0], [4, 0, 3], [3, 2, 1], [1, 1, 0], [0, 0, 2]])
assert best_balanced(SIX_BY_THREE) == 17  # Section 6.1 of the reference.
BASE = {"tokens": (0, 3, 6, 12, 36), "vectors": [("6 tokens, 3 experts", {"x": np.ones((6, 24)), "affinity": SIX_BY_THREE}, {"count": [2, 2, 2]})]}


@system("base-layers", accept=accept_balanced(0.0), **BASE)
def base_layers(i, w, got):
    return base_output(i, w, got["chosen"])


@system("base-layers-auction", accept=accept_balanced(0.05), **BASE)
def base_layers_auction(i, w, got):
    return base_output(i, w, got["chosen"])


@system("base-layers-inference", vectors=[("all to one", {"x": np.ones((4, 24)), "affinity": [[3, 1, 0], [2.9, 0, 0], [1, 0.5, 0], [0.9, 0.8, 0]]},
                                           {"chosen": [0, 0, 0, 0]})])
def base_layers_inference(i, w):
    return base_output(i, w, [top_k(row, 1)[0] for row in i["affinity"]])


def permutation(random, shape, sizes):
    """Of all tokens of the case: the same one for `order` and, inverted, for `inverse`."""
    return np.random.default_rng(sizes["tokens"]).permutation(int(np.prod(shape))).reshape(shape)


def accept_exchange(got, i, w):
    if got["greedy"].tobytes() != got["plain"].tobytes():
        return "the greedy result differs once it has been shuffled and exchanged"
    affinity = i["x"].reshape(-1, 24)[i["order"].ravel()] @ w["centroids"].T
    for group, (chosen, rows) in enumerate(zip(np.split(got["chosen"], 2), np.split(affinity, 2))):
        problem = accept_balanced(0.0)({"chosen": chosen}, {"affinity": rows}, w)
        if problem:
            return f"group {group}: {problem}"
    return None


@system("base-layers-exchange", tokens=(0, 3, 6, 12), accept=accept_exchange,
        inputs={"order": permutation, "inverse": lambda *case: np.argsort(permutation(*case).ravel())})
def base_layers_exchange(i, w, got):
    x, order = i["x"].reshape(-1, 24), i["order"].ravel()
    expert = mlp(w["up"], w["down"], relu)
    affinity = x @ w["centroids"].T

    def mixed(chosen):
        return x + mixture(x, [[(e, sigmoid(affinity[t, e]))] for t, e in enumerate(chosen)], expert)

    greedy = mixed([top_k(row, 1)[0] for row in affinity])
    chosen = np.empty(len(x), int)
    chosen[order] = got["chosen"]
    return {"plain": greedy, "greedy": greedy, "balanced": mixed(chosen), "chosen": got["chosen"]}


@system("dense-to-sparse", inputs={"gumbel": lambda random, shape, _: random.gumbel(size=shape)},
        vectors=[("t0 at temperature 2", {"x": np.ones((1, 24)), "logits": F1[:1], "gumbel": np.zeros((1, 4))},
                  {"gates": [VECTORS["dts t0"]["T2"]], "count": [1, 1, 1, 1]})])
def dense_to_sparse(i, w):
    gates = softmax((i["logits"] + i["gumbel"]) / 2)
    routing = [[(e, row[e]) for e in top_k(row, 4) if row[e] > 0.15] for row in gates]
    expert, scores = mlp(w["up"], w["down"], relu), softmax(i["logits"])
    return {"output": mixture(i["x"], routing, expert), "gates": gates, "inference": mixture(i["x"], route(scores, scores, 1), expert),
            "count": np.bincount([e for row in routing for e, _ in row], minlength=4)}


def chosen_by_experts(scores):
    capacity = round(len(scores) / 4)  # Python rounds half to even.
    return [top_k(column, capacity) for column in scores.T]


@system("expert-choice", inputs={"probabilities": lambda random, shape, _: random.dirichlet(np.ones(shape[1]), shape[0])},
        vectors=[("C=2", {"x": np.ones((6, 24)), "logits": np.arange(24).reshape(6, 4) % 7, "probabilities": P1},
                  {"chosen": [t for tokens in VECTORS["expert_choice C=2"].values() for t in tokens]})])
def expert_choice(i, w):
    scores, expert = softmax(i["logits"]), mlp(w["up"], w["down"], relu)
    y = np.zeros_like(i["x"])
    for e, tokens in enumerate(chosen_by_experts(scores)):
        for t in tokens:
            y[t] += scores[t, e] * expert(e, i["x"][t])
    return {"output": y, "chosen": np.array([t for tokens in chosen_by_experts(i["probabilities"]) for t in tokens], int)}


# Two experts with one slot each, as two equal slots: the logits (0, ln 3), (ln 3, 0), and 4 and 8 in the first column of x.
LN3 = math.log(3)
SOFT_VECTOR = {"x": np.pad([[4.0], [8.0]], ((0, 0), (0, 23))), "logits": [[0, 0, LN3, LN3], [LN3, LN3, 0, 0]]}
SOFT_SLOTS = np.pad(np.repeat(VECTORS["softmoe"]["slots"], 2)[:, None].astype(float), ((0, 0), (0, 23)))


@system("soft-moe", tokens=(1, 2, 13, 37), vectors=[("two tokens", SOFT_VECTOR, {"slots": SOFT_SLOTS})])
def soft_moe(i, w):
    slots = softmax(i["logits"], axis=0).T @ i["x"]
    expert = mlp(w["up"], w["down"], gelu_tanh)
    results = np.array([expert(s // 2, row) for s, row in enumerate(slots)])
    return {"output": softmax(i["logits"]) @ results, "slots": slots}


TOP_P_SIZES = [len(kept) for kept in VECTORS["top_p .75"].values()]


@system("top-p-routing", vectors=[("F1", {"x": np.ones((6, 24)), "logits": F1}, {"sizes": TOP_P_SIZES})])
def top_p(i, w):
    routing = []
    for row in softmax(i["logits"]):
        order = top_k(row, 4)
        above = np.flatnonzero(np.cumsum(row[order]) > 0.75)
        routing.append([(e, row[e]) for e in order[: above[0] + 1]])
    return {"output": mixture(i["x"], routing, swiglu(w["gate_up"], w["down"])), "sizes": np.array([len(row) for row in routing], int)}
