"""Ends compilations by a signal while their codegen worker hangs: end_compile.py MODEL FOLDER. Nothing may stay behind, neither files (but of one that
was killed) nor the worker, and the signal must be what ended them."""

import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time


def workers_in(folder):
    """Processes that have the folder in their command line."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue  # It has ended.
        if words[0].endswith(b"moe-codegen-worker") and any(os.fsencode(folder) in word for word in words):
            found.append(path.parent.name)
    return found


model, folder = sys.argv[1], pathlib.Path(sys.argv[2])
temporary = folder / "tmp"
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGKILL):
    temporary.mkdir(parents=True)
    process = subprocess.Popen(["moe-compile", model, "-o", str(folder / "out"), "--quiet", "--inject-worker-fault=hang"],
                               env={**os.environ, "TMPDIR": str(temporary)},
                               # A test that runs in the background inherits an ignored SIGINT, which moe-compile would leave ignored.
                               preexec_fn=lambda: number != signal.SIGKILL and signal.signal(number, signal.SIG_DFL))
    atexit.register(process.kill)
    deadline = time.monotonic() + 60
    # The worker's input is written when the worker starts.
    while not list(temporary.glob("moe-compile-*/*.mlirbc")):
        if time.monotonic() > deadline or process.poll() is not None:
            sys.exit(f"the compilation did not come to its worker (status {process.poll()})")
        time.sleep(0.02)
    process.send_signal(number)
    status = process.wait(timeout=60)
    while workers_in(temporary):
        if time.monotonic() > deadline + 60:
            sys.exit(f"{number.name} leaves the worker {workers_in(temporary)}")
        time.sleep(0.02)
    if number == signal.SIGKILL:
        shutil.rmtree(temporary)
        break
    left = [str(path) for path in folder.rglob("*") if path != temporary]
    if left:
        sys.exit(f"{number.name} leaves {left}")
    # LLVM turns a closed pipe into an exit status of its own.
    if status != -number and not (number == signal.SIGPIPE and status > 0):
        sys.exit(f"{number.name} ends the compilation with status {status}")
    temporary.rmdir()
