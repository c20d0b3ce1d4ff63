"""Ternary weights in a dictionary against the same weights as numbers: check_ternary.py FOLDER. Writes models of experts in FOLDER, compiles them for
every ISA version that this CPU runs, and compares the two results bit by bit, on 1 and 3 threads, and one with float64.
"""

import os
import pathlib
import subprocess
import sys

import ml_dtypes
import numpy as np

sys.path.insert(0, os.fspath(pathlib.Path(__file__).parents[2] / "Systems" / "Inputs"))
import ternary  # noqa: E402

FOLDER = pathlib.Path(sys.argv[1])
TEXT = """!rows = tensor<?x{H}xf32>
!up = tensor<{E}x{I}x{H}xf32>
!down = tensor<{E}x{H}x{I}xf32>
moe.weight @codebook : tensor<131072xui32> source(#moe.file<"codebook.bin", offset = 0, length = 524288>)
{weights}
func.func @main(%x: !rows {{moe.name = "x", moe.dims = ["rows", "{H}"]}}, %offset: tensor<{E1}xi32> {{moe.name = "offset", moe.dims = ["{E1}"]}})
    -> (!rows {{moe.name = "coded", moe.dims = ["rows", "{H}"]}}, !rows {{moe.name = "plain", moe.dims = ["rows", "{H}"]}}) {{
  %codebook = moe.weight_ref @codebook : tensor<131072xui32>
{body}
  return %coded, %plain : !rows, !rows
}}
"""


def model(folder, E, H, I, scale, gated, zeros, rng):
    """Writes a model; gives x of 7 rows, offsets and the expected rows."""
    folder.mkdir(parents=True)
    lines, weights, values = [], [], {}

    def weight(name, values, element):
        type = f"tensor<{'x'.join(map(str, values.shape))}x{element}>"
        (folder / f"{name}.bin").write_bytes(np.ascontiguousarray(values).tobytes())
        weights.append(f'moe.weight @{name} : {type} source(#moe.file<"{name}.bin", offset = 0, length = {values.nbytes}>)')
        lines.append(f"  %{name} = moe.weight_ref @{name} : {type}")
        return f"%{name} : {type}"

    (folder / "codebook.bin").write_bytes(ternary.table().astype(np.uint32).tobytes())
    number = ml_dtypes.bfloat16 if scale == "bf16" else np.float32
    for name, shape in [("gate", (E, I, H)), ("up", (E, I, H)), ("down", (E, H, I))][0 if gated else 1:]:
        digits = rng.choice(3, shape, p=[zeros, (1 - zeros) / 2, (1 - zeros) / 2])
        limits = (np.abs(rng.standard_normal(shape[:-1] + (2,))) * [-1, 1] / 4).astype(number)
        dense = np.where(digits == 1, limits[..., :1], np.where(digits == 2, limits[..., 1:], number(0))).astype(number)
        codes = [ternary.encode(row) for row in digits.reshape(-1, shape[-1])]
        c = weight(f"{name}_codes", np.array([code for row in codes for code in row], np.uint16), "ui16")
        f = weight(f"{name}_starts", np.cumsum([0] + [len(row) for row in codes]).astype(np.int32), "i32")
        r = weight(f"{name}_range", limits, scale)
        p = weight(f"{name}_dense", dense, scale)
        kind = "down" if name == "down" else "up"
        lines.append(f"  %{name} = moe.dequant {c.split(' : ')[0]} scales({r}) zeros({f}) codebook(%codebook : tensor<131072xui32>) <format = ternary_dict>"
                     f" : {c.split(' : ')[1]} -> !{kind}")
        values[name] = dense.astype(np.float64), p.split(" : ")[1]
    ffn = "#moe.ffn<activation = silu, gate = separate>" if gated else "#moe.ffn<activation = relu>"
    for result, suffix in (("coded", ""), ("plain", "_dense")):
        types = {name: values[name][1] if suffix else ("!down" if name == "down" else "!up") for name in values}
        parts = [f"gate(%{first}{suffix} : {types[first]})" for first in (["gate"] if gated else ["up"])]
        parts += [f"up(%up{suffix} : {types['up']})"] if gated else []
        lines.append(f"  %{result} = moe.experts %x, %offset {' '.join(parts)} down(%down{suffix} : {types['down']}) {{ffn = {ffn}}}"
                     f" : !rows, tensor<{E + 1}xi32> -> !rows")
    (folder / "model.mlir").write_text(TEXT.format(E=E, E1=E + 1, H=H, I=I, weights="\n".join(weights), body="\n".join(lines)))

    x = rng.standard_normal((60, H)).astype(np.float32)
    offset = np.array([0] + sorted(rng.integers(0, len(x) + 1, E - 1)) + [len(x)], np.int32)
    expected = np.zeros((len(x), H))
    for e in range(E):
        rows = x[offset[e]:offset[e + 1]].astype(np.float64)
        up = rows @ values["up"][0][e].T
        gate = rows @ values["gate"][0][e].T if gated else None
        hidden = gate / (1 + np.exp(-gate)) * up if gated else np.maximum(up, 0)
        expected[offset[e]:offset[e + 1]] = hidden @ values["down"][0][e].T
    return x, offset, expected


def check(name, rng, **sizes):
    folder = FOLDER / name
    x, offset, expected = model(folder, rng=rng, **sizes)
    np.save(folder / "x.npy", x)
    np.save(folder / "offset.npy", offset)
    subprocess.run(["moe-compile", folder / "model.mlir", "-o", folder / "out", "--quiet", "--cpu-features=host;avx2;x86-64", f"--dump-stages-to={folder / 'stages'}"],
                   check=True, timeout=300)
    coded = (folder / "stages" / "6-lower.mlir").read_text().count("dictionary = ")
    bits = set()
    for isa in ("host", "avx2", "x86-64"):
        for threads in (1, 3):
            out = folder / f"{isa}-{threads}"
            # The version of this machine has a name of its own.
            chosen = [] if isa == "host" else ["--isa", isa]
            subprocess.run(["moe-run", folder / "out", "--input", f"x={folder / 'x.npy'}", "--input", f"offset={folder / 'offset.npy'}", "--output-dir", out,
                            "--threads", str(threads), *chosen], check=True, timeout=120, stdout=subprocess.DEVNULL)
            got, plain = np.load(out / "coded.npy"), np.load(out / "plain.npy")
            assert got.tobytes() == plain.tobytes(), f"{name}, {isa}, {threads} threads: {(got != plain).sum()} of {got.size} differ from the dense weights"
            error = np.abs(got - expected).max() / np.abs(expected).max()
            assert error < 1e-5, f"{name}, {isa}: error {error}"
            bits.add((isa, got.tobytes()))
    assert len(bits) == 3, f"{name}: the number of threads changes the result"
    print(f"{name}: {'strings stay' if coded else 'digits'}, bits of the dense weights")


rng = np.random.default_rng(4)
check("plain", rng, E=3, H=512, I=160, scale="bf16", gated=False, zeros=0.885)
check("gated", rng, E=3, H=320, I=200, scale="bf16", gated=True, zeros=0.885)
check("one expert, odd sizes", rng, E=1, H=257, I=143, scale="f32", gated=True, zeros=0.92)
check("few zeros", rng, E=2, H=256, I=64, scale="bf16", gated=False, zeros=0.3)
