"""Oracles of layers whose experts have a capacity, or whose router is noisy, in the families of Shazeer, GShard, Switch and fairseq."""

from oracle import *
from registry import *


def f1_inputs(**more):
    """F1 as logits, with token rows that are easy to tell apart."""
    return {"x": np.arange(6 * 24).reshape(6, 24) / 100, "logits": F1} | more


def uniform(random, shape, sizes):
    return random.random(shape)


def kept_of(plan, ranks):
    """The flat keep list of a plan of the vectors: (token, rank) -> [expert, number, kept]."""
    return [plan[f"({t}, {r})"][2] for t in range(6) for r in range(ranks)]


def first_choice_balance(scores, routing):
    """Of no token it is 0: moe.stats gives zeros then."""
    return balance_loss(fractions(routing, scores.shape[1]), scores.mean(0)) if len(scores) else 0.0


def flat(lists, dtype=float):
    return np.array([item for row in lists for item in row], dtype)


@system("capacity-drop", vectors=[("C=2, rank-major", f1_inputs(), {"keep": kept_of(VECTORS["top2 C=2 kmajor"], 2), "count": VECTORS["c2"]})])
def capacity_drop(i, w):
    routing = route(*[softmax(i["logits"])] * 2, 2)
    keep, count = claim_slots(routing, 4, 2 * 2 * len(routing) // (3 * 4))
    return {"output": mixture(i["x"], drop(routing, keep), mlp(w["up"], w["down"], relu)), "keep": flat(keep, bool), "count": count}


# Section 7.4 of the reference: after the first round t0, t1 have expert 0, t4 has 3, t5 has 1; then t2 takes 2 and t3 takes 1.
F1_REASSIGNED = [(0, 0), (1, 0), (2, 1), (3, 1), (4, 0), (5, 0)]  # (token, rank)


@system("capacity-reassign", vectors=[("C=2", f1_inputs(), {"keep": [(t, r) in F1_REASSIGNED for t in range(6) for r in range(4)]})])
def capacity_reassign(i, w):
    routing = route(*[softmax(i["logits"])] * 2, 4)
    capacity, used = -(-len(routing) // 4), np.zeros(4, int)
    keep = [[False] * 4 for _ in routing]
    for rank in range(4):
        for t, choices in enumerate(routing):
            expert = choices[rank][0]
            if not any(keep[t]) and used[expert] < capacity:
                keep[t][rank] = True
                used[expert] += 1
    return {"output": mixture(i["x"], drop(routing, keep), mlp(w["up"], w["down"], relu)), "keep": flat(keep, bool)}


@system("switch-transformer", vectors=[("C=2", f1_inputs(), {"keep": kept_of(VECTORS["switch C=2 position order"], 1),
                                                             "aux_loss": VECTORS["switch_aux_top1"]})])
def switch(i, w):
    scores = softmax(i["logits"])
    routing = route(scores, scores, 1)
    keep, _ = claim_slots(routing, 4, 3 * len(routing) // (2 * 4))
    return {"output": i["x"] + mixture(i["x"], drop(routing, keep), mlp(w["up"], w["down"], relu)), "keep": flat(keep, bool),
            "aux_loss": first_choice_balance(scores, routing)}


@system("switch-2048", tokens=(0, 1, 5, 300))
def switch_2048(i, w):
    scores = softmax(i["x"] @ w["router"].T)
    routing = route(scores, scores, 1)
    keep, _ = claim_slots(routing, 2048, max(2 * len(routing) // 2048, 2))
    return {"output": mixture(i["x"], drop(routing, keep), mlp(w["up"], w["down"], relu)), "keep": flat(keep, bool)}


def toss(routing, u, theta):
    """Second and later choices stay if u < weight / theta; False where one does not."""
    return [[rank == 0 or u[t, rank] < min(1, weight / theta) for rank, (_, weight) in enumerate(choices)] for t, choices in enumerate(routing)]


def mesh_top2(i, theta, capacity):
    """(scores, all choices, keep): weights over their sum plus 1e-9, then the coin, then the slots in rank-major order."""
    scores = softmax(i["logits"])
    routing = renormalize(route(scores, scores, 2), add=1e-9)
    stays = toss(routing, i["u"], theta)
    asking = drop(routing, stays)
    fits, _ = claim_slots(asking, 4, capacity)
    keep = []
    for choices, kept in zip(stays, fits):
        left = iter(kept)
        keep.append([stay and next(left) for stay in choices])
    return scores, routing, stays, keep


# By hand, C=3: t3 comes too late for expert 0. Twice the second weights are .75, .86, .5, .25, .86, .57: three are above .7, none above .9.
BY_HAND = {0.7: [1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0], 0.9: [1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0]}
COINS = [(f"u={u}", f1_inputs(u=np.full((6, 2), u)), {"keep": np.array(keep, bool), "aux_loss": VECTORS["switch_aux_top1"]})
         for u, keep in BY_HAND.items()]


@system("gshard", inputs={"u": uniform}, vectors=COINS)
def gshard(i, w):
    scores, routing, _, keep = mesh_top2(i, 0.5, 2 * len(i["x"]) // 4)
    return {"output": mixture(i["x"], drop(routing, keep), mlp(w["up"], w["down"], relu)), "keep": flat(keep, bool),
            "aux_loss": first_choice_balance(scores, routing)}


@system("st-moe", inputs={"u": uniform}, vectors=[("z-loss", f1_inputs(logits=F1 + np.arange(6)[:, None], u=np.zeros((6, 2))),
                                                   {"z_loss": VECTORS["zloss shift t"]})])
def st_moe(i, w):
    _, routing, stays, keep = mesh_top2(i, 0.2, max(5 * len(i["x"]) // (4 * 4), 4))
    return {"output": mixture(i["x"], drop(routing, keep), swiglu(w["gate_up"], w["down"], gelu_tanh)), "z_loss": z_loss(i["logits"]),
            "dropped": int(flat(stays).sum() - flat(keep).sum())}


@system("openmoe")
def openmoe(i, w):
    routing = route(*[softmax(i["logits"])] * 2, 2)
    capacity = max(5 * 2 * len(routing) // (4 * 4), 4)
    keep, _ = claim_slots(routing, 4, capacity + capacity % 2)
    return {"output": mixture(i["x"], drop(routing, keep), swiglu(w["gate_up"], w["down"])), "z_loss": z_loss(i["logits"])}


AFTER_DROP = [weight for row in VECTORS["w after-drop"] for weight in row]


@system("efficient-lm-moe", vectors=[("weights after the drop, C=2", f1_inputs(), {"w": AFTER_DROP})])
def efficient_lm(i, w):
    routing = route(*[softmax(i["logits"])] * 2, 2)
    keep, _ = claim_slots(routing, 4, -(-len(routing) // 4))
    kept = renormalize(drop(routing, keep), clamp=EPS_F32)
    weights = [[dict(row).get(e, 0.0) for e, _ in choices] for row, choices in zip(kept, routing)]
    return {"output": mixture(i["x"], kept, mlp(w["up"], w["down"], gelu_erf, w["up_bias"], w["down_bias"])), "w": flat(weights)}


@system("nllb-moe", inputs={"is_token": lambda random, shape, _: random.random(shape) < 0.7})
def nllb(i, w):
    routing = [choices if real else [] for choices, real in zip(route(*[softmax(i["logits"])] * 2, 2), i["is_token"])]
    count = np.bincount([e for choices in routing for e, _ in choices], minlength=4)
    routing = [[(e, 0.8 * g) for e, g in choices] for choices in renormalize(routing, clamp=EPS_F32)]
    return {"output": mixture(i["x"], routing, mlp(w["up"], w["down"], relu, w["up_bias"], w["down_bias"])), "count": count}


@system("megablocks", tokens=(0, 1, 13, 37, 150))
def megablocks(i, w):
    routing = route(*[softmax(i["logits"])] * 2, 2)
    blocks = -(-np.bincount([e for choices in routing for e, _ in choices], minlength=4) // 128)
    y = mixture(i["x"], routing, mlp(w["up"], w["down"], gelu_tanh))
    return {"output": y, "padded": y, "offset": np.concatenate([[0], np.cumsum(128 * blocks)])}


@system("noisy-top-k")
def noisy_top_k(i, w):
    x = i["x"]
    clean = x @ w["gating"].T
    deviation = softplus(x @ w["noise_gating"].T) + 0.01
    noisy = clean + i["epsilon"] * deviation
    routing = softmax_over_chosen(noisy, noisy, 2)
    importance, load = np.zeros(5), np.zeros(5)
    for t, choices in enumerate(routing):
        best = np.sort(noisy[t])[::-1]
        for e, weight in choices:
            importance[e] += weight
        for e in range(5):
            bar = best[2] if noisy[t, e] > best[2] else best[1]
            load[e] += 0.5 * (1 + math.erf((clean[t, e] - bar) / deviation[t, e] / math.sqrt(2)))
    return {"output": mixture(x, routing, mlp(w["up"], w["down"], relu)), "load": load,
            "importance_loss": importance.var() / (importance.mean() ** 2 + 1e-10), "load_loss": load.var() / (load.mean() ** 2 + 1e-10)}


@system("keep-top-k", vectors=[("CV loss", f1_inputs(noise=np.zeros((6, 4))), {"cv_loss": VECTORS["cv2_pop"]})])
def keep_top_k(i, w):
    importance = softmax(i["logits"]).sum(0)
    routing = route(i["logits"] + i["noise"], i["logits"], 2)
    return {"output": mixture(i["x"], routing, mlp(w["up"], w["down"], relu)),
            "cv_loss": importance.var() / (importance.mean() ** 2 + 1e-10)}


@system("switch-bf16", tolerances={"output": 2**-8})
def switch_bf16(i, w):
    scores = softmax(i["x"] @ w["router"].T)
    routing = route(scores, scores, 1)
    keep, _ = claim_slots(routing, 4, 5 * len(routing) // (4 * 4))
    return {"output": mixture(i["x"], drop(routing, keep), mlp(w["up"], w["down"], relu)), "scores": scores, "keep": flat(keep, bool)}
