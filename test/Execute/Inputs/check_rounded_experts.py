"""Layers whose activations ONNX Runtime's own quantiser has rounded, static and dynamic, in the forms that exporters write: raised where the dialect says
the same, left with a reason where it does not, and computed as ONNX Runtime computes the quantised graph as it is written.

    check_rounded_experts.py RAISE_INPUTS_FOLDER WORK_FOLDER [--write] [CASE...]

With --write the quantised models and data for moe-run are written and nothing is compiled.
"""

import logging
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import moe_opt

sys.path.insert(0, sys.argv[1])
import routed_models as models  # noqa: E402

HIDDEN, INNER, EXPERTS, K = models.HIDDEN, models.INNER, models.EXPERTS, models.K


class Samples(CalibrationDataReader):
    def __init__(self):
        random = np.random.default_rng(1)
        self.batches = iter([{"x": random.standard_normal((64, HIDDEN)).astype(np.float32)} for _ in range(4)])

    def get_next(self):
        return next(self.batches, None)


# ===-- Float models ----------------------------------------------------------------------------------------------------------===


def written_loop(form):
    """A form of loop_layers.py or the grouped one; each expert has tensors of its own but in `unrolled` and `grouped`."""
    def make(path):
        script = pathlib.Path(sys.argv[1]) / "generated_model.py"
        subprocess.run([sys.executable, script, path, "1", str(EXPERTS), str(HIDDEN), str(INNER), str(K), f"--form={form}", "--seed=3"], check=True, capture_output=True)
        onnx.save(onnx.load(path), path)  # with the weights in it
    return make


def routed(layer):
    """A layer by a Writer, of x, ids and weights."""
    def make(path):
        w = models.Writer(3)
        onnx.save(w.model(layer(w, "x", *models.topk_softmax(w, "x")), 2), path)
    return make


def biased(w, x, ids, weights):
    """Every expert on all tokens, by Gemm with a bias, times the weights of those that chose it."""
    total = None
    for expert in range(EXPERTS):
        chosen = w.node("Where", w.node("Equal", ids, w.array(expert, np.int64)), weights, w.array(0.0))
        gate = w.node("Gemm", x, w.weight(INNER, HIDDEN), w.weight(INNER), transB=1)
        hidden = w.node("Mul", gate, w.node("Sigmoid", gate))
        rows = w.node("Gemm", hidden, w.weight(HIDDEN, INNER), w.weight(HIDDEN), transB=1)
        weighted = w.node("Mul", rows, w.node("ReduceSum", chosen, w.ints(-1), keepdims=1))
        total = w.node("Add", total, weighted) if total else weighted
    return total


def tiled(w, x, ids, weights):
    """All experts' matrices in one batched product, times a map of weights."""
    rows = w.node("Reshape", w.node("Tile", x, w.ints(EXPERTS, 1)), w.ints(EXPERTS, -1, HIDDEN))
    y = w.node("MatMul", w.node("Relu", w.node("MatMul", rows, w.weight(EXPERTS, HIDDEN, INNER))), w.weight(EXPERTS, INNER, HIDDEN))
    empty = w.node("ConstantOfShape", w.node("Concat", w.node("Shape", x, start=0, end=1), w.ints(EXPERTS), axis=0))
    gates = w.node("Transpose", w.node("ScatterElements", empty, ids, weights, axis=1), perm=[1, 0])
    return w.node("ReduceSum", w.node("Mul", y, w.node("Unsqueeze", gates, w.ints(-1))), w.ints(0), keepdims=0)


def gathered(w, x, ids, weights):
    """Each row of the choices looks the matrices of its expert up."""
    return models.batched(w, x, ids, weights, K)


# ===-- Quantised -------------------------------------------------------------------------------------------------------------===


def static(ops=("MatMul", "Gemm"), outputs=True, symmetric=False, **options):
    def quantise(path, into):
        extra = {"ActivationSymmetric": symmetric}
        if not outputs:
            extra["OpTypesToExcludeOutputQuantization"] = list(ops)
        quantize_static(path, into, Samples(), quant_format=QuantFormat.QDQ, op_types_to_quantize=list(ops) if ops else None, extra_options=extra, **options)
    return quantise


def dynamic(**options):
    return lambda path, into: quantize_dynamic(path, into, **options)


def folded(quantise):
    """With the constants folded first, as the quantiser's own preparation does: matrices that a graph takes out of one tensor become tensors of their own."""
    def prepare_and_quantise(path, into):
        quant_pre_process(path, path + ".prepared", skip_symbolic_shape=True)
        quantise(path + ".prepared", into)
    return prepare_and_quantise


SIGNED = dict(activation_type=QuantType.QInt8, symmetric=True)
# Name: float model, quantiser, the form it is raised in or the reason why not, places in the raised IR.
CASES = {
    "masked": (written_loop("masked"), static(), "masked", "gate up hidden result"),
    "masked_columns": (written_loop("masked"), static(per_channel=True, **SIGNED), "masked", "gate up hidden result"),
    "masked_words": (written_loop("masked"), static(activation_type=QuantType.QUInt16), "masked", "gate up hidden result"),
    "masked_inputs": (written_loop("masked"), static(outputs=False), "masked", "hidden"),
    "biased": (routed(biased), static(), "masked", "gate hidden result"),
    "biased_columns": (routed(biased), static(per_channel=True, weight_type=QuantType.QInt8), "masked", "gate hidden result"),
    "any_choice": (written_loop("any_choice"), static(), "unrolled", "input gate up hidden result"),
    "any_choice_inputs": (written_loop("any_choice"), static(outputs=False, **SIGNED), "unrolled", "input hidden"),
    "assigned": (written_loop("assigned"), static(), "unrolled", "input gate up hidden result"),
    "read_back": (written_loop("read_back"), static(activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8), "unrolled", "input gate up hidden result"),
    "traced": (written_loop("traced"), static(), "unrolled", "input gate hidden result"),
    "tiled": (routed(tiled), static(), "tiled", "gate hidden result"),
    "tiled_columns": (routed(tiled), static(per_channel=True), "tiled", "gate hidden result"),
    "unrolled_folded": (written_loop("unrolled"), folded(static()), "unrolled", "input gate hidden result"),
    "grouped_folded": (written_loop("grouped"), folded(static()), "grouped", "input gate hidden result"),
    "gathered_lookups": (routed(gathered), static(ops=("MatMul", "Gather", "GatherND")), "batched", "gate hidden result"),
    "any_choice_dynamic": (written_loop("any_choice"), dynamic(), "unrolled", "input hidden"),
    "assigned_dynamic": (written_loop("assigned"), dynamic(per_channel=True), "unrolled", "input hidden"),
    "traced_dynamic": (written_loop("traced"), dynamic(weight_type=QuantType.QUInt8), "unrolled", "input hidden"),
    "grouped_dynamic": (written_loop("grouped"), folded(dynamic()), "grouped", "input hidden"),
    "masked_dynamic": (written_loop("masked"), dynamic(), "the steps are found from more rows than those of an expert's tokens", ""),
    "tiled_dynamic": (routed(tiled), dynamic(), "the steps are found from more rows than those of an expert's tokens", ""),
    # Matrices that the graph takes out of one tensor are rounded as it runs, unless that was folded first.
    "unrolled": (written_loop("unrolled"), static(), "the right side of a product is no stored matrix", ""),
    "gathered": (routed(gathered), static(), "rows are rounded to integers", ""),
    "grouped": (written_loop("grouped"), static(), "rows are rounded to integers", ""),
    # A pair around every node.
    "masked_all": (written_loop("masked"), static(ops=None), "rows are rounded to integers", ""),
    "any_choice_all": (written_loop("any_choice"), static(ops=None), "rows are rounded to integers", ""),
}


# ONNX Runtime's optimiser makes a QLinearMatMul of the first that its own kernel refuses, and crashes on an expert without rows in the second.
NOT_OPTIMISED = ["tiled_columns", "any_choice_all"]


# ===-- Checks ----------------------------------------------------------------------------------------------------------------===


def session(path, optimised):
    options = onnxruntime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def compare(name, path, compiled):
    """A number that lies between two steps may fall on either side, where sums are added in another order: few do, and not far."""
    sessions = [session(path, False)] + ([session(path, True)] if name not in NOT_OPTIMISED else [])
    random = np.random.default_rng(5)
    apart, total = 0, 0
    for tokens in (37, 1, 5, 130):
        x = random.standard_normal((tokens, HIDDEN)).astype(np.float32)
        references = [session.run(None, {"x": x})[0] for session in sessions]
        found = next(iter(compiled.run({"x": x}).values()))
        want, scale = references[0], np.abs(references[0]).max()
        for reference in references:
            if not np.abs(found - reference).max() <= 0.05 * scale:
                sys.exit(f"{name}: {tokens} tokens are off by {np.abs(found - reference).max():.3g} of {scale:.3g}")
        apart, total = apart + np.count_nonzero(np.abs(found - want) > 1e-5 * scale), total + want.size
    if apart > 0.02 * total:
        sys.exit(f"{name}: {apart} of {total} numbers are not those of ONNX Runtime")
    return apart


def write(name, work):
    make, quantise = CASES[name][:2]
    path, quantised = str(work / f"{name}.onnx"), str(work / f"{name}.quantised.onnx")
    make(path)
    quantise(path, quantised)
    return quantised


def write_data(name, work):
    plain = session(write(name, work), False)
    x = np.random.default_rng(5).standard_normal((7, HIDDEN)).astype(np.float32)
    folder = work / name / "test_data_set_0"
    folder.mkdir(parents=True)
    onnx.save_tensor(numpy_helper.from_array(x, "x"), folder / "input_0.pb")
    onnx.save_tensor(numpy_helper.from_array(plain.run(None, {"x": x})[0], plain.get_outputs()[0].name), folder / "output_0.pb")


def check(name, work):
    expected, places = CASES[name][2:]
    quantised = write(name, work)
    compiled = moe_opt.compile(quantised, cpu_features="avx2")
    report = compiled.report
    forms = [layer["export_form"] for layer in report["moe_layers"]]
    if places:
        if forms != [expected] or report["not_raised"]:
            sys.exit(f"{name}: expected one {expected} layer, found {forms} and {report['not_raised']}")
        raised = subprocess.run(["moe-compile", quantised, "--compile-to=raise", "-o", "-"], capture_output=True, text=True, check=True).stdout
        experts = next(line for line in raised.splitlines() if "moe.experts" in line)
        found = " ".join(part.split(",")[0] for part in experts.split("#moe.steps<at = ")[1:])
        stored = raised.count("moe.dequant ")
        if found != places or "moe.onnx" in raised:
            sys.exit(f"{name}: expected steps at {places}, found {found}")
    else:
        reasons = [entry["reason"] for entry in report["not_raised"] if entry["what"] == "MoE layer"]
        # Who looks for rounding alone comes last, and says of the whole layer that it found some.
        known = [reason for reason in reasons if "they are rounded elsewhere, too" not in reason or expected in reason]
        if forms or not known or not all(expected in reason for reason in known):
            sys.exit(f"{name}: expected no layer and the reason {expected!r}, found {forms} and {report['not_raised']}")
    apart = compare(name, quantised, compiled)
    print(f"{name}: {places and f'{expected}, {stored} quantised weights' or 'refused'}; {apart} numbers beside")


def main():
    logging.disable(logging.WARNING)
    work = pathlib.Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    only_writes = sys.argv[3:4] == ["--write"]
    for name in sys.argv[4 if only_writes else 3:] or CASES:
        (write_data if only_writes else check)(name, work)


if __name__ == "__main__":
    main()
