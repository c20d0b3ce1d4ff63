"""Runs a model on the SIMT executor with less and less GPU memory: each run passes or says that there was none. One must fail with TEXT.

    lower_memory.py MODEL DATA --from BYTES --step BYTES --text TEXT
"""

import argparse
import os
import subprocess
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("data")
parser.add_argument("--from", dest="start", type=int, required=True)
parser.add_argument("--step", type=int, required=True)
parser.add_argument("--text", required=True)
options = parser.parse_args()
for memory in range(options.start, 0, -options.step):
    run = subprocess.run(["moe-run", options.model, "--device=cuda-sim", "--test-data", options.data], capture_output=True, text=True, check=False,
                         env={**os.environ, "MOE_SIMT_MEMORY": str(memory), "MOE_SIMT_RACES": "0"})
    if run.returncode != 0 and "CUDA_ERROR_OUT_OF_MEMORY" not in run.stderr:
        sys.exit(f"with {memory} bytes: {run.stderr}")
    if options.text in run.stderr:
        print(run.stderr.strip())
        sys.exit()
sys.exit(f"no run said '{options.text}'")
