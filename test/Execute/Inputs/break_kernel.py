"""Takes the kernels out of what moe-compile --emit=mlir writes and damages one of them.

    break_kernel.py k.mlir --kernel NAME --drop OP=N

leaves the gpu.module alone and drops the Nth line (from 0; negative from the end) with OP from NAME. Without --drop nothing is damaged. Writes to the standard output.
"""

import argparse
import re
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("file")
parser.add_argument("--kernel", required=True)
parser.add_argument("--drop")
options = parser.parse_args()
with open(options.file, encoding="utf-8") as file:
    lines = file.read().split("\n")
first = next(i for i, line in enumerate(lines) if line.startswith("  gpu.module"))
last = next(i for i in range(first, len(lines)) if lines[i] == "  }")
lines = lines[first:last + 1]
start = next(i for i, line in enumerate(lines) if re.match(rf"    llvm\.func @{options.kernel}\(", line))
end = next(i for i in range(start, len(lines)) if lines[i] == "    }")
if options.drop:
    op, number = options.drop.split("=")
    places = [i for i in range(start, end) if op in lines[i]]
    if not places:
        sys.exit(f"{options.kernel} has no {op}")
    del lines[places[int(number)]]
print("module attributes {gpu.container_module} {\n" + "\n".join(lines) + "\n}")
