"""One oracle per file of test/Systems: from the named inputs `i` and weights `w` the named outputs, in float64."""

import dataclasses
import json
import pathlib

import numpy as np

from oracle import *

VECTORS = json.loads((pathlib.Path(__file__).parent / "moe_vectors.json").read_text())
#: Fixture F1 of the vectors: 6 tokens, 4 experts, the softmax of these logits is P1.
P1 = np.array([[.5, .3, .1, .1], [.4, .3, .2, .1], [.6, .1, .2, .1], [.7, .1, .1, .1], [.1, .2, .3, .4], [.2, .5, .2, .1]])
F1 = np.log(P1)


@dataclasses.dataclass
class System:
    """oracle(inputs, weights) -> outputs. `sizes`: the sizes of the symbols in each random case. `inputs` and `weights` make the values that
    are not normal numbers. `vectors`: (name, inputs, published outputs) on top of the oracle's own."""

    oracle: object
    sizes: list
    inputs: dict = dataclasses.field(default_factory=dict)
    weights: dict = dataclasses.field(default_factory=dict)
    vectors: list = dataclasses.field(default_factory=list)
    tolerance: float = 1e-5


SYSTEMS = {}


def system(name, *, tokens=(0, 1, 2, 13, 37), **options):
    """Registers the oracle of NAME.mlir."""

    def register(oracle):
        options.setdefault("sizes", [{"tokens": count} for count in tokens])
        SYSTEMS[name] = System(oracle, **options)
        return oracle

    return register


def equal_experts(name, random, dims, earlier):
    """Weights of which every expert has the same."""
    return np.broadcast_to(random.standard_normal(dims[1:]) / np.sqrt(dims[-1]), dims)


def both_groups(name, random, dims, earlier):
    """The weights of group 0, then those of group 1."""
    return np.concatenate([earlier[name + "0"], earlier[name + "1"]])


def per_token(x, row):
    """The rows row(0), row(1), ...; none for no token."""
    return np.array([row(t) for t in range(len(x))]).reshape(x.shape)


# Dense mixtures ---------------------------------------------------------------------------------------------------------------------


@system("adaptive-mixtures")
def adaptive_mixtures(i, w):
    gates = softmax(i["x"] @ w["gating"].T)
    return {"output": dense(i["x"], gates, mlp(w["up"], w["down"], relu, w["up_bias"], w["down_bias"]))}


@system("conditional-computation")
def conditional_computation(i, w):
    x = i["x"]
    z1 = dense(x, softmax(x @ w["gating1"].T), mlp(w["up1"], w["down1"], relu))
    return {"output": dense(z1, softmax(z1 @ w["gating2"].T), mlp(w["up2"], w["down2"], relu))}


# Decoders of today ------------------------------------------------------------------------------------------------------------------


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


# Equal experts, nested experts, residual experts ------------------------------------------------------------------------------------


@system("merged-ffns", weights={"copied_gate_up": equal_experts, "copied_down": equal_experts})
def merged_ffns(i, w):
    x = i["x"]
    chosen = [top_k(row, 1)[0] for row in x @ w["router"].T]
    alone, copy = swiglu(w["gate_up"], w["down"]), swiglu(w["copied_gate_up"], w["copied_down"])
    return {"output": per_token(x, lambda t: alone(chosen[t], x[t])), "copies": per_token(x, lambda t: copy(0, x[t]))}


@system("sparse-translation", weights=dict.fromkeys(["up", "up_bias", "down", "down_bias"], equal_experts))
def sparse_translation(i, w):
    x = i["x"]
    dense_ffn = relu(x @ w["up"][0].T + w["up_bias"][0]) @ w["down"][0].T + w["down_bias"][0]
    return {"output": dense_ffn, "scaled": 0.8 * dense_ffn}


def product_gates(x, primary, secondary):
    """Gates of the leaves of a two-level hierarchy."""
    outer = softmax(x @ primary.T)
    return np.concatenate([outer[:, [g]] * softmax(x @ s.T) for g, s in enumerate(secondary)], axis=1)


@system("hierarchical-moe", weights={name: both_groups for name in ("up", "down")})
def hierarchical(i, w):
    x, gates = i["x"], product_gates(i["x"], w["primary"], [w["secondary0"], w["secondary1"]])
    outer = softmax(x @ w["primary"].T)
    groups = [dense(x, softmax(x @ w[f"secondary{g}"].T), mlp(w[f"up{g}"], w[f"down{g}"], relu)) for g in (0, 1)]
    flat = dense(x, gates, mlp(w["up"], w["down"], relu))
    return {"nested": outer[:, [0]] * groups[0] + outer[:, [1]] * groups[1], "flat": flat, "gates": gates}


@system("deepspeed-moe")
def deepspeed_moe(i, w):
    x = i["x"]
    for n in "12":
        routed = mixture(x, route(*[softmax(x @ w["router" + n].T)] * 2, 1), mlp(w["up" + n], w["down" + n], gelu_tanh))
        residual = gelu_tanh(x @ w["residual_up" + n].T) @ w["residual_down" + n].T
        share = softmax(x @ w["coefficient" + n].T + w["coefficient_bias" + n])
        x = share[:, [0]] * routed + share[:, [1]] * residual
    return {"output": x, "share2": share}
