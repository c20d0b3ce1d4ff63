"""Numeric test of moe.route_permute on the CPU: scores, ties, NaN, weights, the order of slots, given indices, threads.

usage: check_route.py <isa> <workdir>
"""
import math
import random
import struct
import sys

from native_kernels import Buffer, call, compile_module, host_has, memref


def f32(v):
    return struct.unpack("f", struct.pack("f", v))[0]


def softmax(values):
    if any(math.isnan(v) for v in values):
        return [math.nan] * len(values)
    greatest = max(values)
    exps = [math.exp(v - greatest) for v in values]
    return [e / sum(exps) for e in exps]


SCORES = {"identity": list, "softmax": softmax, "sigmoid": lambda values: [1 / (1 + math.exp(-v)) for v in values]}


class Router:
    """Selection from logits."""

    def __init__(self, name, experts, k, function, source, norm, scale=None):
        self.__dict__.update(locals())

    def text(self):
        outs = [memref(None, "i32"), memref(None, "f32"), memref(self.experts + 1, "i32"), memref(None, "i32"), memref(None, "f32")]
        logits = memref(None, self.experts, "f32", strided=True)
        scale = f", scale = {self.scale!r}" if self.scale else ""
        arguments = ", ".join([f"%z: {logits}"] + [f"%o{i}: {type}" for i, type in enumerate(outs)])
        return (f"func.func @{self.name}({arguments}) attributes {{llvm.emit_c_interface}} {{\n"
                f"  moe.route_permute logits(%z : {logits}) outs(%o0, %o1, %o2, %o3, %o4 : {', '.join(outs)}) "
                f"{{experts = {self.experts} : i64, router = #moe.router<function = {self.function}, k = {self.k}, "
                f"source = {self.source}, norm = {self.norm}{scale}>}}\n  return\n}}\n")

    def select(self, logits):
        """Per token the (expert, weight) pairs in the order of ranks."""
        for row in logits:
            scores = SCORES[self.function](row)
            order = sorted(range(self.experts), key=lambda e: (math.isnan(scores[e]), 0 if math.isnan(scores[e]) else -scores[e], e))
            chosen = order[:self.k]
            weights = {"gather": lambda: [scores[e] for e in chosen], "one": lambda: [1.0] * self.k,
                       "softmax_selected": lambda: softmax([row[e] for e in chosen])}[self.source]()
            if self.norm == "l1":
                total = sum(weights)
                weights = [w / total for w in weights]
            yield [(e, w * (self.scale or 1.0)) for e, w in zip(chosen, weights)]


ROUTERS = [
    Router("mixtral", 8, 2, "softmax", "gather", "l1"),
    Router("many", 75, 9, "softmax", "gather", "none", 2.5),
    Router("selected", 33, 17, "identity", "softmax_selected", "none"),
    Router("switch", 16, 1, "softmax", "gather", "none"),
    Router("sigmoid", 20, 3, "sigmoid", "gather", "l1", 1.5),
    Router("one", 5, 5, "identity", "one", "none"),
    Router("single", 1, 1, "softmax", "gather", "l1"),
]
GIVEN = {"given64": ("q", "i64", True), "given32": ("i", "i32", True), "unweighted": ("q", "i64", False)}
GIVEN_EXPERTS, GIVEN_K = 6, 3


def given_text(name):
    kind, element, weighted = GIVEN[name]
    types = {"indices": memref(None, GIVEN_K, element)}
    if weighted:
        types["weights"] = memref(None, GIVEN_K, "f32")
    outs = [memref(None, "i32"), memref(None, "f32"), memref(GIVEN_EXPERTS + 1, "i32")]
    arguments = ", ".join([f"%{n}: {t}" for n, t in types.items()] + [f"%o{i}: {t}" for i, t in enumerate(outs)])
    operands = " ".join(f"{n}(%{n} : {t})" for n, t in types.items())
    return (f"func.func @{name}({arguments}) attributes {{llvm.emit_c_interface}} {{\n  moe.route_permute {operands} "
            f"outs(%o0, %o1, %o2 : {', '.join(outs)}) {{experts = {GIVEN_EXPERTS} : i64}}\n  return\n}}\n")


def fail(message):
    raise SystemExit(message)


def close(found, want):
    if math.isnan(want):
        return math.isnan(found)
    return abs(found - want) <= 2e-6 * (1 + abs(want))


def compare(name, experts, k, selection, rows, weights, offsets):
    """The sorted slots must be exactly the stable sort of the selection."""
    slots = sorted(((expert, token, rank, weight) for token, pairs in enumerate(selection)
                    for rank, (expert, weight) in enumerate(pairs) if 0 <= expert < experts), key=lambda s: s[:3])
    want = [sum(1 for s in slots if s[0] < expert) for expert in range(experts + 1)]
    if offsets != want:
        fail(f"{name}: offsets {offsets}, expected {want}")
    unused = len(rows) - len(slots)
    if rows != [s[1] for s in slots] + [0] * unused:
        fail(f"{name}: rows {rows}, expected {[s[1] for s in slots]}")
    for found, slot in zip(weights, slots + [(0, 0, 0, 0.0)] * unused):
        if not close(found, slot[3]):
            fail(f"{name}: expert {slot[0]} token {slot[1]} has weight {found}, expected {slot[3]}")


def run(library, name, inputs, outs, threads):
    for out in outs:
        out.write([77] * out.count)
    call(library, name, inputs + outs, threads)
    return [out.read() for out in outs[:3]], b"".join(out.raw() for out in outs[:3])


def check(library, name, experts, k, tokens, inputs, selection, scratch):
    slots = tokens * k
    outs = [Buffer("i", (slots,)), Buffer("f", (slots,)), Buffer("i", (experts + 1,))]
    outs += [Buffer("i", (slots,)), Buffer("f", (slots,))] if scratch else []
    (rows, weights, offsets), raw = run(library, name, inputs, outs, 1)
    compare(name, experts, k, selection, rows, weights, offsets)
    for threads in (2, 3, 9):
        if run(library, name, inputs, outs, threads)[1] != raw:
            fail(f"{name}: {threads} threads give another result than one")


def check_router(library, router, tokens, make_value):
    # Multiples of 1/8 make ties and keep different scores apart in f32.
    logits = [[make_value(token, expert) for expert in range(router.experts)] for token in range(tokens)]
    stride = router.experts + 2
    values = [v for row in logits for v in row + [math.nan] * 2][:-2]
    inputs = [Buffer("f", (tokens, router.experts), values, [stride, 1])]
    check(library, router.name, router.experts, router.k, tokens, inputs, list(router.select(logits)), scratch=True)


def check_given(library, name, tokens, rng):
    kind, _, weighted = GIVEN[name]
    extreme = [-1, GIVEN_EXPERTS, -2**31, 2**31 - 1] + ([2**32 + 1, -2**63] if kind == "q" else [])
    ids = [[rng.randrange(GIVEN_EXPERTS) if rng.random() < 0.8 else rng.choice(extreme) for _ in range(GIVEN_K)] for _ in range(tokens)]
    weights = [[f32(rng.uniform(-1, 1)) for _ in range(GIVEN_K)] for _ in range(tokens)]
    inputs = [Buffer(kind, (tokens, GIVEN_K), sum(ids, []))]
    if weighted:
        inputs.append(Buffer("f", (tokens, GIVEN_K), sum(weights, [])))
    selection = [[(e, w if weighted else 1.0) for e, w in zip(*pair)] for pair in zip(ids, weights)]
    check(library, name, GIVEN_EXPERTS, GIVEN_K, tokens, inputs, selection, scratch=False)


def main():
    isa, workdir = sys.argv[1:]
    if not host_has(isa):
        print(f"host lacks {isa}: nothing checked")
        return
    text = "".join(router.text() for router in ROUTERS) + "".join(given_text(name) for name in GIVEN)
    library = compile_module(text, isa, workdir)
    rng = random.Random(11)
    for router in ROUTERS:
        for tokens in (0, 1, 2, 19):
            check_router(library, router, tokens, lambda token, expert: rng.randrange(-24, 25) / 8)
        check_router(library, router, 6, lambda token, expert: -0.0 if (token + expert) % 2 else 0.0)
        check_router(library, router, 40, lambda token, expert: 3.0 if expert == router.experts // 2 else -expert / 4)
    special = [math.nan, math.inf, -math.inf, 0.0, -1.0, 3e38, -3e38, 1e-45]
    for router in ROUTERS:
        if router.function == "identity" and router.source == "one":
            check_router(library, router, 30, lambda token, expert: rng.choice(special))
        if router.function == "softmax":
            check_router(library, router, 5, lambda token, expert: math.nan if (token + expert) % 3 == 0 else 1.0)
    for name in GIVEN:
        for tokens in (0, 1, 5, 64):
            check_given(library, name, tokens, rng)
    print(f"{isa} routes right")


main()
