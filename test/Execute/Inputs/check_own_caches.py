"""A decoder whose attention several processes share by heads, fed its own outputs: each process keeps its own heads of every cache, and the logits have the bits of one machine.
usage: check_own_caches.py MPIEXEC FOLDER FIXTURE MESH RANKS...

As one of the processes: check_own_caches.py --rank FOLDER
"""

import pathlib
import subprocess
import sys

import numpy as np

STEPS = 5


def steps(model, ids, in_place):
    """The logits of each step and the bytes of all caches after the last. Each step reads what the one before has given, or all are in one buffer."""
    known = {info.name: info for info in model.inputs}
    pairs = {info.name: info.pair for info in model.inputs if info.pair}
    axes = {name: len(known[name].dims) - 2 for name in pairs}
    batch = ids.shape[0]
    sizes = {name: [size if isinstance(size, int) else batch if axis == 0 else 0 for axis, size in enumerate(known[name].dims)] for name in pairs}
    room = {name: np.zeros([STEPS if axis == axes[name] else size for axis, size in enumerate(sizes[name])], known[name].dtype) for name in pairs}
    past = {name: np.zeros(sizes[name], known[name].dtype) for name in pairs}
    logits = []
    for step in range(STEPS):
        feeds = {"input_ids": ids[:, step : step + 1], "attention_mask": np.ones((batch, step + 1)), "position_ids": np.full((batch, 1), step)}
        feeds = {name: value.astype(known[name].dtype) for name, value in feeds.items() if name in known}
        into = {}
        if in_place:
            past = {name: room[name][(slice(None),) * axes[name] + (slice(step),)] for name in pairs}
            into = {pairs[name]: room[name][(slice(None),) * axes[name] + (slice(step + 1),)] for name in pairs}
        results = model.run({**feeds, **past}, into)
        past = {name: results[output] for name, output in pairs.items()}
        logits.append(results[model.outputs[0].name])
    return np.stack(logits), sum(cache.nbytes for cache in past.values())


def rank(folder):
    import moe_opt

    ids = np.load(folder / "ids.npy")
    want = np.load(folder / "want.npy")
    model = moe_opt.load(folder / "split", threads=1)
    mine, ranks = model.rank, model.ranks
    caches = [info for info in model.inputs if info.pair]
    for info in caches:
        axis, first, whole = info.part
        heads = max(whole // ranks, 1)
        if (info.dims[axis], first) != (heads, mine * whole // ranks):
            sys.exit(f"rank {mine} of {ranks}: {info.name} has {info.dims} from {first} on, expected {heads} of {whole} heads")
        if info.own(np.arange(whole).reshape([-1 if d == axis else 1 for d in range(len(info.dims))])).ravel().tolist() != list(range(first, first + heads)):
            sys.exit(f"rank {mine}: own() of a whole {info.name} gives other heads")
    for in_place in (False, True):
        got, held = steps(model, ids, in_place)
        if got.tobytes() != want.tobytes():
            sys.exit(f"rank {mine} of {ranks}, in place {in_place}: {np.count_nonzero(got != want)} of {want.size} logits differ")
    if ranks > 1 and caches[0].part[2] > 1:  # Whole caches are refused on all ranks, with what was expected.
        wholes = {info.name: np.zeros([whole_size(info, d) for d in range(len(info.dims))], info.dtype) for info in caches}
        try:
            model.run({**{info.name: np.zeros([1] * len(info.dims), info.dtype) for info in model.inputs}, **wholes})
            sys.exit("whole caches were taken")
        except moe_opt.Error as error:
            if f"expected this rank's {caches[0].dims[axis]} of {whole}, from {first} on, found {whole}" not in str(error):
                sys.exit(f"whole caches: {error}")
    if mine == 0:
        (folder / f"held{ranks}").write_text(str(held))


def whole_size(info, d):
    return info.part[2] if d == info.part[0] else info.dims[d] if isinstance(info.dims[d], int) else 1


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")


def main():
    import moe_opt

    mpiexec, folder, fixture, mesh = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
    folder.mkdir(parents=True, exist_ok=True)
    run(["moe-compile", fixture / "model.onnx", "-o", folder / "whole", "--quiet"])
    run(["moe-compile", fixture / "model.onnx", "-o", folder / "split", "--quiet", f"--mesh={mesh}", "--between-layers=heads"])
    np.save(folder / "ids.npy", np.random.default_rng(3).integers(0, 200, (2, STEPS)))
    want, whole = steps(moe_opt.load(folder / "whole", threads=1), np.load(folder / "ids.npy"), False)
    np.save(folder / "want.npy", want)
    said = []
    for ranks in sys.argv[5:]:
        run([*([mpiexec, "-n", ranks] if ranks != "1" else []), sys.executable, __file__, "--rank", folder])
        said.append(f"{ranks}: 1/{whole / int((folder / f'held{ranks}').read_text()):g}")
    print(f"the bits of one machine; a rank's share of the caches on {', '.join(said)}")


if __name__ == "__main__":
    rank(pathlib.Path(sys.argv[2])) if sys.argv[1] == "--rank" else main()
