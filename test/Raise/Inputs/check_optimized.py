"""Layers that onnxruntime has rewritten offline, or converted to f16, as users save them, are still found and compute what they did.

    check_optimized.py WORK_FOLDER

Its constant folding makes a tensor per expert of a stored one that is split; it moves transposes, and turns slices of one element into a Split.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import routed_models as models
from check_routed_models import CPU
from onnxruntime.transformers.float16 import convert_float_to_float16

LEVELS = {"basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC, "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL}


def generated(form, seed):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.onnx")
        sizes = map(str, [1, models.EXPERTS, models.HIDDEN, models.INNER, models.K])
        script = pathlib.Path(__file__).with_name("generated_model.py")
        subprocess.run([sys.executable, script, path, *sizes, f"--form={form}", f"--seed={seed}"], check=True, capture_output=True)
        return onnx.load(path)


def optimized(model, level, path):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level, options.optimized_model_filepath, options.log_severity_level = level, str(path), 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def check(path, out, data, tolerance):
    subprocess.run(["moe-compile", path, "-o", out, "--require-raised", "--quiet", CPU], check=True)
    subprocess.run(["moe-run", out, "--test-data", data, "--atol", tolerance, "--rtol", tolerance], check=True, stdout=subprocess.DEVNULL)


def main():
    work = pathlib.Path(sys.argv[1])
    for seed, form in enumerate(("grouped", "unrolled", "traced", "masked", "any_choice", "assigned", "read_back")):
        model = generated(form, seed)
        data = work / form / "test_data_set_0"
        data.mkdir(parents=True)
        x = np.random.default_rng(seed).standard_normal((9, models.HIDDEN)).astype(np.float32)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        onnx.save_tensor(numpy_helper.from_array(x, "x"), data / "input_0.pb")
        onnx.save_tensor(numpy_helper.from_array(session.run(None, {"x": x})[0], model.graph.output[0].name), data / "output_0.pb")
        onnx.save(model, work / form / "written.onnx")
        check(work / form / "written.onnx", work / form / "written", data, "2e-5")
        for name, level in LEVELS.items():
            path, out = work / form / f"{name}.onnx", work / form / name
            optimized(model, level, path)
            check(path, out, data, "2e-5")
            print(form, name)
        onnx.save(convert_float_to_float16(model, keep_io_types=True), work / form / "half.onnx")
        check(work / form / "half.onnx", work / form / "half", data, "2e-2")
        print(form, "half")


if __name__ == "__main__":
    main()
