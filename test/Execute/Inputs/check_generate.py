"""Compares greedy generation of a compiled decoder with the recorded ids: check_generate.py ARTIFACT FOLDER_OF_GENERATE_JSON."""

import json
import pathlib
import sys

import moe_opt
from moe_opt.generate import generate

model = moe_opt.load(sys.argv[1])
cases = json.loads((pathlib.Path(sys.argv[2]) / "generate.json").read_text())["cases"]
assert cases
for case in cases:
    expected = case["generated_ids"]
    got = list(generate(model, case["prompt_ids"], len(expected)))
    if got != expected:
        sys.exit(f"prompt {case['prompt_text']!r}: expected {expected}, got {got}")
