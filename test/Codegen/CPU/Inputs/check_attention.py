"""Numeric test of moe.attention on the CPU: masks, places, windows, soft caps, sinks, heads that share keys, sizes that fill no vector, threads.

usage: check_attention.py <isa> <workdir>

The reference is the formula of the op in double precision. Results must have the same bits for every number of threads, and for a query alone.
"""
import math
import random
import struct
import sys

from native_kernels import Buffer, call, compile_module, host_has, memref

TILE_ROWS, CHUNK_KEYS = 48, 256
rng = random.Random(7)


def f32(v):
    return struct.unpack("f", struct.pack("f", v))[0]


def to_bits(element, v):
    """A number as its element is stored."""
    if element == "f32":
        return f32(v)
    if element == "f16":
        return struct.unpack("H", struct.pack("e", v))[0]
    bits = struct.unpack("I", struct.pack("f", v))[0]
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def from_bits(element, bits):
    if element == "f32":
        return bits
    if element == "f16":
        return struct.unpack("e", struct.pack("H", bits))[0]
    return struct.unpack("f", struct.pack("I", bits << 16))[0]


KINDS = {"f32": "f", "f16": "H", "bf16": "H", "i1": "b"}


class Case:
    """`mask`: dims of which None are those of the scores, or (element, dims, keys that it has fewer). `dynamic`: the code does not know how many heads there are."""

    def __init__(self, name, heads, key_heads, depth, columns, element="f32", mask=None, mask_element="f32", short=0, counts=False, before=False,
                 sink=False, causal=False, left=-1, right=-1, softcap=0.0, scale=0.3, dynamic=False):
        self.__dict__.update(locals())

    def operands(self):
        d, v = self.depth, self.columns
        heads, key_heads = (None, None) if self.dynamic else (self.heads, self.key_heads)
        yield "q", memref(None, heads, None, d, self.element, strided=True)
        yield "k", memref(None, key_heads, None, d, self.element, strided=True)
        yield "v", memref(None, key_heads, None, v, self.element, strided=True)
        if self.mask:
            yield "mask", memref(*[None if size is None else 1 for size in self.mask], self.mask_element)
        if self.counts:
            yield "counts", memref(None, "i64")
        if self.before:
            yield "before", memref(1, "i64")
        if self.sink:
            yield "sink", memref(heads, "f32")
        yield "out", memref(None, heads, None, v, self.element, strided=True)
        yield "scratch", memref(None, key_heads, None, TILE_ROWS * ((v + 15) // 16 * 16 + 2), "f32")

    def text(self):
        types = dict(self.operands())
        arguments = ", ".join(f"%{n}: {t}" for n, t in types.items())
        named = " ".join(f"{n}(%{n} : {t})" for n, t in types.items() if n not in ("before", "sink", "out", "scratch"))
        load = ""
        if self.before:
            load = ("  %zero = arith.constant 0 : index\n  %b64 = memref.load %before[%zero] : memref<1xi64>\n"
                    "  %b = arith.index_cast %b64 : i64 to index\n")
            named += " before(%b)"
        if self.sink:
            named += f" sink(%sink : {types['sink']})"
        flags = "causal, " if self.causal else ""
        return (f"func.func @{self.name}({arguments}) attributes {{llvm.emit_c_interface}} {{\n{load}"
                f"  moe.attention {named} outs(%out, %scratch : {types['out']}, {types['scratch']}) {{{flags}scale = {self.scale!r} : f64, "
                f"softcap = {self.softcap!r} : f64, left = {self.left} : i64, right = {self.right} : i64}}\n  return\n}}\n")


CASES = [
    Case("plain", 2, 2, 16, 16),
    Case("causal", 4, 2, 32, 16, causal=True, before=True),
    Case("odd", 6, 2, 5, 7, causal=True, before=True, scale=0.7),
    Case("counted", 8, 1, 16, 48, causal=True, counts=True),
    Case("window", 4, 2, 16, 16, causal=True, counts=True, left=3, softcap=2.0),
    Case("around", 2, 1, 8, 24, before=True, left=2, right=1),
    Case("sunk", 4, 2, 16, 16, causal=True, before=True, sink=True),
    Case("added", 4, 2, 16, 16, mask=(None, None, None, None), short=3),
    Case("padded", 2, 1, 16, 16, mask=(None, 1, 1, None), mask_element="i1", causal=True, before=True),
    Case("one", 2, 2, 16, 16, mask=(1, None, None, 1), mask_element="f32"),
    Case("rank", 6, 2, 16, 16, causal=True, before=True, sink=True, dynamic=True),
    Case("rank_masked", 4, 2, 16, 24, mask=(None, 1, None, None), short=2, dynamic=True),
    Case("rank_alone", 2, 1, 8, 16, mask=(None, None, None, None), mask_element="i1", counts=True, causal=True, dynamic=True),
    Case("bf16", 4, 1, 24, 32, element="bf16", causal=True, before=True),
    Case("f16", 4, 2, 17, 20, element="f16", mask=(1, 1, None, None), mask_element="f16", sink=True),
]


def random_buffer(element, shape, gap=0, make=None):
    """Rows are `gap` elements apart where that is more than their columns."""
    strides = None
    if gap:
        strides = [1] * len(shape)
        strides[-2] = shape[-1] + gap
        for dim in range(len(shape) - 3, -1, -1):
            strides[dim] = strides[dim + 1] * shape[dim + 1] + gap
    buffer = Buffer(KINDS[element], shape, None, strides)
    make = make or (lambda: rng.uniform(-2, 2))
    buffer.write([int(make()) if element == "i1" else to_bits(element, make()) for _ in range(buffer.count)])
    buffer.element = element
    return buffer


def reader(buffer):
    values = buffer.read()
    if buffer.element not in ("i1", "i64"):
        values = [from_bits(buffer.element, v) for v in values]
    return lambda *at: values[sum(i * s for i, s in zip(at, buffer.strides))]


def reference(case, inputs, batch, queries, keys):
    """Results by (sequence, head, query): a list, or None where nothing is seen."""
    read = {name: reader(buffer) for name, buffer in inputs.items()}
    mask_dims = inputs["mask"].shape if case.mask else None
    results = {}
    for b in range(batch):
        count = read["counts"](b) if case.counts else keys
        start = count - queries if case.counts else read["before"](0) if case.before else 0
        for h in range(case.heads):
            kv = h // (case.heads // case.key_heads)
            for t in range(queries):
                place, scores = start + t, {}
                for j in range(min(count, keys)):
                    if (case.causal and j > place) or (case.left >= 0 and j < place - case.left) or (case.right >= 0 and j > place + case.right):
                        continue
                    s = case.scale * sum(read["q"](b, h, t, d) * read["k"](b, kv, j, d) for d in range(case.depth))
                    if case.softcap:
                        s = case.softcap * math.tanh(s / case.softcap)
                    if case.mask:
                        column = j if mask_dims[3] != 1 or case.mask[3] is None else 0
                        if column >= mask_dims[3]:
                            continue
                        m = read["mask"](*[0 if size == 1 else i for i, size in zip((b, h, t), mask_dims)], column)
                        if case.mask_element == "i1":
                            if not m:
                                continue
                        else:
                            s += m
                    scores[j] = s
                sink = read["sink"](h) if case.sink else -math.inf
                most = max([*scores.values(), sink])
                if not scores or most == -math.inf:
                    results[b, h, t] = [0.0] * case.columns
                    continue
                powers = {j: math.exp(s - most) for j, s in scores.items()}
                total = sum(powers.values()) + math.exp(sink - most)
                results[b, h, t] = [sum(p * read["v"](b, kv, j, c) for j, p in powers.items()) / total for c in range(case.columns)]
    return results


def make_inputs(case, batch, queries, keys):
    inputs = {"q": random_buffer(case.element, (batch, case.heads, queries, case.depth), 3),
              "k": random_buffer(case.element, (batch, case.key_heads, keys, case.depth), 2),
              "v": random_buffer(case.element, (batch, case.key_heads, keys, case.columns), 1)}
    if case.mask:
        sizes = (batch, case.heads, queries, max(1, keys - case.short))
        shape = [full if size is None else 1 for size, full in zip(case.mask, sizes)]
        make = (lambda: rng.random() < 0.7) if case.mask_element == "i1" else lambda: rng.choice((0.0, 0.5, -1.0, -math.inf))
        inputs["mask"] = random_buffer(case.mask_element, shape, make=make)
    if case.counts:
        # Fewer keys than the buffer has, also fewer than queries: the first of these see nothing.
        counts = [max(1, keys - 5 * b - 2) if b % 2 == 0 else max(1, queries - 1) for b in range(batch)]
        inputs["counts"] = Buffer("q", (batch,), counts)
        inputs["counts"].element = "i64"
    if case.before:
        inputs["before"] = Buffer("q", (1,), [max(0, keys - queries)])
        inputs["before"].element = "i64"
    if case.sink:
        inputs["sink"] = random_buffer("f32", (case.heads,))
    return inputs


def run(library, case, inputs, batch, queries, keys, threads):
    out = random_buffer(case.element, (batch, case.heads, queries, case.columns), 2)
    chunks = -(-keys // CHUNK_KEYS)
    scratch = Buffer("f", (batch, case.key_heads, chunks, TILE_ROWS * ((case.columns + 15) // 16 * 16 + 2)))
    scratch.write([math.nan] * scratch.count)
    call(library, case.name, [*inputs.values(), out, scratch], threads)
    read = reader(out)
    return {(b, h, t): [read(b, h, t, c) for c in range(case.columns)] for b in range(batch) for h in range(case.heads) for t in range(queries)}


def last_query(case, inputs, queries):
    """The inputs with nothing but the last query."""
    alone = dict(inputs)

    def cut(buffer):
        part = Buffer(buffer.kind, buffer.shape, None, buffer.strides)
        raw = buffer.read()
        part.element, step = buffer.element, (queries - 1) * buffer.strides[2]
        part.shape[2] = 1
        part.write(raw[step:] + raw[:step])
        return part

    alone["q"] = cut(inputs["q"])
    if case.mask and inputs["mask"].shape[2] != 1:
        alone["mask"] = cut(inputs["mask"])
    if case.before:
        alone["before"] = Buffer("q", (1,), [inputs["before"].read()[0] + queries - 1])
        alone["before"].element = "i64"
    return alone


def check(library, case, batch, queries, keys):
    title = f"{case.name}: {batch} sequences, {queries} queries, {keys} keys"
    inputs = make_inputs(case, batch, queries, keys)
    want = reference(case, inputs, batch, queries, keys)
    got = run(library, case, inputs, batch, queries, keys, 1)
    tolerance = {"f32": 3e-6, "f16": 2e-3, "bf16": 1e-2}[case.element]
    for at, row in want.items():
        for c, value in enumerate(row):
            if not abs(got[at][c] - value) <= tolerance * (1 + abs(value)):
                sys.exit(f"{title}: {at} column {c} is {got[at][c]}, expected {value}")
    for threads in (2, 5):
        if run(library, case, inputs, batch, queries, keys, threads) != got:
            sys.exit(f"{title}: {threads} threads give another result than one")
    if queries > 1 and not case.counts:
        for threads in (1, 5):
            alone = run(library, case, last_query(case, inputs, queries), batch, 1, keys, threads)
            for (b, h, _), row in alone.items():
                if row != got[b, h, queries - 1]:
                    sys.exit(f"{title}: the last query alone gives another result with {threads} threads")


def main():
    isa, workdir = sys.argv[1:]
    if not host_has(isa):
        print(f"host lacks {isa}: nothing checked")
        return
    library = compile_module("".join(case.text() for case in CASES), isa, workdir)
    for case in CASES:
        for batch, queries, keys in ((1, 1, 1), (2, 1, 40), (1, 7, 7), (2, 30, 45), (1, 2, 600)):
            check(library, case, batch, queries, keys)
    print(f"{isa} attends right")


main()
