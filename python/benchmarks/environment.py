"""The environment of the benchmarks' peers: build/bench-venv, from requirements.txt. A package that does not install is left out and the reason kept in
absent.json there, for the page."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
NEEDED = ("numpy", "ml_dtypes", "onnx")
# llama.cpp comes as source: only the parts that are called.
LLAMA = "-DGGML_NATIVE=ON " + " ".join(f"-D{name}=OFF" for name in ("LLAVA_BUILD", "MTMD_BUILD", "LLAMA_BUILD_COMMON", "LLAMA_BUILD_TOOLS",
                                                                     "LLAMA_BUILD_EXAMPLES", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_SERVER", "LLAMA_CURL"))


def _install(folder, who):
    """Python of the environment, with every package of the list that can be had."""
    python, requirements = folder / "bin/python", (HERE / "requirements.txt").read_text()
    done = folder / "requirements.txt"
    if done.exists() and done.read_text() == requirements:
        return python
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    absent = {}
    for line in requirements.splitlines():
        if not line or line.startswith("#"):
            continue
        name = line.split("==")[0]
        print(f"{who}: installing {line}", file=sys.stderr, flush=True)
        environment = dict(os.environ, CMAKE_ARGS=LLAMA, CMAKE_BUILD_PARALLEL_LEVEL="2")
        try:
            run = subprocess.run([str(python), "-m", "pip", "install", "-q", line], env=environment, capture_output=True, text=True, timeout=1800)
            failure = run.stderr.strip().splitlines()[-1:] if run.returncode else []
        except subprocess.TimeoutExpired:
            failure = ["it took more than half an hour to install"]
        if failure and name in NEEDED:
            sys.exit(f"{who}: {line} does not install: {failure[0]}")
        if failure:
            absent[name] = failure[0][:200]
            print(f"{who}: {line} is left out: {failure[0]}", file=sys.stderr)
    (folder / "absent.json").write_text(json.dumps(absent))
    done.write_text(requirements)
    return python


def run(program, page, json_name):
    """Becomes `program` of this folder in the environment, with the arguments of the command line after `--build DIR`; all cells, figures in
    build/`json_name` and the page in docs/generated where there are none."""
    who, arguments, build = pathlib.Path(sys.argv[0]).name, sys.argv[1:], ROOT / "build/release"
    if arguments[:1] == ["--build"] and len(arguments) > 1:
        build, arguments = pathlib.Path(arguments[1]).resolve(), arguments[2:]
    if not (build / "python/moe_opt").is_dir():
        sys.exit(f"{who}: {build} has no Python package; build it first, or name its folder with --build")
    python = _install(ROOT / "build/bench-venv", who)
    if not arguments:
        arguments = ["--json", str(ROOT / "build" / json_name), "--page", str(ROOT / "docs/generated" / page)]
    os.execve(python, [str(python), str(HERE / program), *arguments], dict(os.environ, PYTHONPATH=str(build / "python")))
