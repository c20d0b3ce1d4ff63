"""Starts moe-compile."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import weakref
from typing import Any, List, Mapping, Optional, Sequence, Union

from ._errors import Error, compile_error, parse_diagnostics
from ._model import Model, load


def find_tool(name: str) -> str:
    """The path of a tool: in $MOE_OPT_BIN, in the package (a wheel), in the build tree that the package lies in, or on the PATH, whichever has it
    first. Raises Error."""
    package = pathlib.Path(__file__).resolve().parent
    folders = [package / "bin", package.parents[1] / "bin"]
    if "MOE_OPT_BIN" in os.environ:
        folders.insert(0, pathlib.Path(os.environ["MOE_OPT_BIN"]))
    for folder in folders:
        path = folder / name
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    # The command that a wheel puts on the PATH is a script that comes here; it is found only where the package has no tools.
    found = shutil.which(name)
    if not found or _is_script(found):
        raise Error("compile", f"{name} is neither in {' nor in '.join(map(str, folders))} nor on the PATH; set MOE_OPT_BIN to its folder")
    return found


def _is_script(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def _write_model(model: Any, folder: str) -> str:
    """The path of a model: as given, or of a file in `folder` for an onnx.ModelProto or its bytes."""
    if isinstance(model, (str, os.PathLike)):
        return os.fspath(model)
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    if not isinstance(model, (bytes, bytearray, memoryview)):
        raise TypeError(f"expected a path, an onnx.ModelProto or its bytes, found {type(model).__name__}")
    path = os.path.join(folder, "model.onnx")
    with open(path, "wb") as stream:
        stream.write(model)
    return path


def _start_compiler(command: List[str]) -> str:
    """Runs moe-compile; gives what it wrote on its standard error. Raises Error with its diagnostics."""
    result = subprocess.run(command, capture_output=True, text=True, errors="replace")
    text = result.stderr.strip()
    if result.returncode == 0:
        return text
    diagnostics = parse_diagnostics(text)
    # A worker that fails has met code that the compiler should not have made.
    refused = result.returncode > 0 and any(diagnostic.severity == "error" for diagnostic in diagnostics) and "codegen worker" not in text
    if refused:
        raise compile_error(text, diagnostics)
    raise Error("crash", text or f"moe-compile ended with status {result.returncode}", diagnostics)


def compile(model: Union[str, os.PathLike, bytes, Any], output: Union[str, os.PathLike, None] = None, *, target: str = "cpu",
            cpu_features: str = "host", activations: str = "auto", dims: Optional[Mapping[str, int]] = None, allow_links: bool = False,
            require_raised: bool = False, threads: int = 0, overridable: Sequence[str] = (), ignore_dim_names: bool = False) -> Model:
    """Compiles a model and loads the artifact. Takes seconds to minutes, in a process of its own; other threads go on.

    model: path of an `.onnx` or `.mlir` file, an `onnx.ModelProto`, or the bytes of one. External data of a model that is not a file cannot be
        found: load such a model with its data, or give its path.
    output: folder of the artifact; without it the artifact is temporary and goes with the model (see `Model.save`).
    target: what the code is for, as moe-compile's --target: "cpu".
    cpu_features: for which CPUs, as moe-compile's --cpu-features: "host", or names of ISA versions joined by ";" ("avx2;avx512").
    activations: in which type products are computed, as moe-compile's --activations: "auto", "f32", "bf16", "int8".
    dims: sizes of symbolic dims, by name; a dim that is not named stays open until a run.
    allow_links: external data may be symbolic links, as in the cache of the Hugging Face hub.
    require_raised: what looks like an MoE layer and was not raised, and a model without one, are errors.
    threads: as in `load`.
    overridable: initializers that become inputs with a default, by name; they must be inputs of the graph too. See `Model.defaults`.
    ignore_dim_names: inputs whose dims share a name may differ in size, as ONNX Runtime allows; otherwise a run with such inputs is refused.
    Raises Error with the compiler's diagnostics, TypeError for a model of another type.
    """
    scratch = tempfile.mkdtemp(prefix="moe-opt-")
    folder = os.path.join(scratch, "model") if output is None else os.fspath(output)
    try:
        command = [find_tool("moe-compile"), _write_model(model, scratch), "-o", folder, f"--target={target}", f"--cpu-features={cpu_features}",
                   f"--activations={activations}", "--quiet"]
        command += ["--allow-links"] * allow_links + ["--require-raised"] * require_raised + ["--ignore-dim-names"] * ignore_dim_names
        command += [f"--dim={name}={size}" for name, size in (dims or {}).items()]
        command += [f"--overridable={name}" for name in overridable]
        _start_compiler(command)
        loaded = load(folder, threads=threads)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    if output is None:
        weakref.finalize(loaded, shutil.rmtree, scratch, ignore_errors=True)
    else:
        shutil.rmtree(scratch, ignore_errors=True)
    return loaded
