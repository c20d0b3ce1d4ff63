"""Numeric test of moe.grouped_matmul on the CPU: every epilogue, ragged experts, tails, few and many rows, threads.

usage: check_matmul.py <isa> <workdir> [bf16]

With bf16, rows and weights are of that type; they are rounded before the reference is computed, so that only sums and results round.
"""
import copy
import math
import random
import struct
import sys

from native_kernels import Buffer, call, compile_module, host_has, memref

EXPERTS, K = 6, 37


def f32(v):
    return struct.unpack("f", struct.pack("f", v))[0]


def bf16_bits(v):
    """The bf16 nearest to a finite number, ties to even."""
    bits = struct.unpack("I", struct.pack("f", v))[0]
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def from_bf16(bits):
    return struct.unpack("f", struct.pack("I", bits << 16))[0]


def bf16(v):
    return from_bf16(bf16_bits(v))


def sigmoid(v):
    return 1 / (1 + math.exp(-v)) if v > -700 else 0.0


ACTIVATIONS = {
    "identity": lambda v, alpha: v,
    "relu": lambda v, alpha: max(v, 0.0),
    "relu2": lambda v, alpha: max(v, 0.0)**2,
    "silu": lambda v, alpha: v * sigmoid(alpha * v),
    "gelu_erf": lambda v, alpha: 0.5 * v * (1 + math.erf(v / math.sqrt(2))),
    "gelu_tanh": lambda v, alpha: 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))),
}


class Case:
    """One op. `columns` are those of the result; `gate` is the gate layout, 'none' for one projection."""

    def __init__(self, name, columns, activation=None, gate="none", bias=(), ragged=True, gather=False, combine=False, alpha=1.0,
                 up_offset=0.0, limit=None, experts=EXPERTS, k=K, pairs=False, out="f32"):
        self.__dict__.update(locals())
        self.gated = gate != "none"
        self.experts = experts if ragged else 1
        self.per_panel = 16 if self.gated else 32
        self.panels = -(-columns // self.per_panel)

    def operands(self):
        """Names and types of the memrefs, in the order of the function's arguments."""
        i32, vector = "i32", memref(None, "f32")
        bias_columns = self.columns * (2 if self.gate in ("halves", "interleaved") else 1)
        yield "x", memref(None, self.k, "bf16" if self.pairs else "f32", strided=True)
        if self.gather:
            yield "rows", memref(None, i32)
        if self.ragged:
            yield "offsets", memref(self.experts + 1, i32)
        if self.pairs:
            yield "weight", memref(self.experts, self.panels, (self.k + 1) // 2, 32, 2, "bf16")
        else:
            yield "weight", memref(*([self.experts] if self.ragged else []), self.panels, self.k, 32, "f32")
        for name in self.bias:
            yield name, memref(*([self.experts] if self.ragged else []), bias_columns, "f32")
        if self.combine:
            yield "combine_rows", memref(None, i32)
            yield "combine_weights", vector
        yield "out", memref(None, self.columns, self.out, strided=True)

    def function(self):
        types = dict(self.operands())
        arguments = ", ".join(f"%{name}: {type}" for name, type in types.items())
        parts = ["%x"]
        for name in ("rows", "offsets", "weight", "bias", "up_bias"):
            if name in types:
                parts.append(f"{name}(%{name} : {types[name]})")
        if self.combine:
            parts.append(f"combine(%combine_rows, %combine_weights : {types['combine_rows']}, {types['combine_weights']})")
        packing = "gate_up16" if self.gated else "panel32"
        attributes = [f"packing = #moe<packing_family {packing}>", f"columns = {self.columns * (2 if self.gated else 1)} : i64"]
        if self.activation:
            fields = [f"activation = {self.activation}", f"gate = {self.gate}", f"alpha = {self.alpha!r}",
                      f"up_offset = {self.up_offset!r}"] + ([f"limit = {self.limit!r}"] if self.limit else [])
            attributes.append(f"ffn = #moe.ffn<{', '.join(fields)}>")
        return (f"func.func @{self.name}({arguments}) attributes {{llvm.emit_c_interface}} {{\n  moe.grouped_matmul {' '.join(parts)} "
                f"outs(%out : {types['out']}) {{{', '.join(attributes)}}} : {types['x']}\n  return\n}}\n")

    def weights(self, rng):
        """Per expert the gate (or only) and the up matrix, [column][k], as values that the weight's type holds."""
        def matrix():
            return [[self.rounded(rng.uniform(-0.5, 0.5)) for _ in range(self.k)] for _ in range(self.columns)]
        return [(matrix(), matrix() if self.gated else None) for _ in range(self.experts)]

    def rounded(self, value):
        return bf16(value) if self.pairs else f32(value)

    def pack(self, weights):
        packed = []
        for gate, up in weights:
            for panel in range(self.panels):
                first = panel * self.per_panel
                columns = gate[first:first + self.per_panel] + [[0.0] * self.k] * (self.per_panel - len(gate[first:first + self.per_panel]))
                if self.gated:
                    columns += up[first:first + 16] + [[0.0] * self.k] * (16 - len(up[first:first + 16]))
                for k in range(0, self.k, 2 if self.pairs else 1):
                    if self.pairs:
                        packed.extend(value for column in columns for value in (column + [0.0])[k:k + 2])
                    else:
                        packed.extend(column[k] for column in columns)
        return packed

    def bias_of(self, biases, expert, column):
        """Gate (or only) and up bias of a result column."""
        base = expert * (2 if self.gate in ("halves", "interleaved") else 1) * self.columns
        if not self.bias:
            return 0.0, 0.0
        if self.gate == "halves":
            return biases["bias"][base + column], biases["bias"][base + self.columns + column]
        if self.gate == "interleaved":
            return biases["bias"][base + 2 * column], biases["bias"][base + 2 * column + 1]
        return (biases.get("bias", [0.0] * (base + column + 1))[base + column],
                biases.get("up_bias", [0.0] * (base + column + 1))[base + column])

    def result(self, row, weights, biases, expert, column):
        gate_weights, up_weights = weights[expert]
        gate_bias, up_bias = self.bias_of(biases, expert, column)
        gate = sum(a * b for a, b in zip(row, gate_weights[column])) + gate_bias
        if not self.gated:
            return ACTIVATIONS[self.activation](gate, self.alpha) if self.activation else gate
        up = sum(a * b for a, b in zip(row, up_weights[column])) + up_bias
        if self.limit:
            gate, up = min(gate, self.limit), max(-self.limit, min(up, self.limit))
        return ACTIVATIONS[self.activation](gate, self.alpha) * (up + self.up_offset)


CASES = [
    Case("dense", 70, ragged=False),
    Case("dense_bias", 8, ragged=False, bias=("bias",)),
    Case("dense_exact", 64, ragged=False, k=1),
    Case("plain", 96, gather=True),
    Case("relu", 33, "relu", bias=("bias",)),
    Case("relu2", 31, "relu2"),
    Case("erf", 40, "gelu_erf", gather=True),
    Case("tanh", 48, "gelu_tanh"),
    Case("one_silu", 32, "silu", alpha=1.7),
    Case("silu", 41, "silu", "halves", gather=True),
    Case("silu_halves", 48, "silu", "halves", ("bias",), gather=True),
    Case("silu_interleaved", 23, "silu", "interleaved", ("bias",), gather=True, alpha=1.702, up_offset=1.0, limit=1.5),
    Case("interleaved_exact", 32, "identity", "interleaved", ("bias",)),
    Case("separate", 37, "gelu_erf", "separate", ("bias", "up_bias"), gather=True),
    Case("separate_up", 16, "relu", "separate", ("up_bias",)),
    Case("combine", 45, combine=True, bias=("bias",)),
    Case("combine_exact", 128, combine=True),
]


def kind_of(type):
    return "i" if "i32" in type else "H" if "bf16" in type else "f"


def prepare(case, counts, rng):
    """Buffers by name and the reference result (a list of rows) for experts with `counts` rows."""
    slots = sum(counts)
    x_rows = max(1, slots // 2) if case.gather else slots
    x = [[case.rounded(rng.uniform(-2, 2)) for _ in range(case.k)] for _ in range(x_rows)]
    weights = case.weights(rng)
    rows = [rng.randrange(x_rows) for _ in range(slots)] if case.gather else list(range(slots))
    owner = [expert for expert, count in enumerate(counts) for _ in range(count)]
    tokens = max(1, slots // 2)
    values = {"rows": rows, "offsets": [sum(counts[:e]) for e in range(len(counts) + 1)], "weight": case.pack(weights),
              "combine_rows": [rng.randrange(tokens) for _ in range(slots)],
              "combine_weights": [f32(rng.uniform(0, 1)) for _ in range(slots)]}
    values["x"] = [v for row in x for v in row + [math.nan] * 3][:-3]
    if case.pairs:
        values["x"] = [0x7FC0 if math.isnan(v) else bf16_bits(v) for v in values["x"]]
        values["weight"] = [bf16_bits(v) for v in values["weight"]]
    biases = {}
    for name, type in case.operands():
        if name in case.bias:
            size = case.experts * int(type.split("x")[-2].split("<")[-1])
            biases[name] = values[name] = [f32(rng.uniform(-1, 1)) for _ in range(size)]
    y = [[case.result(x[rows[slot]], weights, biases, owner[slot], column) for column in range(case.columns)] for slot in range(slots)]
    expected = y
    if case.combine:
        expected = [[0.0] * case.columns for _ in range(tokens)]
        for slot in range(slots):
            line, weight = expected[values["combine_rows"][slot]], values["combine_weights"][slot]
            for column in range(case.columns):
                line[column] += weight * y[slot][column]
    shapes = {"x": (x_rows, case.k), "out": (len(expected), case.columns)}
    buffers = {}
    for name, type in case.operands():
        kind = kind_of(type)
        if name in shapes:
            buffers[name] = Buffer(kind, shapes[name], strides=[shapes[name][1] + 3, 1])
        else:
            fixed = [int(size) if size != "?" else len(values[name]) for size in type[7:-1].split("x")[:-1]]
            buffers[name] = Buffer(kind, fixed)
        if name != "out":
            buffers[name].write(values[name][:buffers[name].count])
    return buffers, expected


CANARY = -12345.0


def run(library, case, buffers, threads):
    """The result as bytes after a check that the gaps between rows are untouched."""
    out = buffers["out"]
    canary = bf16_bits(CANARY) if out.kind == "H" else CANARY
    out.write([canary] * out.count)
    call(library, case.name, buffers.values(), threads)
    values = out.read()
    width = case.columns + 3
    for row in range(out.shape[0] - 1):
        gap = values[row * width + case.columns:(row + 1) * width]
        assert gap == [canary] * 3, f"{case.name}: row {row} was written past its end: {gap}"
    return [from_bf16(v) for v in values] if out.kind == "H" else values, out.raw()


def check(library, case, counts, rng):
    buffers, expected = prepare(case, counts, rng)
    values, raw = run(library, case, buffers, 1)
    worst = 0.0
    for row, line in enumerate(expected):
        for column, want in enumerate(line):
            found = values[row * (case.columns + 3) + column]
            # `not <=` also catches NaN.
            error = abs(found - want)
            if case.out == "bf16":  # half a unit in the last of 8 bits of what the f32 epilogue gave
                error = max(0.0, error - abs(want) * 2**-8)
            error /= 1.0 + abs(want)
            if not error <= 1e-5:
                raise SystemExit(f"{case.name} counts {counts}: row {row} column {column} is {found}, expected {want}")
            worst = max(worst, error)
    for threads in (2, 3, 7):
        if run(library, case, buffers, threads)[1] != raw:
            raise SystemExit(f"{case.name} counts {counts}: {threads} threads give another result than one")
    return worst


def check_row_stable(library, case, rng, rows=30, heights=range(1, 14)):
    """A row alone and in any company is the same to the last bit."""
    buffers, _ = prepare(case, [rows], rng)
    width, stride = case.columns + 3, case.k + 3
    together = run(library, case, buffers, 1)[1]
    x = buffers["x"].read()
    for height in heights:
        for first in (0, rows - height):
            part = dict(buffers)
            part["x"] = Buffer(buffers["x"].kind, (height, case.k), x[first * stride:(first + height - 1) * stride + case.k], [stride, 1])
            part["out"] = Buffer("f", (height, case.columns), strides=[width, 1])
            alone = run(library, case, part, 2)[1]
            for row in range(height):
                a = alone[row * width * 4:(row * width + case.columns) * 4]
                b = together[(first + row) * width * 4:((first + row) * width + case.columns) * 4]
                if a != b:
                    raise SystemExit(f"row {first + row} differs in a product of {height} rows")


def in_pairs(case, number, tiles=False):
    """The case on bf16; every second one without combine rounds its result. K is odd, for some of the cases even; with tiles whole steps of them but
    for some cases."""
    known = {name: getattr(case, name) for name in ("activation", "gate", "bias", "ragged", "gather", "combine", "alpha", "up_offset", "limit")}
    out = "bf16" if number % 2 and not case.combine else "f32"
    k = 32 * (3 - number % 3) if tiles and number % 5 != 3 else case.k + (number % 3 == 2)
    return Case(case.name, case.columns, **known, k=k, pairs=True, out=out)


def with_another_k(case):
    """The same but for K: both share the code that gets K as an argument."""
    other = copy.copy(case)
    other.name, other.k = f"{case.name}_of_another_k", case.k + (-32 if case.k > 64 else 32)
    return other


def main():
    global CASES
    isa, workdir = sys.argv[1:3]
    if sys.argv[3:] == ["bf16"]:
        CASES = [in_pairs(case, number, isa == "amx") for number, case in enumerate(CASES)]
    CASES += [with_another_k(case) for case in CASES if case.name in ("dense", "silu", "combine_exact")]
    if not host_has(isa):
        print(f"host lacks {isa}: nothing checked")
        return
    library = compile_module("".join(case.function() for case in CASES), isa, workdir)
    rng = random.Random(7)
    for case in CASES:
        if case.ragged:
            variants = [[0] * EXPERTS, [1, 0, 2, 3, 0, 5], [0, 13, 0, 0, 1, 4], [0, 0, 0, 0, 0, 1], [7, 6, 12, 25, 8, 9]]
            if isa == "amx":
                variants += [[33, 0, 16, 17, 3, 4], [100, 1, 0, 0, 32, 2]]
        else:
            variants = [[n] for n in (0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 25)] + ([[210]] if case.name == "dense_bias" else [])
        worst = max(check(library, case, counts, rng) for counts in variants)
        print(f"{isa} {case.name}: ok, worst error {worst:.1e}")
    check_row_stable(library, CASES[0], rng)
    if isa == "amx":
        check_row_stable(library, CASES[0], rng, 70, (1, 2, 3, 4, 16, 17, 32, 33, 49, 64, 65))
    print(f"{isa} rows are stable")


main()
