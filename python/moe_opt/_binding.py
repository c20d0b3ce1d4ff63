"""Arrays bound to a session, with the calls of onnxruntime: IOBinding."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from ._arrays import as_array
from ._devices import check_device
from ._errors import Error
from ._model import Model, TensorInfo
from ._values import OrtValue, element_dtype

def _at_address(pointer: Optional[int], shape: Sequence[int], dtype: np.dtype, what: str) -> np.ndarray:
    """An array on memory that the caller keeps."""
    sizes = tuple(int(size) for size in shape)
    if min(sizes, default=0) < 0:
        raise Error("bad_shape", f"{what}: expected sizes of at least 0, found {list(sizes)}")
    count = int(np.prod(sizes, dtype=object)) * dtype.itemsize
    if count and not pointer:
        raise Error("bad_argument", f"{what}: expected an address, found none")
    memory: Any = (ctypes.c_uint8 * count).from_address(pointer or 0) if count else (ctypes.c_uint8 * 0)()
    return np.frombuffer(memory, dtype).reshape(sizes)


class IOBinding:
    """Inputs and outputs of runs that are set once, or that live in memory of the caller's. Made by `InferenceSession.io_binding`, or of a session."""

    def __init__(self, session: Any):
        """session: an InferenceSession, or a Model."""
        model: Model = getattr(session, "model", session)
        #: Whose inputs and outputs they are.
        self.model: Model = model
        self._inputs_known = {info.name: info for info in model.inputs}
        self._outputs_known = {info.name: info for info in model.outputs}
        self._inputs: Dict[str, Any] = {}
        #: None for an output that the run is to make.
        self._outputs: Dict[str, Optional[np.ndarray]] = {}
        self._results: Dict[str, np.ndarray] = {}

    @staticmethod
    def _check_name(name: str, known: Mapping[str, TensorInfo], kind: str) -> None:
        if name not in known:
            raise Error("bad_argument", f"unknown {kind} {name!r}; the model's {kind}s are {', '.join(known)}")

    def bind_cpu_input(self, name: str, arr_on_cpu: Any) -> None:
        """Binds an array (numpy's or with `__dlpack__`), which is read where it is. Raises Error for a name that is no input."""
        self._check_name(name, self._inputs_known, "input")
        self._inputs[name] = as_array(arr_on_cpu, f"input {name!r}")

    def bind_input(self, name: str, device_type: str, device_id: int, element_type: Any, shape: Sequence[int], buffer_ptr: int) -> None:
        """Binds dense row-major memory of the caller's, which must live and stay as it is for every run.

        device_type, device_id: "cpu", 0. element_type: a type of numpy or ONNX's number. shape: sizes in elements. buffer_ptr: address.
        Raises Error.
        """
        self._check_name(name, self._inputs_known, "input")
        check_device(device_type, device_id)
        self._inputs[name] = _at_address(buffer_ptr, shape, element_dtype(element_type), f"input {name!r}")

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        """Binds a tensor. Raises Error for a name that is no input."""
        self.bind_cpu_input(name, ortvalue.numpy())

    def bind_output(self, name: str, device_type: str = "cpu", device_id: int = 0, element_type: Any = None, shape: Optional[Sequence[int]] = None,
                    buffer_ptr: Optional[int] = None) -> None:
        """Asks for an output: in memory of the caller's where `buffer_ptr` says so (with `element_type` and `shape`, as in `bind_input`), else in
        a new array each run. Raises Error."""
        self._check_name(name, self._outputs_known, "output")
        check_device(device_type, device_id)
        if buffer_ptr is None:
            self._outputs[name] = None
            return
        if element_type is None or shape is None:
            raise Error("bad_argument", f"output {name!r}: expected an element type and a shape with the address, found none")
        self._outputs[name] = _at_address(buffer_ptr, shape, element_dtype(element_type), f"output {name!r}")

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        """Asks for an output in a tensor's memory. Raises Error for a name that is no output."""
        self._check_name(name, self._outputs_known, "output")
        self._outputs[name] = ortvalue.numpy()

    def run(self, model: Model) -> None:
        """Runs the model on what is bound. Raises Error, also where no output is bound."""
        if not self._outputs:
            raise Error("bad_argument", "expected at least one bound output, found none")
        results = model.run(self._inputs, {name: array for name, array in self._outputs.items() if array is not None})
        self._results = {name: results[name] for name in self._outputs}

    def get_outputs(self) -> List[OrtValue]:
        """The outputs of the last run, in the order in which they were bound."""
        return [OrtValue(array) for array in self._results.values()]

    def get_outputs_as_ortvaluevector(self) -> List[OrtValue]:
        """As `get_outputs`."""
        return self.get_outputs()

    def copy_outputs_to_cpu(self) -> List[np.ndarray]:
        """Copies of the outputs of the last run, in the order in which they were bound."""
        return [array.copy() for array in self._results.values()]

    def clear_binding_inputs(self) -> None:
        """Forgets the inputs."""
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        """Forgets the outputs, and what the last run gave."""
        self._outputs.clear()
        self._results.clear()

    def synchronize_inputs(self) -> None:
        """Nothing: the CPU's memory is always up to date."""

    def synchronize_outputs(self) -> None:
        """Nothing: the CPU's memory is always up to date."""
