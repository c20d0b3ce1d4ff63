"""Oracles of the MoE layers of decoders: dropless, each token takes its k best experts."""

from oracle import *
from registry import *


@system("mixtral-8x7b")
def mixtral(i, w):
    routing = route(*[softmax(i["x"] @ w["router"].T)] * 2, 2, normalize=True)
    return {"output": mixture(i["x"], routing, swiglu(w["gate_up"], w["down"]))}


def qwen_routed(i, w, normalize):
    x = i["x"]
    return mixture(x, route(*[softmax(x @ w["router"].T)] * 2, 4, normalize=normalize), swiglu(w["gate_up"], w["down"]))


@system("qwen2-moe")
def qwen2(i, w):
    x = i["x"]
    gate, up = np.split(x @ w["shared_gate_up"].T, 2, axis=1)
    shared = (silu(gate) * up) @ w["shared_down"].T
    return {"output": qwen_routed(i, w, False) + sigmoid(x @ w["shared_router"].T) * shared}


@system("qwen3-moe")
def qwen3(i, w):
    return {"output": qwen_routed(i, w, True)}


@system("deepseek-moe")
def deepseek_moe(i, w):
    x = i["x"]
    routed = mixture(x, route(*[softmax(x @ w["router"].T)] * 2, 6), swiglu(w["gate_up"], w["down"]))
    shared = np.zeros_like(x)
    for half in (slice(0, 8), slice(8, 16)):  # Two shared experts, one after the other; the file has them as one FFN.
        shared += (silu(x @ w["shared_gate"][half].T) * (x @ w["shared_up"][half].T)) @ w["shared_down"][:, half].T
    return {"output": routed + shared}


@system("gpt-oss")
def gpt_oss(i, w):
    x = i["x"]
    logits = x @ w["router"].T + w["router_bias"]

    def expert(e, row):
        hidden = w["gate_up"][e] @ row + w["gate_up_bias"][e]
        gate, up = np.minimum(hidden[0::2], 7), np.clip(hidden[1::2], -7, 7)
        return w["down"][e] @ ((up + 1) * gate * sigmoid(1.702 * gate)) + w["down_bias"][e]

    return {"output": mixture(x, softmax_over_chosen(logits, logits, 4), expert)}


@system("llama-moe")
def llama_moe(i, w):
    x = i["x"]
    logits = np.tanh(x @ w["gate1"].T) @ w["gate2"].T
    routing = [[(e, 2 * g) for e, g in choices] for choices in softmax_over_chosen(logits, logits, 2)]
    gate = np.concatenate([half[:10] for half in w["gate_up"]])  # The neurons of all experts side by side: the dense FFN.
    up = np.concatenate([half[10:] for half in w["gate_up"]])
    down = np.concatenate(list(w["down"]), axis=1)
    return {"output": mixture(x, routing, swiglu(w["gate_up"], w["down"])), "all": (silu(x @ gate.T) * (x @ up.T)) @ down.T}


def with_shared(i, w, routed):
    x = i["x"]
    return routed + (silu(x @ w["shared_gate"].T) * (x @ w["shared_up"].T)) @ w["shared_down"].T


V2_CHOICES = VECTORS["deepseek_v2 group-limited g=2 tg=1 k=2"].values()


def experts_of(routing):
    return np.array([e for choices in routing for e, _ in choices], int)


@system("deepseek-v2", vectors=[("2 groups", {"x": np.ones((6, 24)), "logits": F1}, {"expert": [e for row in V2_CHOICES for e, _ in row]})])
def deepseek_v2(i, w):
    scores = softmax(i["logits"])
    routing = route(limit_groups(scores, 2, 1, 1, masked=0.0), scores, 2, scale=16)
    return {"output": with_shared(i, w, mixture(i["x"], routing, swiglu(w["gate_up"], w["down"]))), "expert": experts_of(routing)}


def deepseek_v3_router(logits, bias, groups, keep, k):
    scores = sigmoid(logits)
    return scores + bias, route(limit_groups(scores + bias, groups, keep, 2), scores, k, normalize=True, scale=2.5)


V3_LOGITS = [[1.386294, -0.847298, 0.405465, 0.200671], [-2.197225, -1.386294, -0.847298, -0.405465]]
V3_WEIGHTS = VECTORS["v3"]["w*2.5"]


@system("deepseek-v3", sizes=[{"tokens": t, "cases": 5} for t in (0, 1, 2, 13, 37)],
        vectors=[("2 groups", {"x": np.ones((1, 24)), "small_logits": V3_LOGITS[:1]},
                  {"small_choice": [VECTORS["v3"]["choice"]], "small_expert": [3, 2], "small_w": V3_WEIGHTS})])
def deepseek_v3(i, w):
    _, routing = deepseek_v3_router(i["x"] @ w["router"].T, w["bias"], 4, 2, 4)
    choice, small = deepseek_v3_router(i["small_logits"], np.array([-0.3, 0, 0, 0.1]), 2, 1, 2)
    return {"output": with_shared(i, w, mixture(i["x"], routing, swiglu(w["gate_up"], w["down"]))), "small_choice": choice,
            "small_expert": experts_of(small), "small_w": np.array([g for row in small for _, g in row])}


def sparse_mixer(row, jitter):
    """Two rounds of (expert, weight); the experts far below the best of the round take no part in its softmax."""
    choices, left = [], row.copy()
    for _ in range(2):
        best = int(left.argmax())
        near = (left[best] - row) / np.maximum(np.abs(row), left[best]) <= 2 * jitter
        choices.append((best, softmax(np.where(near, left, -np.inf))[best]))
        left[best] = -np.inf
    return choices


MIXED = [([2, 1.99, 1, -1], "sparsemixer [2,1.99,1.0,-1] j=.01"), ([2, 1.9, 1.89, -1], "sparsemixer [2,1.9,1.89,-1] j=.01")]


@system("phi-moe", inputs={"logits": lambda random, shape, _: 1 + 0.05 * random.standard_normal(shape)},
        vectors=[(f"logits {z}", {"x": np.ones((1, 24)), "logits": [z]},
                  {"expert": [e for e, _ in VECTORS[name]], "w": [g for _, g in VECTORS[name]]}) for z, name in MIXED])
def phi_moe(i, w):
    routing = [sparse_mixer(row, 0.01) for row in i["logits"]]
    return {"output": mixture(i["x"], routing, swiglu(w["gate_up"], w["down"])), "expert": experts_of(routing),
            "w": np.array([g for row in routing for _, g in row])}


@system("llama-4")
def llama_4(i, w):
    x, expert = i["x"], swiglu(w["gate_up"], w["down"])
    logits = x @ w["router"].T
    chosen = [top_k(row, 1)[0] for row in logits]
    return {"output": with_shared(i, w, per_token(x, lambda t: expert(chosen[t], sigmoid(logits[t, chosen[t]]) * x[t])))}
