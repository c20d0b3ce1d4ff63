"""Compiles each model of the files below and compares it with onnxruntime: raised as it should be, or left with a reason in the report.

    check_handwritten.py ROUTED_MODELS_FOLDER WORK_FOLDER [MODEL...]
"""

import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, sys.argv[1])
import check_routed_models as routed  # noqa: E402
import handwritten_casts as casts  # noqa: E402
import handwritten_choice as choice  # noqa: E402
import handwritten_forms as forms  # noqa: E402
import handwritten_loops as loops  # noqa: E402
import handwritten_models as models  # noqa: E402
import handwritten_others as others  # noqa: E402
import handwritten_scales as scales  # noqa: E402
import handwritten_single as single  # noqa: E402
import handwritten_slots as slots  # noqa: E402
import handwritten_where as where  # noqa: E402
import onnx  # noqa: E402

FILES = (models, forms, loops, slots, single, scales, choice, casts, where, others)
SHAPES = {2: [(23, models.HIDDEN), (1, models.HIDDEN)], 3: [(2, 9, models.HIDDEN), (1, 1, models.HIDDEN), (3, 1, models.HIDDEN)]}


def check_refused(folder, model, shapes, reason, says=any):
    """Compiled as it is, with the results of onnxruntime; the report names a node (or all) and says why."""
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    routed.write_data(folder, model, shapes, 11)
    routed.run("moe-compile", folder / "model.onnx", "-o", folder / "out", "--quiet", routed.CPU, f"--raise-report={folder / 'report.json'}")
    report = json.loads((folder / "report.json").read_text())
    misses = [miss for miss in report["not_raised"] if miss["what"] == "MoE layer"]
    if report["moe_layers"] or not misses or not says(reason in miss["reason"] and miss["node"].startswith("node_") for miss in misses):
        sys.exit(f"{folder.name}: expected no layer and the reason {reason!r}, found {json.dumps(report, indent=1)}")
    for number in range(len(shapes)):
        routed.run("moe-run", folder / "out", "--test-data", folder / f"test_data_set_{number}", "--atol", 2e-5, "--rtol", 2e-5)
    print(folder.name, "refused")


def check_silent(folder, model):
    """No layer, and nothing that looks like one."""
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    routed.run("moe-compile", folder / "model.onnx", "-o", folder / "out", "--quiet", routed.CPU, f"--raise-report={folder / 'report.json'}")
    report = json.loads((folder / "report.json").read_text())
    if report["moe_layers"] or report["not_raised"]:
        sys.exit(f"{folder.name}: expected an empty report, found {json.dumps(report, indent=1)}")
    print(folder.name, "passed over")


def check_hint(folder):
    """Who did not ask for the report is told of it."""
    summary = subprocess.run(["moe-compile", folder / "model.onnx", "-o", folder / "again", routed.CPU], capture_output=True, text=True).stdout
    if not re.search(r"no MoE layer found, but \d+ nodes? looks? like one; --raise-report=FILE says why", summary):
        sys.exit(f"{folder.name}: no hint in {summary!r}")


def all_of(kind):
    return [entry for file in FILES for entry in getattr(file, kind).items()]


def main():
    work = pathlib.Path(sys.argv[2])
    wanted = sys.argv[3:]
    for name, ((model, rank), expected) in all_of("LAYERS"):
        if wanted and name not in wanted:
            continue
        routed.check(work / name, model, SHAPES[rank], ["moe.experts", *expected], [])
    for name, ((model, rank), reason) in all_of("REFUSED"):
        if wanted and name not in wanted:
            continue
        check_refused(work / name, model, SHAPES[rank], reason)
    for name, ((model, rank), reason) in others.ALIKE.items():
        if not wanted or name in wanted:
            check_refused(work / name, model, SHAPES[rank], reason, all)
    for name, (model, _) in others.SILENT.items():
        if not wanted or name in wanted:
            check_silent(work / name, model)
    if not wanted or "unweighted" in wanted:
        check_hint(work / "unweighted")


main()
