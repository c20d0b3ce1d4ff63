"""Compiles each model of routed_models.py, compares it with onnxruntime, and says whether it was raised as it should be.

    check_routed_models.py WORK_FOLDER
"""

import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import routed_models as models

# What is raised does not depend on the machine, and kernels of AVX2 are compiled in half the time of later ones.
CPU = "--cpu-features=avx2"


def run(*command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nstatus {result.returncode}\n{result.stdout}{result.stderr}")


def write_data(folder, model, shapes, seed):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for number, shape in enumerate(shapes):
        x = np.random.default_rng(seed + number).standard_normal(shape).astype(np.float32)
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        onnx.save_tensor(numpy_helper.from_array(x, "x"), data / "input_0.pb")
        onnx.save_tensor(numpy_helper.from_array(session.run(None, {"x": x})[0], model.graph.output[0].name), data / "output_0.pb")


def check(folder, model, shapes, expected, absent):
    """Raised IR has all of `expected` and none of `absent`; the results are those of onnxruntime."""
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    write_data(folder, model, shapes, 7)
    run("moe-compile", folder / "model.onnx", "-o", folder / "out", "--quiet", CPU, "--dump-stages-to", folder / "stages")
    raised = next((folder / "stages").glob("*-raise.mlir")).read_text().replace("  ", " ")
    missing, found = [text for text in expected if text not in raised], [text for text in absent if text in raised]
    if missing or found:
        sys.exit(f"{folder.name}: raised IR lacks {missing} and has {found}\n" + "\n".join(line for line in raised.splitlines() if " moe." in line))
    for number in range(len(shapes)):
        run("moe-run", folder / "out", "--test-data", folder / f"test_data_set_{number}", "--atol", 2e-5, "--rtol", 2e-5, "--threads", 1 + number)
    print(folder.name)


def check_refused(folder, model, message):
    """Compilation ends with `message` at a node, and nothing else."""
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    result = subprocess.run(["moe-compile", str(folder / "model.onnx"), "-o", str(folder / "out"), "--quiet"], capture_output=True, text=True)
    if result.returncode == 0 or message not in result.stderr or "node_Split" not in result.stderr or result.stderr.count("error:") != 1:
        sys.exit(f"{folder.name}: expected one error at a Split with {message!r}, got status {result.returncode}\n{result.stderr}")
    print(folder.name)


def main():
    work = pathlib.Path(sys.argv[1])
    shapes = [(37, models.HIDDEN), (1, models.HIDDEN)]
    for seed, (name, (router, expected)) in enumerate(models.ROUTERS.items()):
        check(work / name, models.router_model(router, seed), shapes, ["moe.experts", *expected], ["moe.assign"])
    for seed, (name, router) in enumerate(models.OTHERS.items()):
        check(work / name, models.router_model(router, seed), shapes, ["moe.experts", "moe.assign"], ["moe.select"])
    check(work / "soft", models.soft(1), shapes, ["moe.experts", '"soft"'], ["moe.dispatch"])
    check(work / "vision", models.vision(2), shapes, ["moe.experts", '"padded"'], ["moe.dispatch"])
    check(work / "switch", models.switch(3), shapes, ["moe.experts", '"padded"'], [])
    shapes = [(2, 9, models.HIDDEN), (1, 1, models.HIDDEN), (3, 1, models.HIDDEN)]
    for seed, (name, (options, expected)) in enumerate(models.GATHERED.items()):
        check(work / name, models.gathered_model(options, seed), shapes, ["moe.experts", "moe.select", *expected], ["moe.assign"])
    check(work / "gathered_by_others", models.gathered_by_others(5), shapes, [], ["moe.experts"])
    check_refused(work / "traced_loop", models.traced_loop(3), "is taken apart into 3 pieces")


if __name__ == "__main__":
    main()
