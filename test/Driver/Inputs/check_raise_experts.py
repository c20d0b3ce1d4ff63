"""Layers that are compiled as the nodes they are written in compute what onnxruntime computes.

    check_raise_experts.py ROUTED_MODELS_FOLDER WORK_FOLDER
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

sys.path.insert(0, sys.argv[1])
import routed_models as models  # noqa: E402


def batched(seed):
    """Form C."""
    return models.router_model(models.topk_softmax, seed)


def generated(form):
    def make(seed):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "model.onnx")
            sizes = map(str, [1, models.EXPERTS, models.HIDDEN, models.INNER, models.K])
            script = pathlib.Path(sys.argv[1], "generated_model.py")
            subprocess.run([sys.executable, script, path, *sizes, f"--form={form}", f"--seed={seed}"], check=True, capture_output=True)
            return onnx.load(path)

    make.__name__ = form
    return make


def main():
    work = pathlib.Path(sys.argv[2])
    for number, make in enumerate([batched, *map(generated, ["masked", "unrolled", "traced", "grouped"])]):
        model, folder = make(number), work / make.__name__
        data = folder / "test_data_set_0"
        data.mkdir(parents=True)
        onnx.save(model, folder / "model.onnx")
        x = np.random.default_rng(number).standard_normal((9, models.HIDDEN)).astype(np.float32)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        onnx.save_tensor(numpy_helper.from_array(x, "x"), data / "input_0.pb")
        onnx.save_tensor(numpy_helper.from_array(session.run(None, {"x": x})[0], model.graph.output[0].name), data / "output_0.pb")
        subprocess.run(["moe-compile", folder / "model.onnx", "--raise-experts=false", "-o", folder / "out", "--quiet"], check=True)
        if '"export_form"' in (folder / "out" / "manifest.json").read_text():
            sys.exit(f"{make.__name__}: a layer was raised")
        subprocess.run(["moe-run", folder / "out", "--test-data", data, "--atol", "2e-5", "--rtol", "2e-5"], check=True, capture_output=True)
        print(make.__name__)


main()
