"""Runs each script of Inputs/scripts twice, with onnxruntime and with one changed import, and compares what they save: check_scripts.py MODEL SCRATCH.

Numbers are equal to what float sums in two orders allow; integers, bools and names exactly.
"""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np

SCRIPTS = pathlib.Path(__file__).parent / "scripts"
TOLERANCE = 2e-5


def moved(text):
    """The script with its import changed, and nothing else."""
    changed = re.sub(r"^import onnxruntime as ort$", "import moe_opt as ort", text, flags=re.MULTILINE)
    changed = re.sub(r"^import onnxruntime$", "import moe_opt as onnxruntime", changed, flags=re.MULTILINE)
    return re.sub(r"^from onnxruntime(\.\S+)? import", r"from moe_opt\1 import", changed, flags=re.MULTILINE)


def run(script, model, output, environment):
    result = subprocess.run([sys.executable, str(script), model, str(output)], env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{script} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return dict(np.load(output))


def compare(name, expected, found):
    if set(expected) != set(found):
        sys.exit(f"{name}: expected {sorted(expected)}, found {sorted(found)}")
    worst = 0.0
    for key, one in expected.items():
        other = found[key]
        if (one.dtype, one.shape) != (other.dtype, other.shape):
            sys.exit(f"{name}: {key}: expected {one.dtype} {one.shape}, found {other.dtype} {other.shape}")
        if one.dtype.kind != "f":
            np.testing.assert_array_equal(other, one, err_msg=f"{name}: {key}")
        elif one.size:
            worst = max(worst, float(np.abs(other - one).max() / max(1, np.abs(one).max())))
    if worst > TOLERANCE:
        sys.exit(f"{name}: expected a difference of at most {TOLERANCE}, found {worst}")
    print(f"{name}: {len(expected)} results agree")


def main():
    model, scratch = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).absolute()
    for script in sorted(SCRIPTS.glob("*.py")):
        text = script.read_text()
        copy = scratch / script.name
        copy.write_text(moved(text))
        if re.search(r"^\s*(import|from) onnxruntime", copy.read_text(), re.MULTILINE):
            sys.exit(f"{script}: an import of onnxruntime is left")
        expected = run(script, model, scratch / f"{script.stem}-expected.npz", os.environ)
        if not all(np.asarray(expected[key]).all() for key in ("errors", "refused") if key in expected):
            sys.exit(f"{script}: onnxruntime itself refuses otherwise: {expected}")
        compare(script.name, expected, run(copy, model, scratch / f"{script.stem}-found.npz", os.environ))


if __name__ == "__main__":
    main()
