"""Oracles of dense, nested and residual mixtures, and of layers whose experts come from dense FFNs."""

from oracle import *
from registry import *


@system("adaptive-mixtures")
def adaptive_mixtures(i, w):
    gates = softmax(i["x"] @ w["gating"].T)
    return {"output": dense(i["x"], gates, mlp(w["up"], w["down"], relu, w["up_bias"], w["down_bias"]))}


@system("conditional-computation")
def conditional_computation(i, w):
    x = i["x"]
    z1 = dense(x, softmax(x @ w["gating1"].T), mlp(w["up1"], w["down1"], relu))
    return {"output": dense(z1, softmax(z1 @ w["gating2"].T), mlp(w["up2"], w["down2"], relu))}


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


@system("hierarchical-moe", weights={name: both_groups for name in ("up", "down")} |
                                    {name: stacked_groups for name in ("secondary_of", "up_of", "down_of")})
def hierarchical(i, w):
    x, gates = i["x"], product_gates(i["x"], w["primary"], [w["secondary0"], w["secondary1"]])
    outer = softmax(x @ w["primary"].T)
    groups = [dense(x, softmax(x @ w[f"secondary{g}"].T), mlp(w[f"up{g}"], w[f"down{g}"], relu)) for g in (0, 1)]
    flat = dense(x, gates, mlp(w["up"], w["down"], relu))
    nested = outer[:, [0]] * groups[0] + outer[:, [1]] * groups[1]
    best = [top_k(row, 1)[0] for row in outer]
    return {"nested": nested, "flat": flat, "gates": gates, "experts": nested, "sparse": per_token(x, lambda t: outer[t, best[t]] * groups[best[t]][t])}


@system("deepspeed-moe")
def deepspeed_moe(i, w):
    x = i["x"]
    for n in "12":
        routed = mixture(x, route(*[softmax(x @ w["router" + n].T)] * 2, 1), mlp(w["up" + n], w["down" + n], gelu_tanh))
        residual = gelu_tanh(x @ w["residual_up" + n].T) @ w["residual_down" + n].T
        share = softmax(x @ w["coefficient" + n].T + w["coefficient_bias" + n])
        x = share[:, [0]] * routed + share[:, [1]] * residual
    return {"output": x, "share2": share}
