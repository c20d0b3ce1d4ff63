"""Starts moe-compile."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import weakref
from typing import Mapping, Optional, Union

from ._errors import Error
from ._model import Model, load


def _find_tool(name: str) -> str:
    """The tool beside this package's build tree, else on the PATH; $MOE_OPT_BIN overrides both."""
    folders = [os.environ.get("MOE_OPT_BIN"), pathlib.Path(__file__).resolve().parents[2] / "bin"]
    for folder in filter(None, folders):
        path = pathlib.Path(folder) / name
        if os.access(path, os.X_OK):
            return str(path)
    found = shutil.which(name)
    if not found:
        raise Error("compile", f"{name} is neither in {folders[-1]} nor on the PATH; set MOE_OPT_BIN to its folder")
    return found


def compile(path: Union[str, os.PathLike], output: Union[str, os.PathLike, None] = None, *, cpu_features: str = "host",
            activations: str = "auto", dims: Optional[Mapping[str, int]] = None, threads: int = 0) -> Model:
    """Compiles an `.onnx` or `.mlir` file and loads the artifact.

    output: folder of the artifact; without it the artifact is temporary and goes with the model.
    cpu_features, activations, dims: as moe-compile's --cpu-features, --activations and --dim.
    threads: as in `load`.
    Raises Error with the compiler's diagnostics.
    """
    temporary = None
    if output is None:
        temporary = tempfile.mkdtemp(prefix="moe-opt-")
        output = os.path.join(temporary, "model")
    command = [_find_tool("moe-compile"), os.fspath(path), "-o", os.fspath(output), "--quiet",
               f"--cpu-features={cpu_features}", f"--activations={activations}"]
    command += [f"--dim={name}={size}" for name, size in (dims or {}).items()]
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if result.returncode != 0:
            raise Error("compile", result.stderr.strip() or f"moe-compile ended with status {result.returncode}")
        model = load(output, threads=threads)
    except BaseException:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    if temporary:
        weakref.finalize(model, shutil.rmtree, temporary, ignore_errors=True)
    return model
