"""Compares a compiled system with its oracle (float64 numpy, systems.py).

    check.py weights SYSTEM.mlir    writes NAME.bin for every `moe.weight @NAME` of the file into the working folder
    check.py run SYSTEM.mlir        runs the artifact `model` of the working folder with moe-run on every case of the system

The file itself says what its weights, inputs and outputs are called and how large they are; the oracle is the function of systems.py that has
the name of the file. A case passes if every output is within the tolerance of the oracle and 3 threads give the bits of 1 thread.
"""

import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

DTYPES = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i32": np.int32, "i8": np.int8, "ui8": np.uint8, "i1": np.bool_,
          "ui16": np.uint16, "ui32": np.uint32}


@dataclasses.dataclass
class Tensor:
    """A weight, an input or an output: dims are sizes or the names of symbols."""

    name: str
    dims: list
    dtype: str


def dtype_of(name):
    if name == "bf16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(np.float16 if name == "f16" else DTYPES[name])


def parse_type(text):
    *dims, dtype = text.split("x")
    return [dim if dim == "?" else int(dim) for dim in dims], dtype


def weights_of(text):
    found = re.findall(r'^moe\.weight @"?([\w.]+)"? : tensor<(\S+)> source\(#moe\.file<"([^"]+)"', text, re.M)
    for name, _, path in found:
        assert path == f"{name}.bin", f"weight {name} is read from {path}; expected {name}.bin"
    return [Tensor(name, *parse_type(shape)) for name, shape, _ in found]


def interface_of(text):
    """(inputs, outputs) of @main."""
    for alias, meaning in re.findall(r"^(!\w+) = (tensor<\S+>)$", text, re.M):
        text = re.sub(alias + r"\b", meaning, text)
    main = re.search(r"func\.func @main\((.*?)\n", text, re.S).start()
    signature = text[main : text.index(" {\n", main)]
    tensors = []
    for match in re.finditer(r'(%\w+: )?tensor<([^>]+)> \{moe\.name = "([^"]+)", moe\.dims = \[([^\]]*)\]\}', signature):
        _, dtype = parse_type(match[2])
        dims = [int(dim) if dim.isdigit() else dim for dim in re.findall(r'"([^"]*)"', match[4])]
        tensors.append((bool(match[1]), Tensor(match[3], dims, dtype)))
    return [t for is_input, t in tensors if is_input], [t for is_input, t in tensors if not is_input]


def make_weights(text, system):
    """Values of the weights: the system's own, else normal numbers over the root of the fan-in. The seed is fixed."""
    random = np.random.default_rng(11)
    values = {}
    for weight in weights_of(text):
        value = random.standard_normal(weight.dims) / np.sqrt(weight.dims[-1])
        if weight.name in system.weights:
            value = system.weights[weight.name](weight.name, random, weight.dims, values)
        values[weight.name] = np.asarray(value).astype(dtype_of(weight.dtype))
    return values


def make_inputs(inputs, system, random, sizes):
    values = {}
    for tensor in inputs:
        shape = [sizes[dim] if isinstance(dim, str) else dim for dim in tensor.dims]
        make = system.inputs.get(tensor.name)
        value = make(random, shape, sizes) if make else random.standard_normal(shape)
        values[tensor.name] = np.asarray(value).astype(dtype_of(tensor.dtype)).reshape(shape)
    return values


def as_float64(values):
    return {name: value if value.dtype.kind in "iub" else value.astype(np.float64) for name, value in values.items()}


def moe_run(folder, inputs, outputs, threads):
    """The outputs of the artifact, by name. In .npy files bfloat16 is its bits, as uint16."""
    bfloat16 = {t.name: dtype_of(t.dtype) for t in outputs if t.dtype == "bf16"}
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        command = ["moe-run", folder, "--threads", str(threads), "--output-dir", scratch]
        for name, value in inputs.items():
            np.save(f"{scratch}/{name}.in.npy", value.view(np.uint16) if value.dtype.kind == "V" else value)
            command += ["--input", f"{name}={scratch}/{name}.in.npy"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if result.returncode != 0:
            raise SystemExit(f"moe-run ended with {result.returncode}: {result.stderr.strip()}")
        values = {path.stem: np.load(path) for path in pathlib.Path(scratch).glob("*.npy") if not path.name.endswith(".in.npy")}
        return {name: value.view(bfloat16.get(name, value.dtype)) for name, value in values.items()}


def compare(case, name, got, want, tolerance):
    """Complains about the first difference; None if there is none."""
    want = np.asarray(want)
    if got.shape != want.shape:
        return f"{case}: {name} has shape {got.shape}, expected {want.shape}"
    if want.dtype.kind in "iub":
        wrong = got != want
    else:
        got = got.astype(np.float64)
        finite = np.abs(want[np.isfinite(want)])
        scale = finite.max(initial=1.0)
        wrong = ~((np.abs(got - want) <= tolerance * scale) | (got == want) | (np.isnan(got) & np.isnan(want)))
    if not wrong.any():
        return None
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{case}: {name}{list(where)} is {got[where]}, expected {want[where]}; {wrong.sum()} of {wrong.size} differ"


def run(path, system):
    text = path.read_text()
    inputs, outputs = interface_of(text)
    weights = as_float64(make_weights(text, system))
    cases = [(f"case {sizes}", make_inputs(inputs, system, np.random.default_rng(100 + number), sizes), {})
             for number, sizes in enumerate(system.sizes)]
    for name, given, published in system.vectors:
        given = {t.name: np.asarray(given[t.name]).astype(dtype_of(t.dtype)) for t in inputs}
        cases.append((f"vector {name}", given, published))
    problems = []
    for case, given, published in cases:
        got, again = moe_run("model", given, outputs, 1), moe_run("model", given, outputs, 3)
        problems += [f"{case}: {name} differs between 1 and 3 threads" for name in got if got[name].tobytes() != again[name].tobytes()]
        wide = as_float64(given)
        if system.accept:
            problems.append(system.accept(got, wide, weights))
        want = system.oracle(wide, weights, *([got] if system.accept else [])) | published
        missing = {t.name for t in outputs} ^ want.keys()
        assert not missing, f"{case}: the oracle and @main do not agree on the outputs: {missing}"
        problems += [compare(case, name, got[name], want[name], system.tolerances.get(name, system.tolerance)) for name in want]
    problems = [problem for problem in problems if problem]
    if problems:
        raise SystemExit("\n".join(problems))
    print(f"{path.stem}: {len(cases)} cases agree with the oracle")


def main():
    mode, path = sys.argv[1], pathlib.Path(sys.argv[2])
    np.seterr(divide="ignore", invalid="ignore")  # A mean over no token is NaN, here and there.
    sys.path.insert(0, os.fspath(pathlib.Path(__file__).parent))
    from systems import SYSTEMS

    system = SYSTEMS[path.stem]
    if mode == "weights":
        for name, value in make_weights(path.read_text(), system).items():
            pathlib.Path(f"{name}.bin").write_bytes(value.tobytes())
    else:
        run(path, system)


if __name__ == "__main__":
    main()
