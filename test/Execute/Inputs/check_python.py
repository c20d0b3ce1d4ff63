"""The Python package on arrays and artifacts as users have them: check_python.py ARTIFACT SCRATCH_FOLDER.

ARTIFACT doubles x: tensor<?x8xf32>. What a run gives is compared with numpy; what must fail is compared with the status of the error.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import ml_dtypes
import moe_opt
import numpy as np

artifact, scratch = map(pathlib.Path, sys.argv[1:])
model = moe_opt.load(artifact)
x = np.arange(24, dtype=np.float32).reshape(3, 8) - 5
cases = {
    "native": x,
    "big-endian": x.astype(">f4"),
    "column-major": np.asfortranarray(x),
    "strided big-endian": np.repeat(x, 2, axis=0)[::2].astype(">f4"),
    "reversed": x[::-1],
}
for name, array in cases.items():
    got = model.run({"x": array})["y"]
    np.testing.assert_array_equal(got, 2 * array.astype(np.float32), err_msg=name)
    assert got.dtype == np.float32, got.dtype


def expect(status, part, action):
    try:
        action()
    except moe_opt.Error as error:
        assert error.status == status and part in str(error), (error.status, str(error))
        return
    sys.exit(f"expected {status}, got no error")


# Another type is no matter of byte order: nothing is converted.
for dtype in ("f8", ">f8", ">i4", ml_dtypes.bfloat16, "U4", "O"):
    expect("bad_dtype", "'x'", lambda: model.run({"x": x.astype(dtype)}))


def damaged(name, damage):
    folder = scratch / name
    shutil.copytree(artifact, folder)
    damage(folder / "model.so")
    return folder


for length in (0, 63, 64, 10000):
    cut = damaged(f"cut{length}", lambda path: os.truncate(path, length))
    expect("bad_artifact", "shorter than its segments" if length >= 64 else "expected a 64-bit ELF file", lambda: moe_opt.load(cut))
expect("bad_artifact", "expected a 64-bit ELF file", lambda: moe_opt.load(damaged("text", lambda path: path.write_text("text\n" * 100))))
expect("bad_artifact", "No such file", lambda: moe_opt.load(damaged("none", lambda path: path.unlink())))

# Compiling into the same folder again gives the new code, also while the old one is open.
again = scratch / "again"
for factor in (3, 5, 3):
    source = scratch / "again.mlir"
    source.write_text("""func.func @main(%x: tensor<4xf32> {moe.name = "x"}) -> (tensor<4xf32> {moe.name = "y"}) {
  %f = arith.constant dense<""" + str(float(factor)) + """> : tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.mul ins(%x, %f : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}""")
    subprocess.run(["moe-compile", source, "-o", again, "--quiet"], check=True, timeout=120)
    compiled = moe_opt.load(again)
    found = compiled.run({"x": np.ones(4, np.float32)})["y"]
    assert (found == factor).all(), (factor, found)
