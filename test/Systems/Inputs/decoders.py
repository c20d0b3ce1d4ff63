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
