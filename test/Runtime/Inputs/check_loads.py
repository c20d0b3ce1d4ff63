"""Compares recorded loads with counts of numpy. usage: check_loads.py LOAD LOGITS K"""

import json
import sys

import numpy as np

load, logits = json.load(open(sys.argv[1])), np.load(sys.argv[2])
k = int(sys.argv[3])
chosen = np.argsort(-logits, axis=1, kind="stable")[:, :k]
counts = np.bincount(chosen.ravel(), minlength=logits.shape[1])
assert load == {"version": 1, "layers": [{"name": "layer", "experts": logits.shape[1], "top_k": k, "windows": [counts.tolist()] if len(logits) else []}]}, (load, counts)
print("counts agree")
