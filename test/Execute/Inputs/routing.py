"""Inputs and expected outputs of the hand-written routing chains beside this folder, in plain numpy, one token and one expert at a time.

    routing.py CASE FOLDER

writes FOLDER/weights.bin where the case has weights (in the order in which the .mlir file names their offsets) and test_data_set_N folders.
"""

import math
import pathlib
import sys

import numpy as np
from onnx import numpy_helper

CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


# -- Files --------------------------------------------------------------------


def save_set(folder, number, inputs, outputs):
    data = folder / f"test_data_set_{number}"
    data.mkdir()
    for kind, arrays in (("input", inputs), ("output", outputs)):
        for index, (name, array) in enumerate(arrays.items()):
            (data / f"{kind}_{index}.pb").write_bytes(numpy_helper.from_array(array.copy(), name).SerializeToString())


def save_weights(folder, random, *shapes):
    """Weights of a variance that keeps activations near one, as float64."""
    weights = [(random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32) for shape in shapes]
    (folder / "weights.bin").write_bytes(b"".join(w.tobytes() for w in weights))
    return [w.astype(np.float64) for w in weights]


# -- Functions ----------------------------------------------------------------


def softmax(z, axis=-1):
    power = np.exp(z - z.max(axis, keepdims=True))
    return power / power.sum(axis, keepdims=True)


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def best(values, k):
    """Indices of the k greatest: NaN below every number, ties to the lowest index."""
    return sorted(range(len(values)), key=lambda i: (math.isnan(values[i]), -values[i] if not math.isnan(values[i]) else 0, i))[:k]


def top_k(choice, k):
    """(token, expert, rank) of each choice, by token and rank."""
    return [(token, expert, rank) for token, row in enumerate(choice) for rank, expert in enumerate(best(row, k))]


def place(assignments, capacity, order):
    """Who keeps a slot: walks the assignments by the key `order` and counts those of each expert."""
    counts, kept = {}, {}
    for n in sorted(range(len(assignments)), key=lambda n: order(*assignments[n])):
        expert = assignments[n][1]
        number = counts.get(expert, 0)
        counts[expert] = number + 1
        if capacity is None or number < capacity:
            kept[n] = number
    return kept, counts


# -- Cases --------------------------------------------------------------------


@case
def capacity_layer(folder, random):
    router, gate_up, down = save_weights(folder, random, (6, 40), (6, 48, 40), (6, 40, 24))

    def silu_halves(row, expert):
        gate, up = np.split(gate_up[expert] @ row, 2)
        return down[expert] @ (silu(gate) * up)

    def gelu_interleaved(row, expert):
        h = gate_up[expert] @ row
        return down[expert] @ (gelu_tanh(h[0::2]) * h[1::2])

    for number, tokens in enumerate((0, 1, 50)):
        x = random.standard_normal((tokens, 40)).astype(np.float32)
        scores = softmax(x.astype(np.float64) @ router.T) if tokens else np.zeros((0, 6))
        list_ = top_k(scores, 2)
        padded, ragged = np.zeros((tokens, 40)), np.zeros((tokens, 40))
        kept, _ = place(list_, math.ceil(tokens * 2 * 3 / (4 * 6)), lambda t, e, r: (r, t))
        for n, (t, e, r) in enumerate(list_):
            if n in kept:
                total = sum(scores[t, f] for u, f, _ in list_ if u == t)
                padded[t] += scores[t, e] / total * silu_halves(x[t], e)
        kept, _ = place(list_, max(tokens // 6, 1), lambda t, e, r: (t, r))
        assert tokens < 50 or len(kept) < len(list_)
        for t in range(tokens):
            mine = [list_[n] for n in kept if list_[n][0] == t]
            total = sum(scores[t, e] for _, e, _ in mine)
            ragged[t] = sum(scores[t, e] / total * gelu_interleaved(x[t], e) for _, e, _ in mine) if mine else x[t]
        save_set(folder, number, {"hidden": x}, {"padded": padded.astype(np.float32), "ragged": ragged.astype(np.float32)})


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sinkhorn(z, tolerance):
    """The scaling of e^z that published code iterates."""
    matrix = np.exp(z)
    tokens, experts = z.shape
    d1, error = np.ones(experts), math.inf
    while error > tolerance:
        d0 = 1 / (tokens * (matrix @ d1) + 1e-8)
        before, d1 = d1, 1 / (experts * (matrix.T @ d0) + 1e-8)
        error = np.abs(d1 - before).mean()
    return d0[:, None] * matrix * d1


@case
def score(folder, random):
    for number, tokens in enumerate((0, 1, 37)):
        z, n = (random.standard_normal((tokens, 6)).astype(np.float32) * 3 for _ in range(2))
        b, v = random.standard_normal(6).astype(np.float32), random.random(tokens) < 0.7
        if tokens > 20:
            z[3] = [80, -80, 0, 80, 1, -1]  # beyond what e^z can be summed without a shift
            z[4] = 1e4
            v[:2] = [True, False]
        d = [a.astype(np.float64) for a in (z, n, b)]
        noisy = (z + n).astype(np.float64)  # the sum is rounded to f32, which shows where logits are great
        padded, by_token = softmax(d[0]) if tokens else d[0], np.zeros((tokens, 6))
        padded[~v] = 0
        if v.any():
            by_token[v] = softmax(d[0][v], 0)
        results = {
            "identity": d[0] / 2.5,
            "softmax": softmax(d[0] / 0.5) if tokens else d[0],
            "sigmoid": sigmoid(np.clip(d[0], -500, None)),
            "sqrt_softplus": np.sqrt(np.logaddexp(0, d[0])),
            "biased": sigmoid(np.clip(d[0], -500, None)) + d[2],
            "noisy": softmax(noisy) if tokens else d[0],
            "clean": softmax(d[0] / 2) if tokens else d[0],
            "noisy_choice": softmax(noisy / 2) + d[2] if tokens else d[0],
            "llama4": noisy,
            "padded": padded,
            "padded_choice": np.where(v[:, None], padded + d[2], -np.inf),
            "tokens": by_token,
            "tokens_choice": np.where(v[:, None], by_token, -np.inf),
            "slots": softmax(d[0]) if tokens else d[0],
            "sinkhorn": sinkhorn(d[1] / 4, 1e-4) if tokens else d[0],
        }
        save_set(folder, number, {"z": z, "n": n, "b": b, "v": v}, {name: value.astype(np.float32) for name, value in results.items()})


def group_mask(row, count, keep, top_r, hidden):
    size = len(row) // count
    sums = []
    for group in range(count):
        part = row[group * size : (group + 1) * size]
        sums.append(np.sum(np.array([part[i] for i in best(part, top_r)], np.float32), dtype=np.float32))
    stay = best(sums, keep)
    return [x if i // size in stay else hidden for i, x in enumerate(row)]


def best_assignment(values, most):
    """The greatest sum with at most most[e] tokens for expert e, by trying everything."""
    from functools import lru_cache

    @lru_cache(None)
    def solve(token, loads):
        if token == len(values):
            return 0.0, ()
        options = []
        for expert in range(len(most)):
            if loads[expert] < most[expert]:
                more = loads[:expert] + (loads[expert] + 1,) + loads[expert + 1 :]
                rest, chosen = solve(token + 1, more)
                options.append((values[token][expert] + rest, (expert, *chosen)))
        return max(options, key=lambda option: option[0])

    return solve(0, (0,) * len(most))


@case
def select(folder, random):
    for number, tokens in enumerate((0, 1, 19)):
        c = random.standard_normal((tokens, 8)).astype(np.float32)
        p = random.random((tokens, 8)).astype(np.float32)
        p = (p / p.sum(-1, keepdims=True)).astype(np.float32) if tokens else p
        v = random.random(tokens) < 0.8
        ids = random.integers(0, 5, tokens).astype(np.int32)
        table = random.integers(0, 8, (5, 2)).astype(np.int32)
        indices = random.integers(0, 8, (tokens, 2))
        if tokens == 19:
            c[2] = 1.5  # all equal: the lowest indices
            c[3] = [0.0, -0.0, np.nan, 0.0, -np.inf, np.inf, np.nan, -0.0]
            c[4] = np.nan
            c[5] = [2, 3, 2, 3, 1, 1, 3, 2]
            c[:, 6] = np.round(c[:, 6])  # ties between tokens
            p[6] = [0.125] * 8
            p[7] = [0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0]
            p[8] = [0.5, 0.25, 0.25, 0, 0, 0, 0, 0]
            v[0], v[1] = True, False
            ids[9], ids[10] = 5, -1  # no rows of the table
            indices[11] = [2**40 + 3, -1]  # no expert, and must not become one
        token_of = lambda k: np.repeat(np.arange(tokens), k)
        top = np.array([best(row, 4) for row in c], int).reshape(tokens, 4)
        full = np.array([best(row, 8) for row in c], int).reshape(tokens, 8)
        masked = [group_mask(row, 4, 2, 2, -np.inf) for row in c]
        masked_zero = [group_mask(row, 4, 2, 1, 0.0) for row in c]
        order_p = np.array([best(row, 8) for row in p], int).reshape(tokens, 8)
        sorted_p = np.take_along_axis(p, order_p, -1)
        before = np.zeros_like(sorted_p)
        for rank in range(1, 8):
            before[:, rank] = before[:, rank - 1] + sorted_p[:, rank - 1]
        capacity = round(3 * tokens / 8)  # Python rounds half to even too
        side = []
        for e in range(8):
            mine = [t for t in range(tokens) if v[t]]
            ranked = [mine[i] for i in best([c[t, e] for t in mine], capacity)]
            side.append(ranked + [None] * (capacity - len(ranked)))
        flat = [t for ranked in side for t in ranked]
        chosen = np.array([table[i] if 0 <= i < 5 else [0, 0] for i in ids]).reshape(-1)
        inside = (ids >= 0) & (ids < 5) & v
        valid = [t for t in range(tokens) if v[t]]
        most = [len(valid) // 8 + (e < len(valid) % 8) for e in range(8)]
        total, answer = best_assignment(tuple(tuple(float(x) for x in p[t]) for t in valid), most)
        exact = np.zeros(tokens, np.int32)
        exact[valid] = answer
        i32 = lambda array: np.asarray(array).reshape(-1).astype(np.int32)
        results = {
            "top_expert": i32(top[:, :3]),
            "top_rank": i32(np.tile(np.arange(3), tokens)),
            "top_token": i32(token_of(3)),
            "top_valid": np.repeat(v, 3),
            "top_kth": np.take_along_axis(c, top[:, 2:4], -1) if tokens else np.zeros((0, 2), np.float32),
            "full_expert": i32(full),
            "full_kth": np.stack([np.take_along_axis(c, full[:, 7:], -1)[:, 0], np.full(tokens, -np.inf)], -1).astype(np.float32)
            if tokens
            else np.zeros((0, 2), np.float32),
            "all_expert": i32(np.tile(np.arange(8), tokens)),
            "group_expert": i32([best(row, 3) for row in masked]),
            "group_zero_expert": i32([best(row, 3) for row in masked_zero]),
            "threshold_expert": i32(order_p[:, :4]),
            "threshold_valid": (sorted_p[:, :4] > np.float32(0.125)).reshape(-1),
            "top_p_valid": (before <= np.float32(0.5)).reshape(-1),
            "side_token": i32([t if t is not None else 0 for t in flat]),
            "side_expert": i32(np.repeat(np.arange(8), capacity)),
            "side_valid": np.array([t is not None for t in flat], bool),
            "table_expert": i32(chosen),
            "table_valid": np.repeat(inside, 2),
            "assign_expert": i32(np.where((indices >= 0) & (indices < 2**31 - 1), indices, -1)),
            "mixer_expert": i32(order_p[:, :2]),
            "exact_expert": exact,
            "exact_valid": v,
        }
        save_set(folder, number, {"c": c, "p": p, "v": v, "ids": ids, "table": table, "indices": indices}, results)


@case
def weigh(folder, random):
    for number, tokens in enumerate((0, 1, 23)):
        z = (2 * random.standard_normal((tokens, 6))).astype(np.float32)
        p = softmax(z.astype(np.float64)).astype(np.float32) if tokens else z
        valid, keep = random.random(tokens) < 0.8, random.random(3 * tokens) < 0.6
        u = random.random(3 * tokens).astype(np.float32)
        list_ = top_k(p, 3)
        results = {name: np.zeros(3 * tokens) for name in ("raw", "l1", "l1_add", "l1_kept", "l2", "l3", "selected", "one")}
        for n, (t, e, _) in enumerate(list_):
            if not valid[t]:
                continue
            mine = [m for m, entry in enumerate(list_) if entry[0] == t]
            scores = np.array([p[t, list_[m][1]] for m in mine], np.float64)
            logits = np.array([z[t, list_[m][1]] for m in mine], np.float64)
            score, logit = float(p[t, e]), float(z[t, e])
            results["raw"][n] = 2.5 * score
            results["l1"][n] = 4 * score / scores.sum()
            results["l1_add"][n] = score / (scores.sum() + 0.1)
            results["l2"][n] = logit / np.sqrt((logits**2).sum())
            results["l3"][n] = logit / np.cbrt((np.abs(logits) ** 3).sum())
            results["selected"][n] = softmax(logits)[mine.index(n)]
            if keep[n]:
                results["l1_kept"][n] = score / max(scores[[bool(keep[m]) for m in mine]].sum(), 0.2)
                results["one"][n] = 1
        mixer = []
        for row in z.astype(np.float64):
            for _, expert, _ in top_k([row], 2):
                rest = row.copy()
                if mixer and len(mixer) % 2:
                    rest[best(row, 1)[0]] = -np.inf
                greatest = rest.max()
                near = (greatest - row) / np.maximum(np.abs(row), greatest) <= 0.4
                mixer.append(softmax(np.where(near, rest, -np.inf))[expert])
        capacity = math.ceil(2 * tokens / 6)
        by_expert = [(t, e) for e in range(6) for t in best(p[:, e], capacity)]
        sums = {t: sum(float(p[t, f]) for s, f in by_expert if s == t) for t in range(tokens)}
        results["mixer"] = np.array(mixer)
        results["by_expert"] = np.array([p[t, e] / sums[t] for t, e in by_expert])
        results = {name: value.astype(np.float32).reshape(-1) for name, value in results.items()}
        raw, ok = results["raw"], np.repeat(valid, 3)
        rank = np.array([r for _, _, r in list_], int)
        results["greater"] = ok & ((rank < 1) | (raw > np.float32(0.5)))
        results["coin"] = ok & (u < np.minimum(1, raw / np.float32(0.75)))
        save_set(folder, number, {"p": p, "z": z, "valid": valid, "keep": keep, "u": u}, results)


@case
def slots(folder, random):
    experts = 5
    for number, tokens in enumerate((0, 1, 33)):
        p = softmax(random.standard_normal((tokens, experts))).astype(np.float32) if tokens else np.zeros((0, experts), np.float32)
        valid = random.random(tokens) < 0.85
        gate = random.integers(0, 6, 3 * tokens).astype(np.float32)  # few values: ties
        if tokens == 33:
            gate[7], valid[0] = np.nan, True
        list_ = top_k(p, 3)
        live = [n for n, (t, _, _) in enumerate(list_) if valid[t]]
        rising = lambda n: (math.isnan(gate[n]), -gate[n] if not math.isnan(gate[n]) else 0)
        orders = {
            "token": lambda n: (list_[n][0], list_[n][2]),
            "rank": lambda n: (list_[n][2], list_[n][0]),
            "rank_gate": lambda n: (list_[n][2], rising(n), list_[n][0]),
            "token_gate": lambda n: (rising(n), list_[n][0], list_[n][2]),
            "expert_gate": lambda n: (rising(n), list_[n][0]),
        }

        def walk(order, capacity=None, group=None, first=False):
            """number of each kept assignment within (group, expert)"""
            taken, served, numbers = {}, set(), {}
            for n in sorted(live, key=orders[order]):
                t, e, _ = list_[n]
                key = (t // group if group else 0, e)
                if (capacity is not None and taken.get(key, 0) >= capacity) or (first and t in served):
                    continue
                numbers[n] = taken.get(key, 0)
                taken[key] = numbers[n] + 1
                served.add(t)
            return numbers, taken

        def ragged(order, capacity=None, pad=1, group=None, first=False):
            numbers, taken = walk(order, capacity, group, first)
            offset = [0]
            for e in range(experts):
                kept = sum(count for (_, f), count in taken.items() if f == e)
                offset.append(offset[-1] + -(-kept // pad) * pad)
            slot = np.full(len(list_), -1, np.int32)
            for n, place in numbers.items():
                t, e, _ = list_[n]
                g = t // group if group else 0
                slot[n] = offset[e] + sum(taken.get((h, e), 0) for h in range(g)) + place
            return slot, np.array(offset, np.int32)

        def padded(order, capacity, group=None):
            numbers, _ = walk(order, capacity, group)
            groups = -(-tokens // group) if group else 1
            slot = np.full(len(list_), -1, np.int32)
            for n, place in numbers.items():
                t, e, _ = list_[n]
                slot[n] = (e * groups + (t // group if group else 0)) * capacity + place
            return slot

        counts = np.array([sum(list_[n][1] == e for n in live) for e in range(experts)], np.int32)
        up = lambda a, b: -(-a // b)
        in_group = min(tokens, 7)
        results = {}
        results["dropless"], results["dropless_offset"] = ragged("token")
        results["dropless_count"] = results["rank_major_count"] = counts
        results["blocks"], results["blocks_offset"] = ragged("token", pad=8)
        results["rank_major"] = padded("rank", up(3 * tokens, 2 * experts))
        results["priority"], _ = ragged("rank_gate", up(5 * tokens // (4 * experts), 2) * 2)
        results["token_priority"], _ = ragged("token_gate", min(max(tokens // experts, 2), 4))
        results["per_expert"], _ = ragged("expert_gate", 3 * tokens // (3 * experts))
        results["per_expert_keep"] = results["per_expert"] >= 0
        results["first"], _ = ragged("rank", up(3 * tokens, 4 * experts), first=True)
        results["groups"], _ = ragged("token", up(3 * in_group, 2 * experts), group=7)
        results["groups_padded"] = padded("token", up(3 * in_group, 2 * experts), group=7)
        results["half_even"], _ = ragged("token", round(tokens / (2 * experts)))
        results["times_k"], _ = ragged("token", 3 * (up(tokens, experts) // 2))
        results["expert_side_count"] = np.full(experts, min(up(3 * tokens, 2 * experts), tokens), np.int32)
        some = max(valid.sum(), 1)
        results["fraction"] = np.array([sum(e == f and r == 0 for n in live for _, f, r in [list_[n]]) / some for e in range(experts)])
        results["mean"] = p[valid].sum(0) / some
        results["fraction_all"] = counts / max(counts.sum(), 1)
        groups = up(tokens, 7)
        results["group_fraction"], results["group_mean"] = np.zeros((groups, experts)), np.zeros((groups, experts))
        for g in range(groups):
            members = range(7 * g, min(7 * g + 7, tokens))
            for e in range(experts):
                results["group_fraction"][g, e] = sum(list_[n][1] == e and list_[n][0] in members for n in live) / len(members)
                results["group_mean"][g, e] = sum(float(p[t, e]) for t in members) / len(members)
        names = ("dropless dropless_count dropless_offset blocks blocks_offset rank_major rank_major_count priority token_priority per_expert "
                 "per_expert_keep first groups groups_padded half_even times_k expert_side_count fraction mean fraction_all group_fraction "
                 "group_mean").split()
        results = {name: results[name] if results[name].dtype in (np.int32, bool) else results[name].astype(np.float32) for name in names}
        save_set(folder, number, {"p": p, "valid": valid, "gate": gate}, results)


def philox(counter, key):
    """Words of the Philox4x32-10 block of a 64-bit counter, from the paper's description (Salmon et al. 2011)."""
    mask = 2**32 - 1
    c, k = [counter & mask, counter >> 32 & mask, 0, 0], [key & mask, key >> 32 & mask]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & mask, a >> 32 ^ c[3] ^ k[1], a & mask]
        k = [k[0] + 0x9E3779B9 & mask, k[1] + 0xBB67AE85 & mask]
    return c


# The published known answer: all words of counter and key zero.
assert philox(0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@case
def noise(folder, random):
    for number, (tokens, seed, offset) in enumerate(((2000, 0x0123456789ABCDEF, 2**32 - 7), (3, -5, -2))):
        words = [philox(offset + i & 2**64 - 1, seed & 2**64 - 1) for i in range(15 * tokens)]
        u, open_ = np.array([w[0] >> 8 for w in words]) / 2**24, np.array([2 * (w[0] >> 9) + 1 for w in words]) / 2**24
        turn = np.array([w[1] >> 8 for w in words]) / 2**24
        results = {
            "uniform": u,
            "normal": np.sqrt(-2 * np.log(open_)) * np.cos(2 * np.pi * turn),
            "gumbel": -np.log(-np.log(open_)),
            "exponential": -np.log(open_),
            "jitter": 0.99 + 0.02 * u,
        }
        if tokens > 100:
            assert abs(results["normal"].mean()) < 0.02 and abs(results["normal"].std() - 1) < 0.02
        save_set(folder, number, {"like": np.zeros((tokens, 3, 5), np.float32), "seed": np.array(seed), "offset": np.array(offset)},
                 {name: value.reshape(tokens, 3, 5).astype(np.float32) for name, value in results.items()})


def gelu_erf(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


@case
def soft_moe(folder, random):
    gate, down, scale = save_weights(folder, random, (4, 20, 24), (4, 24, 20), (3, 24, 24))
    for number, tokens in enumerate((1, 21)):
        x, z, q = (random.standard_normal((tokens, columns)).astype(np.float32) for columns in (24, 8, 3))
        rows = softmax(z.astype(np.float64), 0).T @ x
        outputs = np.stack([down[s // 2] @ gelu_erf(gate[s // 2] @ row) for s, row in enumerate(rows)])
        soft = softmax(z.astype(np.float64)) @ outputs
        scores = softmax(q.astype(np.float64))
        region, padded = np.zeros((tokens, 24)), np.zeros((tokens, 24))
        list_ = top_k(scores, 2)
        kept, _ = place(list_, math.ceil(tokens / 3), lambda t, e, r: (t, r))
        for n, (t, e, _) in enumerate(list_):
            y = scores[t, e] * (x[t] + np.tanh(x[t] @ scale[e]))
            region[t] += y
            padded[t] += y if n in kept else 0
        results = {"soft": soft, "region": region, "padded_region": padded}
        save_set(folder, number, {"x": x, "z": z, "q": q}, {name: value.astype(np.float32) for name, value in results.items()})


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    CASES[name](folder, np.random.default_rng(11))


if __name__ == "__main__":
    main()
