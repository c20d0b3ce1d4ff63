"""Calibrates under MPI and checks what comes of it; says nothing of how fast anything is.

  check_calibrate.py MPIEXEC RANKS AXES MODEL MESH [moe-run options]

Where a straight line fits, the file has all fields with numbers that a mesh may have, and the planner plans MODEL with it. Where none does (a machine that
does other things besides), no file may be written and the reason must name the fit. Either is right; which one it is depends on the machine.
"""

import json
import pathlib
import re
import subprocess
import sys

mpiexec, ranks, axes, model, mesh = sys.argv[1:6]
path = pathlib.Path(mesh)
refused = 0
for _ in range(2):
    path.unlink(missing_ok=True)
    done = subprocess.run([mpiexec, "-n", ranks, "moe-run", "--calibrate", "-o", mesh, "--threads=1", *sys.argv[6:]], capture_output=True, text=True, timeout=200, check=False)
    if done.returncode == 0:
        break
    found = re.search(r"no mesh was written: expected times of .* that a straight line fits with an r2 of at least 0.97, found (-?[\d.]+);", done.stderr)
    # A line that falls has no bandwidth at all.
    assert found and float(found[1]) < 0.97 or "expected times that grow with" in done.stderr, done.stderr
    assert not path.exists()
    refused += 1
if path.exists():
    text = json.loads(path.read_text())
    assert text["version"] == 1 and 0.97 <= text["r2"] <= 1, text
    assert ",".join(f"{axis['name']}={axis['size']}" for axis in text["axes"]) == axes, text
    for axis in text["axes"]:
        assert axis["link"]["gbps"] > 0 and axis["link"]["alpha_us"] >= 0 and axis["link"]["per_msg_us"] >= 0, axis
    device = text["device"]
    assert device["tflops"]["f32"] > 0 and device["mem_gbps"] > 0 and device["mem_mib"] >= 1 and device["gemm_half_m"] >= 0, device
    assert f"wrote {mesh}" in done.stdout and all(f"axis {axis['name']}: ping-pong" in done.stdout for axis in text["axes"]), done.stdout
    planned = subprocess.run(["moe-compile", model, f"--mesh={mesh}", "--compile-to=plan", "-o", "-"], capture_output=True, text=True, check=False)
    assert planned.returncode == 0 and "sharding = <mesh = @mesh" in planned.stdout, planned.stderr
print("planned with" if path.exists() else "refused", "what was measured")
