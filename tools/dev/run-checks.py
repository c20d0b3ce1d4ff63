"""Builds the presets and runs every test suite; what tools/check calls once the dependencies are there.

Each suite gives (passed, failed, skipped). A suite that cannot run (a build that fails) counts as one failure, so that the closing line
`N passed, N failed` never hides it. Suites after a failed build still run where they can.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIT = "/usr/lib/llvm-22/bin/lit"
# libLLVM and libMLIR are not instrumented: what our headers poison (bump allocators) they hand out without unpoisoning, containers that
# both sides grow look overflown, and LLVM leaks on purpose.
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=0:allow_user_poisoning=0:detect_container_overflow=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def run(command, log, **kwargs):
    """Runs a command with its output in a file; returns the exit status."""
    with open(log, "w") as stream:
        return subprocess.run(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT, **kwargs).returncode


def tail(log, lines=60):
    print("".join(open(log, errors="replace").readlines()[-lines:]), end="")


def build(preset):
    """Configures and builds a preset with everything that its tests need."""
    folder = ROOT / "build" / preset
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "build.log"
    status = run(["cmake", "--preset", preset], log)
    if status == 0:
        status = run(["cmake", "--build", "--preset", preset, "--target", "all", "moe-unit-tests"], log)
    if status != 0:
        tail(log)
        return 0, 1, 0
    return 1, 0, 0


def lit(preset, filters=()):
    """The lit suite on a preset's build."""
    folder = ROOT / "build" / preset
    results = folder / "lit.json"
    log = folder / "lit.log"
    environment = dict(os.environ, **(SANITIZER_ENVIRONMENT if preset == "asan" else {}))
    command = [sys.executable, LIT, "-sv", "-o", str(results), *filters, str(folder / "test")]
    results.unlink(missing_ok=True)
    run(command, log, env=environment)
    if not results.exists():
        tail(log)
        return 0, 1, 0
    counts = {}
    for test in json.loads(results.read_text())["tests"]:
        counts[test["code"]] = counts.get(test["code"], 0) + 1
    passed = counts.pop("PASS", 0) + counts.pop("XFAIL", 0) + counts.pop("FLAKYPASS", 0)
    skipped = counts.pop("UNSUPPORTED", 0) + counts.pop("SKIPPED", 0) + counts.pop("EXCLUDED", 0)
    failed = sum(counts.values())
    if failed or passed == 0:
        tail(log, 200)
    return passed, failed + (passed == 0), skipped


def unit(preset):
    """Every GoogleTest executable of a preset."""
    folder = ROOT / "build" / preset / "test" / "Unit" / "bin"
    environment = dict(os.environ, **(SANITIZER_ENVIRONMENT if preset == "asan" else {}))
    environment.pop("MOE_OBJECT_CACHE", None)  # The worker itself is among what they test.
    passed = failed = skipped = 0
    for program in sorted(path for path in folder.glob("moe-unit-*") if not path.suffix):
        results = folder / (program.name + ".json")
        log = folder / (program.name + ".log")
        results.unlink(missing_ok=True)
        status = run([str(program), f"--gtest_output=json:{results}"], log, env=environment, timeout=1200)
        if not results.exists():
            tail(log)
            failed += 1
            continue
        report = json.loads(results.read_text())
        bad = report["failures"] + report["errors"]
        off = report.get("disabled", 0)
        passed += report["tests"] - bad - off
        skipped += off
        failed += bad if bad else int(status != 0)
        if status != 0:
            tail(log)
    return passed, failed + (passed == 0), skipped


def fuzz(runs):
    """A short run of the fuzzer of the reader and importer, from seeds made anew. A failing input stays in build/release/fuzz."""
    folder, log = ROOT / "build" / "release" / "fuzz", ROOT / "build" / "fuzz.log"
    shutil.rmtree(folder / "corpus", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    program = ROOT / "build" / "release" / "bin" / "moe-fuzz-import"
    environment = dict(os.environ, **SANITIZER_ENVIRONMENT)
    # The importer itself must not leak: unlike a whole compilation, it leaves nothing of LLVM's behind.
    environment["ASAN_OPTIONS"] = environment["ASAN_OPTIONS"].replace("detect_leaks=0", "detect_leaks=1")
    commands = [
        ["cmake", "--build", "--preset", "release", "--target", program.name],
        [sys.executable, "test/Fuzz/Inputs/make_corpus.py", str(folder / "corpus"), str(folder / "dictionary")],
        [str(program), f"-dict={folder / 'dictionary'}", f"-runs={runs}", "-seed=1", "-timeout=20", "-rss_limit_mb=2048", "-print_funcs=0", "-print_final_stats=1",
         f"-artifact_prefix={folder}/", str(folder / "corpus")],
    ]
    for command in commands:
        if run(command, log, env=environment) != 0:
            tail(log)
            return 0, 1, 0
    executed = re.search(r"number_of_executed_units: (\d+)", log.read_text(errors="replace"))
    return (1, 0, 0) if executed and int(executed[1]) >= runs else (0, 1, 0)


def script(*command, environment=None):
    """A check that is one program: passes when it exits with 0."""
    log = ROOT / "build" / (pathlib.Path(command[-1 if command[0] == sys.executable else 0]).name + ".log")
    if run(list(command), log, env=dict(os.environ, **(environment or {}))) != 0:
        tail(log)
        return 0, 1, 0
    return 1, 0, 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the sanitizer build, the fuzzer, the wheel and all but a sample of ONNX's node tests")
    options = parser.parse_args()
    (ROOT / "build").mkdir(exist_ok=True)
    # Both lit suites compile the same models, many of them several times; LLVM's part of that, most of the time, is done once for all. The folder
    # begins empty: nothing of another compiler is in it.
    cache = ROOT / "build" / "objects"
    shutil.rmtree(cache, ignore_errors=True)
    os.environ["MOE_OBJECT_CACHE"] = str(cache)

    suites = [
        ("build (release)", lambda: build("release")),
        ("layout", lambda: script("tools/dev/check-layout")),
        ("docs", lambda: script("tools/dev/gen-docs", "--check", "--build", "build/release")),
        ("unit", lambda: unit("release")),
        ("lit", lambda: lit("release")),
    ]
    if not options.quick:
        suites += [
            ("onnx conformance",
             lambda: script(sys.executable, "tools/dev/onnx-conformance", environment={"PYTHONPATH": str(ROOT / "build/release/python")})),
            ("fuzz", lambda: fuzz(30000)),
            ("wheel", lambda: script(sys.executable, "tools/dev/check-wheel")),
            ("build (asan)", lambda: build("asan")),
            ("unit (asan)", lambda: unit("asan")),
            ("lit (asan)", lambda: lit("asan")),
        ]

    total = [0, 0, 0]
    for name, suite in suites:
        start = time.monotonic()
        try:
            counts = suite()
        except subprocess.TimeoutExpired as error:
            print(f"{name}: timed out: {error}")
            counts = (0, 1, 0)
        total = [a + b for a, b in zip(total, counts)]
        passed, failed, skipped = counts
        print(f"{name}: {passed} passed, {failed} failed, {skipped} skipped ({time.monotonic() - start:.0f} s)", flush=True)
    passed, failed, skipped = total
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
