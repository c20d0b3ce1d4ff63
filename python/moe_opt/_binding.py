"""Arrays bound to a session, with the calls of onnxruntime: OrtValue and IOBinding."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ._abi import _ML_DTYPES
from ._arrays import as_array
from ._errors import Error
from ._model import Model, TensorInfo

# ONNX Runtime's names of element types where they are not numpy's or ml_dtypes', and ONNX's numbers of all that a model can take. ONNX Runtime has
# no float6; their names follow the others'.
_TYPE_NAMES = {"float32": "float", "float64": "double", "float8_e4m3fn": "float8e4m3fn", "float8_e4m3fnuz": "float8e4m3fnuz",
               "float8_e5m2": "float8e5m2", "float8_e5m2fnuz": "float8e5m2fnuz", "float8_e8m0fnu": "float8e8m0", "float4_e2m1fn": "float4e2m1",
               "float6_e2m3fn": "float6e2m3", "float6_e3m2fn": "float6e3m2"}
_TYPE_NUMBERS = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "float64": 11,
                 "uint32": 12, "uint64": 13, "bfloat16": 16, "float8_e4m3fn": 17, "float8_e4m3fnuz": 18, "float8_e5m2": 19, "float8_e5m2fnuz": 20,
                 "uint4": 21, "int4": 22, "float4_e2m1fn": 23, "float8_e8m0fnu": 24, "uint2": 25, "int2": 26, "float6_e2m3fn": 27, "float6_e3m2fn": 28}


def type_name(dtype: np.dtype) -> str:
    """"tensor(float)" and the like."""
    return f"tensor({_TYPE_NAMES.get(dtype.name, dtype.name)})"


def _dtype(element_type: Any) -> np.dtype:
    """The element type of numpy for numpy's own, its name, or ONNX's number."""
    for name, number in _TYPE_NUMBERS.items():
        if isinstance(element_type, int) and not isinstance(element_type, bool) and element_type == number:
            element_type = name
    if isinstance(element_type, int):
        raise Error("bad_dtype", f"expected an element type that a model can take, found ONNX's number {element_type}")
    if isinstance(element_type, str) and element_type in _ML_DTYPES:
        import ml_dtypes

        element_type = getattr(ml_dtypes, element_type)
    return np.dtype(element_type)


def _check_device(device_type: str, device_id: int) -> None:
    if device_type != "cpu" or device_id != 0:
        raise Error("bad_argument", f"expected memory of the device cpu:0, found {device_type}:{device_id}")


class OrtValue:
    """A tensor in the CPU's memory."""

    def __init__(self, array: np.ndarray):
        self._array = array

    @staticmethod
    def ortvalue_from_numpy(numpy_obj: Any, device_type: str = "cpu", device_id: int = 0) -> "OrtValue":
        """A tensor on an array's memory. Raises Error ("bad_argument") for another device."""
        _check_device(device_type, device_id)
        return OrtValue(as_array(numpy_obj, "the tensor"))

    @staticmethod
    def ortvalue_from_shape_and_type(shape: Sequence[int], element_type: Any, device_type: str = "cpu", device_id: int = 0) -> "OrtValue":
        """A tensor of given sizes whose elements are not set."""
        _check_device(device_type, device_id)
        return OrtValue(np.empty(tuple(shape), _dtype(element_type)))

    @staticmethod
    def from_dlpack(data: Any) -> "OrtValue":
        """A tensor on the memory of what has `__dlpack__`."""
        return OrtValue(as_array(data, "the tensor"))

    def numpy(self) -> np.ndarray:
        """The tensor as an array, on its memory."""
        return self._array

    def update_inplace(self, data: np.ndarray) -> None:
        """Sets the elements from an array of the same shape. Raises Error ("bad_shape")."""
        if np.shape(data) != self._array.shape:
            raise Error("bad_shape", f"expected the shape {list(self._array.shape)}, found {list(np.shape(data))}")
        self._array[...] = data

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Tuple[int, int]:
        return self._array.__dlpack_device__()

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self._array.ctypes.data

    def data_type(self) -> str:
        """ "tensor(float)" and the like."""
        return type_name(self._array.dtype)

    def element_type(self) -> int:
        """ONNX's number of the element type."""
        return _TYPE_NUMBERS[self._array.dtype.name]

    def device_name(self) -> str:
        """ "cpu"."""
        return "cpu"

    def has_value(self) -> bool:
        """True: there are no empty optionals here."""
        return True

    def is_tensor(self) -> bool:
        """True: there is nothing else here."""
        return True

    def is_sparse_tensor(self) -> bool:
        """False."""
        return False

    def is_tensor_sequence(self) -> bool:
        """False."""
        return False

    def shape(self) -> List[int]:
        """The sizes."""
        return list(self._array.shape)

    def tensor_size_in_bytes(self) -> int:
        """Bytes of the elements."""
        return self._array.nbytes


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
    """Inputs and outputs of runs that are set once, or that live in memory of the caller's. Made by `InferenceSession.io_binding`."""

    def __init__(self, model: Model):
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
        _check_device(device_type, device_id)
        self._inputs[name] = _at_address(buffer_ptr, shape, _dtype(element_type), f"input {name!r}")

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        """Binds a tensor. Raises Error for a name that is no input."""
        self.bind_cpu_input(name, ortvalue.numpy())

    def bind_output(self, name: str, device_type: str = "cpu", device_id: int = 0, element_type: Any = None, shape: Optional[Sequence[int]] = None,
                    buffer_ptr: Optional[int] = None) -> None:
        """Asks for an output: in memory of the caller's where `buffer_ptr` says so (with `element_type` and `shape`, as in `bind_input`), else in
        a new array each run. Raises Error."""
        self._check_name(name, self._outputs_known, "output")
        _check_device(device_type, device_id)
        if buffer_ptr is None:
            self._outputs[name] = None
            return
        if element_type is None or shape is None:
            raise Error("bad_argument", f"output {name!r}: expected an element type and a shape with the address, found none")
        self._outputs[name] = _at_address(buffer_ptr, shape, _dtype(element_type), f"output {name!r}")

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        """Asks for an output in a tensor's memory. Raises Error for a name that is no output."""
        self._check_name(name, self._outputs_known, "output")
        self._outputs[name] = ortvalue.numpy()

    def run(self, model: Model) -> None:
        """Runs the model on what is bound."""
        if not self._outputs:
            raise Error("bad_argument", "expected at least one bound output, found none")
        results = model.run(self._inputs, {name: array for name, array in self._outputs.items() if array is not None})
        self._results = {name: results[name] for name in self._outputs}

    def get_outputs(self) -> List[OrtValue]:
        """The outputs of the last run, in the order in which they were bound."""
        return [OrtValue(array) for array in self._results.values()]

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
