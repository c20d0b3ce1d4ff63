"""Compiled models against the hand vectors of test/Systems/Inputs/moe_vectors.json; see vectors.mlir.

    check_vectors.py write-capacities FILE.mlir   writes a model with every capacity rule of the vectors
    check_vectors.py compare MODEL CAPACITIES     runs both artifacts and prints "KEY: agrees" for every key

A published number is never written down here: values, what they are called and what stands in the names (sizes, factors, points, temperatures)
come from the file. Keys that are not there, or that have more or less in them than the model, are errors.
"""

import fractions
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "Systems/Inputs/moe_vectors.json").read_text())
ABSOLUTE, RELATIVE = 1e-6, 2.0**-23  # Of most numbers six decimals are published; results are float32.
LOGITS = np.array(VECTORS["logits"])
P = np.round(np.exp(LOGITS), 1)  # The logits are ln p with six decimals; p has one, and its ties are exact.
ERNIE_BIAS = [-0.3, 0.0, 0.25, 0.0]  # Inputs of which the file has the results alone (semantics, 10.9 and 14.3).
MIX_LOGITS = [[0.0, np.log(3.0)]]

# The rules as attributes. {cf}: the factor as a fraction, {k}: choices per token.
CAPACITY_RULES = {
    "mtf int(T*cf/E)": "base = tokens, {cf}, rounding = floor",
    "flaxformer round": "base = tokens, {cf}, rounding = half_even",
    "deepspeed ceil(T/E*cf*k)": "base = assignments, {cf}, rounding = ceil",
    "fairseq top1 int(cf*ceil(T/E))": "base = tokens, {cf}, rounding = floor, pre_ceil = true",
    "fairseq top2 2*ceil(T/E)": "base = tokens, numerator = 2, denominator = 1, rounding = floor, pre_ceil = true",
    "tutel k*int(cf*ceil)": "base = tokens, {cf}, rounding = floor, pre_ceil = true, times_k = true",
    "colossal": "base = assignments, {cf}, rounding = floor, multiple_of = 2",
    "vmoe ceil mult4": "base = assignments, {cf}, rounding = ceil, multiple_of = 4",
    "hunyuan max(k,k*T//E)": "base = assignments, numerator = 1, denominator = 1, rounding = floor, minimum = {k}",
    "megablocks int(cf*T/E)": "base = tokens, {cf}, rounding = floor",
    "llamamoe int(cf*T/E)": "base = tokens, {cf}, rounding = floor",
}
NOT_A_CAPACITY = {"seed002 kB/N"}
CAPACITY_KEYS = ("cap T6E4k1cf1", "cap T6E4k2cf1.25", "cap T10E4k1cf1")


def published(key):
    if key not in VECTORS:
        raise SystemExit(f"{key}: moe_vectors.json has no such key")
    return VECTORS[key]


def same(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what} is {found}, expected {wanted}")


def near(found, wanted, what):
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    same(found.shape, wanted.shape, f"shape of {what}")
    if not np.allclose(found, wanted, rtol=RELATIVE, atol=ABSOLUTE):
        raise AssertionError(f"{what} is {found.tolist()}, expected {wanted.tolist()}")


# Capacities.


def capacity_case(key):
    """T, E, K and the factor, from the name."""
    tokens, experts, k, factor = re.fullmatch(r"cap T(\d+)E(\d+)k(\d+)cf([\d.]+)", key).groups()
    return int(tokens), int(experts), int(k), fractions.Fraction(factor)


def capacities_text():
    arguments, results, values, types, body = [], [], [], [], ""
    for number, key in enumerate(CAPACITY_KEYS):
        _, experts, k, factor = capacity_case(key)
        matrix, c = f"tensor<?x{experts}xf32>", f"c{number}"
        arguments.append(f'%p{number}: {matrix} {{moe.name = "p{number}", moe.dims = ["tokens{number}", "{experts}"]}}')
        body += (f"  %t{number}, %e{number}, %r{number}, %v{number}, %kth{number} = moe.select top_k %p{number} : {matrix} {{k = {k} : i64}}\n"
                 "      -> !list, !list, !list, !mask, tensor<?x2xf32>\n")
        for rule, text in enumerate(CAPACITY_RULES.values()):
            capacity = text.format(cf=f"numerator = {factor.numerator}, denominator = {factor.denominator}", k=k)
            body += (f"  %{c}_{rule}, %keep{number}_{rule}, %count{number}_{rule}, %offset{number}_{rule} = moe.slots %t{number}, %e{number}, "
                     f"%r{number}, %v{number}\n"
                     f"      {{experts = {experts} : i64, layout = #moe<slot_layout padded>, capacity = #moe.capacity<{capacity}>}}\n"
                     f"      : !list, !list, !list, !mask -> !list, !mask, tensor<{experts}xi32>, tensor<{experts + 1}xi32>\n")
            results.append(f'!list {{moe.name = "{c}_{rule}"}}')
            values.append(f"%{c}_{rule}")
            types.append("!list")
    return (f"!list = tensor<?xi32>\n!mask = tensor<?xi1>\n\nfunc.func @main({', '.join(arguments)})\n    -> ({', '.join(results)}) {{\n{body}"
            f"  return {', '.join(values)} : {', '.join(types)}\n}}\n")


def capacity_inputs():
    """Tokens that all want the last expert first."""
    wanting = next(row for row in P if row.argmax() == len(row) - 1)
    return {f"p{number}": np.tile(wanting, (capacity_case(key)[0], 1)) for number, key in enumerate(CAPACITY_KEYS)}


def check_capacity(key, got):
    """The last expert's slots are (E - 1)·C … E·C - 1, of first choices alone."""
    tokens, experts, k, _ = capacity_case(key)
    wanted = published(key)
    same(set(wanted), CAPACITY_RULES.keys() | NOT_A_CAPACITY, "the set of rules")
    for rule, name in enumerate(CAPACITY_RULES):
        capacity = wanted[name]
        slots = got[f"c{CAPACITY_KEYS.index(key)}_{rule}"].reshape(tokens, k)
        assert capacity < tokens, f"{name}: {tokens} tokens do not show a capacity of {capacity}"
        same(slots[:, 0].tolist(), [(experts - 1) * capacity + t if t < capacity else -1 for t in range(tokens)], f"slots by {name}")


# Plans and weights.


def capacity_of(key):
    return int(re.search(r"C=(\d+)", key)[1])


def check_plan(key, plan, k, got):
    """What is kept, where, and the number that every assignment has among those of its expert."""
    experts, capacity, wanted = got[f"expert{k}"], capacity_of(key), published(key)
    same(set(wanted), {f"({t}, {r})" for t in range(len(P)) for r in range(k)}, "the set of assignments")
    for n, expert in enumerate(experts.tolist()):
        number = int(got[f"{plan}{k}_all"][n] - got[f"{plan}{k}_offset"][expert])
        kept, slot = bool(got[f"{plan}{k}_keep"][n]), int(got[f"{plan}{k}_slot"][n])
        name = f"({n // k}, {n % k})"
        same([expert, number, kept], wanted[name], name)
        same(slot, expert * capacity + number if kept else -1, f"slot of {name}")


def check_order(key, got):
    same(np.argsort(got["bpr_place"]).tolist(), published(key), "the order of tokens")


def check_weights(key, weights):
    near(weights.reshape(len(P), 2), published(key), "weights")


def check_best(key, got):
    """Each expert's kept tokens in the order of its slots."""
    capacity, wanted, slots = capacity_of(key), published(key), got["probs_slot"]
    kept = {e: sorted((int(slot), n // 2) for n, slot in enumerate(slots) if slot // capacity == e) for e in range(P.shape[1])}
    same({str(e): [t for _, t in tokens] for e, tokens in kept.items()}, wanted, "what experts keep")


def check_pairs(wanted, places, owners, others, values):
    """wanted: owner -> [[other, value], …], in order. `places` are those of the list that count."""
    found = {str(owner): [] for owner in sorted(set(owners[places].tolist()))}
    for n in places:
        found[str(owners[n])].append((int(others[n]), float(values[n])))
    same({owner: [other for other, _ in pairs] for owner, pairs in found.items()},
         {owner: [other for other, _ in pairs] for owner, pairs in wanted.items()}, "who is chosen")
    for owner, pairs in found.items():
        near([value for _, value in pairs], [value for _, value in wanted[owner]], f"weights of {owner}")


# Numbers through functions.


def temperatures(key):
    return {f"dts_{float(name[1:])}": row for name, row in published(key).items()}


def check_temperatures(key, got):
    wanted = temperatures(key)
    same(set(wanted), {name for name in got if name.startswith("dts_")}, "the set of temperatures")
    for name, row in wanted.items():
        near(got[name][0], row, name)


def gate_up_pairs(key):
    return {tuple(float(number) for number in name.strip("()").split(",")): value for name, value in published(key).items()}


def activation_points(key):
    """(activation, point) -> value: act(POINT) is of x = POINT but where a name has its own; `quick` is x · sigmoid(1.702 x)."""
    point, points = re.fullmatch(r"act\((-?\d+)\)", key)[1], {}
    for name, value in published(key).items():
        function, own = re.fullmatch(r"(\w+)(?:\((-?\d+)\))?", name).groups()
        points["quick_gelu" if function == "quick" else function, float(own or point)] = value
    return points


ACTIVATION_KEYS = {"act(1)": {"gelu_erf", "gelu_tanh", "quick_gelu", "silu", "relu2"}, "act(-1)": {"gelu_erf", "gelu_tanh", "quick_gelu", "silu"}}


def all_points():
    return sorted({point for key in ACTIVATION_KEYS for _, point in activation_points(key)})


def check_activations(key, got):
    wanted = activation_points(key)
    same({function for function, _ in wanted}, ACTIVATION_KEYS[key], "the set of activations")
    for (function, point), value in wanted.items():
        row = all_points().index(point)
        near(got[f"act_{function}"][row], [value], f"{function}({point})")
        if function == "quick_gelu":
            near(got["gated_quick_gelu"][row], [value], f"gated {function}({point})")


def model_inputs():
    values = {"p": P, "logits": LOGITS, "bias": ERNIE_BIAS, "mix": MIX_LOGITS, "points": np.array(all_points())[:, None],
              "pairs": list(gate_up_pairs("gptoss"))}
    return {name: np.asarray(value, np.float32) for name, value in values.items()}


def kept_weights(got):
    """Weights that the sum of outputs reads: those of assignments with a slot."""
    return np.where(got["position2_keep"], got["w_l1"], 0)


def check_side(key, got):
    check_pairs(published(key), np.flatnonzero(got["side_valid"]), got["side_expert"], got["side_token"], got["side_w"])


def check_top_p(key, got):
    """Token 2 has p = .6 and so sums to no more than the threshold, as long as both are rounded to float32 alike."""
    check_pairs(published(key), np.flatnonzero(got["top_p_valid"]), np.arange(P.size) // P.shape[1], got["top_p_expert"], got["top_p_w"])


def check_ernie(key, got):
    places = np.arange(2 * len(P))
    check_pairs(published(key), places, places // 2, got["ernie_expert"], got["ernie_w"])


# Every key with its check, of (key, outputs).
CHECKS = {
    "f_norm": lambda key, got: near(got["f_norm"], published(key), key),
    "deepseek_expert_aux_k2": lambda key, got: near(got["balance"], published(key), key),
    **{key: check_capacity for key in CAPACITY_KEYS},
    "switch C=2 position order": lambda key, got: check_plan(key, "position", 1, got),
    "bpr order": check_order,
    "switch C=2 BPR": lambda key, got: check_plan(key, "bpr", 1, got),
    "top2 C=2 kmajor": lambda key, got: check_plan(key, "position", 2, got),
    "top2 C=2 kmajor BPR": lambda key, got: check_plan(key, "bpr", 2, got),
    "w before-drop": lambda key, got: check_weights(key, kept_weights(got)),
    "w raw (flaxformer/vmoe)": lambda key, got: check_weights(key, got["w_raw_kept"]),
    "deepspeed topk probs-drop C=3 kept tokens per expert": check_best,
    "softmax_over_tokens": lambda key, got: near(got["over_tokens"], published(key), key),
    "mtf_expert_sel C=2": check_side,
    "dts t0": check_temperatures,
    "top_p .6": check_top_p,
    "prmoe": lambda key, got: near(got["mixed"], [published(key)], key),
    "gptoss": lambda key, got: near(got["clamped"][:, 0], list(gate_up_pairs(key).values()), key),
    **{key: check_activations for key in ACTIVATION_KEYS},
    "ernie bias sel k2": check_ernie,
}


def moe_run(artifact, inputs, threads):
    """The outputs of an artifact, by name."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        command = ["moe-run", artifact, "--threads", str(threads), "--output-dir", f"{folder}/out"]
        for name, value in inputs.items():
            np.save(f"{folder}/{name}.npy", value.astype(np.float32))
            command += ["--input", f"{name}={folder}/{name}.npy"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if result.returncode != 0:
            raise SystemExit(f"moe-run ended with {result.returncode}: {result.stderr.strip()}")
        return {path.stem: np.load(path) for path in pathlib.Path(folder, "out").glob("*.npy")}


def main():
    if sys.argv[1] == "write-capacities":
        pathlib.Path(sys.argv[2]).write_text(capacities_text())
        return
    for key in CHECKS:
        published(key)
    near(P.mean(0), published("P"), "mean of p")
    runs = []
    for threads in (1, 3):
        runs.append(moe_run(sys.argv[2], model_inputs(), threads) | moe_run(sys.argv[3], capacity_inputs(), threads))
    for name, value in runs[0].items():
        assert value.tobytes() == runs[1][name].tobytes(), f"{name} differs between 1 and 3 threads"
    wrong = []
    for key, check in CHECKS.items():
        try:
            check(key, runs[0])
            print(f"{key}: agrees")
        except AssertionError as problem:
            wrong.append(f"{key}: {problem}")
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
