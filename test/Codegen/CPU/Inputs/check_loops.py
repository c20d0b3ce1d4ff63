"""Counts vectors on the stack in the loops that multiply: check_loops.py ASSEMBLY. Fails where one has any, or calls, or where a kernel has no such loop.

Sums between loops may wait on the stack; inside, each would cost as much as a multiplication.
"""

import re
import sys

LABEL = re.compile(r"^(\.LBB\w+):")
BRANCH = re.compile(r"^\tj\w+\t(\.LBB\w+)")
MULTIPLIES = re.compile(r"^\t(vfmadd|vdpbf16ps|vpdpbusd|vpmadd)")
ON_STACK = re.compile(r"[xyz]mm\d+.*\(%rsp|\(%rsp.*[xyz]mm")


def functions(lines):
    """Name and lines of each function that is a micro-kernel."""
    name, start = None, 0
    for number, line in enumerate(lines):
        if match := re.match(r"^(moe_kernel_\w+):", line):
            name, start = match[1], number
        elif name and line.startswith(".Lfunc_end"):
            yield name, lines[start:number]
            name = None


def innermost_loops(lines):
    """Bodies between a label and a branch back to it that hold no other such pair."""
    labels, loops = {}, []
    for number, line in enumerate(lines):
        if match := LABEL.match(line):
            labels[match[1]] = number
        elif (match := BRANCH.match(line)) and match[1] in labels:
            first = labels[match[1]]
            if not any(first <= start for start, _ in loops):
                loops.append((first, number))
    return [lines[first:last] for first, last in loops]


def main():
    kernels = 0
    for name, lines in functions(open(sys.argv[1]).read().splitlines()):
        loops = [loop for loop in innermost_loops(lines) if any(MULTIPLIES.match(line) for line in loop)]
        if not loops:
            sys.exit(f"{name}: no loop multiplies")
        for line in (line for loop in loops for line in loop):
            if ON_STACK.search(line):
                sys.exit(f"{name}: a vector on the stack: {line.strip()}")
            if line.startswith("\tcall"):
                sys.exit(f"{name}: a call: {line.strip()}")
        kernels += 1
    if not kernels:
        sys.exit("no kernels")
    print(f"{kernels} kernels, no vector on the stack where they multiply")


if __name__ == "__main__":
    main()
