"""One layer, sharded and not, on the same inputs: every bit must agree. usage: check_ranks.py MPIEXEC FOLDER EXPERTS TOP_K MESH EP RANKS... [--FLAG...]

The model takes rows and logits, so that the inputs decide who computes what: loads at random, all tokens on one rank, fewer tokens than ranks, none. Flags are moe-compile's; --skewed makes a profile with two experts that
most tokens choose, so that they get several slots. With --expert-split results may differ as sums of other orders do, unless --integers: then rows and weights are
small integers, the activation is relu and a token's weight is 1 or 1/2, so that every sum is exact. With --up-first the first half of the
first product is up, not gate. With --biased the experts have biases.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np

HIDDEN, INTERMEDIATE = 48, 40


def model_text(experts, top_k, ffn, biased):
    gate, down = f"{experts}x{2 * INTERMEDIATE}x{HIDDEN}", f"{experts}x{HIDDEN}x{INTERMEDIATE}"
    gate_bytes, down_bytes = experts * 2 * INTERMEDIATE * HIDDEN * 4, experts * HIDDEN * INTERMEDIATE * 4
    weights, references, gate_bias, down_bias = "", "", "", ""
    if biased:
        wide, narrow, begin = f"{experts}x{2 * INTERMEDIATE}", f"{experts}x{HIDDEN}", gate_bytes + down_bytes
        wide_bytes, narrow_bytes = experts * 2 * INTERMEDIATE * 4, experts * HIDDEN * 4
        weights = f"""moe.weight @gb : tensor<{wide}xf32> source(#moe.file<"weights.bin", offset = {begin}, length = {wide_bytes}>)
moe.weight @db : tensor<{narrow}xf32> source(#moe.file<"weights.bin", offset = {begin + wide_bytes}, length = {narrow_bytes}>)"""
        references = f"""  %gb = moe.weight_ref @gb : tensor<{wide}xf32>
  %db = moe.weight_ref @db : tensor<{narrow}xf32>"""
        gate_bias, down_bias = f" gate_bias(%gb : tensor<{wide}xf32>)", f" down_bias(%db : tensor<{narrow}xf32>)"
    return f"""
{weights}
moe.weight @g : tensor<{gate}xf32> source(#moe.file<"weights.bin", offset = 0, length = {gate_bytes}>)
moe.weight @d : tensor<{down}xf32> source(#moe.file<"weights.bin", offset = {gate_bytes}, length = {down_bytes}>)
func.func @main(%x: tensor<?x{HIDDEN}xf32> {{moe.name = "x", moe.dims = ["tokens", "{HIDDEN}"]}},
                %logits: tensor<?x{experts}xf32> {{moe.name = "logits", moe.dims = ["tokens", "{experts}"]}})
    -> (tensor<?x{HIDDEN}xf32> {{moe.name = "y", moe.dims = ["tokens", "{HIDDEN}"]}}) attributes {{moe.entry}} {{
  %g = moe.weight_ref @g : tensor<{gate}xf32>
  %d = moe.weight_ref @d : tensor<{down}xf32>
{references}
  %y = moe.layer %x, %logits gate(%g : tensor<{gate}xf32>){gate_bias} down(%d : tensor<{down}xf32>){down_bias}
      router(<function = softmax, k = {top_k}, source = gather, norm = l1>) ffn(<{ffn}>)
      {{origin = #moe.origin<"layer", "mlir">}} : tensor<?x{HIDDEN}xf32>, tensor<?x{experts}xf32> -> tensor<?x{HIDDEN}xf32>
  return %y : tensor<?x{HIDDEN}xf32>
}}
"""


def logits_of(name, tokens, experts, random):
    logits = random.standard_normal((tokens, experts)).astype(np.float32)
    if name == "one":  # All tokens choose the same experts.
        logits += np.where(np.arange(experts) < 2, 50, 0).astype(np.float32)
    elif name == "skewed":
        logits += 3 * np.linspace(1, 0, experts, dtype=np.float32)
    return logits


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")


def main():
    mpiexec, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    experts, top_k, mesh, ep = int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6]
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    isInteger, isCut = "--integers" in sys.argv, any(flag.startswith("--expert-split") or "=etp" in flag or ":etp" in flag for flag in sys.argv)
    count = experts * (3 * HIDDEN * INTERMEDIATE + (2 * INTERMEDIATE + HIDDEN if "--biased" in sys.argv else 0))
    weights = random.standard_normal(count) * HIDDEN**-0.5
    if isInteger:
        weights = random.integers(-2, 3, count)
    (folder / "weights.bin").write_bytes(weights.astype(np.float32).tobytes())
    (folder / "model.mlir").write_text(model_text(experts, top_k, f"activation = {'relu' if isInteger else 'silu'}, gate = {'up_first' if '--up-first' in sys.argv else 'halves'}", "--biased" in sys.argv))
    run(["moe-compile", folder / "model.mlir", "-o", folder / "whole", "--quiet", "--cpu-features=avx2"])
    flags = [flag for flag in sys.argv[7:] if flag.startswith("--") and flag not in ("--skewed", "--integers", "--up-first", "--biased")]
    if "--skewed" in sys.argv:
        loads = [12 if e < 2 else 5 + e % 3 for e in range(experts)]
        (folder / "load.json").write_text(json.dumps({"version": 1, "layers": [{"name": "layer", "experts": experts, "top_k": top_k, "windows": [loads]}]}))
        flags.append(f"--profile={folder / 'load.json'}")
    run(["moe-compile", folder / "model.mlir", "-o", folder / "sharded", "--quiet", "--cpu-features=avx2", f"--mesh={mesh}", f"--expert-parallel={ep}", *flags])
    environment = {**os.environ, "MOE_NUM_THREADS": "2"}
    checked = 0
    for name, tokens in (("random", 37), ("skewed", 64), ("one", 33), ("random", 3), ("random", 1), ("random", 0)):
        inputs = []
        x, logits = random.standard_normal((tokens, HIDDEN)), logits_of(name, tokens, experts, random)
        if isInteger:  # The chosen experts have equal scores.
            x, logits = random.integers(-2, 3, x.shape), np.where(logits >= np.sort(logits, axis=1)[:, -top_k:][:, :1], 0, -200)
        for key, array in (("x", x.astype(np.float32)), ("logits", logits.astype(np.float32))):
            np.save(folder / f"{key}.npy", array)
            inputs += ["--input", f"{key}={folder / key}.npy"]
        run(["moe-run", folder / "whole", *inputs, "--output-dir", folder / "want"], env=environment)
        want = np.load(folder / "want" / "y.npy")
        for ranks in (argument for argument in sys.argv[7:] if not argument.startswith("--")):
            launch = [mpiexec, "-n", ranks] if ranks != "alone" else []
            run([*launch, "moe-run", folder / "sharded", *inputs, "--output-dir", folder / "got"], env=environment)
            got = np.load(folder / "got" / "y.npy")
            isSame = got.shape == want.shape and (np.allclose(got, want, rtol=1e-4, atol=1e-5) if isCut and not isInteger else got.tobytes() == want.tobytes())
            if not isSame:
                sys.exit(f"{name}, {tokens} tokens on {ranks} ranks: {np.count_nonzero(got != want)} of {want.size} elements differ, by up to "
                         f"{np.abs(got - want).max(initial=0)}")
            checked += 1
    print(f"{checked} runs agree {'to rounding' if isCut and not isInteger else 'in every bit'}")


if __name__ == "__main__":
    main()
