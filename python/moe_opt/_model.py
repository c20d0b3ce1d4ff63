"""A loaded artifact: its inputs and outputs, and run."""

from __future__ import annotations

import base64
import ctypes
import math
import dataclasses
import functools
import json
import os
import shutil
import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import _abi
from ._arrays import as_array, has_dense_rows
from ._errors import Error
from ._shared_object import check_shared_object


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model. A dim is a size, or the name of its symbol ("?" if it has none)."""

    name: str
    dtype: np.dtype
    dims: Tuple[Union[int, str], ...]
    #: KV cache: for an input the name of the output that extends it, for an output the name of that input; "" if none.
    pair: str = ""
    #: Of a KV cache whose heads several processes share: (axis, first, whole). This process gives and gets the places from `first` on of an axis of `whole`
    #: places, as many as `dims` says; None where it has all. A part of a whole cache is passed as a view of it, of `own`.
    part: Optional[Tuple[int, int, int]] = None

    def own(self, whole: np.ndarray) -> np.ndarray:
        """The view of a whole array that this process gives."""
        if self.part is None:
            return whole
        axis, first, _ = self.part
        return whole[(slice(None),) * axis + (slice(first, first + int(self.dims[axis])),)]


def load(folder: Union[str, os.PathLike], *, threads: int = 0, verify: bool = False) -> "Model":
    """Opens an artifact folder.

    threads: how many threads run the model; 0 takes $MOE_NUM_THREADS, else the CPUs this process may use.
    verify: compare the hash of model.weights first (reads all of it).
    Raises Error.
    """
    return Model(folder, threads, verify)


def _strided(tensor: _abi.Tensor, array: np.ndarray) -> Any:
    """Tells the tensor the strides of an array that is not dense; gives what must live as long as the tensor."""
    if array.flags.c_contiguous:
        return None
    strides = (ctypes.c_int64 * array.ndim)(*(step // array.itemsize for step in array.strides))
    tensor.strides = strides
    return strides


#: The files that were loaded from each path, in that order.
_loaded: Dict[str, List[Tuple[int, int]]] = {}


def _path_to_load(path: str) -> str:
    """A spelling of the path that was not used for another file: the loader takes a path that it knows for the file that was there before, which
    compiling again into the same folder has replaced."""
    status = os.stat(path)
    file, files = (status.st_dev, status.st_ino), _loaded.setdefault(path, [])
    if file not in files:
        files.append(file)
    return os.path.join(os.path.dirname(path), *["."] * files.index(file), os.path.basename(path))


class Model:
    """A compiled model, opened. Threads may share it; their runs take turns."""

    def __init__(self, folder: Union[str, os.PathLike], threads: int, verify: bool):
        #: The folder of the artifact.
        self.path: str = os.path.abspath(os.fspath(folder))
        path = os.path.join(self.path, "model.so")
        self._model = ctypes.c_void_p()
        self._context = ctypes.c_void_p()
        self._lock = threading.Lock()
        check_shared_object(path)
        try:
            self._library = _abi.bind(ctypes.CDLL(_path_to_load(path), mode=ctypes.RTLD_LOCAL))
        except (OSError, AttributeError) as error:
            raise Error("bad_artifact", f"{path}: {error}") from None
        options = _abi.OpenOptions(ctypes.sizeof(_abi.OpenOptions), None, int(verify), 0)
        self._check(self._library.moe_model_open(os.fsencode(os.path.dirname(path)), ctypes.byref(options), ctypes.byref(self._model)))
        self._check(self._library.moe_context_create(self._model, threads, ctypes.byref(self._context)))
        raw_inputs = self._describe(self._library.moe_model_num_inputs, self._library.moe_model_input)
        raw_outputs = self._describe(self._library.moe_model_num_outputs, self._library.moe_model_output)
        #: The inputs and outputs, in the order of the source model.
        self.inputs: Tuple[TensorInfo, ...] = tuple(
            self._info(raw, raw_outputs, self._part(self._library.moe_model_input_part, index)) for index, raw in enumerate(raw_inputs))
        self.outputs: Tuple[TensorInfo, ...] = tuple(
            self._info(raw, raw_inputs, self._part(self._library.moe_model_output_part, index)) for index, raw in enumerate(raw_outputs))

    @property
    def isa(self) -> str:
        """Name of the ISA version in use."""
        return self._library.moe_model_isa(self._model).decode()

    @property
    def rank(self) -> int:
        """This process among the `ranks` that run the model together, from 0."""
        return int(self._library.moe_model_rank(self._model))

    @property
    def ranks(self) -> int:
        """How many processes run the model together: 1 unless it was compiled for a mesh and mpiexec started several."""
        return int(self._library.moe_model_ranks(self._model))

    @property
    def report(self) -> Dict[str, Any]:
        """What the compiler says of the artifact: the contents of manifest.json, whose keys docs/Overview.md lists."""
        path = os.path.join(self.path, "manifest.json")
        try:
            with open(path, encoding="utf-8") as stream:
                return json.load(stream)
        except (OSError, ValueError) as error:
            raise Error("bad_artifact", f"{path}: {error}") from None

    @property
    def moe_layers(self) -> List[Dict[str, Any]]:
        """The MoE layers that were found, in the order of the graph: name, export form, number of experts and so on."""
        return self.report["moe_layers"]

    @functools.cached_property
    def defaults(self) -> Dict[str, np.ndarray]:
        """What a run takes for an input that it is not given, by name: of initializers that were compiled as overridable (see `compile`)."""
        if not os.path.exists(os.path.join(self.path, "manifest.json")):
            return {}
        known = {entry["name"]: entry["default"] for entry in self.report["inputs"] if "default" in entry}
        return {info.name: np.frombuffer(base64.b64decode(known[info.name]["base64"]), info.dtype).reshape(known[info.name]["shape"])
                for info in self.inputs if info.name in known}

    def save(self, folder: Union[str, os.PathLike]) -> None:
        """Copies the artifact to a folder that does not exist yet; `load` opens it there. Raises FileExistsError, OSError."""
        shutil.copytree(self.path, folder)

    @staticmethod
    def load(folder: Union[str, os.PathLike], *, threads: int = 0, verify: bool = False) -> "Model":
        """As the function `load` of the package."""
        return load(folder, threads=threads, verify=verify)

    def __call__(self, *arrays: Any) -> Union[np.ndarray, Tuple[np.ndarray, ...]]:
        """Runs the model on arrays in the order of `inputs`; gives its one output, or a tuple in the order of `outputs`.

        arrays: as the values of `run`, for all inputs or for those without `defaults`. Raises Error as `run` does, and where the number of arrays is another.
        """
        names = [info.name for info in self.inputs]
        needed = [name for name in names if name not in self.defaults]
        if len(arrays) not in (len(names), len(needed)):
            fewer = f", or {len(needed)} ({', '.join(needed)})" if len(needed) < len(names) else ""
            raise Error("bad_argument", f"expected {len(names)} arrays ({', '.join(names)}){fewer}, found {len(arrays)}")
        results = self.run(dict(zip(names if len(arrays) == len(names) else needed, arrays)))
        values = tuple(results[info.name] for info in self.outputs)
        return values[0] if len(values) == 1 else values

    def run(self, inputs: Mapping[str, Any], outputs: Optional[Mapping[str, np.ndarray]] = None) -> Dict[str, np.ndarray]:
        """Runs the model on arrays by name; gives arrays by name, in the order of `outputs`.

        inputs: an array for each of the model's inputs (those with `defaults` may be left out), of its element type and with sizes that fit its dims: numpy's, or any with `__dlpack__`
            in the CPU's memory (torch, JAX). Dense row-major ones are read where they are; others are copied first.
        outputs: arrays that receive outputs, by name: writable, dense, and of the shapes that the inputs' sizes give. They must not share memory
            with an input. Outputs that are not named are new arrays. Where only the run finds out a size (how many elements are not zero), the array
            has room for the most there may be, and what is returned is the part that was written.

        A KV cache (`TensorInfo.pair`) may be a part of a larger buffer, the last dim dense. If input and output begin at the same element with
        the same strides, as `buffer[:, :, :past]` and `buffer[:, :, :past + new]` do, the cache is updated in place: only what is new is written.

        The GIL is not held while the model computes; runs of one model take turns. Raises Error: "bad_argument" for missing or unknown names and
        shared memory, "bad_dtype", "bad_shape", "no_memory". After an error no output has been written, unless the message names a node: then a
        value (an index, say) was out of the range that the node takes, and arrays in `outputs` hold anything.
        """
        arrays = self._collect(inputs)
        tensors, keep = self._tensors(arrays)
        raw = (_abi.Tensor * len(self.outputs))()
        shapes = [(ctypes.c_int64 * max(len(info.dims), 1))() for info in self.outputs]
        for tensor, shape in zip(raw, shapes):
            tensor.shape = shape
        with self._lock:
            self._check(self._library.moe_model_output_shapes(self._model, tensors, len(arrays), raw, len(raw)))
            sizes = {info.name: tuple(shape[: tensor.ndim]) for info, tensor, shape in zip(self.outputs, raw, shapes)}
            results = self._receivers(sizes, outputs or {})
            for info, tensor in zip(self.outputs, raw):
                tensor.data = results[info.name].ctypes.data
                keep.append(_strided(tensor, results[info.name]))
            self._check(self._library.moe_context_run(self._context, tensors, len(arrays), raw, len(raw)))
            for info, shape in zip(self.outputs, shapes):
                found = tuple(shape[: len(info.dims)])
                if found != sizes[info.name]:  # a size that depends on data: the elements lie dense at the start
                    results[info.name] = results[info.name].reshape(-1)[: math.prod(found)].reshape(found)
        del keep
        return results

    def _receivers(self, shapes: Mapping[str, Tuple[int, ...]], given: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """The array that receives each output: the one given, checked, or a new one."""
        unknown = sorted(set(given) - set(shapes))
        if unknown:
            raise Error("bad_argument", f"unknown output {unknown[0]!r}; the model's outputs are {', '.join(shapes)}")
        results = {}
        for info in self.outputs:
            shape, array = shapes[info.name], given.get(info.name)
            what = f"output {info.name!r}"
            if array is None:
                try:
                    array = np.empty(shape, info.dtype)
                except (MemoryError, ValueError) as error:
                    raise Error("no_memory", f"{what}: no memory for the shape {list(shape)}") from error
            elif not isinstance(array, np.ndarray):
                raise Error("bad_argument", f"{what}: expected an array of numpy, found {type(array).__name__}")
            elif array.dtype != info.dtype:
                raise Error("bad_dtype", f"{what}: expected {info.dtype}, found {array.dtype}")
            elif array.shape != shape:
                raise Error("bad_shape", f"{what}: expected the shape {list(shape)}, found {list(array.shape)}")
            elif not (array.flags.writeable and (array.flags.c_contiguous or (info.pair and has_dense_rows(array)))):
                raise Error("bad_argument", f"{what}: expected a dense row-major array that can be written, found another")
            results[info.name] = array
        return results

    def _collect(self, inputs: Mapping[str, Any]) -> List[np.ndarray]:
        """The inputs in order, as dense arrays."""
        names = [info.name for info in self.inputs]
        unknown = sorted(set(inputs) - set(names))
        missing = [name for name in names if name not in inputs]
        if missing and not unknown:
            inputs = {**{name: self.defaults[name] for name in missing if name in self.defaults}, **inputs}
            missing = [name for name in missing if name not in inputs]
        if unknown or missing:
            parts = [f"unknown input {name!r}" for name in unknown] + [f"missing input {name!r}" for name in missing]
            raise Error("bad_argument", f"{', '.join(parts)}; the model's inputs are {', '.join(names)}")
        return [as_array(inputs[info.name], f"input {info.name!r}", rows=bool(info.pair)) for info in self.inputs]

    def _tensors(self, arrays: Sequence[np.ndarray]) -> Tuple[Any, List[Any]]:
        """The arrays as the C ABI's tensors, and what must live as long as these."""
        tensors = (_abi.Tensor * len(arrays))()
        keep: List[Any] = [arrays]
        for info, tensor, array in zip(self.inputs, tensors, arrays):
            try:
                tensor.dtype = _abi.dtype_of(array.dtype)
            except TypeError as error:
                raise Error("bad_dtype", f"input {info.name!r}: {error}") from None
            shape = (ctypes.c_int64 * max(array.ndim, 1))(*array.shape)
            tensor.data, tensor.device, tensor.ndim, tensor.shape = array.ctypes.data, _abi.Device(_abi.CPU, 0), array.ndim, shape
            keep += [shape, _strided(tensor, array)]
        return tensors, keep

    def _describe(self, count: Callable[..., int], describe: Callable[..., int]) -> List[_abi.TensorInfo]:
        infos = []
        for index in range(count(self._model)):
            info = _abi.TensorInfo()
            self._check(describe(self._model, index, ctypes.byref(info)))
            infos.append(info)
        return infos

    def _part(self, describe: Callable[..., int], index: int) -> Optional[Tuple[int, int, int]]:
        part = _abi.Part()
        self._check(describe(self._model, index, ctypes.byref(part)))
        return (part.axis, part.first, part.whole) if part.axis >= 0 else None

    @staticmethod
    def _info(raw: _abi.TensorInfo, partners: List[_abi.TensorInfo], part: Optional[Tuple[int, int, int]]) -> TensorInfo:
        dims = tuple(raw.dims[i].size if raw.dims[i].size >= 0 else raw.dims[i].symbol.decode() or "?" for i in range(raw.rank))
        pair = partners[raw.pair].name.decode() if raw.pair >= 0 else ""
        return TensorInfo(raw.name.decode(), _abi.numpy_dtype(raw.dtype), dims, pair, part)

    def _check(self, status: int) -> None:
        if status != 0:
            raise Error(self._library.moe_status_name(status).decode(), self._library.moe_last_error().decode(errors="replace"))

    def __del__(self) -> None:
        library = getattr(self, "_library", None)
        if library is not None:
            library.moe_context_destroy(self._context)
            library.moe_model_close(self._model)
