"""One layer, sharded and not, on the same inputs: every bit must agree. usage: check_ranks.py MPIEXEC FOLDER EXPERTS TOP_K MESH EP RANKS... [--FLAG...]

The model takes rows and logits, so that the inputs decide who computes what: loads at random, all tokens on one rank, fewer tokens than ranks, none. Flags are moe-compile's; --skewed makes a profile with two experts that
most tokens choose, so that they get several slots.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np

HIDDEN, INTERMEDIATE = 48, 40


def model_text(experts, top_k):
    gate, down = f"{experts}x{2 * INTERMEDIATE}x{HIDDEN}", f"{experts}x{HIDDEN}x{INTERMEDIATE}"
    gate_bytes, down_bytes = experts * 2 * INTERMEDIATE * HIDDEN * 4, experts * HIDDEN * INTERMEDIATE * 4
    return f"""
moe.weight @g : tensor<{gate}xf32> source(#moe.file<"weights.bin", offset = 0, length = {gate_bytes}>)
moe.weight @d : tensor<{down}xf32> source(#moe.file<"weights.bin", offset = {gate_bytes}, length = {down_bytes}>)
func.func @main(%x: tensor<?x{HIDDEN}xf32> {{moe.name = "x", moe.dims = ["tokens", "{HIDDEN}"]}},
                %logits: tensor<?x{experts}xf32> {{moe.name = "logits", moe.dims = ["tokens", "{experts}"]}})
    -> (tensor<?x{HIDDEN}xf32> {{moe.name = "y", moe.dims = ["tokens", "{HIDDEN}"]}}) attributes {{moe.entry}} {{
  %g = moe.weight_ref @g : tensor<{gate}xf32>
  %d = moe.weight_ref @d : tensor<{down}xf32>
  %y = moe.layer %x, %logits gate(%g : tensor<{gate}xf32>) down(%d : tensor<{down}xf32>)
      router(<function = softmax, k = {top_k}, source = gather, norm = l1>) ffn(<activation = silu, gate = halves>)
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
    weights = random.standard_normal(experts * 3 * HIDDEN * INTERMEDIATE) * HIDDEN**-0.5
    (folder / "weights.bin").write_bytes(weights.astype(np.float32).tobytes())
    (folder / "model.mlir").write_text(model_text(experts, top_k))
    run(["moe-compile", folder / "model.mlir", "-o", folder / "whole", "--quiet"])
    flags = [flag for flag in sys.argv[7:] if flag.startswith("--") and flag != "--skewed"]
    if "--skewed" in sys.argv:
        loads = [12 if e < 2 else 5 + e % 3 for e in range(experts)]
        (folder / "load.json").write_text(json.dumps({"version": 1, "layers": [{"name": "layer", "experts": experts, "top_k": top_k, "windows": [loads]}]}))
        flags.append(f"--profile={folder / 'load.json'}")
    run(["moe-compile", folder / "model.mlir", "-o", folder / "sharded", "--quiet", f"--mesh={mesh}", f"--expert-parallel={ep}", *flags])
    environment = {**os.environ, "MOE_NUM_THREADS": "2"}
    checked = 0
    for name, tokens in (("random", 37), ("skewed", 64), ("one", 33), ("random", 3), ("random", 1), ("random", 0)):
        inputs = []
        for key, array in (("x", random.standard_normal((tokens, HIDDEN)).astype(np.float32)), ("logits", logits_of(name, tokens, experts, random))):
            np.save(folder / f"{key}.npy", array)
            inputs += ["--input", f"{key}={folder / key}.npy"]
        run(["moe-run", folder / "whole", *inputs, "--output-dir", folder / "want"], env=environment)
        want = np.load(folder / "want" / "y.npy")
        for ranks in (argument for argument in sys.argv[7:] if not argument.startswith("--")):
            launch = [mpiexec, "-n", ranks] if ranks != "alone" else []
            run([*launch, "moe-run", folder / "sharded", *inputs, "--output-dir", folder / "got"], env=environment)
            got = np.load(folder / "got" / "y.npy")
            if got.shape != want.shape or got.tobytes() != want.tobytes():
                sys.exit(f"{name}, {tokens} tokens on {ranks} ranks: {np.count_nonzero(got != want)} of {want.size} elements differ, by up to "
                         f"{np.abs(got - want).max(initial=0)}")
            checked += 1
    print(f"{checked} runs agree in every bit")


if __name__ == "__main__":
    main()
