"""A layer as the fuse stage leaves it, with rows and weights of f16, bf16 or f32, and what float64 numpy makes of it.

    make_cuda_layer.py FOLDER --type bf16 --tokens 5,70 [--exact] [--experts 8 --k 2 --hidden 64 --inner 48]

writes FOLDER/layer.mlir, weights.bin and a test_data_set_N for each number of tokens. With --quant weights are quantised (int4, int8, mxfp4 or fp8, --group and --zeros
as moe.dequant has them) and rows of the type given. With --exact all numbers are small integers, weights of slots are 1 and the
activation is relu, so that every sum is exact whatever its order and the result must be the same bit for bit.
"""

import argparse
import pathlib

import ml_dtypes
import numpy as np
from onnx import numpy_helper

MODEL = """
{stored}

func.func @main(%x: tensor<?x{H}x{type}> {{moe.name = "x", moe.dims = ["tokens", "{H}"]}},
                %logits: tensor<?x{E}xf32> {{moe.name = "logits", moe.dims = ["tokens", "{E}"]}})
    -> (tensor<?x{H}xf32> {{moe.name = "y", moe.dims = ["tokens", "{H}"]}}) attributes {{moe.entry}} {{
  %c0 = arith.constant 0 : index
  %k = arith.constant {K} : index
{weights}
  %tokens = tensor.dim %x, %c0 : tensor<?x{H}x{type}>
  %slots = arith.muli %tokens, %k : index
  %i = tensor.empty(%slots) : tensor<?xi32>
  %f = tensor.empty(%slots) : tensor<?xf32>
  %o = tensor.empty() : tensor<{E1}xi32>
  %r:5 = moe.route_permute logits(%logits : tensor<?x{E}xf32>)
      outs(%i, %f, %o, %i, %f : tensor<?xi32>, tensor<?xf32>, tensor<{E1}xi32>, tensor<?xi32>, tensor<?xf32>)
      {{experts = {E} : i64, router = #moe.router<function = {function}, k = {K}, source = {source}, norm = {norm}>}}
      -> tensor<?xi32>, tensor<?xf32>, tensor<{E1}xi32>, tensor<?xi32>, tensor<?xf32>
  %e = tensor.empty(%slots) : tensor<?x{I}x{type}>
  %h = moe.grouped_matmul %x rows(%r#0 : tensor<?xi32>) offsets(%r#2 : tensor<{E1}xi32>) weight(%w1 : tensor<{W1}x{wtype}>){UP}
      outs(%e : tensor<?x{I}x{type}>) {{ffn = #moe.ffn<activation = {activation}, gate = {gate}>, order = #moe<weight_order {order}>{plan1}}} : tensor<?x{H}x{type}> -> tensor<?x{I}x{type}>
  %d = tensor.empty(%tokens) : tensor<?x{H}xf32>
  %y = moe.grouped_matmul %h offsets(%r#2 : tensor<{E1}xi32>) weight(%w2 : tensor<{W2}x{wtype}>)
      combine(%r#0, %r#1 : tensor<?xi32>, tensor<?xf32>) outs(%d : tensor<?x{H}xf32>) {{order = #moe<weight_order {order}>{plan2}}} : tensor<?x{I}x{type}> -> tensor<?x{H}xf32>
  return %y : tensor<?x{H}xf32>
}}
"""

TYPES = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}


class Weights:
    """weights.bin and the text that reads it."""

    def __init__(self):
        self.bytes, self.stored, self.lines = b"", [], []

    def add(self, name, array, element):
        kind = f"tensor<{'x'.join(map(str, array.shape))}x{element}>"
        self.stored.append(f'moe.weight @{name} : {kind} source(#moe.file<"weights.bin", offset = {len(self.bytes)}, length = {array.nbytes}>)')
        self.bytes += np.ascontiguousarray(array).tobytes()
        self.lines.append(f"  %{name} = moe.weight_ref @{name} : {kind}")
        return f"%{name}", kind

    def add_quantised(self, name, options, shape, random):
        """A weight of codes; returns its numbers (float64)."""
        bits = 4 if options.quant in ("int4", "mxfp4") else 8
        groups = shape[:-1] + (-(-shape[-1] // options.group),)
        few = random.integers(-1, 2, shape) * (random.random(shape) < 0.15)
        zero = np.full(groups, 1 << (bits - 1)) if not options.zeros else random.integers(1, (1 << bits) - 1, groups)
        spread = lambda values: np.repeat(values, options.group, -1)[..., : shape[-1]]
        if options.quant in ("int4", "int8"):
            codes = spread(zero) + few if options.exact else random.integers(0, 1 << bits, shape)
            values = codes - spread(zero)
        else:
            kind = ml_dtypes.float4_e2m1fn if options.quant == "mxfp4" else ml_dtypes.float8_e4m3fn
            values = (few if options.exact else random.standard_normal(shape)).astype(kind)
            codes, values = values.view(np.uint8), values.astype(np.float64)
        exponents = random.integers(127, 129, groups) if options.exact else random.integers(122, 125, groups)
        scales = np.exp2(exponents - 127.0)
        if options.quant in ("int4", "int8") and not options.exact:
            scales = random.uniform(0.5, 1, groups).astype(np.float32) / np.float32(2 ** (bits - 1) * np.sqrt(shape[-1]))
        if options.quant == "fp8":  # A scale for each square.
            scales = scales[:, :: options.group]
            every = np.repeat(scales, options.group, 1)[:, : shape[1]]
        else:
            every = scales
        codes = codes.astype(np.uint8)
        payload = self.add(name + "_codes", codes[..., 0::2] | codes[..., 1::2] << 4 if bits == 4 else codes, "ui8")
        scale = self.add(name + "_scales", *((exponents.astype(np.uint8), "ui8") if options.quant == "mxfp4" else (scales.astype(np.float32), "f32")))
        zeros = ""
        if options.zeros:
            low = np.concatenate([zero, np.zeros(zero.shape[:-1] + (zero.shape[-1] % 2,), int)], -1) if bits == 4 else zero
            both = self.add(name + "_zeros", (low[..., 0::2] | low[..., 1::2] << 4 if bits == 4 else low).astype(np.uint8), "ui8")
            zeros = f" zeros({both[0]} : {both[1]})"
        form = {"int4": "int4_group", "int8": "int8_group", "mxfp4": "mxfp4", "fp8": "fp8_block"}[options.quant]
        self.lines.append(f"  %{name} = moe.dequant {payload[0]} scales({scale[0]} : {scale[1]}){zeros} <format = {form}, group_size = {options.group}> "
                          f": {payload[1]} -> tensor<{'x'.join(map(str, shape))}xf32>")
        return values * spread(every.astype(np.float64))


def layer(x, logits, gate_up, down, options):
    """One token at a time, one expert at a time; hidden rows are rounded to the type of the rows, as the kernels do."""
    y = np.zeros((len(x), down.shape[1]))
    for token, row in enumerate(x):
        chosen = np.argsort(-logits[token], kind="stable")[: options.k]
        power = np.exp(logits[token] - logits[token].max())
        for expert in sorted(chosen):
            both = gate_up[expert] @ row
            order = -1 if options.gate.startswith("up_first") else 1
            gate, up = ((both[0::2], both[1::2]) if options.gate in ("interleaved", "up_first_pairs") else np.split(both, 2))[::order]
            hidden = (np.maximum(gate, 0) if options.exact else gate / (1 + np.exp(-gate))) * up
            hidden = hidden.astype(TYPES[options.type]).astype(np.float64)
            y[token] += (1 if options.exact else power[expert] / power[chosen].sum()) * (down[expert] @ hidden)
    return y


def plan(packing):
    """With it the layer compiles for CPUs too."""
    return f', plan = #moe.plan<packing = {packing}, activations = "f32">'


def save(path, name, array):
    path.write_bytes(numpy_helper.from_array(array, name).SerializeToString())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--type", choices=TYPES, default="bf16")
    parser.add_argument("--tokens", default="5")
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--order", choices=["out_in", "in_out"], default="out_in")
    parser.add_argument("--gate", choices=["halves", "interleaved", "up_first", "up_first_pairs", "separate"], default="halves")
    parser.add_argument("--quant", choices=["int4", "int8", "mxfp4", "fp8"])
    parser.add_argument("--group", type=int, default=32)
    parser.add_argument("--zeros", action="store_true")
    for name, default in {"experts": 8, "k": 2, "hidden": 64, "inner": 48}.items():
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    E, K, H, I = options.experts, options.k, options.hidden, options.inner
    random = np.random.default_rng(3)
    kind = TYPES[options.type]

    def numbers(*shape):
        if options.exact:
            # Few of them, so that products of products stay small enough for bf16.
            return (random.integers(-1, 2, shape) * (random.random(shape) < 0.15)).astype(kind)
        return (random.standard_normal(shape) / np.sqrt(shape[-1])).astype(kind)

    weights = Weights()
    if options.quant:
        gate_up, down = weights.add_quantised("w1", options, (E, 2 * I, H), random), weights.add_quantised("w2", options, (E, H, I), random)
        first = [gate_up]
    else:
        gate_up, down = numbers(E, 2 * I, H), numbers(E, H, I)
        first = np.split(gate_up, 2, axis=1) if options.gate == "separate" else [gate_up]
        names = ("w1", "up", "w2") if options.gate == "separate" else ("w1", "w2")
        for name, weight in zip(names, (*first, down)):
            weights.add(name, weight if options.order == "out_in" else np.swapaxes(weight, 1, 2), options.type)
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "weights.bin").write_bytes(weights.bytes)
    shapes = ["x".join(map(str, weight.shape if options.order == "out_in" else np.swapaxes(weight, 1, 2).shape)) for weight in (first[0], down)]
    router = ("identity", "one", "none", "relu") if options.exact else ("softmax", "gather", "l1", "silu")
    (options.folder / "layer.mlir").write_text(
        MODEL.format(E=E, E1=E + 1, K=K, H=H, I=I, W1=shapes[0], W2=shapes[1], order=options.order, type=options.type, stored="\n".join(weights.stored), weights="\n".join(weights.lines),
                     wtype="f32" if options.quant else options.type, UP=f" up(%up : tensor<{shapes[0]}x{options.type}>)" if options.gate == "separate" else "", function=router[0],
                     source=router[1], norm=router[2], activation=router[3], gate=options.gate,
                     plan1=plan("gate_up16") if options.type == "f32" else "", plan2=plan("panel32") if options.type == "f32" else ""))
    for number, tokens in enumerate(map(int, options.tokens.split(","))):
        data = options.folder / f"test_data_set_{number}"
        data.mkdir(exist_ok=True)
        x = (random.integers(-2, 3, (tokens, H)) if options.exact else random.standard_normal((tokens, H))).astype(kind)
        # Equal scores too: ties go to the lowest expert.
        logits = random.integers(-4, 5, (tokens, E)).astype(np.float32) / 2
        y = layer(x.astype(np.float64), logits.astype(np.float64), gate_up.astype(np.float64), down.astype(np.float64), options)
        save(data / "input_0.pb", "x", x)
        save(data / "input_1.pb", "logits", logits)
        save(data / "output_0.pb", "y", y.astype(np.float32))


if __name__ == "__main__":
    main()
