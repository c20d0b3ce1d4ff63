"""Groups of tokens in a compiled model (argument: its folder) against numpy, assignment by assignment; see token-groups.mlir."""

import sys

import moe_opt
import numpy as np
from check_auction import auction, best, finite

F, E, K = np.float32, 6, 2


def up(a, b):
    return -(-a // b)


def falling(value):
    """A key that sorts the greatest first, NaN last."""
    return (np.isnan(value), 0.0 if np.isnan(value) else -float(value))


def top(values, k):
    return sorted(range(len(values)), key=lambda i: (falling(values[i]), i))[:k]


class Slots:
    """Claims slots in the order of `key`; `group` is the tokens of a group."""

    def __init__(self, assignments, live, key, group, capacity=None, first=False):
        self.assignments, self.group = assignments, group
        self.taken, self.numbers, served = {}, {}, set()
        for n in sorted(live, key=lambda n: (self.group_of(n), *key(n))):
            token, expert, _ = assignments[n]
            place = (self.group_of(n), expert)
            if (capacity is not None and self.taken.get(place, 0) >= capacity) or (first and token in served):
                continue
            self.numbers[n] = self.taken.get(place, 0)
            self.taken[place] = self.numbers[n] + 1
            served.add(token)

    def group_of(self, n):
        return self.assignments[n][0] // self.group

    def ragged(self, pad=1):
        begins, offset = {}, [0]
        for e in range(E):
            at = offset[-1]
            for place in sorted(place for place in self.taken if place[1] == e):
                begins[place] = at
                at += self.taken[place]
            offset.append(offset[-1] + up(at - offset[-1], pad) * pad)
        slot = np.full(len(self.assignments), -1, np.int32)
        for n, number in self.numbers.items():
            slot[n] = begins[self.group_of(n), self.assignments[n][1]] + number
        return slot, np.array(offset, np.int32)

    def padded(self, groups, capacity):
        slot = np.full(len(self.assignments), -1, np.int32)
        for n, number in self.numbers.items():
            slot[n] = (self.assignments[n][1] * groups + self.group_of(n)) * capacity + number
        return slot


def expected(i):
    batch, sequence = i["choice"].shape[:2]
    tokens, choice, x = batch * sequence, i["choice"].reshape(-1, E), i["x"].reshape(-1, 5).astype(float)
    valid, gate = i["valid"].ravel(), i["gate"].ravel()
    size = max(sequence, 1)
    groups, group_tokens = up(tokens, size), min(tokens, size)
    everything = max(tokens, 1)
    list_ = [(t, e, r) for t in range(tokens) for r, e in enumerate(top(choice[t], K))]
    live = [n for n, (t, _, _) in enumerate(list_) if valid[t]]
    by = {
        "token": lambda n: (list_[n][0], list_[n][2]),
        "rank": lambda n: (list_[n][2], list_[n][0]),
        "rank_gate": lambda n: (list_[n][2], falling(gate[n]), list_[n][0]),
        "token_gate": lambda n: (falling(gate[n]), list_[n][0], list_[n][2]),
        "expert_gate": lambda n: (falling(gate[n]), list_[n][0]),
    }
    want = {"chosen": np.array([e for _, e, _ in list_], np.int32)}
    count = np.bincount([list_[n][1] for n in live], minlength=E)
    want["token_count"] = want["rank_count"] = count
    want["token"], want["token_offset"] = Slots(list_, live, by["token"], size, up(3 * group_tokens, 2 * E)).ragged()
    want["token_keep"] = want["token"] >= 0
    half = up(K * group_tokens, 2 * E)
    rank = Slots(list_, live, by["rank"], size, half)
    want["rank_padded"] = rank.padded(groups, half)
    mean, part = up(group_tokens, E), up(3 * group_tokens, 4 * E)
    for name, order in (("rank_priority", "rank_gate"), ("token_priority", "token_gate"), ("expert_priority", "expert_gate"), ("expert", "token")):
        want[name], _ = Slots(list_, live, by[order], size, mean).ragged()
    want["first"], _ = Slots(list_, live, by["rank"], size, part, first=True).ragged()
    want["blocks"], want["blocks_offset"] = Slots(list_, live, by["token"], size).ragged(4)
    most = up(3 * K * tokens, 4 * E)
    want["flat_rank"], want["flat_offset"] = Slots(list_, live, by["rank"], everything, most).ragged()
    want["flat_priority"], _ = Slots(list_, live, by["rank_gate"], everything, most).ragged()
    want["flat_first"], _ = Slots(list_, live, by["rank"], everything, up(3 * tokens, 4 * E), first=True).ragged()

    side, side_live, capacity = [], [], up(2 * group_tokens, E)
    for g in range(groups):
        members = [t for t in range(g * size, min((g + 1) * size, tokens)) if valid[t]]
        for e in range(E):
            picks = [members[m] for m in top(choice[members, e], capacity)]
            for r in range(capacity):
                if r < len(picks):
                    side_live.append(len(side))
                side.append((picks[r] if r < len(picks) else 0, e, r))
    want["side_token"], want["side_expert"] = (np.array([a[k] for a in side], np.int32) for k in (0, 1))
    want["side_valid"] = np.isin(np.arange(len(side)), side_live)
    by_rank = Slots(side, side_live, lambda n: (side[n][2], side[n][0], n), size)
    want["side_slot"], _ = by_rank.ragged()
    want["side_count"] = np.bincount([side[n][1] for n in side_live], minlength=E)
    want["side_flat"], _ = Slots(side, side_live, lambda n: (side[n][0], side[n][2], n), everything).ragged()

    want["fraction"], want["mean"] = np.zeros((groups, E)), np.zeros((groups, E))
    for g in range(groups):
        members = [t for t in range(g * size, min((g + 1) * size, tokens)) if valid[t]]
        some = max(len(members), 1)
        experts = [list_[n][1] for t in members for n in (K * t, K * t + 1)]
        want["fraction"][g] = np.bincount(experts, minlength=E) / some
        want["mean"][g] = choice[members].astype(float).sum(0) / some
    want["moved"], want["side_moved"] = np.zeros((tokens, 5)), np.zeros((tokens, 5))
    for n in rank.numbers:
        want["moved"][n // K] += float(gate[n]) * x[n // K]
    for n in side_live:
        want["side_moved"][side[n][0]] += float(choice[side[n][0], side[n][1]]) * x[side[n][0]]
    return want


def check_balanced(where, i, got):
    """Each sequence by itself: the assignments of the auction, and greatest sums where they are found by trying all."""
    for g, (choice, valid) in enumerate(zip(i["three"], i["valid"])):
        size = len(valid)
        wanted = finite(choice[valid])
        exact, bid = (got[name][g * size : (g + 1) * size][valid] for name in ("exact", "auction"))
        shares = [len(wanted) // 3 + (e < len(wanted) % 3) for e in range(3)]
        for name, experts in (("exact", exact), ("auction", bid)):
            assert list(np.bincount(experts, minlength=3)) == shares, f"{where}: {name} of sequence {g} gives {np.bincount(experts, minlength=3)} tokens"
        if len(wanted) <= 40:
            total = wanted[np.arange(len(exact)), exact].astype(float).sum()
            assert total >= best(wanted) - 1e-5, f"{where}: the sum of sequence {g} is {total}, the greatest is {best(wanted)}"
            assigned, _ = auction(wanted, 0.0625)
            assert (bid == (exact if assigned is None else assigned)).all(), f"{where}: sequence {g} is assigned {bid}, by the auction {assigned}"


def cases(random):
    for batch, sequence in ((0, 7), (3, 0), (1, 1), (1, 13), (4, 9), (7, 1), (3, 37), (2, 1500), (90, 20), (1, 3001)):
        for kind in ("normal", "ties"):
            choice = random.standard_normal((batch, sequence, E)).astype(F)
            if kind == "ties":
                choice = random.integers(0, 3, choice.shape).astype(F)
            gate = random.integers(0, 9, (batch, sequence, K)).astype(F)
            gate[random.random(gate.shape) < 0.02] = np.nan if sequence > 100 and kind == "ties" else 1
            few = sequence <= 40
            three = random.standard_normal((batch, sequence, 3)).astype(F) if few else np.zeros((batch, sequence, 3), F)
            yield f"{batch} of {sequence}, {kind}", {"choice": choice, "three": three, "x": random.standard_normal((batch, sequence, 5)).astype(F),
                                                     "valid": random.random((batch, sequence)) < 0.9, "gate": gate}


def main():
    models = {threads: moe_opt.load(sys.argv[1], threads=threads) for threads in (1, 2, 3, 8)}
    number = 0
    for where, i in cases(np.random.default_rng(7)):
        got = models[1].run(i)
        for threads, model in models.items():
            again = model.run(i)
            for name in got:
                assert got[name].tobytes() == again[name].tobytes(), f"{where}: {threads} threads give other bits of {name}"
        for name, value in expected(i).items():
            assert got[name].shape == value.shape, f"{where}: {name} has shape {got[name].shape}, expected {value.shape}"
            if value.dtype.kind == "f":
                wrong = ~((np.abs(got[name] - value) <= 2e-5 * np.nanmax(np.abs(value), initial=1)) | (np.isnan(got[name]) & np.isnan(value)))
            else:
                wrong = got[name] != value
            if wrong.any():
                place = tuple(int(p) for p in np.argwhere(wrong)[0])
                raise SystemExit(f"{where}: {name}{list(place)} is {got[name][place]}, expected {value[place]}; {wrong.sum()} of {wrong.size} differ")
        check_balanced(where, i, got)
        number += 1
    print(f"{number} cases")


main()
