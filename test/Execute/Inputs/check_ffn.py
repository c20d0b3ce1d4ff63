"""Experts of every #moe.ffn: writes a model for each element type into FOLDER (argument), compiles it and compares it with float64.

An expert of sizes H, I has gate (and up) I×H, down H×I, the same matrices transposed where the order is in_out.
"""

import dataclasses
import itertools
import math
import pathlib
import subprocess
import sys

import ml_dtypes
import moe_opt
import numpy as np

EXPERTS, K, HIDDEN, INTERMEDIATE = 3, 2, 10, 7
DTYPES = {"f32": np.dtype(np.float32), "f16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}

ACTIVATIONS = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu2": lambda x: np.maximum(x, 0) ** 2,
    "gelu_erf": lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) if x.size else x,
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x / (1 + np.exp(-x)),
}


@dataclasses.dataclass
class Ffn:
    name: str
    activation: str
    gate: str
    order: str
    bias: bool
    alpha: float
    up_offset: float
    limit: float
    padded: bool

    def attribute(self):
        text = f"activation = {self.activation}"
        if self.gate != "none":
            text += f", gate = {self.gate}"
        for field, default in (("alpha", 1.0), ("up_offset", 0.0), ("limit", math.inf)):
            value = getattr(self, field)
            text += f", {field} = {value:.6e} : f64" if value != default else ""
        return f"#moe.ffn<{text}>"

    def rows(self):
        """Columns of the first product."""
        return INTERMEDIATE * (2 if self.gate in ("halves", "interleaved", "up_first", "up_first_pairs") else 1)

    def expert(self, weights, e, x):
        """One row through expert e, float64."""
        w = {part: weights[f"{self.name}_{part}"][e].astype(np.float64) for part in self.parts()}
        if self.order == "in_out":
            w = {part: value.T if value.ndim == 2 else value for part, value in w.items()}
        h = w["gate"] @ x + w.get("gate_bias", 0)
        act = ACTIVATIONS[self.activation]
        if self.gate == "none":
            hidden = act(h)
        else:
            if self.gate == "separate":
                gate, up = h, w["up"] @ x + w.get("up_bias", 0)
            else:
                order = -1 if self.gate.startswith("up_first") else 1
                gate, up = ((h[0::2], h[1::2]) if self.gate in ("interleaved", "up_first_pairs") else np.split(h, 2))[::order]
            gate, up = np.minimum(gate, self.limit), np.clip(up, -self.limit, self.limit)
            hidden = (gate / (1 + np.exp(-self.alpha * gate)) if self.activation == "silu" else act(gate)) * (up + self.up_offset)
        return w["down"] @ hidden + w.get("down_bias", 0)

    def parts(self):
        """The weights with their shapes."""
        shapes = {"gate": (self.rows(), HIDDEN), "down": (HIDDEN, INTERMEDIATE)}
        if self.gate == "separate":
            shapes["up"] = (INTERMEDIATE, HIDDEN)
        if self.order == "in_out":
            shapes = {part: shape[::-1] for part, shape in shapes.items()}
        if self.bias:
            shapes |= {"gate_bias": (self.rows(),), "down_bias": (HIDDEN,)} | ({"up_bias": (INTERMEDIATE,)} if self.gate == "separate" else {})
        return {part: (EXPERTS, *shape) for part, shape in shapes.items()}


def ffns(turn):
    """All activations and gate layouts; the other choices go round, by number and by turn (one for each element type)."""
    for number, (activation, gate) in enumerate(itertools.product(ACTIVATIONS, ("none", "separate", "halves", "interleaved", "up_first", "up_first_pairs"))):
        gated, order, bias = gate != "none", ("out_in", "in_out")[(number + turn) % 2], (number // 2 + turn) % 3 != 0
        yield Ffn(f"f{number}", activation, gate, order, bias, 1.702 if activation == "silu" and gated and bias else 1.0,
                  1.0 if gated and bias else 0.0, 0.75 if gated and bias != (order == "in_out") else math.inf, padded=(number + turn) % 3 == 2)


HEAD = """
!list = tensor<?xi32>
!mask = tensor<?xi1>
!rows = tensor<?x{H}xf32>
!scores = tensor<?x{E}xf32>
"""

ROUTER = """
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : !rows
"""

CHAIN = """
  %{p}_scores, %{p}_choice = moe.score softmax %logits : !scores -> !scores, !scores
  %{p}_token, %{p}_expert, %{p}_rank, %{p}_valid, %{p}_kth = moe.select top_k %{p}_choice : !scores {{k = {K} : i64}}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %{p}_w = moe.weigh gather %{p}_scores, %{p}_token, %{p}_expert, %{p}_rank, %{p}_valid : !scores, !list, !list, !list, !mask -> tensor<?xf32>
  %{p}_slot, %{p}_keep, %{p}_count, %{p}_offset = moe.slots %{p}_token, %{p}_expert, %{p}_rank, %{p}_valid {{experts = {E} : i64{slots}}}
      : !list, !list, !list, !mask -> !list, !mask, tensor<{E}xi32>, tensor<{O}xi32>
  %{p}_rows = moe.dispatch {layout} %x, %{p}_token, %{p}_expert, %{p}_slot, %{p}_keep, %{p}_offset
      : !rows, !list, !list, !list, !mask, tensor<{O}xi32> -> {type}
  %{p}_y = moe.experts %{p}_rows, %{p}_offset {weights} {{ffn = {ffn}, order = #moe<weight_order {order}>}}
      : {type}, tensor<{O}xi32> -> {type}
  %{p} = moe.combine %{p}_y, %{p}_token, %{p}_expert, %{p}_slot, %{p}_keep, %{p}_w tokens(%T)
      : {type}, !list, !list, !list, !mask, tensor<?xf32> -> !rows
"""


def model_text(all_ffns, element, width):
    sizes = {"E": EXPERTS, "O": EXPERTS + 1, "H": HIDDEN, "K": K}
    head, body = HEAD.format(**sizes), ROUTER
    for ffn in all_ffns:
        types = {part: "x".join(map(str, shape)) + f"x{element}" for part, shape in ffn.parts().items()}
        for part, shape in ffn.parts().items():
            symbol = f"{ffn.name}_{part}"
            head += f'moe.weight @{symbol} : tensor<{types[part]}> source(#moe.file<"{symbol}.{element}.bin", offset = 0, length = {width * math.prod(shape)}>)\n'
            body += f"  %{symbol} = moe.weight_ref @{symbol} : tensor<{types[part]}>\n"
        weights = " ".join(f"{part}(%{ffn.name}_{part} : tensor<{types[part]}>)" for part in types)
        body += CHAIN.format(p=ffn.name, weights=weights, ffn=ffn.attribute(), order=ffn.order, layout="padded" if ffn.padded else "ragged",
                             type=f"tensor<{EXPERTS}x?x{HIDDEN}xf32>" if ffn.padded else "!rows",
                             slots=", layout = #moe<slot_layout padded>, capacity = #moe.capacity<base = assignments, numerator = 3, denominator = 4, "
                                   "rounding = ceil>" if ffn.padded else "", **sizes)
    names = ", ".join(f'!rows {{moe.name = "{ffn.name}"}}' for ffn in all_ffns)
    return (head + f'\nfunc.func @main(%x: !rows {{moe.name = "x", moe.dims = ["tokens", "{HIDDEN}"]}}, '
            f'%logits: !scores {{moe.name = "logits", moe.dims = ["tokens", "{EXPERTS}"]}})\n    -> ({names}) {{{body}'
            f"  return {', '.join('%' + ffn.name for ffn in all_ffns)} : {', '.join('!rows' for _ in all_ffns)}\n}}\n")


def expected(ffn, weights, x, logits):
    power = np.exp(logits - logits.max(1, keepdims=True))
    scores, taken = power / power.sum(1, keepdims=True), np.zeros(EXPERTS, int)
    capacity = -(-3 * K * len(x) // (4 * EXPERTS)) if ffn.padded else K * len(x)
    y = np.zeros(x.shape)
    for t, row in enumerate(scores):
        for e in np.argsort(-row, kind="stable")[:K]:
            if taken[e] < capacity:
                y[t] += row[e] * ffn.expert(weights, e, x[t])
            taken[e] += 1
    return y


def main():
    folder = pathlib.Path(sys.argv[1])
    random = np.random.default_rng(23)
    for turn, (element, dtype) in enumerate(DTYPES.items()):
        all_ffns = list(ffns(turn))
        weights = {f"{ffn.name}_{part}": (random.standard_normal(shape) / 3).astype(dtype) for ffn in all_ffns for part, shape in ffn.parts().items()}
        for name, value in weights.items():
            (folder / f"{name}.{element}.bin").write_bytes(value.tobytes())
        (folder / f"{element}.mlir").write_text(model_text(all_ffns, element, dtype.itemsize))
        subprocess.run(["moe-compile", f"{element}.mlir", "-o", element, "--quiet"], cwd=folder, check=True)
        models = [moe_opt.load(folder / element, threads=threads) for threads in (1, 3)]
        for tokens in (0, 1, 29):
            x, logits = (random.standard_normal((tokens, size)).astype(np.float32) for size in (HIDDEN, EXPERTS))
            got, again = (model.run({"x": x, "logits": logits}) for model in models)
            for ffn in all_ffns:
                want = expected(ffn, weights, x.astype(np.float64), logits.astype(np.float64)) if tokens else np.zeros((0, HIDDEN))
                error = np.abs(got[ffn.name] - want).max(initial=0) / np.abs(want).max(initial=1)
                assert error <= 1e-5, f"{element}, {tokens} tokens: {ffn} is off by {error}"
                assert got[ffn.name].tobytes() == again[ffn.name].tobytes(), f"{element}, {tokens} tokens: {ffn} differs between 1 and 3 threads"
    print(f"{len(all_ffns)} kinds of experts in {len(DTYPES)} types")


main()
