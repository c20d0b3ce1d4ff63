"""A module that only sorts given choices of experts, and what numpy makes of them.

    make_cuda_sort.py FOLDER --experts 60 --k 3 --tokens 10,3000 [--bits 64] [--places]

writes FOLDER/layer.mlir and a test_data_set_N for each number of tokens. One choice in nine names no expert: it is -1 or too large. With --places the slots of each token
are an output as well: ascending in expert, then in choice, -1 for those that name none behind them.
"""

import argparse
import pathlib

import numpy as np
from onnx import numpy_helper

MODEL = """
func.func @main(%ids: tensor<?x{K}xi{bits}> {{moe.name = "ids", moe.dims = ["tokens", "{K}"]}}, %w: tensor<?x{K}xf32> {{moe.name = "weights", moe.dims = ["tokens", "{K}"]}})
    -> (tensor<?xi32> {{moe.name = "rows", moe.dims = ["slots"]}}, tensor<?xf32> {{moe.name = "slot_weights", moe.dims = ["slots"]}},
        tensor<{E1}xi32> {{moe.name = "offsets", moe.dims = ["{E1}"]}}{place_result}) attributes {{moe.entry}} {{
  %c0 = arith.constant 0 : index
  %k = arith.constant {K} : index
  %tokens = tensor.dim %ids, %c0 : tensor<?x{K}xi{bits}>
  %slots = arith.muli %tokens, %k : index
  %i = tensor.empty(%slots) : tensor<?xi32>
  %f = tensor.empty(%slots) : tensor<?xf32>
  %o = tensor.empty() : tensor<{E1}xi32>
  %p = tensor.empty(%slots) : tensor<?xi32>
  %r:{outs} = moe.route_permute indices(%ids : tensor<?x{K}xi{bits}>) weights(%w : tensor<?x{K}xf32>)
      outs(%i, %f, %o{p} : {types}) {{experts = {E} : i64}} -> {types}
  return {results} : {types}
}}
"""


def sorted_slots(ids, weights, experts):
    tokens, k = ids.shape
    flat = ids.reshape(-1)
    known = np.flatnonzero((flat >= 0) & (flat < experts))
    order = known[np.argsort(flat[known], kind="stable")]
    rows, slot_weights = np.zeros(flat.size, np.int32), np.zeros(flat.size, np.float32)
    rows[:order.size], slot_weights[:order.size] = order // k, weights.reshape(-1)[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(flat[known], minlength=experts))]).astype(np.int32)
    slot_of = np.full(flat.size, -1, np.int32)
    slot_of[order] = np.arange(order.size)
    # Slots of a token ascend with (expert, choice), as slots do.
    places = slot_of.reshape(tokens, k).astype(np.int64)
    places[places < 0] = 1 << 40
    places = np.sort(places, axis=1)
    places[places == 1 << 40] = -1
    return rows, slot_weights, offsets, places.astype(np.int32).reshape(-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--experts", type=int, required=True)
    parser.add_argument("--k", type=int, required=True)
    parser.add_argument("--tokens", required=True)
    parser.add_argument("--bits", type=int, default=32)
    parser.add_argument("--places", action="store_true")
    a = parser.parse_args()
    e1 = a.experts + 1
    types = f"tensor<?xi32>, tensor<?xf32>, tensor<{e1}xi32>" + (", tensor<?xi32>" if a.places else "")
    a.folder.mkdir(parents=True, exist_ok=True)
    (a.folder / "layer.mlir").write_text(MODEL.format(
        K=a.k, E=a.experts, E1=e1, bits=a.bits, types=types, outs=4 if a.places else 3, p=", %p" if a.places else "",
        results=", ".join(f"%r#{i}" for i in range(4 if a.places else 3)),
        place_result=', tensor<?xi32> {moe.name = "places", moe.dims = ["slots"]}' if a.places else ""))
    random = np.random.default_rng(5)
    for number, tokens in enumerate(map(int, a.tokens.split(","))):
        ids = random.integers(0, a.experts, (tokens, a.k)).astype(f"int{a.bits}")
        # Some experts are much in demand.
        ids[random.random(ids.shape) < 0.3] //= 7
        lost = random.random(ids.shape) < 1 / 9
        ids[lost] = random.choice([-1, a.experts, np.iinfo(ids.dtype).max], lost.sum())
        weights = random.random((tokens, a.k), dtype=np.float32)
        folder = a.folder / f"test_data_set_{number}"
        folder.mkdir(exist_ok=True)
        for name, values in (("input", (ids, weights)), ("output", sorted_slots(ids, weights, a.experts)[:4 if a.places else 3])):
            for index, value in enumerate(values):
                (folder / f"{name}_{index}.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())


main()
