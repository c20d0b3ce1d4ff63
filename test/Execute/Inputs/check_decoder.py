"""A model whose sequences are shared out between its layers (with --between-layers=columns its products are, with heads its attention, too), and the same on one machine: every output must agree in every bit. usage: check_decoder.py MPIEXEC FOLDER
FIXTURE MESH RANKS... [--FLAG...]. The experts are over all devices. Flags are moe-compile's."""

import filecmp
import os
import pathlib
import subprocess
import sys


def run(command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **more)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stderr


mpiexec, folder, fixture, mesh = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
folder.mkdir(parents=True, exist_ok=True)
devices = 1
for axis in mesh.split(","):
    devices *= int(axis.split("=")[1])
shared = [way for way in ("columns", "heads") if f"--between-layers={way}" in sys.argv]
flags = [argument for argument in sys.argv[5:] if argument.startswith("--")]
same = [flag for flag in flags if flag.startswith("--activations=")]
run(["moe-compile", fixture / "model.onnx", "-o", folder / "whole", "--quiet", "--cpu-features=avx2", *same])
said = run(["moe-compile", fixture / "model.onnx", "-o", folder / "split", "--cpu-features=avx2", f"--mesh={mesh}", f"--expert-parallel={devices}", *([] if shared else ["--between-layers=batch"]), *flags])
if (f"devices share the {shared[0]} of" if shared else "between the layers each device computes its own") not in said:
    sys.exit(f"expected a remark about what is shared out, found\n{said}")
checked = 0
for data in sorted(fixture.glob("test_data_set_*")):
    environment = {**os.environ, "MOE_NUM_THREADS": "2"}
    run(["moe-run", folder / "whole", "--test-data", data, "--output-dir", folder / "want"], env=environment)
    names = sorted(file.name for file in (folder / "want").iterdir())
    for ranks in (argument for argument in sys.argv[5:] if not argument.startswith("--")):
        got = folder / f"got{ranks}"
        run([*([mpiexec, "-n", ranks] if ranks != "1" else []), "moe-run", folder / "split", "--test-data", data, "--output-dir", got], env=environment)
        different = [name for name in names if not filecmp.cmp(folder / "want" / name, got / name, shallow=False)]
        if different or not names:
            sys.exit(f"{data.name} on {ranks} ranks: expected the outputs of one machine, found others of {different}")
        checked += 1
print(f"{checked} runs agree in every bit")
