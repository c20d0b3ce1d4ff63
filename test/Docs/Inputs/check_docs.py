"""Keeps the commands of README.md and docs/*.md true.

  check_docs.py options SOURCE [PAGE...]   every `--option` that a page gives to a program of ours, or names alone, exists
  check_docs.py run SOURCE BUILD SCRATCH PAGE
                                           runs a page's blocks in one shell, one Python process per ```python block

In a page, ```sh and ```python are run and must succeed. ```console is a transcript: after each command (`$ `, continued by `> `) stands what
it prints; times, rates and names of ISA versions may differ, and a line `...` stands for any lines. ```sh norun is shown only. The shell is in a
folder that looks like the project's root: the folders of the project, build/release for the build in use, .venv/bin/python for this Python,
and the shipped model as model.onnx and tokenizer.json.
"""

import pathlib
import re
import subprocess
import sys

PROGRAMS = ["moe-compile", "moe-opt", "moe-run", "moe-simt-run", "moe-codegen-worker", "moe-lsp-server"]
GENERATED = ["Dialect.md", "Passes.md"]
OPTION = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
COMMAND_END = "\x01"


def pages(source):
    return [source / "README.md", *(path for path in sorted((source / "docs").rglob("*.md"))
                                    if path.name not in GENERATED and path.parent.name != "generated")]


# ---- options ---------------------------------------------------------------------------------------------------------------------------

def known_options(source):
    """{program: its options}; scripts of the project go by file name, and their options are the words in their text."""
    known = {}
    for program in PROGRAMS:
        for flag in ("--help", "--help-hidden"):
            result = subprocess.run([program, flag], capture_output=True, text=True)
            known.setdefault(program, set()).update(OPTION.findall(result.stdout + result.stderr))
    # tools/check hands its options on to run-checks.py, bench-layers and bench-decoders to the programs of the bench.
    scripts = {path.name: path for path in [*source.glob("tools/*"), *source.glob("tools/dev/*"), *source.glob("python/benchmarks/*.py"), source / "python/moe_opt/generate.py"] if path.is_file()}
    known.update({name: set(OPTION.findall(path.read_text())) for name, path in scripts.items()})
    known["check"] |= known["run-checks.py"]
    known["bench-layers"] |= known["moe_layer.py"]
    known["bench-decoders"] |= known["whole_decoder.py"]
    known["moe_opt.generate"] = known.pop("generate.py")
    return known


def fragments(page):
    """(line number, code) of every code line and every `inline code` of a page."""
    fenced = False
    for number, line in enumerate(page.read_text().split("\n"), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line.strip()
        else:
            for code in re.findall(r"`([^`]+)`", line):
                yield number, code


def check_options(source, chosen):
    known = known_options(source)
    everything = set().union(*known.values())
    bad = count = 0
    for page in chosen or pages(source):
        for number, code in fragments(page):
            # A program's options go up to the next command of the line.
            program = None
            for word in re.split(r"\s+", re.sub(r"(^|\s)#\s.*", "", code)):
                name = pathlib.Path(word).name
                if name in known:
                    program = name
                elif word in ("&&", ";", "|", "&") or name in ("cmake", "ninja", "lit", "git", "mlir-opt"):
                    program = name
                match = OPTION.match(word)
                # `--moe-<stage>-pipeline` is a pattern, and what is called an example is made up.
                if not match or (program and program not in known) or "<" in word or "-example-" in word:
                    continue
                count += 1
                if match.group() not in (known[program] if program else everything):
                    bad += 1
                    print(f"{page.name}:{number}: {program or 'no program'} has no option {match.group()}")
    print(f"{count} options, {bad} unknown")
    return 1 if bad or count == 0 else 0


# ---- blocks ----------------------------------------------------------------------------------------------------------------------------

def blocks(page):
    """(line number, language, lines) of the fenced blocks that are to be run."""
    start = None
    for number, line in enumerate(page.read_text().split("\n"), 1):
        if not line.startswith("```"):
            continue
        if start is None:
            start, language = number, line[3:].strip()
        else:
            if language in ("sh", "console", "python"):
                yield start, language, page.read_text().split("\n")[start:number - 1]
            start = None


def commands(language, lines):
    """[(command, expected output or None)] of a block."""
    if language == "sh":
        return [("\n".join(lines), None)]
    if language == "python":
        return [(".venv/bin/python - <<'END_OF_PYTHON'\n" + "\n".join(lines) + "\nEND_OF_PYTHON", None)]
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0] += "\n" + line[2:]
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(output).strip("\n") or None) for command, output in found]


def prepare(source, build, scratch):
    """A folder that looks like the project's root."""
    (scratch / ".venv/bin").mkdir(parents=True)
    (scratch / "build").mkdir()
    for name in ("docs", "include", "lib", "python", "test", "tools"):
        (scratch / name).symlink_to(source / name)
    (scratch / "build/release").symlink_to(build)
    # A link would not find the packages of the environment that this Python belongs to.
    python = scratch / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    for name in ("model.onnx", "tokenizer.json"):
        (scratch / name).symlink_to(source / "test/Inputs/tinymoe" / name)


def normalised(line):
    line = re.sub(r"\b(avx2|avx512\w*|amx\w*|x86-64)\b", "ISA", line)
    return re.sub(r"\d+(\.\d+)?(?= (s|ms|tokens per second)\b)", "N", line).rstrip()


def matches(expected, printed):
    pattern = "\n".join(".*" if line == "..." else re.escape(normalised(line)) for line in expected.split("\n"))
    return re.fullmatch(pattern, "\n".join(normalised(line) for line in printed.strip("\n").split("\n")), re.DOTALL)


def run_page(source, build, scratch, page):
    prepare(source, build, scratch)
    steps = [(number, command, expected) for number, language, lines in blocks(page) for command, expected in commands(language, lines)]
    shell = subprocess.Popen(["bash"], cwd=scratch, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    script = "".join(f"set -e\n{{\n{command}\n}} </dev/null\nprintf '{COMMAND_END}'\n" for _, command, _ in steps)
    output = shell.communicate(script)[0].split(COMMAND_END)
    for (number, command, expected), printed in zip(steps, output):
        print(f"-- {page.name}:{number}\n{command}\n{printed}")
    if len(output) <= len(steps):
        number, command, _ = steps[len(output) - 1]
        print(f"{page.name}: a command of the block at line {number} failed with {shell.returncode}: {command}")
        return 1
    bad = [step for step, printed in zip(steps, output) if step[2] is not None and not matches(step[2], printed)]
    for number, command, expected in bad:
        print(f"{page.name}: the block at line {number} shows another output of: {command}\n{expected}")
    print(f"{page.name}: {len(steps)} commands run")
    return 1 if bad or not steps else 0


def main():
    if len(sys.argv) >= 3 and sys.argv[1] == "options":
        return check_options(pathlib.Path(sys.argv[2]), [pathlib.Path(page) for page in sys.argv[3:]])
    if len(sys.argv) == 6 and sys.argv[1] == "run":
        return run_page(*(pathlib.Path(argument).resolve() for argument in sys.argv[2:]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
