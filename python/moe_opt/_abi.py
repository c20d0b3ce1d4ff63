"""The C ABI of a compiled model (model.h) in ctypes: structs, signatures and element types."""

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any

import numpy as np


class DType(ctypes.Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class Device(ctypes.Structure):
    _fields_ = [("device_type", c_int32), ("device_id", c_int32)]


class Tensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("device", Device), ("ndim", c_int32), ("dtype", DType), ("shape", POINTER(c_int64)),
                ("strides", POINTER(c_int64)), ("byte_offset", c_uint64)]


class Dim(ctypes.Structure):
    _fields_ = [("size", c_int64), ("symbol", c_char_p)]


class TensorInfo(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("dtype", DType), ("rank", c_int32), ("dims", POINTER(Dim)), ("pair", c_int32), ("pair_axis", c_int32)]


class OpenOptions(ctypes.Structure):
    _fields_ = [("size", c_uint64), ("isa", c_char_p), ("verify", c_uint32), ("unused", c_uint32)]


CPU = 1

_CODES = {"i": 0, "u": 1, "f": 2, "b": 6}


def dtype_of(array_dtype: Any) -> DType:
    """The ABI's element type of a numpy dtype; bfloat16 is the one of ml_dtypes. Raises TypeError for others."""
    array_dtype = np.dtype(array_dtype)
    if array_dtype.name == "bfloat16":
        return DType(4, 16, 1)
    if array_dtype.kind not in _CODES:
        raise TypeError(f"arrays of {array_dtype} cannot be passed to a model")
    return DType(_CODES[array_dtype.kind], 8 * array_dtype.itemsize, 1)


def numpy_dtype(dtype: DType) -> np.dtype:
    """The numpy dtype of an ABI element type."""
    if dtype.code == 4:
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    if dtype.code == 6:
        return np.dtype(bool)
    kind = {code: kind for kind, code in _CODES.items()}[dtype.code]
    return np.dtype(f"{kind}{dtype.bits // 8}")


def bind(library: Any) -> Any:
    """Declares the signatures of the functions of a loaded model.so."""
    signatures = {
        "moe_last_error": (c_char_p,),
        "moe_version": (c_char_p,),
        "moe_status_name": (c_char_p, c_int),
        "moe_model_open": (c_int, c_char_p, POINTER(OpenOptions), POINTER(c_void_p)),
        "moe_model_close": (None, c_void_p),
        "moe_model_num_inputs": (c_int32, c_void_p),
        "moe_model_num_outputs": (c_int32, c_void_p),
        "moe_model_input": (c_int, c_void_p, c_int32, POINTER(TensorInfo)),
        "moe_model_output": (c_int, c_void_p, c_int32, POINTER(TensorInfo)),
        "moe_model_isa": (c_char_p, c_void_p),
        "moe_model_output_shapes": (c_int, c_void_p, POINTER(Tensor), c_int32, POINTER(Tensor), c_int32),
        "moe_context_create": (c_int, c_void_p, c_int32, POINTER(c_void_p)),
        "moe_context_destroy": (None, c_void_p),
        "moe_context_threads": (c_int32, c_void_p),
        "moe_context_run": (c_int, c_void_p, POINTER(Tensor), c_int32, POINTER(Tensor), c_int32),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
