"""Ends compilations by a signal while their codegen worker hangs: end_compile.py MODEL FOLDER. Nothing may stay behind, and the signal must
be what ended them."""

import atexit
import os
import pathlib
import signal
import subprocess
import sys
import time

model, folder = sys.argv[1], pathlib.Path(sys.argv[2])
temporary = folder / "tmp"
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
    temporary.mkdir(parents=True)
    process = subprocess.Popen(["moe-compile", model, "-o", str(folder / "out"), "--quiet", "--inject-worker-fault=hang"],
                               env={**os.environ, "TMPDIR": str(temporary)},
                               # A test that runs in the background inherits an ignored SIGINT, which moe-compile would leave ignored.
                               preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    atexit.register(process.kill)
    deadline = time.monotonic() + 60
    # The worker's input is written when the worker starts.
    while not list(temporary.glob("moe-compile-*/*.mlirbc")):
        if time.monotonic() > deadline or process.poll() is not None:
            sys.exit(f"the compilation did not come to its worker (status {process.poll()})")
        time.sleep(0.02)
    process.send_signal(number)
    status = process.wait(timeout=60)
    left = [str(path) for path in folder.rglob("*") if path != temporary]
    if left:
        sys.exit(f"{number.name} leaves {left}")
    # LLVM turns a closed pipe into an exit status of its own.
    if status != -number and not (number == signal.SIGPIPE and status > 0):
        sys.exit(f"{number.name} ends the compilation with status {status}")
    temporary.rmdir()
