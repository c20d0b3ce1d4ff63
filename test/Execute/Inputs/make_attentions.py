"""Writes model.mlir with attentions as the fuse stage leaves them, for many queries, and what float64 numpy makes of them: make_attentions.py FOLDER TYPE.

Rows of TYPE (bf16, f16 or f32), results of f32: heads that share keys, causal, windows to both sides, a soft cap, masks of booleans and of numbers (one shorter than the keys), sinks, keys
counted for each sequence, a number of queries that the run decides, queries that see nothing, columns that are no whole steps of a matrix product and values of other widths.
"""
import pathlib
import sys

import ml_dtypes
import numpy as np
from onnx import numpy_helper

FOLDER, TYPE = pathlib.Path(sys.argv[1]), sys.argv[2]
NUMPY = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "i1": bool, "i64": np.int64}
rng = np.random.default_rng(11)
inputs, lines, results, expected = [], [], [], []
TILE, CHUNK = 48, 256  # Of the scratch that CPU kernels want.


def given(name, array, element, sizes=None):
    kind = f"tensor<{'x'.join(map(str, sizes or array.shape))}x{element}>"
    inputs.append((name, kind, array))
    return f"%{name}", kind


def named(name, kind):
    sizes = ", ".join('"tokens"' if size == "?" else f'"{size}"' for size in kind[7:].split("x")[:-1])
    return f'{kind} {{moe.name = "{name}", moe.dims = [{sizes}]}}'


def attend(q, k, v, scale, mask=None, counts=None, sink=None, softcap=0, causal=False, left=-1, right=-1, before=0):
    B, H, T, _ = q.shape
    out = np.zeros((B, H, T, v.shape[-1]))
    S, share = k.shape[2], H // k.shape[1]
    for b, h, t in np.ndindex(B, H, T):
        place = t + (before if counts is None else counts[b] - T)
        keys = np.arange(S if mask is None else min(S, mask.shape[3] if mask.shape[3] > 1 else S))
        keys = keys[(keys < (S if counts is None else counts[b])) & ((not causal) | (keys <= place))]
        keys = keys[((left < 0) | (keys >= place - left)) & ((right < 0) | (keys <= place + right))]
        s = scale * (k[b, h // share, keys] @ q[b, h, t])
        if softcap:
            s = softcap * np.tanh(s / softcap)
        if mask is not None:
            row = mask[b % mask.shape[0], h % mask.shape[1], t % mask.shape[2]]
            row = row[keys] if len(row) > 1 else np.repeat(row, len(keys))
            s = np.where(row, s, -np.inf) if row.dtype == bool else s + row
        every = np.append(s, sink[h] if sink is not None else -np.inf)
        if every.max() == -np.inf:
            continue
        power = np.exp(every - every.max())
        out[b, h, t] = power[:-1] @ v[b, h // share, keys] / power.sum()
    return out


def case(name, B=1, H=4, kv=2, T=70, S=70, D=32, V=None, mask=None, sink=False, counts=None, dynamic=False, **how):
    V = V or D
    numbers = lambda *shape: rng.standard_normal(shape).astype(NUMPY[TYPE])
    arrays = {"q": numbers(B, H, T, D), "k": numbers(B, kv, S, D), "v": numbers(B, kv, S, V)}
    tokens = "?" if dynamic else T
    text = {part: given(f"{name}_{part}", array, TYPE, (B, H, tokens, D) if part == "q" else None) for part, array in arrays.items()}
    operands = " ".join(f"{part}({value} : {kind})" for part, (value, kind) in text.items())
    more = {}
    if mask:
        shape, element = mask
        more["mask"] = rng.random(shape) < 0.6 if element == "i1" else rng.standard_normal(shape).astype(NUMPY[element])
        operands += " mask({} : {})".format(*given(f"{name}_mask", more["mask"], element))
        if element != "i1":
            more["mask"] = more["mask"].astype(np.float64)
    if counts:
        more["counts"] = np.array(counts)
        operands += " counts({} : {})".format(*given(f"{name}_counts", more["counts"], "i64"))
    if "before" in how:
        lines.append(f"  %{name}_before = arith.constant {how['before']} : index")
        operands += f" before(%{name}_before)"
    if sink:
        more["sink"] = rng.standard_normal(H).astype(np.float32)
        operands += " sink({} : {})".format(*given(f"{name}_sink", more["sink"], "f32"))
        more["sink"] = more["sink"].astype(np.float64)
    scale = 1 / 4 if D == 16 else 0.125
    attributes = ["causal"] * how.get("causal", False) + [f"scale = {scale}"]
    attributes += [f"{key} = {how[key]:{form}}" for key, form in (("softcap", ".1f"), ("left", "d"), ("right", "d")) if key in how]
    out, scratch = f"tensor<{B}x{H}x{tokens}x{V}xf32>", f"tensor<{B}x{kv}x{-(-S // CHUNK)}x{TILE * (-(-V // 16) * 16 + 2)}xf32>"
    if dynamic:
        lines.append(f"  %{name}_two = arith.constant 2 : index\n  %{name}_tokens = tensor.dim %{name}_q, %{name}_two : {text['q'][1]}")
    size = f"%{name}_tokens" if dynamic else ""
    lines.append(f"""  %{name}_out = tensor.empty({size}) : {out}
  %{name}_scratch = tensor.empty() : {scratch}
  %{name}:2 = moe.attention {operands} outs(%{name}_out, %{name}_scratch : {out}, {scratch}) {{{", ".join(attributes)}}} -> {out}, {scratch}""")
    results.append((f"%{name}#0", out, name))
    expected.append(attend(*(array.astype(np.float64) for array in arrays.values()), scale, **more, **how).astype(np.float32))


case("causal", causal=True, dynamic=True)
case("window", D=16, T=130, S=150, left=40, right=3, before=20)
case("masked", B=2, T=20, S=90, mask=((2, 1, 20, 80), TYPE), D=48)
case("booleans", T=33, S=65, mask=((1, 4, 33, 65), "i1"), D=64, V=40, sink=True)
case("counted", B=2, T=17, S=100, counts=[70, 10], causal=True, D=20)
case("capped", H=2, kv=2, T=16, S=128, D=128, softcap=2, sink=True, left=9)

signature = ", ".join(f"%{name}: {named(name, kind)}" for name, kind, _ in inputs)
returned = ", ".join(named(name, kind) for _, kind, name in results)
FOLDER.mkdir(parents=True, exist_ok=True)
(FOLDER / "model.mlir").write_text(f"""func.func @main({signature}) -> ({returned}) attributes {{moe.entry}} {{
{chr(10).join(lines)}
  return {", ".join(value for value, _, _ in results)} : {", ".join(kind for _, kind, _ in results)}
}}
""")
data = FOLDER / "test_data_set_0"
data.mkdir(exist_ok=True)
for number, (name, _, array) in enumerate(inputs):
    (data / f"input_{number}.pb").write_bytes(numpy_helper.from_array(array, name).SerializeToString())
for number, (_, _, name) in enumerate(results):
    (data / f"output_{number}.pb").write_bytes(numpy_helper.from_array(expected[number], name).SerializeToString())
