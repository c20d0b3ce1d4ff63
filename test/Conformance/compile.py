"""Compiles one recorded model and compares it with every data set of its folder.

    compile.py FIXTURES WORK_FOLDER MODEL FORM LAYERS

Uses moe-compile and moe-run from the PATH. Fails when an output differs beyond the model's own tolerance, or when manifest.json does not report
LAYERS MoE layers of form FORM. A model with quantised weights has two: `tolerance_exact` for activations in f32, and `tolerance` for those in int8.
"""

import json
import pathlib
import shutil
import subprocess
import sys


def run(*command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nstatus {result.returncode}\n{result.stdout}{result.stderr}")


def main():
    fixtures, work, model, form, layers = sys.argv[1:]
    folder, work = pathlib.Path(fixtures, model), pathlib.Path(work)
    meta = json.loads((folder / "meta.json").read_text())
    precisions = {"f32": meta["tolerance_exact"], "int8": meta["tolerance"]} if "tolerance_exact" in meta else {"auto": meta["tolerance"]}
    data_sets = sorted(folder.glob("test_data_set_*"))
    if not data_sets:
        sys.exit(f"{folder}: no data set")
    shutil.rmtree(work, ignore_errors=True)
    for activations, tolerance in precisions.items():
        out = work / activations
        out.mkdir(parents=True)
        run("moe-compile", folder / "model.onnx", "-o", out, "--quiet", f"--activations={activations}")
        found = [layer["export_form"] for layer in json.loads((out / "manifest.json").read_text())["moe_layers"]]
        if found != [form] * int(layers):
            sys.exit(f"expected {layers} MoE layers of form {form} in manifest.json, got {found}")
        for number, data in enumerate(data_sets):
            # The number of threads must not matter; it alternates.
            run("moe-run", out, "--test-data", data, "--atol", tolerance["atol"], "--rtol", tolerance["rtol"], "--threads", 1 + number % 3)


if __name__ == "__main__":
    main()
