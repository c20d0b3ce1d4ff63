"""Compiles one recorded model and compares it with every data set of its folder.

    compile.py FIXTURES WORK_FOLDER MODEL FORM LAYERS

Uses moe-compile and moe-run from the PATH. Fails when an output differs beyond the model's own tolerance, or when manifest.json does not report
LAYERS MoE layers of form FORM ("none 0": a model without). A model with quantised weights has two: `tolerance_exact` for activations in f32, and
`tolerance` for those in int8. `tools/dev/model-table` makes the page of all of them with the same functions.
"""

import json
import pathlib
import shutil
import subprocess
import sys


class Mismatch(Exception):
    """What the model does wrong, in words."""


def run(*command):
    """The standard output of a command that must succeed."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        raise Mismatch(f"{' '.join(map(str, command))}\nstatus {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def read_list(path):
    """The lines of models.txt: (model, form, number of layers)."""
    lines = (line.split("#")[0].split() for line in pathlib.Path(path).read_text().splitlines())
    return [(words[0], words[1], int(words[2])) for words in lines if words]


def check(fixtures, work, model, form, layers):
    """Compiles and compares; gives the largest error of all data sets for each precision of activations: {name: (error, tolerance)}."""
    folder, work = pathlib.Path(fixtures, model), pathlib.Path(work)
    meta = json.loads((folder / "meta.json").read_text())
    precisions = {"f32": meta["tolerance_exact"], "int8": meta["tolerance"]} if "tolerance_exact" in meta else {"auto": meta["tolerance"]}
    data_sets = sorted(folder.glob("test_data_set_*"))
    if not data_sets:
        raise Mismatch(f"{folder}: no data set")
    shutil.rmtree(work, ignore_errors=True)
    largest = {}
    for activations, tolerance in precisions.items():
        out = work / activations
        out.mkdir(parents=True)
        run("moe-compile", folder / "model.onnx", "-o", out, "--quiet", f"--activations={activations}")
        found = [layer["export_form"] for layer in json.loads((out / "manifest.json").read_text())["moe_layers"]]
        if found != [form] * layers:
            raise Mismatch(f"expected {layers} MoE layers of form {form} in manifest.json, got {found}")
        errors = []
        for number, data in enumerate(data_sets):
            # The number of threads must not matter; it alternates.
            report = run("moe-run", out, "--test-data", data, "--atol", tolerance["atol"], "--rtol", tolerance["rtol"], "--threads", 1 + number % 3, "--json")
            errors += [output["largest_error"] for output in json.loads(report)["outputs"]]
        largest[activations] = (max(errors, default=0.0), tolerance)
    return largest


def main():
    fixtures, work, model, form, layers = sys.argv[1:]
    try:
        check(fixtures, work, model, form, int(layers))
    except Mismatch as mismatch:
        sys.exit(str(mismatch))


if __name__ == "__main__":
    main()
