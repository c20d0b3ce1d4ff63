"""Tensors with the calls of onnxruntime's: OrtValue."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

import numpy as np

from ._abi import _ML_DTYPES
from ._arrays import as_array
from ._devices import check_device
from ._errors import Error

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


def _bits(dtype: np.dtype) -> int:
    """Bits of an element as models take it: 4 where numpy has a whole byte for it."""
    narrow = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4_e2m1fn": 4, "float6_e2m3fn": 6, "float6_e3m2fn": 6}
    return narrow.get(dtype.name, 8 * dtype.itemsize)


def element_dtype(element_type: Any) -> np.dtype:
    """The element type of numpy for numpy's own, its name, or ONNX's number."""
    for name, number in _TYPE_NUMBERS.items():
        if isinstance(element_type, int) and not isinstance(element_type, bool) and element_type == number:
            element_type = name
    if isinstance(element_type, int):
        raise Error("bad_dtype", f"expected an element type that a model can take, found ONNX's number {element_type}")
    if isinstance(element_type, str) and element_type in _ML_DTYPES:
        import ml_dtypes

        element_type = getattr(ml_dtypes, element_type)
    try:
        return np.dtype(element_type)
    except TypeError as error:
        raise Error("bad_dtype", f"expected an element type that a model can take, found {element_type!r}") from error


class OrtValue:
    """A tensor in the CPU's memory."""

    def __init__(self, ortvalue: Any, numpy_obj: Any = None, session: Any = None):
        """ortvalue: another OrtValue, whose memory it shares, or an array as `InferenceSession.run` takes it. numpy_obj, session: kept alive with it."""
        self._array: np.ndarray = ortvalue._array if isinstance(ortvalue, OrtValue) else as_array(ortvalue, "the tensor")
        self._keep = (numpy_obj, session)

    @staticmethod
    def ortvalue_from_numpy(numpy_obj: Any, /, device_type: str = "cpu", device_id: int = 0, vendor_id: Any = -1) -> "OrtValue":
        """A tensor on an array's memory. vendor_id: without effect. Raises Error ("bad_argument") for another device."""
        check_device(device_type, device_id)
        return OrtValue(as_array(numpy_obj, "the tensor"))

    @staticmethod
    def ortvalue_from_numpy_with_onnx_type(data: np.ndarray, /, onnx_element_type: int) -> "OrtValue":
        """A tensor on an array's memory, whose bits are elements of another type: uint16 as bfloat16, uint8 as a float of 8 bits.

        onnx_element_type: ONNX's number. Raises Error ("bad_dtype") where its elements are of another size than the array's, or none that a model takes.
        """
        dtype = element_dtype(int(onnx_element_type))
        if dtype.itemsize != data.dtype.itemsize or _bits(dtype) < 8:
            raise Error("bad_dtype", f"expected a type with elements of {data.dtype.itemsize} bytes, found {dtype.name}")
        return OrtValue(np.ascontiguousarray(data).view(dtype).reshape(data.shape))

    @staticmethod
    def ortvalue_from_shape_and_type(shape: Sequence[int], element_type: Any, device_type: str = "cpu", device_id: int = 0, vendor_id: Any = -1,
                                     memory_info: Any = None) -> "OrtValue":
        """A tensor of given sizes whose elements are not set.

        element_type: a type of numpy, its name, or ONNX's number. vendor_id, memory_info: without effect. Raises Error ("bad_argument", "bad_dtype",
        "bad_shape").
        """
        check_device(device_type, device_id)
        sizes = tuple(int(size) for size in shape)
        if min(sizes, default=0) < 0:
            raise Error("bad_shape", f"expected sizes of at least 0, found {list(sizes)}")
        return OrtValue(np.empty(sizes, element_dtype(element_type)))

    @staticmethod
    def from_dlpack(data: Any, /) -> "OrtValue":
        """A tensor on the memory of what has `__dlpack__`."""
        return OrtValue(as_array(data, "the tensor"))

    def numpy(self) -> np.ndarray:
        """The tensor as an array, on its memory."""
        return self._array

    def update_inplace(self, data: Any) -> None:
        """Sets the elements from an array or OrtValue of as many elements of the same type; the shape stays.

        Raises TypeError for anything else, Error ("bad_shape", "bad_dtype")."""
        if not isinstance(data, (np.ndarray, OrtValue)):
            raise TypeError(f"expected a numpy.ndarray or an OrtValue, found {type(data).__name__}")
        array = data.numpy() if isinstance(data, OrtValue) else data
        if array.size != self._array.size:
            raise Error("bad_shape", f"expected the shape {list(self._array.shape)}, found {list(array.shape)}")
        if array.dtype != self._array.dtype:
            raise Error("bad_dtype", f"expected elements of {self._array.dtype}, found {array.dtype}")
        self._array[...] = array.reshape(self._array.shape)

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Tuple[int, int]:
        return self._array.__dlpack_device__()

    def to_dlpack(self) -> Any:
        """The capsule of `__dlpack__`."""
        return self._array.__dlpack__()

    @property
    def _ortvalue(self) -> "OrtValue":
        """Itself: where onnxruntime's users reach into an OrtValue, there is another object with the same calls."""
        return self

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

    def as_sparse_tensor(self) -> Any:
        """Raises Error ("bad_argument"): it is not sparse."""
        raise Error("bad_argument", "expected a sparse tensor, found a dense one; there are no others here")

    def shape(self) -> List[int]:
        """The sizes."""
        return list(self._array.shape)

    def tensor_size_in_bytes(self) -> int:
        """Bytes of the elements."""
        return self._array.nbytes


def copy_tensors(src: Sequence[OrtValue], dst: Sequence[OrtValue], stream: Any = None) -> None:
    """Copies the elements of each tensor to the one at its place. stream: without effect. Raises Error ("bad_argument", "bad_shape", "bad_dtype")."""
    if len(src) != len(dst):
        raise Error("bad_argument", f"expected as many tensors to copy to ({len(src)}), found {len(dst)}")
    for source, target in zip(src, dst):
        target.update_inplace(source)
