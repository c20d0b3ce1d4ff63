"""Arrays of other libraries as numpy arrays on the same memory."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from . import _abi
from ._errors import Error

_CPU = 1
_BFLOAT = 4


class _ManagedTensor(ctypes.Structure):
    """DLManagedTensor of DLPack; its tensor is laid out as the C ABI's."""

    _fields_ = [("tensor", _abi.Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


_get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))


def _from_bfloat16(capsule: Any) -> np.ndarray:
    """A view of a capsule's tensor of bfloat16, which numpy itself does not know. The capsule stays as it is, and lives as long as the view."""
    tensor = _ManagedTensor.from_address(_get_pointer(capsule, b"dltensor")).tensor
    shape = [tensor.shape[axis] for axis in range(tensor.ndim)]
    strides = [tensor.strides[axis] * 2 for axis in range(tensor.ndim)] if tensor.strides else None
    # The elements that the strides reach; a view must not be larger than what it lies on.
    count = 0 if 0 in shape else 1 + sum((size - 1) * step // 2 for size, step in zip(shape, strides)) if strides else int(np.prod(shape))
    memory: Any = (ctypes.c_uint16 * count).from_address((tensor.data or 0) + tensor.byte_offset) if count else (ctypes.c_uint16 * 0)()
    memory.owner = capsule
    return np.ndarray(shape, _abi.numpy_dtype(tensor.dtype), memory, strides=strides if count else None)


def _from_dlpack(value: Any, what: str) -> np.ndarray:
    device = int(value.__dlpack_device__()[0])
    if device != _CPU:
        raise Error("bad_argument", f"{what}: expected memory of the CPU (DLPack device 1), found device {device}")
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError) as error:
        capsule = value.__dlpack__()
        dtype = _ManagedTensor.from_address(_get_pointer(capsule, b"dltensor")).tensor.dtype
        if (dtype.code, dtype.bits, dtype.lanes) == (_BFLOAT, 16, 1):
            return _from_bfloat16(capsule)
        raise Error("bad_dtype", f"{what}: {error}") from None


def has_dense_rows(array: np.ndarray) -> bool:
    """Is it laid out as the C ABI takes KV caches: any strides that are not negative, elements of the last dim side by side?"""
    steps_fit = all(step >= 0 and step % array.itemsize == 0 for step in array.strides)
    return steps_fit and array.ndim > 0 and (array.strides[-1] == array.itemsize or array.shape[-1] <= 1)


def as_array(value: Any, what: str, rows: bool = False) -> np.ndarray:
    """A dense numpy array in this machine's byte order, on the value's memory where it is one already; else a copy.

    value: an array of numpy, what has `__dlpack__` on the CPU (torch, JAX), or anything that numpy makes an array of.
    what: what to call it in an error.
    rows: dense rows are enough (`has_dense_rows`).
    Raises Error ("bad_argument" for memory of another device, "bad_dtype" for an element type that numpy does not know).
    """
    if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        value = _from_dlpack(value, what)
    array = np.asarray(value)
    if rows and array.dtype.isnative and has_dense_rows(array):
        return array
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
