"""Numeric test of moe.grouped_matmul with weights that the kernel decodes: panels of blocks in every format, f16 and bf16 panels.

usage: check_blocks.py <isa> <workdir>
"""
import math
import random
import struct
import sys

from native_kernels import Buffer, call, compile_module, host_has, memref

K = 45
E2M1 = [0, .5, 1, 1.5, 2, 3, 4, 6, -0.0, -.5, -1, -1.5, -2, -3, -4, -6]
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]


def f32(v):
    return struct.unpack("f", struct.pack("f", v))[0]


def e4m3(code):
    exponent, mantissa = code >> 3 & 15, code & 7
    value = (1 + mantissa / 8) * 2.0**(exponent - 7) if exponent else mantissa / 8 * 2.0**-6
    return -value if code & 128 else value


def narrow(kind, value):
    """The bytes of a float in f32, f16 or bf16 (cut off)."""
    if kind == "f16":
        return struct.pack("e", value)
    return struct.pack("f", value) if kind == "f32" else struct.pack("f", value)[2:]


def widen(kind, data):
    if kind == "f16":
        return struct.unpack("e", data)[0]
    return struct.unpack("f", data if kind == "f32" else b"\0\0" + data)[0]


class Case:
    """A dense product of `columns` results. `code` is that of #moe.blocks, or None for panels of `scale` (f16, bf16)."""

    def __init__(self, name, columns, code, group=16, scale="f32", zero=None, gate="none", k=K):
        self.__dict__.update(locals())
        self.gated = gate != "none"
        self.per_panel = 16 if self.gated else 32
        self.panels = -(-columns // self.per_panel)
        self.bits = {"int8": 8, "e4m3": 8, "int2": 2, "ternary": 0}.get(code, 4)

    def panel_bytes(self):
        codes = -(-self.group // 2) * 16 if self.bits == 2 else self.group * 4 * self.bits
        if self.code == "ternary":
            return -(-self.k // self.group) * (64 * len(narrow(self.scale, 0)) + -(-self.group // 5) * 32)
        zero = {None: 0, "i8": 32, "f32": 128}[self.zero]
        return -(-self.k // self.group) * (32 * len(narrow(self.scale, 0)) + zero + codes)

    def function(self):
        x, out = memref(None, self.k, "f32", strided=True), memref(None, self.columns, "f32", strided=True)
        weight = memref(1, self.panels, self.panel_bytes(), "i8") if self.code else memref(1, self.panels, self.k, 32, self.scale)
        packing = "gate_up16" if self.gated else "panel32"
        attributes = [f"packing = #moe<packing_family {packing}>", f"columns = {self.columns * (2 if self.gated else 1)} : i64"]
        if self.code:
            zero = f", zero = {self.zero}" if self.zero else ""
            attributes.append(f"blocks = #moe.blocks<code = {self.code}, group = {self.group}, scale = {self.scale}{zero}>")
        if self.gated:
            attributes.append(f"ffn = #moe.ffn<activation = identity, gate = {self.gate}>")
        return (f"func.func @{self.name}(%x: {x}, %w: {weight}, %out: {out}) attributes {{llvm.emit_c_interface}} {{\n"
                f"  moe.grouped_matmul %x weight(%w : {weight}) outs(%out : {out}) {{{', '.join(attributes)}}} : {x}\n  return\n}}\n")

    def number(self, code):
        if self.code == "e4m3":
            return e4m3(code)
        return {"e2m1": E2M1, "nf4": NF4}[self.code][code] if self.code in ("e2m1", "nf4") else code

    def block(self, rng, count):
        """The bytes of a block and its values [k][column]."""
        scales = [narrow(self.scale, rng.uniform(0.01, 1)) for _ in range(32)]
        if self.zero == "f32":
            zeros = [f32(rng.uniform(0, 10)) for _ in range(32)]
        else:
            zeros = [rng.randrange(1 << self.bits) if self.zero else 0 for _ in range(32)]
        data = b"".join(scales) + (b"".join(struct.pack("f", z) for z in zeros) if self.zero == "f32" else bytes(zeros) if self.zero else b"")
        codes = bytearray(self.panel_bytes() // -(-self.k // self.group) - len(data))
        values = []
        implied = 1 << (self.bits - 1) if self.code.startswith("int") and not self.zero else 0
        for k in range(count):
            line = []
            for c in range(32):
                # 0x7f of e4m3 is NaN; its test is by itself.
                code = rng.randrange(1 << self.bits)
                code = 0x35 if self.code == "e4m3" and code & 0x7f == 0x7f else code
                if self.bits == 8:
                    codes[32 * k + c] = code ^ 128 if implied else code
                elif self.bits == 4:
                    codes[16 * k + c % 16] |= code << c // 16 * 4
                else:
                    codes[k // 2 * 16 + c % 16] |= code << 4 * (k % 2) + c // 16 * 2
                line.append(f32(widen(self.scale, scales[c]) * f32(self.number(code) - implied - zeros[c])))
            values.append(line)
        return data + bytes(codes), values

    def ternary_block(self, rng, count):
        """Two numbers for each column, then five digits in a byte."""
        limits = [[narrow(self.scale, rng.uniform(*span)) for _ in range(32)] for span in ((-1, 0), (0, 1))]
        digits = [[rng.randrange(3) for _ in range(32)] for _ in range(count)]
        codes = bytearray(-(-self.group // 5) * 32)
        for first in range(0, count, 5):
            for c in range(32):
                number = sum(3 ** (4 - i) * line[c] for i, line in enumerate(digits[first:first + 5]))
                codes[first // 5 * 32 + c] = -(-number * 256 // 243)
        values = [[0.0 if digit == 0 else widen(self.scale, limits[digit - 1][c]) for c, digit in enumerate(line)] for line in digits]
        return b"".join(limits[0] + limits[1]) + bytes(codes), values

    def panel(self, rng):
        data, values = b"", []
        for first in range(0, self.k, self.group if self.code else self.k):
            if self.code:
                make = self.ternary_block if self.code == "ternary" else self.block
                block, lines = make(rng, min(self.group, self.k - first))
            else:
                raw = [[narrow(self.scale, rng.uniform(-1, 1)) for _ in range(32)] for _ in range(self.k)]
                raw[0][:3] = [narrow(self.scale, 0.0), narrow(self.scale, 3e-7 if self.scale == "f16" else 1e-39), narrow(self.scale, -6e4)]
                block, lines = b"".join(b"".join(line) for line in raw), [[widen(self.scale, v) for v in line] for line in raw]
            data += block
            values += lines
        return data, values


CASES = [Case(f"{code}_{group}", 70, code, group, scale, zero) for code, group, scale, zero in [
    ("int8", 45, "f32", None), ("int8", 16, "f16", "i8"), ("int8", 9, "bf16", "f32"), ("int4", 32, "f32", None), ("int4", 16, "f16", "i8"),
    ("int4", 45, "bf16", "f32"), ("int2", 32, "f32", None), ("int2", 9, "f16", "i8"), ("int2", 16, "bf16", "f32"), ("e2m1", 32, "bf16", None),
    ("nf4", 16, "f32", None), ("e4m3", 45, "f32", None), ("ternary", 45, "bf16", None), ("ternary", 22, "f16", None), ("ternary", 50, "f32", None)]]
CASES += [Case("gate_int4", 23, "int4", 32, "f16", "i8", "interleaved"), Case("gate_int2", 32, "int2", 9, "f32", None, "halves"),
          Case("gate_int8", 17, "int8", 45, "f32", None, "separate"), Case("gate_e2m1", 40, "e2m1", 32, "bf16", None, "halves"),
          Case("gate_nf4", 16, "nf4", 16, "f32", None, "interleaved"), Case("gate_e4m3", 16, "e4m3", 16, "f32", None, "interleaved"),
          Case("gate_ternary", 23, "ternary", 45, "bf16", None, "separate"), Case("wide_ternary", 300, "ternary", 7, "f32", None, k=7),
          Case("wide_int4", 300, "int4", 32, "f32", None), Case("panels_f16", 70, None, 0, "f16"), Case("panels_bf16", 70, None, 0, "bf16"),
          Case("gate_f16", 23, None, 0, "f16", None, "halves"), Case("gate_bf16", 23, None, 0, "bf16", None, "interleaved")]


def check(library, case, rows, rng):
    panels = [case.panel(rng) for _ in range(case.panels)]
    x = [[f32(rng.uniform(-2, 2)) for _ in range(case.k)] for _ in range(rows)]
    data = b"".join(data for data, _ in panels)
    kind = "b" if case.code else "h"
    size = struct.calcsize(kind)
    fixed = [1, case.panels, case.panel_bytes()] if case.code else [1, case.panels, case.k, 32]
    weight = Buffer(kind, fixed, struct.unpack(f"={len(data) // size}{kind}", data))
    stride = case.k + 3
    flat = [v for row in x for v in row + [math.nan] * 3][:-3] if rows else []
    buffers = [Buffer("f", (rows, case.k), flat, [stride, 1]), weight, Buffer("f", (rows, case.columns), strides=[case.columns + 3, 1])]
    results = []
    for threads in (1, 3):
        call(library, case.name, buffers, threads)
        results.append(buffers[2].raw())
    if results[0] != results[1]:
        raise SystemExit(f"{case.name}: 3 threads give another result than one")
    found = buffers[2].read()
    worst = 0.0
    for row in range(rows):
        for column in range(case.columns):
            lines = panels[column // case.per_panel][1]
            place = column % case.per_panel

            def total(c):
                return sum(a * line[c] for a, line in zip(x[row], lines)), sum(abs(a * line[c]) for a, line in zip(x[row], lines))
            want, size = total(place)
            if case.gated:
                up, up_size = total(place + 16)
                want, size = want * up, size * up_size
            error = abs(found[row * (case.columns + 3) + column] - want) / (1e-30 + size)
            # `not <=` also catches NaN.
            if not error <= 3e-6:
                raise SystemExit(f"{case.name} rows {rows}: row {row} column {column} is {found[row * (case.columns + 3) + column]}, expected {want}")
            worst = max(worst, error)
    return worst


def check_nan(library, case):
    """Both codes of e4m3 that are NaN make their column NaN and no other."""
    rng = random.Random(3)
    data, values = case.panel(rng)
    data = bytearray(data)
    codes = 32 * 4
    data[codes + 5], data[codes + 32 + 9] = 0x7f, 0xff
    data += b"".join(case.panel(rng)[0] for _ in range(case.panels - 1))
    buffers = [Buffer("f", (1, case.k), [1.0] * case.k), Buffer("b", [1, case.panels, case.panel_bytes()], struct.unpack(f"={len(data)}b", data)),
               Buffer("f", (1, case.columns))]
    call(library, case.name, buffers)
    found = [column for column, value in enumerate(buffers[2].read()) if math.isnan(value)]
    if found != [5, 9]:
        raise SystemExit(f"{case.name}: columns {found} are NaN, expected 5 and 9")


def main():
    isa, workdir = sys.argv[1:]
    if not host_has(isa):
        print(f"host lacks {isa}: nothing checked")
        return
    library = compile_module("".join(case.function() for case in CASES), isa, workdir)
    rng = random.Random(11)
    for case in CASES:
        worst = max(check(library, case, rows, rng) for rows in (1, 2, 3, 5, 13))
        print(f"{isa} {case.name}: ok, worst error {worst:.1e}")
    check_nan(library, next(case for case in CASES if case.name == "e4m3_45"))
    print(f"{isa} all formats are decoded")


main()
