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
from onnx import TensorProto, numpy_helper

sys.path.insert(0, sys.argv[1])
import routed_models as models  # noqa: E402


def masked(seed):
    """Form F: every expert on every token, times the weights of the choices that are this expert."""
    w = models.Writer(seed)
    ids, weights = models.topk_softmax(w, "x")
    total = None
    for expert in range(models.EXPERTS):
        inner = w.node("Relu", w.node("MatMul", "x", w.weight(models.HIDDEN, models.INNER)))
        rows = w.node("MatMul", inner, w.weight(models.INNER, models.HIDDEN))
        chosen = w.node("Cast", w.node("Equal", ids, w.array(expert, np.int64)), to=TensorProto.FLOAT)
        weighted = w.node("Mul", rows, w.node("ReduceSum", w.node("Mul", chosen, weights), w.ints(-1), keepdims=1))
        total = weighted if total is None else w.node("Add", total, weighted)
    return w.model(total, 2)


def batched(seed):
    """Form C."""
    return models.router_model(models.topk_softmax, seed)


def unrolled(seed):
    """Form D: each expert finds its tokens and adds what it makes of them; how many there are is found out by the run."""
    w = models.Writer(seed)
    ids, weights = models.topk_softmax(w, "x")
    total = w.node("Mul", "x", w.array(0, np.float32))
    for expert in range(models.EXPERTS):
        where = w.node("NonZero", w.node("Equal", ids, w.array(expert, np.int64)))
        token = w.node("Gather", where, w.array(0, np.int64), axis=0)
        inner = w.node("Relu", w.node("MatMul", w.node("Gather", "x", token, axis=0), w.weight(models.HIDDEN, models.INNER)))
        rows = w.node("MatMul", inner, w.weight(models.INNER, models.HIDDEN))
        weight = w.node("GatherND", weights, w.node("Transpose", where, perm=[1, 0]))
        weighted = w.node("Mul", rows, w.node("Unsqueeze", weight, w.ints(-1)))
        total = w.node("ScatterND", total, w.node("Unsqueeze", token, w.ints(-1)), weighted, reduction="add")
    return w.model(total, 2)


def grouped(seed):
    """Form B: rows sorted by expert, a product for the rows of each."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.onnx")
        sizes = [models.EXPERTS, models.HIDDEN, models.INNER, models.K]
        subprocess.run([sys.executable, pathlib.Path(sys.argv[1], "grouped_model.py"), path, "1", *map(str, sizes)], check=True, capture_output=True)
        weights = path.with_name(path.name + ".data")
        weights.write_bytes(np.random.default_rng(seed).normal(0, 0.3, weights.stat().st_size // 4).astype(np.float32).tobytes())
        return onnx.load(path)


def main():
    work = pathlib.Path(sys.argv[2])
    for number, make in enumerate([masked, batched, unrolled, grouped]):
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
